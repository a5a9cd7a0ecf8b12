// Makes the deprecated lists of `api`: arrays whose changes go to the host.

const { isInteger } = Number;
const { trunc } = Math;
const integer = (value) => {
  const number = typeof value === "number" || typeof value === "boolean" ? Number_(value) : 0;
  return isFinite(number) ? trunc(number) : 0;
};

const listOfApi = (name, op, entries, read) => {
  const set = (array, key, given) => {
    if (key === "length") {
      const length = Number_(given);
      if (!isInteger(length) || length < 0 || length > array.length) {
        throw new RangeError_(`${name}.length: expected at most ${array.length}, got ${length}`);
      }
      if (length < array.length) effect(`{"op":"shorten","length":${length}}`);
      return setOwn(array, key, length);
    }
    const index = typeof key === "string" ? Number_(key) : NaN;
    if (!isInteger(index) || index < 0) return setOwn(array, key, given);
    // Converted first: the argument may have getters of the script, which change the list.
    const entry = read(given);
    if (index > array.length || index >= LIST_MAX) {
      throw new RangeError_(`${name}[${index}]: expected an index of at most ${min(array.length, LIST_MAX - 1)}`);
    }
    effect(`{"op":"${op}","at":${index},${entry.json}}`);
    return setOwn(array, key, entry.value);
  };
  return new Proxy_(entries, { __proto__: null, set, defineProperty: () => false });
};
const Proxy_ = Proxy;
// Defines own members; those of the prototype are not used.
const setOwn = (array, key, value) =>
  defineOwn(array, key, key === "length" ? { __proto__: null, value } : { __proto__: null, ...WRITABLE, value });
const defineOwn = Reflect.defineProperty;
const LIST_MAX = 1000;
const min = Math.min;
const WRITABLE = freeze({ writable: true, enumerable: true, configurable: true });

const objectOf = (value, what) => {
  if (typeof value !== "object" || value === null) {
    throw new TypeError_(`${what}: expected an object, got ${kindOf(value)}`);
  }
  return value;
};
