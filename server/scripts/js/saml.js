// Trigger 4/6: before a SAML response.

delete MODULES["zitadel/uuid"];

const contextOf = () => ({
  v1: {
    getUser: () => userOf(part("user")),
    user: { getMetadata: writtenMetadata, grants: grantsOf(part("userGrants")) },
    org: orgOf(),
  },
});

// In this flow each call reads metadata again, with what was just set.
const writtenMetadata = () => {
  const data = part("userMetadata");
  const names = keys(written);
  for (let index = 0; index < names.length; index++) {
    const stored = { ...NEW_ENTRY, key: names[index], value: written[names[index]] };
    let at = 0;
    while (at < data.metadata.length && data.metadata[at].key !== names[index]) at++;
    if (at < data.metadata.length) data.metadata[at].value = stored.value;
    else {
      push(data.metadata, stored);
      data.count++;
    }
  }
  return metadataListOf(data);
};
const NEW_ENTRY = freeze({ creationDate: ZERO, changeDate: ZERO, resourceOwner: "", sequence: 0 });
const apiOf = () => ({
  v1: {
    attributes: {
      setCustomAttribute: (name, nameFormat, ...values) => {
        effect(`{"op":"attribute","name":${bounded(text(name))},` +
          `"name_format":${bounded(text(nameFormat))},"values":${textList(values)}}`);
      },
    },
    user: { setMetadata },
  },
});
