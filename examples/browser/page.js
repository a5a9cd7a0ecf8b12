// Lists actions, deactivates and reactivates them, by the generated client over gRPC-Web.

import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ActionState } from "./gen/zitadel/action_pb.js";
import { ManagementService } from "./gen/zitadel/management_pb.js";

const TIMEOUT_MS = 10_000;
const SHOWN_MAX = 100;
const REASONS = {
  [Code.Unauthenticated]: "the token is not valid",
  [Code.PermissionDenied]: "the token does not allow it",
  [Code.DeadlineExceeded]: "the service took too long",
};

const find = (selector, within = document) => within.querySelector(selector);
const table = find("#actions");

// serve.py says where the service is, and where it leaves the token.
const { service, token_file: tokenFile } = await (await fetch("service.json")).json();
find("#token-file").textContent = tokenFile;

// In a variable only: what is stored stays behind.
let token = "";
const authorize = (next) => (request) => {
  request.header.set("Authorization", `Bearer ${token}`);
  return next(request);
};
const client = createClient(
  ManagementService,
  createGrpcWebTransport({
    baseUrl: service,
    interceptors: [authorize],
    defaultTimeoutMs: TIMEOUT_MS,
  }),
);

find("#sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  token = find("#token").value.trim();
  whileBusy(event.submitter, "Listing the actions", list);
});
find("#sign-in button").disabled = false;

async function list() {
  const { result, details } = await client.listActions({ query: { limit: SHOWN_MAX } });
  find("tbody", table).replaceChildren(...result.map(newRow));
  table.hidden = result.length === 0;
  const total = Number(details.totalResult);
  if (total === 0) say("There are no actions.");
  else if (total > result.length) say(`The first ${result.length} of ${total} actions.`);
  else say(total === 1 ? "1 action." : `${total} actions.`);
}

function newRow(action) {
  const row = find("#row").content.firstElementChild.cloneNode(true);
  find(".name", row).textContent = action.name;
  find(".id", row).textContent = action.id;
  const button = find("button", row);
  button.addEventListener("click", () => {
    const isActive = row.dataset.state === "active";
    whileBusy(button, `${isActive ? "Deactivating" : "Reactivating"} ${action.name}`, async () => {
      const { id } = action;
      await (isActive ? client.deactivateAction({ id }) : client.reactivateAction({ id }));
      await refresh(row, id);
      say(`${action.name} is ${row.dataset.state} now.`);
    });
  });
  show(row, action);
  return row;
}

async function refresh(row, id) {
  const { action } = await client.getAction({ id });
  show(row, action);
}

// The button stays the same element, so the focus stays on it.
function show(row, { name, state, details }) {
  const isActive = state === ActionState.ACTIVE;
  row.dataset.state = isActive ? "active" : "inactive";
  const badge = find(".state", row);
  badge.textContent = isActive ? "Active" : "Inactive";
  badge.classList.toggle("active", isActive);
  const changed = timestampDate(details.changeDate);
  const time = find("time", row);
  time.dateTime = changed.toISOString();
  time.textContent = changed.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
  const button = find("button", row);
  button.textContent = isActive ? "Deactivate" : "Reactivate";
  button.setAttribute("aria-label", `${button.textContent} ${name}`);
}

// A disabled button would lose the focus; this one only stops to act.
async function whileBusy(button, what, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  find("#error").textContent = "";
  try {
    await work();
  } catch (error) {
    find("#error").textContent = `${what} failed: ${reason(ConnectError.from(error))}`;
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function reason({ code, rawMessage, cause }) {
  // fetch does not tell a page which of the two it was.
  if (cause instanceof TypeError)
    return `${service} cannot be reached, or does not let this page in (${rawMessage}).`;
  return code in REASONS ? `${REASONS[code]} (${rawMessage}).` : `${rawMessage}.`;
}

function say(text) {
  find("#status").textContent = text;
}
