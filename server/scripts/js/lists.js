// Makes the deprecated lists of `api`: arrays whose changes go to the host.

const { isInteger, defineOwn, effect, freeze, Number_, Proxy_, RangeError_ } = names;

const LIST_MAX = 1000;
const WRITABLE = freeze({ writable: true, enumerable: true, configurable: true });

// Defines own members; those of the prototype are not used.
const setOwn = (array, key, value) =>
  defineOwn(array, key, key === "length" ? { __proto__: null, value } : { __proto__: null, ...WRITABLE, value });

return (name, op, entries, read) => {
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
      const max = array.length < LIST_MAX ? array.length : LIST_MAX - 1;
      throw new RangeError_(`${name}[${index}]: expected an index of at most ${max}`);
    }
    effect(`{"op":"${op}","at":${index},${entry.json}}`);
    return setOwn(array, key, entry.value);
  };
  return new Proxy_(entries, { __proto__: null, set, defineProperty: () => false });
};
