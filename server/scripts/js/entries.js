// Makes `api.metadata`, the list of the metadata of a user that logs in or is created.

const {
  apply, load, each, freeze, mapGet, mapSet, setup, quoted, asStored, encoderOf, metadataKey, objectOf, two, WeakMap_,
} = names;

// Entries of the list, with what was sent to the host for them: a script may pass an entry again.
const kept = new WeakMap_();
const keptAs = (entry) => apply(mapGet, kept, [entry]);
const keep = (entry, json) => apply(mapSet, kept, [entry, json]);

const newEntry = (key, value, stored) => {
  const json = `"key":${metadataKey(key)},${stored}`;
  const entry = freeze({ key, value });
  keep(entry, json);
  return { json, value: entry };
};

// Converts {key, value}; any value is stored as JSON.
const metadataEntry = (given) => {
  const json = keptAs(objectOf(given, "metadata"));
  if (json !== undefined) return { json, value: given };
  const { key, value } = given;
  return newEntry(key, value, `"value":${quoted(asStored(encoderOf(value)(value)))}`);
};

const entries = each(setup.metadata, (entry) => newEntry(entry.key, entry.value, entry.stored).value);
const metadata = load("lists")("metadata", "entry", entries, metadataEntry);

const append = (given) => { metadata[metadata.length] = given; };

return {
  metadata,
  append: (values) => append({ key: two(values)[0], value: values[1] }),
  appendRaw: (values) => append(load("raw")(values, newEntry)),
};
