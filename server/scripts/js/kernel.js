// Saves parts of the language before a script can change them, and calls the host.
//
// Each context compiles the files of its trigger, which costs more than all else in a short run. So they
// hold what most runs use; all else is a part, which is compiled at its first use (`load`).
// They have few variables and functions, as each costs: names that are shared are members of `own`.
//
// Rule 1: after the script has run, only members of `own` are called, never a method of a value.
// Rule 2: the host gets JSON text that is built here by hand, so that no toJSON, getter of a
// prototype or lone surrogate changes it.
// Rule 3: no code of a script runs while `callHost` is on the stack: Error.prepareStackTrace sees
// the functions of the stack.

// A script may have classes of these names.
const own = {
  __proto__: null,
  host: globalThis.host,
  evaluate: eval,
  apply: Reflect.apply,
  defineOwn: Reflect.defineProperty,
  getOf: Reflect.get,
  defineProperty: Object.defineProperty,
  keys: Object.keys,
  seal: Object.seal,
  freeze: Object.freeze,
  getOwnPropertyDescriptor: Object.getOwnPropertyDescriptor,
  getPrototypeOf: Object.getPrototypeOf,
  objectPrototype: Object.prototype,
  isArray: Array.isArray,
  join: Array.prototype.join,
  sort: Array.prototype.sort,
  stringify: JSON.stringify,
  parse: JSON.parse,
  slice: String.prototype.slice,
  toWellFormed: String.prototype.toWellFormed,
  isFinite: Number.isFinite,
  isInteger: Number.isInteger,
  trunc: Math.trunc,
  toISOString: Date.prototype.toISOString,
  mapGet: WeakMap.prototype.get,
  mapSet: WeakMap.prototype.set,
  setHas: WeakSet.prototype.has,
  setAdd: WeakSet.prototype.add,
  BigInt_: BigInt,
  Date_: Date,
  Error_: Error,
  Map_: Map,
  Number_: Number,
  Proxy_: Proxy,
  RangeError_: RangeError,
  Set_: Set,
  String_: String,
  Symbol_: Symbol,
  TypeError_: TypeError,
  Uint8Array_: Uint8Array,
  WeakMap_: WeakMap,
};
delete globalThis.host;

own.wellFormed = (value) => own.apply(own.toWellFormed, value, []);
own.quoted = (value) => own.stringify(own.apply(own.toWellFormed, value, []));

// Converts a value as Go's engine does for a string parameter.
own.text = (value) => (value === undefined || value === null ? "" : own.wellFormed(own.String_(value)));

// Joins a long text, which the engine may hold in pieces that the host cannot read.
own.whole = (value) => (value.length < 256 ? value : own.apply(own.join, [value], [""]));
own.callHost = (kind, message) => own.host(kind, own.whole(message));

// Returns a part. It gets the names that it may use by an object; it reads methods of the language when
// it is compiled.
own.compile = (name, names) => own.evaluate(own.host("part", name))(names);
const parts = { __proto__: null };
own.load = (name) => (parts[name] ??= own.compile(name, (parts.shared ??= own.compile("shared", own))));

// Defines a member that is made at its first use; a script may replace it.
const later = (object, name, make, enumerable) => {
  let made;
  own.defineProperty(object, name, {
    __proto__: null, enumerable, configurable: true,
    get: () => (made ??= [make(name)])[0],
    set: (value) => { made = [value]; },
  });
};

own.require = (name) => own.load("modules")(name);
own.defineProperty(globalThis, "require", {
  __proto__: null, value: own.require, writable: true, enumerable: false, configurable: true,
});
later(globalThis, "console", own.require, false);

// A frame has a name and a place, but not its function: functions of this file are on the stack when a
// getter of a script is called. V8 hides functions in strict mode, too.
Error.prepareStackTrace = (_error, sites) => sites;
Reflect.getPrototypeOf(new Error().stack[0]).getFunction = () => undefined;
Error.prepareStackTrace = undefined;
