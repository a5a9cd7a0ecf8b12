// connect-web, by one of its transports: gRPC-Web, or the Connect protocol.

import { fromJson, toJson } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { detailOf } from "./types.mjs";

export const GRPC_WEB = (baseUrl) => createGrpcWebTransport({ baseUrl });
export const CONNECT_JSON = (baseUrl) => createConnectTransport({ baseUrl });
// Methods without side effects are called by GET.
export const CONNECT_BINARY = (baseUrl) =>
  createConnectTransport({ baseUrl, useBinaryFormat: true, useHttpGet: true });

export function connectWeb(transportTo) {
  return async ({ registry, method, baseUrl, request, headers, timeoutMs, signal, messages }) => {
    const client = createClient(method.parent, transportTo(baseUrl));
    const input = fromJson(method.input, request, { registry });
    const keep = (message) => messages.push(toJson(method.output, message, { registry }));
    let metadata = {};
    const options = {
      headers,
      timeoutMs,
      signal,
      onTrailer: (trailers) => (metadata = Object.fromEntries(trailers)),
    };
    try {
      if (method.methodKind === "unary") keep(await client[method.localName](input, options));
      else for await (const message of client[method.localName](input, options)) keep(message);
      return { messages, code: 0, error: "", details: [], metadata };
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      return {
        messages,
        code: error.code,
        error: error.rawMessage,
        details: error.details.map(({ type, value }) => detailOf(registry, type, value)),
        metadata: Object.fromEntries(error.metadata),
      };
    }
  };
}
