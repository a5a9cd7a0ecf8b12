// `format` of a date: Go's layouts.

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

Time.prototype.format = function (layout) {
  return formatted(Time.parts(this), text(layout));
};
