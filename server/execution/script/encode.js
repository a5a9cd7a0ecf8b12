// A value of a script as the JSON that is stored: as Go writes what the old engine exports.
//
// Keys sorted, `<>&` escaped; undefined and holes null, Date RFC 3339, octets base64, Map as pairs,
// Set as an array, RegExp, Error and Promise {}. Functions, NaN and Infinity have no form.

const DEPTH_MAX = 100;
const TOO_DEEP = freeze({});
const SPECIAL = /[<>&\u2028\u2029]/g;
const escaped = (character) => "\\u" + pad(toDecimal(codeUnit(character, 0), 16), 4, "0");

// A RegExp's own replace looks up `exec` on a prototype that is the script's: so by hand.
const escape = (text) => {
  let out = "";
  let from = 0;
  SPECIAL.lastIndex = 0;
  for (let found = exec(SPECIAL, text); found !== null; found = exec(SPECIAL, text)) {
    out += slice(text, from, found.index) + escaped(found[0]);
    from = found.index + 1;
  }
  return from === 0 ? text : out + slice(text, from);
};

// A value as JSON in the form in which it is stored: keys sorted, `<>&` escaped.
const encode = (value) => {
  let out;
  try {
    out = encodeAt(value, 0);
  } catch (error) {
    // Thrown here, as a stack that begins so deep does not reach the script.
    if (error === TOO_DEEP) {
      throw new RangeError_(`a value that is nested more than ${DEPTH_MAX} deep, or in itself`);
    }
    throw error;
  }
  if (out.length > TEXT_MAX) {
    throw new RangeError_(`a value of ${out.length} characters, expected at most ${TEXT_MAX}`);
  }
  return out;
};

const encodeAt = (value, depth) => {
  if (depth > DEPTH_MAX) {
    throw TOO_DEEP;
  }
  switch (typeof value) {
    case "undefined":
      return "null";
    case "boolean":
      return value ? "true" : "false";
    case "string":
      return escape(quoted(value));
    case "number":
      if (!isFinite(value)) {
        throw new TypeError_(`${value} has no form in JSON`);
      }
      return is(value, -0) ? "0" : toDecimal(value);
    case "bigint":
      return bigToDecimal(value);
    case "symbol":
      return escape(quoted(value.description ?? ""));
    case "function":
      throw new TypeError_("a function has no form in JSON");
    default:
      return value === null ? "null" : encodeObject(value, depth);
  }
};

const plain = Object.prototype;
const builtIn = lazily("builtins", () => ({
  method, getter, dateValue, typedTag, typedLength, list, push, slice, quoted, encodeAt, TypeError_,
}));

const encodeObject = (value, depth) => {
  if (isTime(value)) {
    return quoted(timeText(value));
  }
  if (isArray(value)) {
    const parts = [];
    let size = 0;
    for (let index = 0; index < value.length; index++) {
      const part = encodeAt(value[index], depth + 1);
      size += part.length;
      if (size > TEXT_MAX) {
        throw new RangeError_(`a value of more than ${TEXT_MAX} characters`);
      }
      push(parts, part);
    }
    return list(parts, "[", "]");
  }
  const prototype = getPrototypeOf(value);
  const isPlain = prototype === plain || prototype === null;
  return (isPlain ? undefined : builtIn()(value, depth)) ?? encodePlain(value, depth);
};

const encodePlain = (value, depth) => {
  const isTyped = weakHas(typed, value);
  const names = keys(value);
  if (!isTyped) {
    sort(names);
  }
  const parts = [];
  let size = 0;
  for (let index = 0; index < names.length; index++) {
    const name = isTyped ? upper(names[index][0]) + slice(names[index], 1) : names[index];
    const part = escape(quoted(name)) + ":" + encodeAt(value[names[index]], depth + 1);
    size += part.length;
    if (size > TEXT_MAX) {
      throw new RangeError_(`a value of more than ${TEXT_MAX} characters`);
    }
    push(parts, part);
  }
  return list(parts, "{", "}");
};
