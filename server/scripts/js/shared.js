// Defines what several parts use; returns it with the names of the files of the trigger.

const {
  apply, callHost, bounded, defineProperty, isArray, join, mapGet, setHas, slice, sort, text, times, Error_, TypeError_,
} = names;

const caller = (function_) => (object, ...values) => apply(function_, object, values);
const method = (prototype, name) => caller(prototype[name]);

const push = (array, value) => {
  defineProperty(array, array.length, {
    __proto__: null, value, writable: true, enumerable: true, configurable: true,
  });
};

const each = (array, function_) => {
  for (let index = 0; index < array.length; index++) array[index] = function_(array[index]);
  return array;
};

const list = (parts, open, close) => open + apply(join, parts, [","]) + close;

const kindOf = (value) => (value === null ? "null" : isArray(value) ? "array" : typeof value);

// Returns an Error whose text is the message alone.
const refusal = (message) => {
  const error = new Error_(message);
  defineProperty(error, "name", { __proto__: null, value: "" });
  return error;
};

const textList = (values) => {
  const parts = [];
  for (let index = 0; index < values.length; index++) push(parts, bounded(text(values[index])));
  return list(parts, "[", "]");
};

const metadataKey = (key) => {
  if (typeof key !== "string") {
    throw new TypeError_(`metadata key: expected a string, got ${kindOf(key)}`);
  }
  return bounded(key);
};

const two = (values) => {
  if (values.length !== 2) throw refusal("exactly 2 (key, value) arguments expected");
  return values;
};

const objectOf = (value, what) => {
  if (typeof value !== "object" || value === null) {
    throw new TypeError_(`${what}: expected an object, got ${kindOf(value)}`);
  }
  return value;
};

// Returns JSON as metadata stores it.
const asStored = (json) => callHost("escape", json);

const ZERO = "0001-01-01T00:00:00Z";

const timeText = (value) => {
  const rfc3339 = apply(mapGet, times, [value]);
  if (rfc3339 === undefined) throw new TypeError_("expected a date of the context");
  return rfc3339;
};
const isTime = (value) => apply(mapGet, times, [value]) !== undefined;

return {
  __proto__: names,
  ZERO, asStored, method, push, each, list, kindOf, refusal, textList, metadataKey, two, objectOf,
  isTime, timeText, slice: caller(slice), sort: caller(sort), weakHas: caller(setHas),
};
