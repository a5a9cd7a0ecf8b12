// Parts of `ctx` and `api` about a user's grants and metadata, in flows 2 and 4.

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

// What this action set, by key, as it is stored.
const written = { __proto__: null };

const setMetadata = keyAndValue((key, value, name) => {
  effect(`{"op":"metadata","key":${key},"value":${quoted(value)}}`);
  written[name] = value;
});
