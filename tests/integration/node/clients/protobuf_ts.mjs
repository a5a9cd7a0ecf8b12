// protobuf-ts, by its grpcweb-transport, with its own runtime for messages.

import { MessageType } from "@protobuf-ts/runtime";
import { RpcError } from "@protobuf-ts/runtime-rpc";
import { GrpcStatusCode, GrpcWebFetchTransport } from "@protobuf-ts/grpcweb-transport";
import { detailsIn } from "./types.mjs";

// What protobuf-ts generates for a message of plain fields. An enum is an int32 here: they are the
// same on the wire, and the numbers of scalar types are those of descriptor.proto in both runtimes.
function messageType(descriptor) {
  return new MessageType(
    descriptor.typeName,
    descriptor.fields.map((field) => {
      if (field.fieldKind !== "scalar" && field.fieldKind !== "enum")
        throw new Error(`${field}: expected a scalar or an enum, got ${field.fieldKind}`);
      return { no: field.number, name: field.name, kind: "scalar", T: field.scalar ?? 5 };
    }),
  );
}

export function protobufTs(format) {
  return async ({ registry, method, baseUrl, request, headers, timeoutMs, signal, messages }) => {
    const info = {
      service: method.parent,
      name: method.name,
      localName: method.localName,
      I: messageType(method.input),
      O: messageType(method.output),
    };
    const transport = new GrpcWebFetchTransport({ baseUrl, format });
    const options = transport.mergeOptions({ timeout: timeoutMs, abort: signal, meta: headers });
    const input = info.I.fromJson(request);
    const keep = (message) => messages.push(info.O.toJson(message));
    try {
      const call =
        method.methodKind === "unary"
          ? transport.unary(info, input, options)
          : transport.serverStreaming(info, input, options);
      if (method.methodKind === "unary") keep(await call.response);
      else for await (const message of call.responses) keep(message);
      return { messages, code: 0, error: "", details: [], metadata: await call.trailers };
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return {
        messages,
        code: GrpcStatusCode[error.code],
        error: error.message,
        details: detailsIn(registry, error.meta),
        metadata: error.meta,
      };
    }
  };
}
