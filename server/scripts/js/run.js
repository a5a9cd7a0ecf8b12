// Defines the commands of the host: prepareLog, begin, isFunction, call, verdict, explain. They return JSON text or
// undefined. The host passes a function as one that returns it, as it cannot hold all values.
//
// `contextOf` and `apiOf` are defined by the trigger's file, which is before this one.

const ERROR_MAX = 4096;
let result;

const shown = (value) => {
  try {
    return slice(wellFormed(String_(value)), 0, ERROR_MAX);
  } catch {
    return "a value that has no text";
  }
};

const stackOf = (error) => {
  try {
    return typeof error.stack === "string" ? slice(wellFormed(error.stack), 0, ERROR_MAX) : "";
  } catch {
    return "";
  }
};

// A stack without frames: nothing was thrown, so the host does not search for `throw`.
const NO_PLACE = "-";
const failure = (message, stack) => whole(`{"text":${quoted(message)},"stack":${quoted(stack)}}`);

const COMMANDS = {
  __proto__: null,

  prepareLog: () => {
    logs();
  },

  begin: (json) => {
    setup = parse(json);
  },

  isFunction: (named) => typeof named() === "function",

  call: (named) => {
    const function_ = named();
    if (function_ === undefined || function_ === null) return failure("function not found", NO_PLACE);
    if (typeof function_ !== "function") {
      return failure(`could not convert ${shown(function_)} to a function`, NO_PLACE);
    }
    try {
      result = apply(function_, undefined, [contextOf(), apiOf()]);
    } catch (error) {
      return failure(shown(error), stackOf(error));
    }
  },

  // An action succeeds if it returns nothing.
  verdict: () =>
    result === undefined || result === null
      ? undefined
      : failure(`could not convert ${shown(result)} to error`, NO_PLACE),

  explain: (json) => whole(lazily("explain", () => ({ ...names(), contextOf, apiOf, evaluate }))()(json)),
};

return (command, value) => COMMANDS[command](value);
