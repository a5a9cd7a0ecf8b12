// grpc-web, which talks through XMLHttpRequest, with method descriptors as its generator writes
// them. It knows nothing of messages: protobuf-es reads and writes them.

import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import grpcWeb from "grpc-web";
import { detailsIn } from "./types.mjs";

const { GrpcWebClientBase, MethodDescriptor, MethodType } = grpcWeb;
const CANCELLED = 1;

export function grpcWebClient(format) {
  return ({ registry, method, baseUrl, request, headers, timeoutMs, signal, messages }) =>
    new Promise((resolve) => {
      const isUnary = method.methodKind === "unary";
      const descriptor = new MethodDescriptor(
        `/${method.parent.typeName}/${method.name}`,
        isUnary ? MethodType.UNARY : MethodType.SERVER_STREAMING,
        Object,
        Object,
        (message) => toBinary(method.input, message),
        (bytes) => fromBinary(method.output, bytes),
      );
      const metadata = { ...headers };
      if (timeoutMs !== undefined) metadata.deadline = String(Date.now() + timeoutMs);
      const input = fromJson(method.input, request, { registry });
      const outcome = { messages, code: 0, error: "", details: [], metadata: {} };
      const keep = (message) => messages.push(toJson(method.output, message, { registry }));
      const fail = (error) => {
        outcome.code = error.code;
        outcome.error = error.message;
        outcome.metadata = error.metadata ?? {};
        outcome.details = detailsIn(registry, outcome.metadata);
        resolve(outcome);
      };
      const client = new GrpcWebClientBase({ format });
      const url = baseUrl + descriptor.getName();
      let stream;
      if (isUnary) {
        stream = client.rpcCall(url, input, metadata, descriptor, (error, message) => {
          if (error) fail(error);
          else keep(message);
        });
      } else {
        stream = client.serverStreaming(url, input, metadata, descriptor);
        stream.on("data", keep);
        stream.on("error", fail);
      }
      stream.on("status", (status) => (outcome.metadata = status.metadata ?? {}));
      stream.on("end", () => resolve(outcome));
      signal.addEventListener("abort", () => {
        stream.cancel();
        // The client itself says nothing to a caller that cancels.
        resolve({ ...outcome, code: CANCELLED });
      });
    });
}
