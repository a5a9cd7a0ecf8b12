// Defines zitadel/http: `fetch`, synchronous; the service makes the request.
//
// Rule: the host answers with a value; an error is thrown here.

const {
  method, keys, isArray, stringify, parse, wellFormed, push, list, quoted, kindOf, callHost, refusal, TypeError_, String_,
} = names;

const split = method("", "split");
const trim = method("", "trim");

const fetch = (...values) => {
  if (values.length === 0) throw refusal("no url provided");
  if (values.length > 2) throw refusal("too many args");
  const url = values[0];
  const options = values[1];
  if (typeof url !== "string") throw new TypeError_(`url: expected a string, got ${kindOf(url)}`);
  const request = `{"url":${quoted(url)}${options === undefined || options === null ? "" : optionsOf(options)}}`;
  const answer = parse(callHost("fetch", request));
  if (answer.error !== undefined) throw refusal(answer.error);
  const { status, headers, body } = answer;
  return {
    status,
    headers,
    body,
    json: () => parse(body),
    text: () => body,
  };
};

const optionsOf = (options) => {
  let out = "";
  const names = keys(options);
  for (let index = 0; index < names.length; index++) {
    const value = options[names[index]];
    switch (names[index]) {
      case "method":
        out += `,"method":${quoted(String_(value))}`;
        break;
      case "headers":
        out += `,"headers":${headersOf(value)}`;
        break;
      case "body":
        out += `,"body":${quoted(bodyOf(value))}`;
        break;
      default:
        throw refusal(`key is invalid: ${wellFormed(names[index])} (ACTIO-OfUeA)`);
    }
  }
  return out;
};

const bodyOf = (value) => {
  const json = stringify(value);
  if (json === undefined) throw new TypeError_(`body: ${kindOf(value)} has no form in JSON`);
  return json;
};

const headersOf = (headers) => {
  const parts = [];
  const names = keys(headers);
  for (let index = 0; index < names.length; index++) {
    const value = headers[names[index]];
    const values = typeof value === "string" ? split(value, ",") : isArray(value) ? value : [];
    for (let item = 0; item < values.length; item++) {
      if (typeof values[item] !== "string") {
        throw new TypeError_(`header ${names[index]}: expected strings, got ${kindOf(values[item])}`);
      }
      push(parts, `[${quoted(names[index])},${quoted(trim(values[item]))}]`);
    }
  }
  return list(parts, "[", "]");
};

return { "zitadel/http": () => ({ fetch }) };
