// Defines the setters of a user's fields, and the list of its metadata.

const flag = (value) => !!value;

const setter = (field, convert) => (value) => {
  const converted = convert(value);
  effect(`{"op":"field","name":"${field}","value":${convert === text ? bounded(converted) : converted}}`);
};

const FIELDS = freeze([
  ["setFirstName", "firstName", text],
  ["setLastName", "lastName", text],
  ["setNickName", "nickName", text],
  ["setDisplayName", "displayName", text],
  ["setPreferredLanguage", "preferredLanguage", text],
  ["setEmail", "email", text],
  ["setEmailVerified", "isEmailVerified", flag],
  ["setPhone", "phone", text],
  ["setPhoneVerified", "isPhoneVerified", flag],
]);
const FIELDS_OF_LOGIN = freeze([["setPreferredUsername", "preferredUsername", text]]);
const FIELDS_OF_CREATION = freeze([["setUsername", "username", text], ["setGender", "gender", integer]]);

const addSetters = (api, fields) => {
  for (let index = 0; index < fields.length; index++) {
    api[fields[index][0]] = setter(fields[index][1], fields[index][2]);
  }
};

// Entries of the list, with what was sent to the host for them: a script may pass an entry again.
const kept = new WeakMap();
const keptAs = method(WeakMap.prototype, "get");
const keep = method(WeakMap.prototype, "set");

const newEntry = (key, value, stored) => {
  const json = `"key":${metadataKey(key)},${stored}`;
  const entry = freeze({ key, value });
  keep(kept, entry, json);
  return { json, value: entry };
};

// Converts {key, value}; any value is stored as JSON.
const metadataEntry = (given) => {
  const json = keptAs(kept, objectOf(given, "metadata"));
  if (json !== undefined) return { json, value: given };
  const { key, value } = given;
  return newEntry(key, value, `"value":${quoted(asStored(value))}`);
};

const raw = lazily("raw", () => ({
  ...names(), apply, two, newEntry, bounded, getOwnPropertyDescriptor, getPrototypeOf, isInteger, Uint8Array_,
}));

const addMetadata = (api) => {
  const entries = each(setup.metadata, (entry) => newEntry(entry.key, entry.value, entry.stored).value);
  const metadata = listOfApi("metadata", "entry", entries, metadataEntry);
  const append = (given) => { metadata[metadata.length] = given; };
  api.metadata = metadata;
  api.v1 = {
    user: {
      appendMetadata: (...values) => append({ key: two(values)[0], value: values[1] }),
      appendMetadataRaw: (...values) => append(raw()(values)),
    },
  };
};
