// Parts of `api`. What a script asks for goes to the host at once, so that it is
// kept when the script is ended; whether it has an effect (a claim that is there already, an
// attribute that was set) is decided there.
//
// Rule: what a script passes is converted here, and what has no conversion throws here.

const EFFECTS_MAX = 1048576;
let asked = 0;

const effect = (json) => {
  asked += json.length;
  if (asked > EFFECTS_MAX) {
    throw new RangeError_(`the effects of an action are more than ${EFFECTS_MAX} characters`);
  }
  tell("effect", json);
};

const bounded = (value) => {
  if (value.length > TEXT_MAX) {
    throw new RangeError_(`a text of ${value.length} characters, expected at most ${TEXT_MAX}`);
  }
  return quoted(value);
};

const textList = (values) => {
  const parts = [];
  for (let index = 0; index < values.length; index++) push(parts, bounded(text(values[index])));
  return list(parts, "[", "]");
};

const metadataKey = (key) => {
  if (typeof key !== "string") {
    throw new TypeError_(`metadata key: expected a string, got ${kindOf(key)}`);
  }
  return bounded(key);
};

const two = (values) => {
  if (values.length !== 2) throw refusal("exactly 2 (key, value) arguments expected");
  return values;
};
