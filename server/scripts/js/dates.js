// Implements the methods of a date, and Go's layouts for `format`. The first argument is the date.
//
// An argument that is a time in Go may be a Date or a text, as in ZITADEL's engine.

const {
  method, slice, text, freeze, keys, defineProperty, kindOf, isTime, time: newTime, timeText, ZERO, toISOString, BigInt_, Date_, Number_, RangeError_,
  Symbol_, TypeError_,
} = names;

const dateParse = Date_.parse;
const dateValue = method(Date_.prototype, "getTime");
const setFullYear = method(Date_.prototype, "setUTCFullYear");
const isoString = method({ toISOString }, "toISOString");

const number = (time, from, to) => Number_(slice(timeText(time), from, to));
const year = (time) => number(time, 0, 4);
const month = (time) => number(time, 5, 7);
const day = (time) => number(time, 8, 10);
const hour = (time) => number(time, 11, 13);
const minute = (time) => number(time, 14, 16);
const second = (time) => number(time, 17, 19);
const nanosDigits = (time) => slice(slice(timeText(time), 20, -1) + "000000000", 0, 9);
const nanos = (time) => Number_(nanosDigits(time));

const floor = (value, divisor) => (value - ((value % divisor) + divisor) % divisor) / divisor;
const unix = (time) => dateParse(slice(timeText(time), 0, 19) + "Z") / 1000;
const days = (time) => floor(unix(time), 86400);
// 1970-01-01 was a Thursday.
const weekday = (time) => (days(time) % 7 + 11) % 7;
const yearDay = (time) => days(time) - dateParse(slice(timeText(time), 0, 4) + "-01-01T00:00:00Z") / 86400000 + 1;
const milliseconds = (time) => unix(time) * 1000 + floor(nanos(time), 1000000);
const microseconds = (time) => unix(time) * 1000000 + floor(nanos(time), 1000);
const nanoseconds = (time) => BigInt_(unix(time)) * 1000000000n + BigInt_(nanos(time));
const string = (time) => `${slice(timeText(time), 0, 10)} ${slice(timeText(time), 11, -1)} +0000 UTC`;

const instant = (value) => {
  if (typeof value === "object" && value !== null && isTime(value)) return nanoseconds(value);
  let at;
  try {
    at = typeof value === "string" ? dateParse(value) : dateValue(value);
  } catch {
    at = NaN;
  }
  if (at !== at) throw new TypeError_(`expected a date, got ${kindOf(value)}`);
  return BigInt_(at) * 1000000n;
};
const order = (time, other) => {
  const difference = nanoseconds(time) - instant(other);
  return Number_(difference > 0n) - Number_(difference < 0n);
};

// Returns a time, from a Date with its seconds and the digits of its nanoseconds.
const timeOf = (date, digits) => {
  const iso = isoString(date);
  if (iso.length !== 24) throw new RangeError_("a date that is not in the years 0 to 9999");
  return newTime(slice(iso, 0, 19) + fraction(".9", digits, 9) + "Z");
};
// Converts a value as Go's engine does for an integer parameter.
const whole = (value) => Number_(value) - Number_(value) % 1 || 0;
const added = (time, duration) => {
  const total = nanoseconds(time) + BigInt_(whole(duration));
  const rest = ((total % 1000000000n) + 1000000000n) % 1000000000n;
  return timeOf(new Date_(Number_((total - rest) / 1000000n)), slice("00000000" + rest, -9));
};
const addedDate = (time, years, months, daysMore) => {
  const date = new Date_(unix(time) * 1000);
  setFullYear(date, year(time) + whole(years), month(time) - 1 + whole(months), day(time) + whole(daysMore));
  return timeOf(date, nanosDigits(time));
};

const MONTHS = freeze(["January", "February", "March", "April", "May", "June", "July", "August",
  "September", "October", "November", "December"]);
