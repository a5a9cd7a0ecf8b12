// Defines appendMetadataRaw, which stores octets as they are, not JSON.

const {
  apply, push, list, isArray, two, bounded, getOwnPropertyDescriptor, getPrototypeOf, isInteger, refusal,
  Symbol_, Uint8Array_,
} = names;

const typedTag = getOwnPropertyDescriptor(getPrototypeOf(Uint8Array_.prototype), Symbol_.toStringTag).get;

const octetsOf = (value) => {
  const out = [];
  for (let index = 0; index < value.length; index++) {
    const octet = value[index];
    if (!isInteger(octet) || octet < 0 || octet > 255) {
      throw refusal("array value must only contain integers between 0 and 255");
    }
    push(out, octet);
  }
  return out;
};

return (values, newEntry) => {
  const { 0: key, 1: value } = two(values);
  const isText = typeof value === "string";
  if (!isText && !isArray(value) && apply(typedTag, value, []) !== "Uint8Array") {
    throw refusal("value must be a string or byte array");
  }
  const stored = isText ? value : octetsOf(value);
  if (stored.length === 0) throw refusal("value must not be empty");
  return newEntry(key, stored, isText ? `"value":${bounded(stored)}` : `"octets":${list(stored, "[", "]")}`).value;
};
