// Encodes a value of a script as JSON, as Go writes what ZITADEL's engine exports.
//
// Handles what most scripts pass: strings, numbers, booleans, null, arrays, objects. `values` handles
// the rest.

const DEPTH_MAX = 100;
let size;
let unfit;

const encode = (value) => {
  size = 0;
  try {
    return encodeAt(value, 0);
  } catch (error) {
    const make = unfit;
    unfit = undefined;
    throw make === undefined ? error : make();
  }
};

// Returns a value as metadata stores it.
const asStored = (value) => callHost("escape", encode(value));

// `encode` makes the error: a stack that begins deep in a value would not reach the script.
const refuse = (Type, message) => {
  unfit = () => new Type(message);
  throw unfit;
};

// Counts all output: an object that occurs many times in a value is encoded each time.
const counted = (json, length = json.length) => {
  size += length;
  if (size > TEXT_MAX) refuse(RangeError_, `a value of more than ${TEXT_MAX} characters`);
  return json;
};

const encodeAt = (value, depth) => {
  if (typeof value === "string") return counted(quoted(value));
  if (typeof value === "boolean" || isFinite(value)) return counted(`${value}`);
  if (value === undefined || value === null) return counted("null");
  if (depth > DEPTH_MAX) refuse(RangeError_, `a value that is nested more than ${DEPTH_MAX} deep, or in itself`);
  if (isArray(value)) {
    const parts = [];
    for (let index = 0; index < value.length; index++) push(parts, encodeAt(value[index], depth + 1));
    return listed(parts);
  }
  return isPlain(value) ? encodePlain(value, depth) : encodeOther()(value, depth);
};

const listed = (parts) => counted(list(parts, "[", "]"), parts.length + 1);

const encodeFields = (value, names, shown, depth) => {
  const parts = [];
  for (let index = 0; index < names.length; index++) {
    push(parts, counted(quoted(shown[index])) + ":" + encodeAt(value[names[index]], depth + 1));
  }
  return counted(list(parts, "{", "}"), 2 * parts.length + 1);
};

const sort = method(Array.prototype, "sort");
const encodePlain = (value, depth) => {
  const names = sort(keys(value));
  return encodeFields(value, names, names, depth);
};

const { getOwnPropertyDescriptor, getPrototypeOf, prototype: objectPrototype } = Object;
const isPlain = (value) =>
  typeof value === "object" && getPrototypeOf(value) === objectPrototype && !weakHas(typed, value);

const encodeOther = lazily("values", () => ({
  ...names(), apply, isFinite, weakHas, typed, counted, listed, encodeAt, encodeFields, encodePlain,
  getOwnPropertyDescriptor, getPrototypeOf, refuse, Map_, Set_, Uint8Array_,
}));
