// Calls the Action API of a ZITADEL with @zitadel/client, which knows its version v2beta.
//
//   node actions.mjs                     prints its messages: a FileDescriptorSet in base64
//   node actions.mjs URL TOKEN ENDPOINT  makes a target, has a function call it, changes and deletes
//                                        it; prints what it read as one line of JSON

import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClientFor } from "@zitadel/client";
import { createServerTransport } from "@zitadel/client/node";
import * as service from "@zitadel/proto/zitadel/action/v2beta/action_service_pb.js";

function files(file, found = new Map()) {
  file.dependencies.forEach((each) => files(each, found));
  return found.set(file.proto.name, file.proto);
}

async function life(url, token, endpoint) {
  const client = createClientFor(service.ActionService)(createServerTransport(token, { baseUrl: url }));
  const { functions } = await client.listExecutionFunctions({});
  const { id, signingKey } = await client.createTarget({
    name: "of node",
    targetType: { case: "restCall", value: { interruptOnError: true } },
    timeout: { seconds: 2n, nanos: 500_000_000 },
    endpoint,
  });
  const condition = { conditionType: { case: "function", value: { name: functions[0] } } };
  await client.setExecution({ condition, targets: [id] });
  const { executions } = await client.listExecutions({ pagination: { limit: 10 } });
  const named = { targetName: "of node" };
  const filters = [{ filter: { case: "targetNameFilter", value: named } }];
  const { targets: [target], pagination } = await client.listTargets({ filters });
  const renewed = await client.updateTarget({ id, expirationSigningKey: { seconds: 0n } });
  await client.setExecution({ condition, targets: [] });
  await client.deleteTarget({ id });
  const refused = await client.getTarget({ id }).then(() => "found", (error) => error.rawMessage);
  return {
    functions,
    target: [target.name, target.targetType.case, target.targetType.value.interruptOnError],
    timeout: [Number(target.timeout.seconds), target.timeout.nanos],
    endpoint: target.endpoint,
    total: Number(pagination.totalResult),
    keys: [target.signingKey === signingKey, renewed.signingKey !== signingKey],
    executions: executions.map((each) => [
      each.condition.conditionType.case,
      each.condition.conditionType.value.name,
      each.targets.length === 1 && each.targets[0] === id,
    ]),
    refused,
  };
}

const given = process.argv.slice(2);
if (given.length === 0) {
  const [file] = Object.values(service).filter((each) => each.kind === "file");
  const set = create(FileDescriptorSetSchema, { file: [...files(file).values()] });
  console.log(Buffer.from(toBinary(FileDescriptorSetSchema, set)).toString("base64"));
} else console.log(JSON.stringify(await life(...given)));
