// Returns metadata that the context lacks: the host reads it, or says why it cannot.
//
// Rule: the host answers with a value; an error is thrown here.

const { callHost, parse, quoted, refusal, setup } = names;

return (given, place, id) => {
  if (setup.elsewhere[place] !== true || id === "") return given;
  const answer = parse(callHost("metadata", quoted(`${place}/${id ?? ""}`)));
  if (answer.error !== undefined) throw refusal(answer.error);
  return answer.value;
};
