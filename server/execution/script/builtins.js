// What `encode` makes of an object that is neither plain nor an array; undefined if nothing else.
//
// Dates, maps, sets and boxed values are known by what their methods say, not by their prototype.

const { method, getter, dateValue, typedTag, typedLength, list, push, slice, quoted, encodeAt, TypeError_ } = names;

const mapForEach = method(Map.prototype, "forEach");
const setForEach = method(Set.prototype, "forEach");
const base64 = method(Uint8Array.prototype, "toBase64");
const mapSize = getter(Map.prototype, "size");
const setSize = getter(Set.prototype, "size");
const Bytes = Uint8Array;
const booleanValue = method(Boolean.prototype, "valueOf");
const numberValue = method(Number.prototype, "valueOf");
const stringValue = method(String.prototype, "valueOf");
const isoString = method(Date.prototype, "toISOString");

const trimFraction = (iso) => {
  let end = iso.length - 1;
  while (iso[end - 1] === "0") end--;
  if (iso[end - 1] === ".") end--;
  return slice(iso, 0, end) + "Z";
};

const attempt = (function_, value) => {
  try {
    return function_(value);
  } catch {
    return undefined;
  }
};

return (value, depth) => {
  const tag = typedTag(value);
  if (tag === "Uint8Array" || tag === "Uint8ClampedArray") {
    return quoted(base64(new Bytes(value)));
  }
  if (tag !== undefined) {
    const parts = [];
    for (let index = 0; index < typedLength(value); index++) {
      push(parts, encodeAt(value[index], depth + 1));
    }
    return list(parts, "[", "]");
  }
  const time = attempt(dateValue, value);
  if (time !== undefined) {
    if (time !== time) {
      throw new TypeError_("an invalid Date has no form in JSON");
    }
    return quoted(trimFraction(isoString(value)));
  }
  const parts = [];
  if (attempt(mapSize, value) !== undefined) {
    mapForEach(value, (item, key) =>
      push(parts, `[${encodeAt(key, depth + 2)},${encodeAt(item, depth + 2)}]`));
    return list(parts, "[", "]");
  }
  if (attempt(setSize, value) !== undefined) {
    setForEach(value, (item) => push(parts, encodeAt(item, depth + 1)));
    return list(parts, "[", "]");
  }
  const boxed = attempt(stringValue, value) ?? attempt(numberValue, value) ?? attempt(booleanValue, value);
  return boxed === undefined ? undefined : encodeAt(boxed, depth);
};
