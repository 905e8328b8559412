// The refresh cookie in Chromium and Firefox, on the built Worker over http on loopback: both accept the `__Host-` prefix
// there, hide the cookie from scripts, and send it back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startFirefox } from "../browser/firefox.mjs";
import { startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

let server;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
});
after(() => server?.stop());

/** Signs up, refreshes, signs out and refreshes again, as a page would. */
async function session(email) {
  const post = async (path, json) => {
    const headers = json && { "Content-Type": "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: json && JSON.stringify(json) });
    const { message, code } = await answer.json();
    return message ?? code;
  };
  const messages = [
    await post("/users/signup", { email, password: "correct horse battery" }),
    await post("/auth/refresh_token"),
    await post("/auth/logout"),
    await post("/auth/refresh_token"),
  ];
  return [messages, document.cookie];
}
const EXPECTED = [["signup_success", "refresh_token_success", "logout_success", "TOKEN_MISSING"], ""];

test("Chromium keeps the session of the cookie, and the page has its security headers", async (t) => {
  const browser = await startBrowser();
  t.after(() => browser.close());
  const page = await browser.newPage();
  const headers = await (await page.goto(`${server.url}/admin/`)).allHeaders();
  assert.equal(headers["cross-origin-opener-policy"], "same-origin");
  assert.equal(headers["strict-transport-security"], "max-age=31536000");
  assert.deepEqual(await page.evaluate(session, "chromium@example.org"), EXPECTED);
});

test("Firefox keeps the session of the cookie", async (t) => {
  const firefox = await startFirefox();
  t.after(() => firefox.stop());
  await firefox.goto(`${server.url}/admin/`);
  assert.deepEqual(await firefox.evaluate(session, "firefox@example.org"), EXPECTED);
});
