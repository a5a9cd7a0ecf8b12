// Defines zitadel/uuid (RFC 9562, versions 1, 3, 4 and 5); the host makes the UUIDs.

const { slice, wellFormed, text, callHost, refusal, String_ } = names;

const namespace = (digit) => `6ba7b81${digit}-9dad-11d1-80b4-00c04fd430c8`;

const without = (kind) => (...values) => {
  if (values.length !== 0) throw refusal("invalid arg count");
  return callHost(kind, "");
};

const ofName = (kind) => (...values) => {
  if (values.length !== 2) throw refusal("invalid arg count");
  const space = wellFormed(String_(values[0]));
  const name = text(values[1]);
  const made = space.length === 36 ? callHost(kind, space + name) : "";
  if (!made) throw refusal(`invalid namespace: ${slice(space, 0, 40)}`);
  return made;
};

const uuidModule = () => ({
  namespaceDNS: namespace(0),
  namespaceURL: namespace(1),
  namespaceOID: namespace(2),
  namespaceX500: namespace(4),
  v1: without("uuid1"),
  v3: ofName("uuid3"),
  v4: without("uuid4"),
  v5: ofName("uuid5"),
});

return { "zitadel/uuid": uuidModule };
