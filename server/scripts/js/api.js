// Defines what the parts of `api` share. Each effect is sent to the host at once, so it counts also if
// the script is ended later. The host decides if it applies: a claim or an attribute may exist.
//
// Rule: arguments are converted here; an invalid one throws here.

const EFFECTS_MAX = 1048576;
let requested = 0;

const effect = (json) => {
  requested += json.length;
  if (requested > EFFECTS_MAX) {
    throw new RangeError_(`the effects of an action are more than ${EFFECTS_MAX} characters`);
  }
  callHost("effect", json);
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
