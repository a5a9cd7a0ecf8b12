// The life of an action and of a trigger, as infrastructure as code runs it: grpc-js, from our .proto.
//
//   node life.mjs 127.0.0.1:50051 token folder-of-protos…
//
// With TRUSTED, the path of certificates in PEM, over TLS.
// Prints one line of JSON a step: {"step": "create", "answer": {…}}, or
// {"step": "…", "code": 9, "details": "text", "status": "base64 of grpc-status-details-bin"}.

import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [address, token, ...includeDirs] = process.argv.slice(2);
const definition = loadSync("zitadel/management.proto", {
  includeDirs,
  longs: String,
  enums: String,
  defaults: false,
});
const { ManagementService } = grpc.loadPackageDefinition(definition).zitadel.management.v1;
const { TRUSTED } = process.env;
const credentials = TRUSTED
  ? grpc.credentials.createSsl(readFileSync(TRUSTED))
  : grpc.credentials.createInsecure();
const client = new ManagementService(address, credentials);

async function step(name, method, request, more = {}) {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  for (const [key, value] of Object.entries(more)) metadata.set(key, value);
  const call = promisify(client[method].bind(client));
  const said = await call(request, metadata, { deadline: Date.now() + 20_000 }).then(
    (answer) => ({ answer }),
    ({ code, details, metadata }) => ({
      code,
      details,
      status: metadata.get("grpc-status-details-bin")[0]?.toString("base64"),
    }),
  );
  console.log(JSON.stringify({ step: name, ...said }));
  return said.answer;
}

const noChange = { "x-actions-no-change": "ok" };
const greeting = { name: "greet", script: "function greet() {}", timeout: { seconds: 10 } };
const { id } = await step("create", "createAction", greeting);
const greeted = { id, ...greeting, script: "function greet(ctx) {}", allowedToFail: true };
const trigger = { flowType: "1", triggerType: "3" };

await step("read", "getAction", { id });
await step("create again", "createAction", { ...greeting, name: "GREET" });
await step("update", "updateAction", greeted);
await step("update again", "updateAction", greeted);
await step("update again, no change is ok", "updateAction", greeted, noChange);
await step("update, invalid", "updateAction", { ...greeted, script: "" });
await step("deactivate", "deactivateAction", { id });
await step("deactivate again", "deactivateAction", { id });
await step("read inactive", "getAction", { id });
await step("reactivate", "reactivateAction", { id });
await step("reactivate again", "reactivateAction", { id });
await step("reactivate again, in German", "reactivateAction", { id }, { "accept-language": "de" });
await step("set trigger", "setTriggerActions", { ...trigger, actionIds: [id] });
await step("set trigger again", "setTriggerActions", { ...trigger, actionIds: [id] });
await step("set trigger again, no change is ok", "setTriggerActions", { ...trigger, actionIds: [id] }, noChange);
await step("read flow", "getFlow", { type: "1" });
await step("clear flow", "clearFlow", { type: "1" });
await step("clear flow again", "clearFlow", { type: "1" });
await step("clear flow again, no change is ok", "clearFlow", { type: "1" }, noChange);
await step("read flow, clear", "getFlow", { type: "1" });
await step("delete", "deleteAction", { id });
await step("delete again", "deleteAction", { id });
await step("read deleted", "getAction", { id });
client.close();
