// Makes a list of metadata: a new one, with new entries.
//
// A list that the context lacks, and that can be read elsewhere, has a place: the host is asked for it.

const { load, parse, push, setup, typedSeal, withTimes } = names;

// Returns stored text as parsed JSON if it is valid, else as text.
const storedValue = (stored) => {
  try {
    return parse(stored);
  } catch {
    return stored;
  }
};

return (given, place, id) => {
  const data = setup.elsewhere === undefined ? given : load("elsewhere")(given, place, id);
  const metadata = [];
  for (let index = 0; index < data.metadata.length; index++) {
    const entry = { ...data.metadata[index] };
    entry.value = storedValue(entry.value);
    push(metadata, typedSeal(withTimes(entry, "creationDate", "changeDate")));
  }
  return typedSeal(withTimes({ ...data, metadata }, "timestamp"));
};
