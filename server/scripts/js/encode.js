// Encodes a value of a script as the JSON that Go writes for what ZITADEL's engine exports.
//
// Most scripts pass texts. `structures` encodes the rest.

const { getOwnPropertyDescriptor, getPrototypeOf, prototype: objectPrototype } = Object;
const sort = method(Array.prototype, "sort");

const encodeStructure = lazily("structures", () => ({
  ...names(), apply, lazily, isFinite, weakHas, typed, sort, getOwnPropertyDescriptor, getPrototypeOf, objectPrototype,
  Map_, Set_, Uint8Array_, TEXT_MAX,
}));

// A text of this length is JSON of fewer than TEXT_MAX characters: each one takes at most six.
const SHORT_MAX = 40000;

// Returns the encoder of a value; this function is not on the stack while getters of the value run.
const encoderOf = (value) => (typeof value === "string" && value.length <= SHORT_MAX ? quoted : encodeStructure());

// Returns a value as metadata stores it.
const asStored = (value) => callHost("escape", encoderOf(value)(value));
