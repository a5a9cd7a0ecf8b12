// The methods of a date, and Go's layouts for `format`. The first argument is the date.

const { method, dateValue, floor, slice, pad, toDecimal, exec, text, freeze, ZERO, parts } = names;
const isoString = method(Date.prototype, "toISOString");
const Date_ = Date;
const BigInt_ = BigInt;
const Number_ = Number;
const utc = (name) => method(Date.prototype, "getUTC" + name);
const year = utc("FullYear");
const month = utc("Month");
const day = utc("Date");
const weekday = utc("Day");
const hour = utc("Hours");
const minute = utc("Minutes");
const second = utc("Seconds");

const yearDay = (date) => {
  const first = new Date_(0);
  setFullYear(first, year(date), 0, 1);
  return floor((dateValue(date) - dateValue(first)) / 86400000) + 1;
};
const setFullYear = method(Date.prototype, "setUTCFullYear");

const MONTHS = freeze(["January", "February", "March", "April", "May", "June", "July", "August",
  "September", "October", "November", "December"]);
const DAYS = freeze(["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]);
// Longest first where one begins as another.
const LAYOUT = /2006|January|Jan|Monday|Mon|MST|Z07:00|Z0700|-07:00|-0700|-07|002|01|02|_2|03|04|05|06|15|PM|pm|[.,]0+|[.,]9+|1|2|3|4|5/g;
const two = (number) => pad(toDecimal(number), 2, "0");

const formatted = (time, layout) => {
  const date = time.date;
  const nanos = pad(toDecimal(time.nanos), 9, "0");
  const hour12 = hour(date) % 12 === 0 ? 12 : hour(date) % 12;
  const piece = (token) => {
    switch (token) {
      case "2006": return pad(toDecimal(year(date)), 4, "0");
      case "06": return two(year(date) % 100);
      case "January": return MONTHS[month(date)];
      case "Jan": return slice(MONTHS[month(date)], 0, 3);
      case "01": return two(month(date) + 1);
      case "1": return toDecimal(month(date) + 1);
      case "Monday": return DAYS[weekday(date)];
      case "Mon": return slice(DAYS[weekday(date)], 0, 3);
      case "02": return two(day(date));
      case "_2": return pad(toDecimal(day(date)), 2, " ");
      case "2": return toDecimal(day(date));
      case "002": return pad(toDecimal(yearDay(date)), 3, "0");
      case "15": return two(hour(date));
      case "03": return two(hour12);
      case "3": return toDecimal(hour12);
      case "04": return two(minute(date));
      case "4": return toDecimal(minute(date));
      case "05": return two(second(date));
      case "5": return toDecimal(second(date));
      case "PM": return hour(date) < 12 ? "AM" : "PM";
      case "pm": return hour(date) < 12 ? "am" : "pm";
      case "MST": return "UTC";
      case "Z07:00": case "Z0700": return "Z";
      case "-07:00": return "+00:00";
      case "-0700": return "+0000";
      case "-07": return "+00";
      default: return fraction(token, nanos);
    }
  };
  let out = "";
  let from = 0;
  LAYOUT.lastIndex = 0;
  for (let found = exec(LAYOUT, layout); found !== null; found = exec(LAYOUT, layout)) {
    out += slice(layout, from, found.index) + piece(found[0]);
    from = found.index + found[0].length;
  }
  return out + slice(layout, from);
};

const fraction = (token, nanos) => {
  const digits = slice(nanos, 0, token.length - 1);
  if (token[1] === "0") {
    return token[0] + pad(digits, token.length - 1, "0");
  }
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return end === 0 ? "" : token[0] + slice(digits, 0, end);
};

const date = (time) => parts(time).date;

const nanoseconds = (time) => {
  const { date, nanos } = parts(time);
  return BigInt_(dateValue(date)) * 1000000n + BigInt_(nanos);
};

const milliseconds = (time) => {
  const { date, nanos } = parts(time);
  return dateValue(date) + floor(nanos / 1000000);
};

return {
  string: (time) => time.toString(),
  unix: (time) => dateValue(date(time)) / 1000,
  unixMilli: milliseconds,
  unixMicro: (time) => dateValue(date(time)) * 1000 + floor(parts(time).nanos / 1000),
  unixNano: (time) => Number_(nanoseconds(time)),
  getTime: milliseconds,
  toISOString: (time) => isoString(new Date_(milliseconds(time))),
  year: (time) => year(date(time)),
  month: (time) => month(date(time)) + 1,
  day: (time) => day(date(time)),
  weekday: (time) => weekday(date(time)),
  yearDay: (time) => yearDay(date(time)),
  hour: (time) => hour(date(time)),
  minute: (time) => minute(date(time)),
  second: (time) => second(date(time)),
  nanosecond: (time) => parts(time).nanos,
  isZero: (time) => parts(time).text === ZERO,
  before: (time, other) => nanoseconds(time) < nanoseconds(other),
  after: (time, other) => nanoseconds(time) > nanoseconds(other),
  equal: (time, other) => nanoseconds(time) === nanoseconds(other),
  compare: (time, other) => Number_(nanoseconds(time) > nanoseconds(other)) - Number_(nanoseconds(time) < nanoseconds(other)),
  sub: (time, other) => Number_(nanoseconds(time) - nanoseconds(other)),
  uTC: (time) => time,
  local: (time) => time,
  format: (time, layout) => formatted(parts(time), text(layout)),
};