const DAYS = freeze(["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]);
// Alternatives that begin alike are sorted by length, longest first.
const LAYOUT = /2006|January|Jan|Monday|Mon|MST|Z07:00|Z0700|-07:00|-0700|-07|002|01|02|_2|03|04|05|06|15|PM|pm|[.,]0+|[.,]9+|1|2|3|4|5/g;
const exec = method(LAYOUT, "exec");
const two = (value) => slice("0" + value, -2);

const piece = (token, time) => {
  const hour12 = hour(time) % 12 === 0 ? 12 : hour(time) % 12;
  switch (token) {
    case "2006": return slice(timeText(time), 0, 4);
    case "06": return slice(timeText(time), 2, 4);
    case "January": return MONTHS[month(time) - 1];
    case "Jan": return slice(MONTHS[month(time) - 1], 0, 3);
    case "01": return two(month(time));
    case "1": return month(time);
    case "Monday": return DAYS[weekday(time)];
    case "Mon": return slice(DAYS[weekday(time)], 0, 3);
    case "02": return two(day(time));
    case "_2": return slice(" " + day(time), -2);
    case "2": return day(time);
    case "002": return slice("00" + yearDay(time), -3);
    case "15": return two(hour(time));
    case "03": return two(hour12);
    case "3": return hour12;
    case "04": return two(minute(time));
    case "4": return minute(time);
    case "05": return two(second(time));
    case "5": return second(time);
    case "PM": return hour(time) < 12 ? "AM" : "PM";
    case "pm": return hour(time) < 12 ? "am" : "pm";
    case "MST": return "UTC";
    case "Z07:00": case "Z0700": return "Z";
    case "-07:00": return "+00:00";
    case "-0700": return "+0000";
    case "-07": return "+00";
    default: return fraction(token, nanosDigits(time), token.length - 1);
  }
};

const formatted = (time, layout) => {
  let out = "";
  let from = 0;
  LAYOUT.lastIndex = 0;
  for (let found = exec(LAYOUT, layout); found !== null; found = exec(LAYOUT, layout)) {
    out += slice(layout, from, found.index) + piece(found[0], time);
    from = found.index + found[0].length;
  }
  return out + slice(layout, from);
};

// Returns the first digits of a fraction, after the separator of the token; a token of nines drops trailing zeros.
const fraction = (token, nine, count) => {
  let digits = slice(nine, 0, count);
  while (digits.length < count) digits += "0";
  if (token[1] === "0") return token[0] + digits;
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return end === 0 ? "" : token[0] + slice(digits, 0, end);
};

const METHODS = {
  __proto__: null,
  [Symbol_.toPrimitive]: (time, hint) => (hint === "number" ? milliseconds(time) : string(time)),
  toString: string,
  toJSON: timeText,
  string,
  unix,
  unixMilli: milliseconds,
  unixMicro: microseconds,
  unixNano: (time) => Number_(nanoseconds(time)),
  getTime: milliseconds,
  toISOString: (time) => `${slice(timeText(time), 0, 19)}.${slice(nanosDigits(time), 0, 3)}Z`,
  year,
  month,
  day,
  weekday,
  yearDay,
  hour,
  minute,
  second,
  nanosecond: nanos,
  isZero: (time) => timeText(time) === ZERO,
  before: (time, other) => order(time, other) < 0,
  after: (time, other) => order(time, other) > 0,
  equal: (time, other) => order(time, other) === 0,
  compare: order,
  sub: (time, other) => Number_(nanoseconds(time) - instant(other)),
  add: added,
  addDate: addedDate,
  uTC: (time) => time,
  local: (time) => time,
  format: (time, layout) => formatted(time, text(layout)),
};

const addMethod = (object, key) => {
  const value = function (a, b, c) { return METHODS[key](this, a, b, c); };
  defineProperty(object, key, { __proto__: null, value });
};

// Fills the object from which dates inherit; no access to it needs that any more.
return (object, traps) => {
  const names = keys(METHODS);
  for (let index = 0; index < names.length; index++) addMethod(object, names[index]);
  addMethod(object, Symbol_.toPrimitive);
  delete traps.get;
  delete traps.has;
  return object;
};
