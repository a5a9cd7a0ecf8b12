// What is kept of the language before any script can change it, and how values leave the script.
//
// Rule 1: after the script has run, only what is named here is called: never a method of a value.
// Rule 2: what goes to the host is JSON text that no toJSON, getter on a prototype or lone
// surrogate can reach: built here, by hand.

const { apply, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
const { defineProperty, keys, seal, freeze, is } = Object;
const isArray = Array.isArray;
const stringify = JSON.stringify;
const parse = JSON.parse;
const Error_ = Error;
const TypeError_ = TypeError;
const RangeError_ = RangeError;
const Number_ = Number;
const String_ = String;
const Boolean_ = Boolean;
const isFinite = Number.isFinite;
const trunc = Math.trunc;
const isInteger = Number.isInteger;
const dateParse = Date.parse;

const method = (prototype, name) => {
  const function_ = prototype[name];
  return (object, ...values) => apply(function_, object, values);
};
const getter = (prototype, name) => {
  const function_ = getOwnPropertyDescriptor(prototype, name).get;
  return (object) => apply(function_, object, []);
};

const wellFormed = method(String.prototype, "toWellFormed");
const slice = method(String.prototype, "slice");
const startsWith = method(String.prototype, "startsWith");
const split = method(String.prototype, "split");
const trim = method(String.prototype, "trim");
const replace = method(String.prototype, "replace");
const upper = method(String.prototype, "toUpperCase");
const lower = method(String.prototype, "toLowerCase");
const codeUnit = method(String.prototype, "charCodeAt");
const pad = method(String.prototype, "padStart");
const join = method(Array.prototype, "join");
const sort = method(Array.prototype, "sort");
const toDecimal = method(Number.prototype, "toString");
const bigToDecimal = method(BigInt.prototype, "toString");
const dateValue = method(Date.prototype, "getTime");
const weakHas = method(WeakSet.prototype, "has");
const weakAdd = method(WeakSet.prototype, "add");
const typedTag = getter(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);
const typedLength = getter(Object.getPrototypeOf(Uint8Array.prototype), "length");

const TEXT_MAX = 262144;
const exec = method(RegExp.prototype, "exec");

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
// pays for what it compiles. It has the script side's own names by the object that is given to it;
// what it takes of the language it takes then, so a script that changed that changes its own answers.
const evaluate = globalThis.eval;
const lazily = (name, names) => {
  let made;
  return () => (made ??= evaluate(host("part", name))(names()));
};

const kindOf = (value) => (value === null ? "null" : isArray(value) ? "array" : typeof value);

// As a parameter of type string, bool or int has it.
const text = (value) => (value === undefined || value === null ? "" : wellFormed(String_(value)));
const flag = (value) => Boolean_(value);
const integer = (value) => {
  const number = typeof value === "number" || typeof value === "boolean" ? Number_(value) : 0;
  return isFinite(number) ? trunc(number) : 0;
};

const quoted = (value) => stringify(wellFormed(value));

const list = (parts, open, close) => open + join(parts, ",") + close;

// What `require` gives; each file of a module adds its own.
const MODULES = { __proto__: null };

const loaded = { __proto__: null };

const require = (name) => {
  const key = String_(name);
  const make = MODULES[key];
  if (make === undefined) throw refusal("Invalid module");
  return (loaded[key] ??= make());
};

defineProperty(globalThis, "require", {
  __proto__: null, value: require, writable: true, enumerable: false, configurable: true,
});

let setup;
