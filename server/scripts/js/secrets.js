// Defines actions/secrets: `get`, synchronous; the service has the values.
//
// Rule: the host answers with a value; an error is thrown here.

const { parse, callHost, quoted, kindOf, refusal, TypeError_ } = names;

const get = (name) => {
  if (typeof name !== "string") throw new TypeError_(`secret: expected a name, got ${kindOf(name)}`);
  const answer = parse(callHost("secret", quoted(name)));
  if (answer.error !== undefined) throw refusal(answer.error);
  return answer.value;
};

return { "actions/secrets": () => ({ get }) };
