// Does what a test asks for, in Node and in headless Chromium: one line of JSON each way.
//
//   {"id": 1, "does": "call", "where": "node", "asked": {…}}  → {"id": 1, "answer": {…}}
//                                                 or {"id": 1, "error": "what went wrong here"}
//
// The first line that it prints has the origins of its pages. It ends with its input.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import xhr2 from "xhr2";
import * as inNode from "./calls.mjs";
import { launch } from "./chromium.mjs";
import * as visits from "./visits.mjs";

globalThis.XMLHttpRequest = xhr2.XMLHttpRequest; // grpc-web needs it

async function bundle() {
  const entryPoints = [fileURLToPath(new URL("page.mjs", import.meta.url))];
  const built = await build({ entryPoints, bundle: true, format: "esm", write: false });
  return built.outputFiles[0].contents;
}

const script = await bundle();
const server = createServer((request, response) => {
  if (request.url === "/page.js") {
    response.setHeader("Content-Type", "text/javascript").end(script);
  } else if (request.url === "/") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end('<!doctype html><title>Clients</title><script type="module" src="/page.js"></script>');
  } else response.writeHead(404).end();
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();
// Of one server, but two origins and, to a browser, two sites.
const origins = { chromium: `http://127.0.0.1:${port}`, foreign: `http://localhost:${port}` };

const browser = await launch();
const pages = {};

async function pageAt(where) {
  pages[where] ??= (async () => {
    const page = await browser.newPage({ ignoreHTTPSErrors: true }); // the tests' authority is no public one
    await page.goto(origins[where] ?? "about:blank");
    return page;
  })();
  return pages[where];
}

// In Node, or in a page.
async function clients(where, name, ...given) {
  if (where === "node") return inNode[name](...given);
  const page = await pageAt(where);
  return page.evaluate(([name, given]) => globalThis.clients[name](...given), [name, given]);
}

const does = {
  call: (id, { where, asked }) => clients(where, "start", id, asked),
  received: (_, { where, asked }) => clients(where, "received", asked.id),
  cancel: (_, { where, asked }) => clients(where, "cancel", asked.id),
  async visit(_, { where, visit, asked }) {
    return visits[visit](where === "node" ? null : await pageAt(where), asked);
  },
};

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

say(origins);
for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...rest } = JSON.parse(line);
  does[rest.does](id, rest).then(
    (answer) => say({ id, answer: answer ?? null }),
    (error) => say({ id, error: error.stack }),
  );
}
await browser.close();
server.close();
