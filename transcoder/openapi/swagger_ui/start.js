// Shows the document of this server, ends streams that would not, and makes samples that can be sent.
//
// Rule: all scripts of the page are files, as its policy allows none in HTML.

const STREAMED = /^(application\/x-ndjson|text\/event-stream)\b/;
const STREAM_MAX_CHARS = 32 * 1024; // as much as the page colours without a delay
const STREAM_MAX_MS = 5000; // of a stream without an end, of which the page would show nothing
const OPEN_PATHS_MAX = 200;
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

// Returns a schema whose sample is a message that can be sent, which the page's own often is not.
function ofSample(schema) {
  if (Array.isArray(schema)) return schema.map(ofSample);
  if (schema === null || typeof schema !== "object") return schema;
  const made = Object.fromEntries(Object.entries(schema).map(([name, each]) => [name, ofSample(each)]));
  if (/^u?int(32|64)$/.test(schema.format)) {
    const { type, minimum = 0, maximum = 0 } = schema;
    made.default ??= type === "string" ? "0" : Math.max(minimum, Math.min(0, maximum));
  }
  // A message within itself is not resolved, and would be a string; so would the key of a map be.
  if (made.items?.$ref) made.default = [];
  if (made.additionalProperties?.$ref || made.propertyNames) made.default = {};
  for (const [name, each] of Object.entries(made.properties ?? {})) {
    if (each.$ref) delete made.properties[name];
  }
  // Which oneofs need a member: there would be a sample for each choice.
  if (made.anyOf?.every((each) => Object.keys(each).join() === "required")) delete made.anyOf;
  // By a member of a oneof the others, which it forbids.
  const others = schema.dependentSchemas ?? {};
  for (const name of Object.keys(others)) {
    if (name in made.properties) Object.keys(others[name].properties).forEach((each) => delete made.properties[each]);
  }
  return made;
}

const SendableSamples = () => ({
  afterLoad({ fn }) {
    const { memoizedSampleFromSchema: sample } = fn.jsonSchema202012;
    fn.jsonSchema202012.memoizedSampleFromSchema = (schema, ...rest) => sample(ofSample(schema), ...rest);
  },
});

// Shows a long document closed: a thousand open methods take the page seconds for each click.
function closeLong(response) {
  if (Object.keys(response.obj?.paths ?? {}).length > OPEN_PATHS_MAX) ui.getConfigs().docExpansion = "none";
  return response;
}

const ui = SwaggerUIBundle({
  url: "openapi.json", // beside the page, wherever that is mounted
  dom_id: "#page",
  plugins: [LinesAsText, SendableSamples],
  responseInterceptor: closeLong,
  requestInterceptor: (request) => Object.assign(request, { userFetch: fetchPart }),
  validatorUrl: null, // by default a foreign host is asked about the document
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  showExtensions: true, // x-grpc-path
});
