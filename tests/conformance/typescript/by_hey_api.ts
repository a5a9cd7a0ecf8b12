// The life of an action by the client that @hey-api/openapi-ts makes.
//
//   node by_hey_api.js http://127.0.0.1:8080 token

import { client } from "./gen/sdk/client.gen.js";
import {
  zitadelManagementV1ManagementServiceCreateAction as createAction,
  zitadelManagementV1ManagementServiceDeactivateAction as deactivateAction,
  zitadelManagementV1ManagementServiceDeleteAction as deleteAction,
  zitadelManagementV1ManagementServiceGetAction as getAction,
  zitadelManagementV1ManagementServiceListActions as listActions,
  zitadelManagementV1ManagementServiceReactivateAction as reactivateAction,
  zitadelManagementV1ManagementServiceUpdateAction as updateAction,
  type ZitadelManagementV1CreateActionRequest,
} from "./gen/sdk/index.js";
import { BASE_URL, required, step, TOKEN } from "./steps.js";

client.setConfig({ baseUrl: BASE_URL, auth: () => TOKEN });

const action: ZitadelManagementV1CreateActionRequest = {
  name: "greet",
  script: "function greet() {}",
  timeout: "10s",
};
// @ts-expect-error An action without a name is refused by the compiler, as it is by the service.
const nameless: ZitadelManagementV1CreateActionRequest = { script: "function greet() {}" };

const made = await step("create", createAction({ body: action }));
const path = { id: required(made.data?.id) };
await step("create again", createAction({ body: action }));
await step("update", updateAction({ path, body: { ...action, allowedToFail: true } }));
await step("deactivate", deactivateAction({ path, body: {} }));
await step("read inactive", getAction({ path }));
await step("reactivate", reactivateAction({ path, body: {} }));
await step("reactivate again", reactivateAction({ path, body: {} }));
const queries = [{ actionNameQuery: { name: "greet" } }];
await step("search", listActions({ body: { queries } }));
await step("delete", deleteAction({ path }));
await step("read deleted", getAction({ path }));
