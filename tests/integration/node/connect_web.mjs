// One unary gRPC-Web call with connect-web, as a browser's page makes it.
//
//   node connect_web.mjs '{"base_url": "http://127.0.0.1:8080", "descriptor_set": "/tmp/api.binpb",
//     "method": "/pkg.Service/Method", "request": {}, "headers": {}, "timeout_ms": 1000}'
//
// prints one line of JSON: {"message", "headers", "trailers"} when the call succeeded, else
// {"code", "error", "details": [{"type", "value"}], "metadata"}. Nothing is generated: types come
// from the descriptor set (a serialized google.protobuf.FileDescriptorSet with all its imports).

import { readFile } from "node:fs/promises";
import { createFileRegistry, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const asked = JSON.parse(process.argv[2]);
const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, await readFile(asked.descriptor_set)),
);
const [serviceName, methodName] = asked.method.slice(1).split("/");
const service = registry.getService(serviceName);
const method = service.methods.find(({ name }) => name === methodName);
const client = createClient(service, createGrpcWebTransport({ baseUrl: asked.base_url }));

async function call() {
  let headers;
  let trailers;
  try {
    const response = await client[method.localName](
      fromJson(method.input, asked.request ?? {}, { registry }),
      {
        headers: asked.headers,
        timeoutMs: asked.timeout_ms,
        onHeader: (received) => (headers = Object.fromEntries(received)),
        onTrailer: (received) => (trailers = Object.fromEntries(received)),
      },
    );
    return { message: toJson(method.output, response, { registry }), headers, trailers };
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    return {
      code: error.code,
      error: error.rawMessage,
      details: error.details.map(({ type, value }) => {
        const schema = registry.getMessage(type);
        return {
          type,
          value: schema
            ? toJson(schema, fromBinary(schema, value), { registry })
            : Buffer.from(value).toString("base64"),
        };
      }),
      metadata: Object.fromEntries(error.metadata),
    };
  }
}

console.log(JSON.stringify(await call()));
