// The headers that browsers obey, in Chromium and Firefox: the pages' Content-Security-Policy breaks nothing of them, no
// other site can show them in a frame, and a page with a tracing library may upload.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { startFirefox } from "../browser/firefox.mjs";
import { startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

const PAGES = ["/", "/account/", "/admin/", "/api/", "/examples/html/"];
const TRACING = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "dd=s:1",
  baggage: "a=1",
  "sentry-trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
  "X-Request-ID": "1",
  "x-datadog-trace-id": "1",
  "x-datadog-parent-id": "2",
  "x-datadog-sampling-priority": "1",
  "x-datadog-origin": "rum",
  b3: "0",
  "X-B3-TraceId": "80f198ee56343ba864fe8b2a57d3eff7",
  "X-B3-SpanId": "e457b5a2e4d86bd1",
  "X-B3-Sampled": "1",
};

let server, other, browser, firefox;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
  // A page of another site, which frames one of ours.
  other = createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html><title>other</title><iframe src="${server.url}${request.url}"></iframe>`);
  });
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  [browser, firefox] = await Promise.all([startBrowser(), startFirefox()]);
  await firefox.prepare(recordViolations);
});
after(async () => {
  await Promise.all([browser?.close(), firefox?.stop()]);
  other?.close();
  await server?.stop();
});
const elsewhere = () => `http://localhost:${other.address().port}`;

/** Runs in a page before its scripts. */
function recordViolations() {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => window.violations.push(`${effectiveDirective} ${blockedURI}`));
}

/** Lets a page load, upload a picture where it can, and says what its policy has blocked. */
async function use(jpeg) {
  const until = async (is) => {
    for (let turn = 0; turn < 300 && !is(); turn++) await new Promise((resolve) => setTimeout(resolve, 100));
    return Boolean(is());
  };
  const field = () => document.querySelector("image-upload");
  let uploaded = null;
  if (field()) {
    await until(() => field().shadowRoot);
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from(atob(jpeg), (char) => char.charCodeAt(0))], "a.jpg", { type: "image/jpeg" }));
    field().dispatchEvent(new DragEvent("drop", { bubbles: true, composed: true, cancelable: true, dataTransfer: files }));
    uploaded = await until(() => field().value.length > 0);
  } else {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  return [uploaded, window.violations];
}

/** What a policy must block is seen by the listener; otherwise an empty list would say nothing. */
async function violate() {
  document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = true" }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  return [window.ran ?? false, window.violations.length > 0];
}

const jpeg = readFileSync("tests/fixtures/jpeg/baseline-420.jpg").toString("base64");

for (const path of PAGES) {
  const hasField = path === "/" || path === "/examples/html/";
  test(`the policy of ${path} blocks nothing that it needs`, async (t) => {
    const context = await browser.newContext();
    t.after(() => context.close());
    await context.addInitScript(recordViolations);
    const page = await context.newPage();
    const headers = await (await page.goto(server.url + path)).allHeaders();
    assert.match(headers["content-security-policy"], /frame-ancestors 'none'/);
    const expected = [hasField ? true : null, []];
    assert.deepEqual(await page.evaluate(use, jpeg), expected, "Chromium");
    assert.deepEqual(await page.evaluate(violate), [false, true], "Chromium sees violations");
    await firefox.goto(server.url + path);
    assert.deepEqual(await firefox.evaluate(use, jpeg), expected, "Firefox");
    assert.deepEqual(await firefox.evaluate(violate), [false, true], "Firefox sees violations");
  });

  test(`${path} is not shown in a frame of another site`, async (t) => {
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.goto(elsewhere() + path);
    const [, frame] = page.frames();
    await frame.waitForLoadState();
    assert.equal(frame.url(), "chrome-error://chromewebdata/");
    assert.ok(!(await frame.content()).includes("the-form"));
  });
}

/** A request of a page of another origin that carries these headers; its status, or that the browser kept it back. */
const ask = async (url, headers) => {
  try {
    return (await fetch(url, { headers })).status;
  } catch (error) {
    return error.name;
  }
};

test("a page with a tracing library may call the service, and one with other headers may not", async (t) => {
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.goto(elsewhere());
  await firefox.goto(elsewhere());
  for (const [name, evaluate] of [["Chromium", (url, headers) => page.evaluate(([url, headers, work]) => eval(work)(url, headers), [url, headers, String(ask)])], ["Firefox", (...given) => firefox.evaluate(ask, ...given)]]) {
    const headers = { Authorization: `Bearer ${server.token()}`, ...TRACING };
    assert.equal(await evaluate(`${server.url}/images`, headers), 200, name);
    assert.equal(await evaluate(`${server.url}/images`, { ...headers, "X-Other": "1" }), "TypeError", name);
  }
});
