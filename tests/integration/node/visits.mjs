// What a test does on a page of Chromium, besides calls; each gives what the page was shown.

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

// Send what needs no preflight: {url, mode, type}. `body` is the answer, where the page may read it.
export async function post(page, { origin, url, mode, type }) {
  await page.goto(origin);
  return page.evaluate(
    async ([url, mode, type]) => {
      const body = new Blob(["\0\0\0\0\0"], { type });
      try {
        const response = await fetch(url, { method: "POST", mode, body });
        return { status: response.status, type: response.type, body: await response.text() };
      } catch (error) {
        return { error: error.name };
      }
    },
    [url, mode, type],
  );
}
