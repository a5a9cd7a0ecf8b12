// What is kept of the language before any script can change it, and how values leave the script.
//
// Rule 1: after the script has run, only what is named here is called: never a method of a value.
// Rule 2: what goes to the host is JSON text that no toJSON, getter on a prototype or lone
// surrogate can reach: built here, by hand.
// Rule 3: no code of a script runs while `tell` is on the stack: Error.prepareStackTrace has the
// functions that are there.

const { host } = globalThis;
delete globalThis.host;

const { apply } = Reflect;
const { defineProperty, keys, seal, freeze } = Object;
const { isArray } = Array;
const { stringify, parse } = JSON;
const { isFinite } = Number;
const { Error: Error_, TypeError: TypeError_, RangeError: RangeError_, Number: Number_, String: String_ } = globalThis;
// Also a script's own classes have these names, or the texts of dates are made shorter by it.
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

// Objects made of the context: as a claim they have the names that they have in Go.
const typed = new WeakSet();
const typedSeal = (object) => {
  weakAdd(typed, object);
  return seal(object);
};

// What the host refuses: an Error whose text is the bare message.
const refusal = (message) => {
  const error = new Error_(message);
  defineProperty(error, "name", { __proto__: null, value: "" });
  return error;
};

// A long text may be held in pieces, which the host does not understand: in one piece.
const whole = (value) => (value.length < 256 ? value : join([value], ""));
const tell = (kind, message) => host(kind, whole(message));

// A part that few scripts need is compiled when it is first asked for, and not before: every context
// pays for what it compiles. It has the script side's own names by the object that is given to it. Of the
// language it has no other constructor; their methods it takes then, as no script gives them another sense.
const evaluate = globalThis.eval;
const lazily = (name, names) => {
  let made;
  return () => (made ??= evaluate(host("part", name))(names()));
};

const kindOf = (value) => (value === null ? "null" : isArray(value) ? "array" : typeof value);

// As a parameter of type string has it.
const text = (value) => (value === undefined || value === null ? "" : wellFormed(String_(value)));

const quoted = (value) => stringify(wellFormed(value));

const list = (parts, open, close) => open + join(parts, ",") + close;

const names = () => ({
  method, keys, freeze, isArray, stringify, parse, wellFormed, slice, push, list, quoted, text, kindOf, tell, refusal,
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

// Made when a script asks for it; one that has its own `console` keeps that.
defineProperty(globalThis, "console", {
  __proto__: null, configurable: true,
  get: () => require("console"),
  set: (value) => defineProperty(globalThis, "console", { __proto__: null, value, writable: true, configurable: true }),
});

// A frame of a stack tells its name and place, but not its function: those of this side are on the
// stack whenever a getter of a script is called. V8 does the same for functions in strict mode.
Error_.prepareStackTrace = (_error, sites) => sites;
defineProperty(Reflect.getPrototypeOf(new Error_().stack[0]), "getFunction", {
  __proto__: null, value: () => undefined, writable: true, enumerable: false, configurable: true,
});
Error_.prepareStackTrace = undefined;

let setup;
