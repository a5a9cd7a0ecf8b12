// Makes the parts of `ctx` and `api` about a user's grants and metadata, in flows 2 and 4.

const grantsOf = (data) => {
  if (data === null) return null;
  each(data.grants, (grant) => {
    const stored = grant.orgMetadata;
    delete grant.orgMetadata;
    grant.getOrgMetadata = () => metadataListOf(stored);
    return typedSeal(withTimes(grant, "creationDate", "changeDate"));
  });
  return typedSeal(withTimes(data, "timestamp"));
};

// Metadata that this action set, by key, as stored.
const written = { __proto__: null };

const setMetadata = (...values) => {
  const { 0: key, 1: value } = two(values);
  const name = metadataKey(key);
  const stored = asStored(value);
  effect(`{"op":"metadata","key":${name},"value":${quoted(stored)}}`);
  written[key] = stored;
};
