// Makes the parts of `ctx` that many triggers have, from the JSON of the host.
//
// The host has checked the JSON: every key is present, in the order in which scripts see it. Each part
// is a text that is parsed on each access, so two reads give two objects.
// Rule: objects that are typed in ZITADEL take no new keys; maps and claims do.

const part = (name) => parse(setup.context[name]);

const withTimes = (object, ...names) => {
  for (let index = 0; index < names.length; index++) {
    object[names[index]] = time(object[names[index]]);
  }
  return object;
};

const each = (array, function_) => {
  for (let index = 0; index < array.length; index++) array[index] = function_(array[index]);
  return array;
};

const userOf = (data) => {
  const who = data.human !== undefined ? "human" : "machine";
  if (data[who] !== undefined) typedSeal(data[who]);
  return typedSeal(data.creationDate === undefined ? data : withTimes(data, "creationDate", "changeDate"));
};

// Returns stored text as parsed JSON if it is valid, else as text.
const storedValue = (stored) => {
  try {
    return parse(stored);
  } catch {
    return stored;
  }
};

// Returns a new list of new entries.
const metadataListOf = (data) => {
  const metadata = [];
  for (let index = 0; index < data.metadata.length; index++) {
    const entry = { ...data.metadata[index] };
    entry.value = storedValue(entry.value);
    push(metadata, typedSeal(withTimes(entry, "creationDate", "changeDate")));
  }
  return typedSeal(withTimes({ ...data, metadata }, "timestamp"));
};

const metadataReader = (name) => () => metadataListOf(part(name));

const orgOf = () => ({ getMetadata: metadataReader("orgMetadata") });
