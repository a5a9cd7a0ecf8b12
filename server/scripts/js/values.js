// Encodes values of types that few scripts pass.
//
// Keys are sorted; dates are RFC 3339, octets base64, a Map is pairs, a Set an array, RegExp, Error
// and Promise are {}. Functions, NaN and Infinity throw.
// Dates, maps, sets and boxed values are recognised by calling their methods, not by their prototype.

const {
  apply, method, slice, weakHas, typed, isTime, timeText, toISOString, keys, push, quoted, counted, listed,
  encodeAt, encodeFields, encodePlain, getOwnPropertyDescriptor, getPrototypeOf, isFinite, refuse, Date_, Map_, Number_, RangeError_,
  Set_, Symbol_, TypeError_, Uint8Array_,
} = names;

const getter = (prototype, name) => {
  const function_ = getOwnPropertyDescriptor(prototype, name).get;
  return (object) => apply(function_, object, []);
};
const typedTag = getter(getPrototypeOf(Uint8Array_.prototype), Symbol_.toStringTag);
const mapSize = getter(Map_.prototype, "size");
const setSize = getter(Set_.prototype, "size");
const mapForEach = method(Map_.prototype, "forEach");
const setForEach = method(Set_.prototype, "forEach");
const dateValue = method(Date_.prototype, "getTime");
const isoString = method({ toISOString }, "toISOString");
const base64 = method(Uint8Array_.prototype, "toBase64");
const upper = method("", "toUpperCase");
const valueOfText = method("", "valueOf");
const valueOfNumber = method(0, "valueOf");
const valueOfBoolean = method(true, "valueOf");

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

const encodeBuiltIn = (value, depth) => {
  const tag = typedTag(value);
  if (tag === "Uint8Array" || tag === "Uint8ClampedArray") {
    return counted(quoted(base64(tag === "Uint8Array" ? value : new Uint8Array_(value))));
  }
  if (tag !== undefined) {
    const parts = [];
    for (let index = 0; index in value; index++) {
      push(parts, encodeAt(value[index], depth + 1));
    }
    return listed(parts);
  }
  const time = attempt(dateValue, value);
  if (time !== undefined) {
    if (time !== time) refuse(TypeError_, "an invalid Date has no form in JSON");
    return counted(quoted(trimFraction(isoString(value))));
  }
  const parts = [];
  if (attempt(mapSize, value) !== undefined) {
    mapForEach(value, (item, key) =>
      push(parts, listed([encodeAt(key, depth + 2), encodeAt(item, depth + 2)])));
    return listed(parts);
  }
  if (attempt(setSize, value) !== undefined) {
    setForEach(value, (item) => push(parts, encodeAt(item, depth + 1)));
    return listed(parts);
  }
  const boxed = attempt(valueOfText, value) ?? attempt(valueOfNumber, value) ?? attempt(valueOfBoolean, value);
  return boxed === undefined ? undefined : encodeAt(boxed, depth);
};

// An object of the context has its names in Go, in their order.
const encodeTyped = (value, depth) => {
  const names = keys(value);
  const shown = [];
  for (let index = 0; index < names.length; index++) {
    push(shown, upper(names[index][0]) + slice(names[index], 1));
  }
  return encodeFields(value, names, shown, depth);
};

const encodeObject = (value, depth) => {
  if (isTime(value)) return counted(quoted(timeText(value)));
  if (weakHas(typed, value)) return encodeTyped(value, depth);
  const found = getPrototypeOf(value) === null ? undefined : encodeBuiltIn(value, depth);
  return found ?? encodePlain(value, depth);
};

return (value, depth) => {
  switch (typeof value) {
    case "object":
      return encodeObject(value, depth);
    case "bigint":
      return isFinite(Number_(value)) ? counted(`${value}`) : refuse(RangeError_, "a BigInt too large for JSON's numbers");
    case "symbol":
      return counted(quoted(value.description ?? ""));
    case "number":
      return refuse(TypeError_, `${value} has no form in JSON`);
    default:
      return refuse(TypeError_, "a function has no form in JSON");
  }
};
