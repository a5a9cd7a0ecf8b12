// Parts of `ctx` that many triggers have, out of the JSON that the host hands over.
//
// The host has checked it: every key is there, in the order in which scripts see it. Each part
// comes as text and is parsed when it is asked for, so what is read twice differs.
// Rule: objects that are typed upstream take no new keys; maps and claims do.

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

// The stored bytes as JSON if they are that, else as text.
const storedValue = (stored) => {
  try {
    return parse(stored);
  } catch {
    return stored;
  }
};

// A new list, of new entries.
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
