// What a test does on a page of Chromium, besides calls; each gives what the page was shown.

import { talk } from "./sockets.mjs";

// Make a call over WebSocket, in Node without a page: what `talk` is given, and the origin of the page.
export async function converse(page, { origin, ...given }) {
  if (page === null) return talk(given);
  await page.goto(origin);
  return page.evaluate(talk, given);
}

// Submit a form that a page of any site may have: {url, enctype, name, value}.
export async function form(page, { origin, url, enctype, name, value }) {
  await page.goto(origin);
  const [response] = await Promise.all([
    page.waitForResponse(url),
    page.waitForEvent("load"),
    page.evaluate(
      ([action, enctype, name, value]) => {
        const form = document.createElement("form");
        const field = document.createElement("textarea");
        Object.assign(form, { method: "post", action, enctype });
        Object.assign(field, { name, value });
        form.append(field);
        document.body.append(form);
        form.submit();
      },
      [url, enctype, name, value],
    ),
  ]);
  return {
    status: response.status(),
    type: response.headers()["content-type"],
    title: await page.title(),
  };
}

// Open an address, as somebody types it: {url}.
export async function open(page, { url }) {
  const response = await page.goto(url);
  return {
    status: response.status(),
    heading: await page.getByRole("heading").textContent(),
    prefixes: await page.getByRole("listitem").allTextContents(),
    title: await page.title(),
  };
}

// Make calls as a page of the service's own origin does: {url, token, calls: [[verb, path, body]…]}.
// A path may have the id of the first answer, as ":id". `protocols` are those that the browser chose.
export async function life(page, { url, token, calls }) {
  await page.goto(`${url}/healthz`);
  return page.evaluate(
    async ([token, calls]) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const statuses = [];
      let id = "";
      for (const [method, path, sent] of calls) {
        const body = sent && JSON.stringify(sent);
        const response = await fetch(path.replace(":id", id), { method, headers, body });
        statuses.push(response.status);
        id ||= (await response.json()).id;
      }
      const protocols = performance.getEntriesByType("resource").map((each) => each.nextHopProtocol);
      return { statuses, protocols };
    },
    [token, calls],
  );
}

// Send what needs no preflight: {url, mode, type, text}. `body` is the answer, where the page may read it.
export async function post(page, { origin, url, mode, type, text = "\0\0\0\0\0" }) {
  await page.goto(origin);
  return page.evaluate(
    async ([url, mode, type, text]) => {
      const body = new Blob([text], { type });
      try {
        const response = await fetch(url, { method: "POST", mode, body });
        return { status: response.status, type: response.type, body: await response.text() };
      } catch (error) {
        return { error: error.name };
      }
    },
    [url, mode, type, text],
  );
}

// Read server-sent events by an EventSource, until a message has this index or the stream fails:
// {url, until}. Gives each message's id and index, "end", or the status of a failure.
export async function events(page, { origin, url, until }) {
  await page.goto(origin);
  return page.evaluate(
    ([url, until]) =>
      new Promise((resolve) => {
        const seen = [];
        const source = new EventSource(url);
        const close = (last) => {
          source.close();
          resolve(last === undefined ? seen : [...seen, last]);
        };
        source.onmessage = (event) => {
          const { index } = JSON.parse(event.data);
          seen.push([event.lastEventId, index]);
          if (index === until) close();
        };
        source.addEventListener("end", () => seen.push("end"));
        source.addEventListener("error", (event) => {
          if (event.data) close(JSON.parse(event.data));
          else if (source.readyState === EventSource.CLOSED) close("closed");
        });
      }),
    [url, until],
  );
}

