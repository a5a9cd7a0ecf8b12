// Messages and methods from a descriptor set (google.protobuf.FileDescriptorSet with all its
// imports), so that nothing is generated; and what the clients' outcomes have in common.

import { createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

export function registryOf(descriptorSet) {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, base64Decode(descriptorSet)));
}

// "/package.Service/Method" → protobuf-es' descriptor of the method.
export function methodOf(registry, path) {
  const [service, name] = path.slice(1).split("/");
  return registry.getService(service).methods.find((method) => method.name === name);
}

// An error detail as {type, value}: the value is JSON.
export function detailOf(registry, type, value) {
  const schema = registry.getMessage(type);
  return { type, value: toJson(schema, fromBinary(schema, value), { registry }) };
}

// The details in the trailing metadata of a client that leaves them there, as base64.
export function detailsIn(registry, metadata) {
  const encoded = metadata["grpc-status-details-bin"];
  if (encoded === undefined) return [];
  const status = fromBinary(registry.getMessage("google.rpc.Status"), base64Decode(encoded));
  return status.details.map(({ typeUrl, value }) =>
    detailOf(registry, typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value),
  );
}
