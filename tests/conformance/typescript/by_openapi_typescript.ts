// The life of an action by openapi-fetch, with the types that openapi-typescript makes.
//
//   node by_openapi_typescript.js http://127.0.0.1:8080 token

import createClient from "openapi-fetch";
import type { components, paths } from "./gen/schema.js";
import { BASE_URL, required, step, TOKEN } from "./steps.js";

const client = createClient<paths>({
  baseUrl: BASE_URL,
  headers: { Authorization: `Bearer ${TOKEN}` },
});

type Action = components["schemas"]["zitadel.management.v1.CreateActionRequest"];
const action: Action = { name: "greet", script: "function greet() {}", timeout: "10s" };
// @ts-expect-error An action without a name is refused by the compiler, as it is by the service.
const nameless: Action = { script: "function greet() {}" };
const ACTION = "/management/v1/actions/{id}";

const made = await step("create", client.POST("/management/v1/actions", { body: action }));
const params = { path: { id: required(made.data?.id) } };
await step("create again", client.POST("/management/v1/actions", { body: action }));
const changed = { ...action, allowedToFail: true };
await step("update", client.PUT(ACTION, { params, body: changed }));
await step("deactivate", client.POST(`${ACTION}/_deactivate`, { params, body: {} }));
await step("read inactive", client.GET(ACTION, { params }));
await step("reactivate", client.POST(`${ACTION}/_reactivate`, { params, body: {} }));
await step("reactivate again", client.POST(`${ACTION}/_reactivate`, { params, body: {} }));
const queries = [{ actionNameQuery: { name: "greet" } }];
await step("search", client.POST("/management/v1/actions/_search", { body: { queries } }));
await step("delete", client.DELETE(ACTION, { params }));
await step("read deleted", client.GET(ACTION, { params }));
