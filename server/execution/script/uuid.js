// zitadel/uuid: RFC 9562, versions 1, 3, 4 and 5; random octets, the clock and digests are the host's.

const { method, slice, join, text, tell, refusal, Number_, String_ } = names;

const BigInt_ = BigInt;
const exec = method(RegExp.prototype, "exec");
const lower = method(String.prototype, "toLowerCase");
const codeUnit = method(String.prototype, "charCodeAt");
const pad = method(String.prototype, "padStart");
const split = method(String.prototype, "split");
const replace = method(String.prototype, "replace");
const toDecimal = method(Number.prototype, "toString");
const bigToDecimal = method(BigInt.prototype, "toString");
const NAMESPACE = "6ba7b81X-9dad-11d1-80b4-00c04fd430c8";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const VARIANT = "89ab";

// 32 hexadecimal digits as a UUID of a version.
const uuid = (hex, version) => {
  const variant = VARIANT[Number_("0x" + hex[16]) & 3];
  return join([
    slice(hex, 0, 8), slice(hex, 8, 12), version + slice(hex, 13, 16),
    variant + slice(hex, 17, 20), slice(hex, 20, 32),
  ], "-");
};

const uuidByTime = () => {
  // 100 ns since 1582-10-15; the node is random, with the bit that says so.
  const ticks = pad(bigToDecimal(BigInt_(tell("clock", "")) / 100n + 0x01b21dd213814000n, 16), 16, "0");
  const random = tell("random", "");
  const node = pad(toDecimal(Number_("0x" + slice(random, 4, 6)) | 1, 16), 2, "0") + slice(random, 6, 16);
  return uuid(slice(ticks, 8) + slice(ticks, 4, 8) + "1" + slice(ticks, 1, 4) + slice(random, 0, 4) + node, "1");
};

const uuidByName = (algorithm, version) => (...values) => {
  if (values.length !== 2) throw refusal("invalid arg count");
  const namespace = lower(String_(values[0]));
  if (exec(UUID, namespace) === null) throw refusal(`invalid namespace: ${slice(namespace, 0, 40)}`);
  const data = utf8Hex(text(values[1]));
  return uuid(tell(algorithm, join(split(namespace, "-"), "") + data), version);
};

const encodeUri = encodeURIComponent;
const utf8Hex = (value) => {
  const encoded = encodeUri(value);
  let out = "";
  for (let at = 0; at < encoded.length; at++) {
    if (encoded[at] === "%") {
      out += slice(encoded, at + 1, at + 3);
      at += 2;
    } else {
      out += toDecimal(codeUnit(encoded, at), 16);
    }
  }
  return out;
};

const noArguments = (make) => (...values) => {
  if (values.length !== 0) throw refusal("invalid arg count");
  return make();
};

const uuidModule = () => ({
  namespaceDNS: replace(NAMESPACE, "X", "0"),
  namespaceURL: replace(NAMESPACE, "X", "1"),
  namespaceOID: replace(NAMESPACE, "X", "2"),
  namespaceX500: replace(NAMESPACE, "X", "4"),
  v1: noArguments(uuidByTime),
  v3: uuidByName("md5", "3"),
  v4: noArguments(() => uuid(tell("random", ""), "4")),
  v5: uuidByName("sha1", "5"),
});

return { "zitadel/uuid": uuidModule };
