// Dates of the context: not Date, but Go's time, by the lower-cased names of its methods.
//
// They convert to the text that Go prints, and to RFC 3339 in JSON. Beyond Go's they compare and
// subtract as numbers, and have getTime and toISOString, as scripts for other engines expect.

const ZERO = "0001-01-01T00:00:00Z";
const Date_ = Date;
const floor = Math.floor;

class Time {
  #text;
  #date;
  #nanos;

  constructor(rfc3339) {
    this.#text = rfc3339;
    this.#nanos = Number_(slice(slice(rfc3339, 20, -1) + "000000000", 0, 9));
    this.#date = new Date_(dateParse(slice(rfc3339, 0, 19) + "Z"));
    freeze(this);
  }

  static is(value) { return #text in value; }
  static text(time) { return time.#text; }
  static parts(time) { return { date: time.#date, nanos: time.#nanos, text: time.#text }; }

  toString() { return replace(replace(this.#text, "T", " "), "Z", " +0000 UTC"); }
  toJSON() { return this.#text; }
  [Symbol.toPrimitive](hint) {
    return hint === "number" ? dateValue(this.#date) + floor(this.#nanos / 1000000) : this.toString();
  }
}

const TIME_METHODS = "string unix unixMilli unixMicro unixNano getTime toISOString year month day weekday yearDay " +
  "hour minute second nanosecond isZero before after equal compare sub uTC local format";
const timeMethods = lazily("dates", () => ({
  method, dateValue, floor, slice, pad, toDecimal, exec, text, freeze, ZERO, parts: Time.parts,
}));
{
  const names = split(TIME_METHODS, " ");
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    const value = function (argument) { return timeMethods()[name](this, argument); };
    defineProperty(Time.prototype, name, { __proto__: null, value });
  }
}

const isTime = Time.is;
const timeText = Time.text;
const time = (rfc3339) => new Time(rfc3339);