// Read lines of JSON by fetch as they come, and leave after so many: {url, leaveAfter}.
export async function lines(page, { origin, url, leaveAfter }) {
  await page.goto(origin);
  return page.evaluate(
    async ([url, leaveAfter]) => {
      const controller = new AbortController();
      const headers = { accept: "application/x-ndjson" };
      const response = await fetch(url, { headers, signal: controller.signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const seen = [];
      let rest = "";
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        const lines = (rest + read.value).split("\n");
        rest = lines.pop();
        seen.push(...lines.map(JSON.parse));
        if (seen.length >= leaveAfter) {
          controller.abort();
          break;
        }
      }
      return seen;
    },
    [url, leaveAfter],
  );
}

// Read a whole answer as JSON: {url, accept, method, type, text}. `error` is what fetch makes of a cut one.
export async function whole(page, { origin, url, accept, method = "GET", type, text }) {
  await page.goto(origin);
  return page.evaluate(
    async ([url, accept, method, type, body]) => {
      const headers = { accept, ...(type && { "content-type": type }) };
      try {
        return await (await fetch(url, { method, headers, body })).json();
      } catch (error) {
        return { error: error.name };
      }
    },
    [url, accept, method, type, text],
  );
}

const BUSY = "[aria-disabled=true]";

// examples/browser as a reader of its screen has it.
async function actionsShown(page) {
  await page.locator(BUSY).waitFor({ state: "detached" });
  const rows = await page.locator("tbody tr").all();
  return {
    status: await page.getByRole("status").textContent(),
    error: await page.locator("[role=alert]").textContent(),
    focused: await page.evaluate(() => document.activeElement.ariaLabel ?? ""),
    rows: await Promise.all(
      rows.map(async (row) => [
        await row.locator(".name").textContent(),
        await row.getByRole("cell").first().textContent(),
        await row.getByRole("button").getAttribute("aria-label"),
      ]),
    ),
  };
}

export async function listActions(page, { url, token }) {
  if (page.url() !== url) await page.goto(url);
  await page.getByLabel("Owner token").fill(token);
  await page.getByRole("button", { name: "Show actions" }).click();
  return actionsShown(page);
}

// examples/streams as its user has it: {url}; then {name, type, text} of a file, and what to say.
export async function openBoard(page, { url }) {
  await page.goto(url);
  await page.getByRole("button", { name: "Send" }).and(page.locator(":enabled")).waitFor();
  return boardShown(page);
}

export async function upload(page, { name, type, text }) {
  const before = await newsOf(page).count();
  await page.getByLabel("File").setInputFiles({ name, mimeType: type, buffer: Buffer.from(text) });
  await page.getByRole("button", { name: "Upload" }).click();
  await newsOf(page).nth(before).waitFor();
  await page.getByRole("status").filter({ hasText: "SHA-256" }).waitFor();
  return boardShown(page);
}

// Say something in the chat, and read it until so many messages have come.
export async function say(page, { author, text, until }) {
  await page.getByLabel("Name").fill(author);
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
  await chatOf(page).nth(until - 1).waitFor();
  return boardShown(page);
}

const newsOf = (page) => page.getByRole("list", { name: "News" }).getByRole("listitem");
const chatOf = (page) => page.getByRole("list", { name: "Chat" }).getByRole("listitem");

async function boardShown(page) {
  return {
    error: await page.getByRole("alert").textContent(),
    uploaded: await page.getByRole("status").textContent(),
    news: await newsOf(page).allTextContents(),
    chat: await chatOf(page).allTextContents(),
  };
}

export async function press(page, { button }) {
  await page.getByRole("button", { name: button }).press("Enter");
  return actionsShown(page);
}

const notes = new WeakMap();

// The page of an OpenAPI document: {url, token}. Notes what its console says and whom it asks.
export async function openDocs(page, { url, token }) {
  if (!notes.has(page)) {
    notes.set(page, { errors: [], origins: new Set() });
    page.on("console", (line) => line.type() === "error" && notes.get(page).errors.push(line.text()));
    page.on("pageerror", (error) => notes.get(page).errors.push(error.message));
    page.on("response", (response) => notes.get(page).origins.add(new URL(response.url()).origin));
  }
  Object.assign(notes.get(page), { errors: [], origins: new Set() });
  await page.goto(url);
  await page.locator(".opblock").first().waitFor();
  if (!token) return;
  await page.getByRole("button", { name: "Authorize" }).click();
  await page.getByLabel("Value").fill(token);
  await page.getByRole("button", { name: "Apply credentials" }).click();
  await page.getByRole("button", { name: "Close" }).last().click();
}

// Make a POST on it: {path, body}, without a body that which the page proposes; `accept` is a media type.
export async function tryOut(page, { path, body, accept }) {
  const shown = page.locator(".opblock-post", { has: page.locator(`[data-path="${path}"]`) });
  if (!(await shown.locator("textarea").isVisible())) {
    await shown.locator(".opblock-summary-control").click();
    await shown.getByRole("button", { name: "Try it out" }).click();
  }
  if (body) await shown.locator("textarea").fill(body);
  if (accept) await shown.getByLabel("Media Type").first().selectOption(accept);
  await shown.getByRole("button", { name: "Execute" }).click();
  const live = shown.locator(".live-responses-table");
  await live.waitFor();
  const answer = {
    status: await live.locator(".response-col_status").last().innerText(),
    body: await live.locator("pre").first().innerText(),
  };
  await shown.getByRole("button", { name: "Clear" }).click();
  return answer;
}

// What has been noted of it, once all of it is open.
export async function docsNoted(page) {
  const closed = page.locator(".opblock-summary-control[aria-expanded=false]");
  while (await closed.count()) await closed.first().click();
  await page.locator(".responses-wrapper").nth((await page.locator(".opblock").count()) - 1).waitFor();
  const text = await page.locator("#page").innerText();
  const { errors, origins } = notes.get(page);
  return { text, errors, origins: [...origins], ran: await page.evaluate(() => globalThis.ran ?? null) };
}
