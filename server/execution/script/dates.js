// The methods of a date, and Go's layouts for `format`. The first argument is the date.

const { method, slice, text, freeze, ZERO, timeText } = names;
const { floor } = Math;
const dateParse = Date.parse;
const dateValue = method(Date.prototype, "getTime");
const isoString = method(Date.prototype, "toISOString");
const exec = method(RegExp.prototype, "exec");
const pad = method(String.prototype, "padStart");
const replace = method(String.prototype, "replace");
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
const two = (number) => pad(number, 2, "0");

const formatted = (time, layout) => {
  const moment = date(time);
  const digits = pad(nanos(time), 9, "0");
  const hour12 = hour(moment) % 12 === 0 ? 12 : hour(moment) % 12;
  const piece = (token) => {
    switch (token) {
      case "2006": return pad(year(moment), 4, "0");
      case "06": return two(year(moment) % 100);
      case "January": return MONTHS[month(moment)];
      case "Jan": return slice(MONTHS[month(moment)], 0, 3);
      case "01": return two(month(moment) + 1);
      case "1": return month(moment) + 1;
      case "Monday": return DAYS[weekday(moment)];
      case "Mon": return slice(DAYS[weekday(moment)], 0, 3);
      case "02": return two(day(moment));
      case "_2": return pad(day(moment), 2, " ");
      case "2": return day(moment);
      case "002": return pad(yearDay(moment), 3, "0");
      case "15": return two(hour(moment));
      case "03": return two(hour12);
      case "3": return hour12;
      case "04": return two(minute(moment));
      case "4": return minute(moment);
      case "05": return two(second(moment));
      case "5": return second(moment);
      case "PM": return hour(moment) < 12 ? "AM" : "PM";
      case "pm": return hour(moment) < 12 ? "am" : "pm";
      case "MST": return "UTC";
      case "Z07:00": case "Z0700": return "Z";
      case "-07:00": return "+00:00";
      case "-0700": return "+0000";
      case "-07": return "+00";
      default: return fraction(token, digits);
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

const fraction = (token, nanoseconds) => {
  const digits = slice(nanoseconds, 0, token.length - 1);
  if (token[1] === "0") {
    return token[0] + pad(digits, token.length - 1, "0");
  }
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return end === 0 ? "" : token[0] + slice(digits, 0, end);
};

const date = (time) => new Date_(dateParse(slice(timeText(time), 0, 19) + "Z"));
const nanos = (time) => Number_(slice(slice(timeText(time), 20, -1) + "000000000", 0, 9));

const nanoseconds = (time) => BigInt_(dateValue(date(time))) * 1000000n + BigInt_(nanos(time));
const milliseconds = (time) => dateValue(date(time)) + floor(nanos(time) / 1000000);
const string = (time) => replace(replace(timeText(time), "T", " "), "Z", " +0000 UTC");

return {
  __proto__: null,
  [Symbol.toPrimitive]: (time, hint) => (hint === "number" ? milliseconds(time) : string(time)),
  toString: string,
  toJSON: timeText,
  string,
  unix: (time) => dateValue(date(time)) / 1000,
  unixMilli: milliseconds,
  unixMicro: (time) => dateValue(date(time)) * 1000 + floor(nanos(time) / 1000),
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
  nanosecond: nanos,
  isZero: (time) => timeText(time) === ZERO,
  before: (time, other) => nanoseconds(time) < nanoseconds(other),
  after: (time, other) => nanoseconds(time) > nanoseconds(other),
  equal: (time, other) => nanoseconds(time) === nanoseconds(other),
  compare: (time, other) => Number_(nanoseconds(time) > nanoseconds(other)) - Number_(nanoseconds(time) < nanoseconds(other)),
  sub: (time, other) => Number_(nanoseconds(time) - nanoseconds(other)),
  uTC: (time) => time,
  local: (time) => time,
  format: (time, layout) => formatted(time, text(layout)),
};
