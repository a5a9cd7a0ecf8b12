// Sets metadata of the user, in flows 2 and 4, and reads it with what was set.

const { load, keys, push, quoted, effect, asStored, encoderOf, metadataKey, two, part, ZERO } = names;

// Metadata that this action set, by key, as stored.
const written = { __proto__: null };

const set = (values) => {
  const { 0: key, 1: value } = two(values);
  const name = metadataKey(key);
  const stored = asStored(encoderOf(value)(value));
  effect(`{"op":"metadata","key":${name},"value":${quoted(stored)}}`);
  written[key] = stored;
};

const read = () => {
  const data = part("userMetadata");
  const names = keys(written);
  for (let index = 0; index < names.length; index++) {
    const value = written[names[index]];
    let at = 0;
    while (at < data.metadata.length && data.metadata[at].key !== names[index]) at++;
    if (at < data.metadata.length) data.metadata[at].value = value;
    else {
      push(data.metadata, {
        creationDate: ZERO, changeDate: ZERO, resourceOwner: "", sequence: 0, key: names[index], value,
      });
      data.count++;
    }
  }
  return load("metadata")(data);
};

return { set, read };
