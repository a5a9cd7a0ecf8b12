// Encodes a value of a script as JSON, as Go writes what ZITADEL's engine exports.
//
// Most scripts pass texts. `structures` encodes the rest.

const { getOwnPropertyDescriptor, getPrototypeOf, prototype: objectPrototype } = Object;
const sort = method(Array.prototype, "sort");

const encodeStructure = lazily("structures", () => ({
  ...names(), apply, lazily, isFinite, weakHas, typed, sort, getOwnPropertyDescriptor, getPrototypeOf, objectPrototype,
  Map_, Set_, Uint8Array_, TEXT_MAX,
}));

// A text of so many characters is JSON of fewer than TEXT_MAX: each takes six at most.
const SHORT_MAX = 40000;

// Returns the encoder of a value. It is no frame of the stack while the value's getters run.
const encoderOf = (value) => (typeof value === "string" && value.length <= SHORT_MAX ? quoted : encodeStructure());

// Returns a value as metadata stores it.
const asStored = (value) => callHost("escape", encoderOf(value)(value));
