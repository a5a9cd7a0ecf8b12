// Sets metadata of the user, in flows 2 and 4, and reads it with what was set.

const {
  load, keys, push, quoted, effect, asStored, encoderOf, metadataKey, two, part, setup, ZERO,
} = names;

// Metadata that this action set, by key, as stored.
const written = { __proto__: null };

const set = (values) => {
  const { 0: key, 1: value } = two(values);
  const name = metadataKey(key);
  const stored = asStored(encoderOf(value)(value));
  effect(`{"op":"metadata","key":${name},"value":${quoted(stored)}}`);
  written[key] = stored;
};

const put = (data, key, value) => {
  let at = 0;
  while (at < data.metadata.length && data.metadata[at].key !== key) at++;
  if (at < data.metadata.length) data.metadata[at].value = value;
  else {
    push(data.metadata, {
      creationDate: ZERO, changeDate: ZERO, resourceOwner: "", sequence: 0, key, value,
    });
    data.count++;
  }
};

// The context has what actions before this one set, also where the rest is read elsewhere.
const read = () => {
  const given = part("userMetadata");
  const data = setup.elsewhere === undefined ? given : load("elsewhere")(given, "userMetadata");
  if (data !== given) {
    for (let index = 0; index < given.metadata.length; index++) {
      put(data, given.metadata[index].key, given.metadata[index].value);
    }
  }
  const names = keys(written);
  for (let index = 0; index < names.length; index++) put(data, names[index], written[names[index]]);
  return load("metadata")(data);
};

return { set, read };
