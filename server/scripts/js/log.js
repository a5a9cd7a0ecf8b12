// Defines zitadel/log, console (also the global) and util, which write to the log of the action.

const { stringify, slice, quoted, callHost, Number_, String_ } = names;

const LOGS_MAX = 65536;
const LINE_MAX = 4096;
const LINE_COSTS = 8;
let logged = 0;

const note = (level, message) => {
  if (logged > LOGS_MAX) return;
  const line = message.length > LINE_MAX ? slice(message, 0, LINE_MAX) + "…" : message;
  logged += line.length + LINE_COSTS;
  callHost("log", `{"level":"${level}","text":${quoted(line)}}`);
  if (logged > LOGS_MAX) {
    callHost("log", '{"level":"warn","text":"what the action logs from here on is left out"}');
  }
};

// Formats as util.format of ZITADEL's engine: %s %d %j %%; other values follow, with spaces between.
const format = (values) => {
  if (values.length === 0) return "";
  const layout = String_(values[0]);
  let out = "";
  let next = 1;
  let from = 0;
  for (let at = 0; at < layout.length - 1; at++) {
    if (layout[at] !== "%") continue;
    const kind = layout[at + 1];
    if (kind === "%") {
      out += slice(layout, from, at) + "%";
    } else if (next < values.length && (kind === "s" || kind === "d" || kind === "j")) {
      const value = values[next++];
      out += slice(layout, from, at);
      out += kind === "s" ? String_(value) : kind === "d" ? String_(Number_(value)) : String_(stringify(value));
    } else {
      at++;
      continue;
    }
    at++;
    from = at + 1;
  }
  out += slice(layout, from);
  for (; next < values.length; next++) out += " " + String_(values[next]);
  return out;
};

const logger = (level) => (...values) => note(level, format(values));

const logModule = () => ({
  log: logger("info"),
  info: logger("info"),
  debug: logger("debug"),
  warn: logger("warn"),
  error: logger("error"),
});

return { "zitadel/log": logModule, console: logModule, util: () => ({ format: (...values) => format(values) }) };
