// Makes a list of metadata of the context: a new one, with new entries.

const { parse, push, typedSeal, withTimes } = names;

// Returns stored text as parsed JSON if it is valid, else as text.
const storedValue = (stored) => {
  try {
    return parse(stored);
  } catch {
    return stored;
  }
};

return (data) => {
  const metadata = [];
  for (let index = 0; index < data.metadata.length; index++) {
    const entry = { ...data.metadata[index] };
    entry.value = storedValue(entry.value);
    push(metadata, typedSeal(withTimes(entry, "creationDate", "changeDate")));
  }
  return typedSeal(withTimes({ ...data, metadata }, "timestamp"));
};
