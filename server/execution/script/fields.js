// The setters of a user's fields, and the list of its metadata.

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

const tagOfOctets = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
const octets = (value) => {
  const isBytes = apply(tagOfOctets, value, []) === "Uint8Array";
  if (!isBytes && !isArray(value)) {
    throw new TypeError_(`metadata value: expected an array of octets, got ${kindOf(value)}`);
  }
  const out = [];
  for (let index = 0; index < value.length; index++) {
    const octet = value[index];
    if (!isInteger(octet) || octet < 0 || octet > 255) {
      throw new TypeError_(`metadata value[${index}]: expected an octet, got ${kindOf(octet)}`);
    }
    push(out, octet);
  }
  return out;
};

// Of {key, value}: the value as octets, or a string, whose octets it then is.
const metadataEntry = (given) => {
  const { key, value } = objectOf(given, "metadata");
  const json = metadataKey(key);
  if (typeof value === "string") {
    return { json: `"key":${json},"value":${bounded(value)}`, value: freeze({ key, value }) };
  }
  const bytes = value === undefined || value === null ? [] : octets(value);
  return { json: `"key":${json},"octets":${list(bytes, "[", "]")}`, value: freeze({ key, value: bytes }) };
};

const addMetadata = (api) => {
  const metadata = listOfApi("metadata", "entry", setup.metadata, metadataEntry);
  api.metadata = metadata;
  api.v1 = { user: { appendMetadata: keyAndValue((_key, value, key) => { metadata[metadata.length] = { key, value }; }) } };
};
