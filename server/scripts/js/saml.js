// Trigger 4/6: before a SAML response.

own.hidden = "zitadel/uuid";

// In this flow each call reads metadata again, with what was just set.
const writtenMetadata = () => own.load("written").read();

own.contextOf = () => ({
  v1: {
    getUser,
    user: userDataOf(writtenMetadata),
    org: { getMetadata: metadataReader("orgMetadata") },
  },
});

const setCustomAttribute = (name, nameFormat, ...values) => {
  const head = `"name":${own.bounded(own.text(name))},"name_format":${own.bounded(own.text(nameFormat))}`;
  own.effect(`{"op":"attribute",${head},"values":${own.load("shared").textList(values)}}`);
};

own.apiOf = () => ({ v1: { attributes: { setCustomAttribute }, user: { setMetadata } } });
