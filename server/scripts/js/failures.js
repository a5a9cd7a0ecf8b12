// Describes why the function could not be called, what it threw, or what it returned; as JSON.

const { quoted, slice, wellFormed, whole, String_ } = names;

const ERROR_MAX = 4096;
// A stack without frames: nothing was thrown, so the host does not search for `throw`.
const NO_PLACE = "-";

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

const failure = (message, stack) => whole(`{"text":${quoted(message)},"stack":${quoted(stack)}}`);

return {
  notCallable: (value) =>
    value === undefined || value === null
      ? failure("function not found", NO_PLACE)
      : failure(`could not convert ${shown(value)} to a function`, NO_PLACE),
  thrown: (error) => failure(shown(error), stackOf(error)),
  returned: (value) => failure(`could not convert ${shown(value)} to error`, NO_PLACE),
};
