// Defines what the parts of `api` share. Each effect is sent to the host at once, so it counts also if
// the script is ended later. The host decides if it applies: a claim or an attribute may exist.
//
// Rule: arguments are converted here; an invalid one throws here.

const EFFECTS_MAX = 1048576;
let requested = 0;

own.effect = (json) => {
  requested += json.length;
  if (requested > EFFECTS_MAX) {
    throw new own.RangeError_(`the effects of an action are more than ${EFFECTS_MAX} characters`);
  }
  own.callHost("effect", json);
};

own.TEXT_MAX = 262144;
own.bounded = (value) => {
  if (value.length > own.TEXT_MAX) {
    throw new own.RangeError_(`a text of ${value.length} characters, expected at most ${own.TEXT_MAX}`);
  }
  return own.quoted(value);
};

// A text of this length is JSON of fewer than TEXT_MAX characters: each one takes at most six.
const SHORT_MAX = 40000;

// Returns the encoder of a value, as the JSON that Go writes for what ZITADEL's engine exports; most
// values are texts. This function is not on the stack while getters of the value run.
own.encoderOf = (value) =>
  typeof value === "string" && value.length <= SHORT_MAX ? own.quoted : own.load("structures");
