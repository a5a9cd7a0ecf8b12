// Defines `require`: returns a module, made at its first use.

const { load, hidden, refusal, String_ } = names;

const PARTS = {
  __proto__: null,
  "zitadel/log": "log",
  console: "log",
  util: "log",
  "zitadel/http": "http",
  "zitadel/uuid": "uuid",
  "actions/secrets": "secrets",
};
const made = { __proto__: null };

return (name) => {
  const key = String_(name);
  if (PARTS[key] === undefined || key === hidden) throw refusal("Invalid module");
  return (made[key] ??= load(PARTS[key])[key]());
};
