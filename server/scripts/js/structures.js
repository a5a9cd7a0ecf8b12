// Encodes values other than a string: numbers, booleans, null, arrays and objects, with strings in them. `values` encodes
// the types that few scripts pass.

const {
  compile, keys, isArray, push, list, quoted, isFinite, weakHas, typed, sort, getPrototypeOf, objectPrototype, RangeError_,
  TEXT_MAX,
} = names;

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

// `encode` makes the error: a stack that begins deep in a value would not reach the script.
const refuse = (Type, message) => {
  unfit = () => new Type(message);
  throw unfit;
};

// Counts all output, as an object that occurs many times in a value is encoded each time.
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

const encodePlain = (value, depth) => {
  const names = sort(keys(value));
  return encodeFields(value, names, names, depth);
};

const isPlain = (value) =>
  typeof value === "object" && getPrototypeOf(value) === objectPrototype && !weakHas(typed, value);

let encoder;
const encodeOther = () =>
  (encoder ??= compile("values", { __proto__: names, counted, listed, encodeAt, encodeFields, encodePlain, refuse }));

return encode;
