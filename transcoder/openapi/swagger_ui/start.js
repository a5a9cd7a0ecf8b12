// Shows the document of this server, and ends streams that would not.
//
// Rule: all scripts of the page are files, as its policy allows none in HTML.

const STREAMED = /^(application\/x-ndjson|text\/event-stream)\b/;
const STREAM_MAX_CHARS = 32 * 1024; // as much as the page colours without a delay
const STREAM_MAX_MS = 5000; // of a stream without an end, of which the page would show nothing
const CUT = "\n(this page ended the stream here)\n";

// Fetches a whole answer; of a stream the part within the limits.
async function fetchPart(url, request) {
  const controller = new AbortController();
  const response = await fetch(url, { ...request, signal: controller.signal });
  if (!STREAMED.test(response.headers.get("content-type"))) return response;
  const text = await firstPart(response.body.pipeThrough(new TextDecoderStream()).getReader());
  controller.abort(); // it ends the call, if it is not over
  return new Response(text, response);
}

async function firstPart(reader) {
  let text = "";
  const timeout = new Promise((resolve) => setTimeout(resolve, STREAM_MAX_MS, { isLate: true }));
  while (text.length < STREAM_MAX_CHARS) {
    const { done, value, isLate } = await Promise.race([reader.read(), timeout]);
    if (isLate) break;
    if (done) return text;
    text += value;
  }
  return text.slice(0, STREAM_MAX_CHARS) + CUT;
}

// Shows lines of JSON as text; by default the page says that they are no JSON.
const LinesAsText = ({ React }) => ({
  wrapComponents: {
    responseBody: (Shown) => (given) => {
      const isStreamed = STREAMED.test(given.contentType);
      return React.createElement(Shown, isStreamed ? { ...given, contentType: "text/plain" } : given);
    },
  },
});

SwaggerUIBundle({
  url: "openapi.json", // beside the page, wherever that is mounted
  dom_id: "#page",
  plugins: [LinesAsText],
  requestInterceptor: (request) => Object.assign(request, { userFetch: fetchPart }),
  validatorUrl: null, // by default a foreign host is asked about the document
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  showExtensions: true, // x-grpc-path
});
