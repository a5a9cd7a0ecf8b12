// Dates of the context: not Date, but Go's time, by the lower-cased names of its methods.
//
// They convert to the text that Go prints, and to RFC 3339 in JSON. Beyond Go's they compare and
// subtract as numbers, and have getTime and toISOString, as scripts for other engines expect.

const ZERO = "0001-01-01T00:00:00Z";
const Date_ = Date;
const isoString = method(Date.prototype, "toISOString");
const utc = (name) => method(Date.prototype, "getUTC" + name);
const year = utc("FullYear");
const month = utc("Month");
const day = utc("Date");
const weekday = utc("Day");
const hour = utc("Hours");
const minute = utc("Minutes");
const second = utc("Seconds");
const floor = Math.floor;

const yearDay = (date) => {
  const first = new Date_(0);
  setFullYear(first, year(date), 0, 1);
  return floor((dateValue(date) - dateValue(first)) / 86400000) + 1;
};
const setFullYear = method(Date.prototype, "setUTCFullYear");

class Time {
  #text;
  #date;
  #nanos;

  constructor(rfc3339) {
    this.#text = rfc3339;
    const point = rfc3339.length > 20 ? 20 : 0;
    this.#nanos = point ? Number_(slice(slice(rfc3339, point, -1) + "000000000", 0, 9)) : 0;
    this.#date = new Date_(dateParse(slice(rfc3339, 0, 19) + "Z"));
    freeze(this);
  }

  static is(value) { return #text in value; }
  static text(time) { return time.#text; }
  static parts(time) { return { date: time.#date, nanos: time.#nanos }; }
  static nanoseconds(time) {
    return BigInt_(dateValue(time.#date)) * 1000000n + BigInt_(time.#nanos);
  }

  toString() { return replace(replace(this.#text, "T", " "), "Z", " +0000 UTC"); }
  toJSON() { return this.#text; }
  string() { return this.toString(); }
  [Symbol.toPrimitive](hint) { return hint === "number" ? this.unixMilli() : this.toString(); }

  unix() { return dateValue(this.#date) / 1000; }
  unixMilli() { return dateValue(this.#date) + floor(this.#nanos / 1000000); }
  unixMicro() { return dateValue(this.#date) * 1000 + floor(this.#nanos / 1000); }
  unixNano() { return Number_(Time.nanoseconds(this)); }
  getTime() { return this.unixMilli(); }
  toISOString() { return isoString(new Date_(this.unixMilli())); }

  year() { return year(this.#date); }
  month() { return month(this.#date) + 1; }
  day() { return day(this.#date); }
  weekday() { return weekday(this.#date); }
  yearDay() { return yearDay(this.#date); }
  hour() { return hour(this.#date); }
  minute() { return minute(this.#date); }
  second() { return second(this.#date); }
  nanosecond() { return this.#nanos; }
  isZero() { return this.#text === ZERO; }

  before(other) { return Time.nanoseconds(this) < Time.nanoseconds(other); }
  after(other) { return Time.nanoseconds(this) > Time.nanoseconds(other); }
  equal(other) { return Time.nanoseconds(this) === Time.nanoseconds(other); }
  compare(other) { return this.before(other) ? -1 : this.after(other) ? 1 : 0; }
  sub(other) { return Number_(Time.nanoseconds(this) - Time.nanoseconds(other)); }
  uTC() { return this; }
  local() { return this; }
}
const BigInt_ = BigInt;

const isTime = Time.is;
const timeText = Time.text;
const time = (rfc3339) => new Time(rfc3339);
