// Defines dates of the context: Go's time, not Date, with Go's method names in lower camel case.
//
// They convert to the text that Go prints, and to RFC 3339 in JSON. They also compare and subtract
// as numbers, and have getTime and toISOString, which scripts for other engines expect.

const ZERO = "0001-01-01T00:00:00Z";

class Time {
  #text;

  constructor(rfc3339) {
    this.#text = rfc3339;
    freeze(this);
  }

  static is(value) { return #text in value; }
  static text(time) { return time.#text; }
}

const isTime = Time.is;
const timeText = Time.text;
const time = (rfc3339) => new Time(rfc3339);

const TIME_METHODS = "toString toJSON string unix unixMilli unixMicro unixNano getTime toISOString " +
  "year month day weekday yearDay hour minute second nanosecond isZero before after equal compare " +
  "sub add addDate uTC local format";
const timeMethods = lazily("dates", names);
const addTimeMethod = (key) => {
  const value = function (a, b, c) { return timeMethods()[key](this, a, b, c); };
  defineProperty(Time.prototype, key, { __proto__: null, value });
};
TIME_METHODS.split(" ").forEach(addTimeMethod);
addTimeMethod(Symbol.toPrimitive);
