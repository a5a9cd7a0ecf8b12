// Returns types of expressions and names of functions of a script, for the text of a failure.

const { contextOf, apiOf, evaluate, keys, list, push, quoted, parse } = names;

const FUNCTIONS_MAX = 20;

const typeOf = (source, context, api) => {
  try {
    return evaluate(source)(context, api);
  } catch {
    return "";
  }
};

const functionsOf = (object) => {
  const found = [];
  const names = keys(object);
  for (let index = 0; index < names.length && found.length < FUNCTIONS_MAX; index++) {
    if (typeof object[names[index]] === "function") push(found, quoted(names[index]));
  }
  return found;
};

return (json) => {
  const { parameters, expressions } = parse(json);
  const context = contextOf();
  const api = apiOf();
  const types = [];
  for (let index = 0; index < expressions.length; index++) {
    push(types, quoted(typeOf(`(${parameters}) => typeof ${expressions[index]}`, context, api)));
  }
  return `{"types":${list(types, "[", "]")},"functions":${list(functionsOf(evaluate("this")), "[", "]")}}`;
};
