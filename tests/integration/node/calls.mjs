// One call over gRPC-Web or Connect by any of the clients, in Node or in a page; the outcome is the same for all:
// {messages, code, error, details: [{type, value}], metadata}, metadata being the trailing one.

import { CONNECT_BINARY, CONNECT_JSON, GRPC_WEB, connectWeb } from "./clients/connect_web.mjs";
import { grpcWebClient } from "./clients/grpc_web.mjs";
import { protobufTs } from "./clients/protobuf_ts.mjs";
import { methodOf, registryOf } from "./clients/types.mjs";

const CLIENTS = {
  "connect-web": connectWeb(GRPC_WEB),
  "connect-web by Connect in JSON": connectWeb(CONNECT_JSON),
  "connect-web by Connect in binary": connectWeb(CONNECT_BINARY),
  "protobuf-ts binary": protobufTs("binary"),
  "protobuf-ts text": protobufTs("text"),
  "grpc-web binary": grpcWebClient("binary"),
  "grpc-web text": grpcWebClient("text"),
};
// By id: how to leave the call, and the messages that it has had so far.
const running = new Map();

// Make a call, and give its outcome once it is over. `id` is what it can be cancelled by.
export async function start(id, asked) {
  const { client, descriptorSet, path, baseUrl, request, headers, timeoutMs } = asked;
  const registry = registryOf(descriptorSet);
  const method = methodOf(registry, path);
  const controller = new AbortController();
  const { signal } = controller;
  const messages = [];
  running.set(id, { controller, messages });
  try {
    return await CLIENTS[client]({
      registry,
      method,
      baseUrl,
      request,
      headers: headers ?? {},
      timeoutMs,
      signal,
      messages,
    });
  } finally {
    running.delete(id);
  }
}

export function received(id) {
  return running.get(id).messages.length;
}

export function cancel(id) {
  running.get(id).controller.abort();
}
