// Makes the grants of the user, in flows 2 and 4.

const { load, each, part, typedSeal, withTimes } = names;

return () => {
  const data = part("userGrants");
  if (data === null) return null;
  each(data.grants, (grant) => {
    const { orgMetadata: stored, userGrantResourceOwner: id } = grant;
    delete grant.orgMetadata;
    grant.getOrgMetadata = () => load("metadata")(stored, "orgMetadata", id);
    return typedSeal(withTimes(grant, "creationDate", "changeDate"));
  });
  return typedSeal(withTimes(data, "timestamp"));
};
