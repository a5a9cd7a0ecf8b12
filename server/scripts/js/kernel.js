// Saves parts of the language before a script can change them, and calls the host.
//
// Rule 1: after the script has run, only names of this file are called, never a method of a value.
// Rule 2: the host gets JSON text that is built here by hand, so that no toJSON, getter of a
// prototype or lone surrogate changes it.
// Rule 3: no code of a script runs while `callHost` is on the stack: Error.prepareStackTrace sees
// the functions of the stack.

const { host } = globalThis;
delete globalThis.host;

const { apply } = Reflect;
const { defineProperty, keys, seal, freeze } = Object;
const { isArray } = Array;
const { stringify, parse } = JSON;
const { isFinite } = Number;
const { Error: Error_, TypeError: TypeError_, RangeError: RangeError_, Number: Number_, String: String_ } = globalThis;
// A script may have classes of these names, or replace toISOString.
const { BigInt: BigInt_, Date: Date_, Map: Map_, Set: Set_, Symbol: Symbol_, Uint8Array: Uint8Array_ } = globalThis;
const { toISOString } = Date.prototype;

const method = (prototype, name) => {
  const function_ = prototype[name];
  return (object, ...values) => apply(function_, object, values);
};

const wellFormed = method(String.prototype, "toWellFormed");
const slice = method(String.prototype, "slice");
const join = method(Array.prototype, "join");
const weakHas = method(WeakSet.prototype, "has");
const weakAdd = method(WeakSet.prototype, "add");

const TEXT_MAX = 262144;

const push = (array, value) => {
  defineProperty(array, array.length, {
    __proto__: null, value, writable: true, enumerable: true, configurable: true,
  });
};

// Objects of the context; encoded into a claim they have their names in Go.
const typed = new WeakSet();
const typedSeal = (object) => {
  weakAdd(typed, object);
  return seal(object);
};

// Returns an Error whose text is the message alone.
const refusal = (message) => {
  const error = new Error_(message);
  defineProperty(error, "name", { __proto__: null, value: "" });
  return error;
};

// Joins a long text, which the engine may hold in pieces that the host cannot read.
const whole = (value) => (value.length < 256 ? value : join([value], ""));
const callHost = (kind, message) => host(kind, whole(message));

// Compiles a part at its first use: few scripts need it, and compiling costs every context time. The
// part gets our own names by an object; it reads methods of the language when it is compiled.
const evaluate = globalThis.eval;
const lazily = (name, names) => {
  let made;
  return () => (made ??= evaluate(host("part", name))(names()));
};

const kindOf = (value) => (value === null ? "null" : isArray(value) ? "array" : typeof value);

// Converts a value as Go's engine does for a string parameter.
const text = (value) => (value === undefined || value === null ? "" : wellFormed(String_(value)));

const quoted = (value) => stringify(wellFormed(value));

const list = (parts, open, close) => open + join(parts, ",") + close;

const names = () => ({
  method, keys, freeze, isArray, stringify, parse, wellFormed, slice, push, list, quoted, text, kindOf, callHost, refusal,
  isTime, time, timeText, ZERO, toISOString, BigInt_, Date_, Number_, RangeError_, String_, Symbol_, TypeError_,
});
const logs = lazily("log", names);
const MODULES = {
  __proto__: null,
  "zitadel/log": logs,
  console: logs,
  util: logs,
  "zitadel/http": lazily("http", names),
  "zitadel/uuid": lazily("uuid", names),
};
const loaded = { __proto__: null };

const require = (name) => {
  const key = String_(name);
  const made = MODULES[key];
  if (made === undefined) throw refusal("Invalid module");
  return (loaded[key] ??= made()[key]());
};

defineProperty(globalThis, "require", {
  __proto__: null, value: require, writable: true, enumerable: false, configurable: true,
});

// It is made at the first access; a script may define its own `console`.
defineProperty(globalThis, "console", {
  __proto__: null, configurable: true,
  get: () => require("console"),
  set: (value) => defineProperty(globalThis, "console", { __proto__: null, value, writable: true, configurable: true }),
});

// A frame has a name and a place, but not its function: functions of this file are on the stack when a
// getter of a script is called. V8 hides functions in strict mode, too.
Error_.prepareStackTrace = (_error, sites) => sites;
defineProperty(Reflect.getPrototypeOf(new Error_().stack[0]), "getFunction", {
  __proto__: null, value: () => undefined, writable: true, enumerable: false, configurable: true,
});
Error_.prepareStackTrace = undefined;

let setup;
