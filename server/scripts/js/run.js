// Defines the commands of the host: prepareLog, begin, isFunction, call, verdict, explain. The host passes a
// function as one that returns it, as it cannot hold all values.
//
// `contextOf` and `apiOf` are defined by the trigger's file, which is before this one.

let result;

// Returns JSON of a failure; true if the function returned something, which is judged by `verdict`.
const call = (named) => {
  const function_ = named();
  if (typeof function_ !== "function") return own.load("failures").notCallable(function_);
  try {
    result = own.apply(function_, undefined, [own.contextOf(), own.apiOf()]);
  } catch (error) {
    return own.load("failures").thrown(error);
  }
  return result !== undefined && result !== null;
};

return (command, value) => {
  switch (command) {
    case "begin":
      own.setup = own.parse(value);
      return;
    case "call":
      return call(value);
    case "isFunction":
      return typeof value() === "function";
    case "verdict":
      return own.load("failures").returned(result);
    case "prepareLog":
      own.load("log");
      return;
    default:
      return own.whole(own.load("explain")(value));
  }
};
