// Alerts of the built Worker on a local webhook: sent at once, deduplicated, and without delaying requests.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startProxy } from "../faults/s3_proxy.mjs";
import { startBrowser } from "./browser.mjs";
import { gif } from "./pictures.mjs";
import { startReceiver } from "./receiver.mjs";
import { startS3 } from "./s3.mjs";
import { startServer } from "./server.mjs";

const PATH = "/services/T0/B0/very-secret";

/** Waits until `holds()` is true. */
async function until(holds, what, seconds = 40) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not in time: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

let asked = 0;
async function send(server, path, { token, body, type = "application/json", cookie } = {}) {
  const headers = {
    "Content-Type": type,
    "CF-Connecting-IP": `198.18.12.${++asked}`,
    ...(token ? { Authorization: `Bearer ${token}` } : {}),
    ...(cookie ? { Cookie: cookie } : {}),
  };
  const answer = await fetch(server.url + path, { method: "POST", headers, body });
  return { status: answer.status, cookie: answer.headers.get("set-cookie")?.split(";")[0], ...(await answer.json()) };
}

const disguise = (server, sub) => send(server, "/images", { token: server.token({ sub }), body: `<svg>${sub}</svg>`, type: "image/gif" });

describe("bans and tokens", () => {
  let server;
  let receiver;
  before(async () => {
    receiver = await startReceiver();
    const vars = { STRIKES_TO_BAN: 1, IP_PER_MINUTE: 100_000, ALERT_WEBHOOK_KIND: "slack" };
    server = await startServer({ vars, secrets: { ALERT_WEBHOOK_URL: receiver.url + PATH } });
  });
  after(() => Promise.all([server?.stop(), receiver?.stop()]));
  const messages = () => JSON.stringify(receiver.messages);
  const texts = () => receiver.messages.map(({ json }) => json.text);

  test("a webhook that never answers delays no upload", async () => {
    receiver.silent = true;
    assert.equal((await disguise(server, "first")).code, "INVALID_FILE_SIGNATURE");
    await until(() => receiver.messages.length === 1, messages);
    const began = Date.now();
    const uploaded = await send(server, "/images", { token: server.token(), body: gif(1), type: "image/gif" });
    assert.equal(uploaded.status, 201);
    assert.ok(Date.now() - began < 4_000, `${Date.now() - began} ms while the webhook hangs`);
    await until(() => server.lines().some(({ event, cause }) => event === "alert_unsent" && cause === "no answer in time"), server.log);
    receiver.silent = false;
  });

  test("an unsent alert is sent again with the counts since then, and the next one is suppressed", async () => {
    for (const sub of ["second", "third", "fourth"]) await disguise(server, sub);
    // The lease of an isolate that was sending the alert expires after half a minute.
    await until(() => server.runCron().then(() => receiver.messages.length >= 2), messages, 90);
    const { path, type, json } = receiver.messages[1];
    assert.deepEqual([path, type, Object.keys(json)], [PATH, "application/json", ["text"]]);
    assert.match(json.text, /^The-Form Images\n• Subjects banned: 4 so far \(disguise 4\)/);
    for (const sub of ["first", "second", "user:"]) assert.ok(!json.text.includes(sub), "the alert names no subject");

    await disguise(server, "fifth");
    await server.runCron();
    await until(() => server.rows("totals").some(({ name, total, reported }) => name === "bans" && total === 5 && reported === 4), () => JSON.stringify(server.rows("totals")));
    assert.equal(receiver.messages.length, 2, "a second alert of the same kind is suppressed");
  });

  test("a reused refresh token is alerted at once while alerts of bans are suppressed", async () => {
    const account = JSON.stringify({ email: "jane@example.com", password: "correct horse battery" });
    const { cookie } = await send(server, "/auth/signup", { body: account });
    assert.equal((await send(server, "/auth/refresh_token", { cookie })).status, 200);
    assert.equal((await send(server, "/auth/refresh_token", { cookie })).code, "TOKEN_INVALID");
    await until(() => receiver.messages.length === 3, messages);
    assert.match(texts()[2], /Refresh tokens used twice .*: 1 so far/);
    assert.doesNotMatch(texts()[2], /banned/);
  });

  test("the log never contains the webhook's URL", async () => {
    await until(() => server.lines().some(({ event }) => event === "alert_sent"), server.log);
    const log = JSON.stringify(server.lines());
    for (const secret of ["very-secret", PATH, receiver.url]) assert.ok(!log.includes(secret), secret);
  });
});

describe("an object store that fails", () => {
  let s3, proxy, receiver, server, browser;
  before(async () => {
    [s3, receiver, browser] = await Promise.all([startS3(), startReceiver(), startBrowser()]);
    proxy = await startProxy(s3.url);
    const vars = { ...s3.vars(proxy.url), IP_PER_MINUTE: 100_000, ALERT_WEBHOOK_KIND: "discord" };
    server = await startServer({ vars, secrets: { ALERT_WEBHOOK_URL: receiver.url + PATH } });
  });
  after(() => Promise.all([browser?.close(), server?.stop(), proxy?.stop(), receiver?.stop(), s3?.stop()]));
  /** The answer is remembered for two seconds. */
  const ready = async () => {
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    return fetch(`${server.url}/readyz`);
  };

  test("/readyz reports a store that does not answer within its deadline of 5 s, which is shorter than that of an attempt", async () => {
    assert.equal((await ready()).status, 200);
    proxy.script(["stall", "stall", "stall"]);
    const began = Date.now();
    const answer = await ready();
    const tookMs = Date.now() - began - 2_100;
    assert.deepEqual(await answer.json(), { storage: "unreachable", registry: "ok", ledger: "ok", bucket: "unknown" });
    assert.equal(answer.status, 503);
    assert.ok(tookMs >= 4_500 && tookMs < 9_000, `${tookMs} ms`);
    proxy.script([]);
  });

  test("the failing store is alerted once, in the format of Discord", async () => {
    await until(() => receiver.messages.length === 1, () => JSON.stringify(server.lines()));
    const { json } = receiver.messages[0];
    assert.deepEqual(json.allowed_mentions, { parse: [] });
    assert.match(json.content, /• The object store fails: 1 so far \(storage unreachable 1\)/);
    await s3.stop();
    await server.runCron();
    await server.runCron();
    assert.equal((await (await ready()).json()).storage, "unreachable");
    const counted = () => server.rows("totals").find(({ name, labels }) => name === "probes" && labels === 'component="storage",outcome="unreachable"')?.total;
    await until(() => counted() >= 3, () => JSON.stringify(server.rows("totals")));
    assert.equal(receiver.messages.filter(({ json }) => /store fails/.test(json.content)).length, 1);
    const sweep = receiver.messages.find(({ json }) => /Sweeps that failed/.test(json.content));
    assert.match(sweep.json.content, /\(failed \d\)/);
  });

  test("the administrators' page shows which component fails", async () => {
    const page = await browser.newPage({ locale: "en-US" });
    await page.goto(`${server.url}/admin/`);
    await page.locator('#token-form [name="token"]').fill(server.token({ sub: "boss", role: "ADMIN" }));
    await page.keyboard.press("Enter");
    await page.locator("#parts .fails").waitFor();
    assert.match(await page.locator("#parts .fails").innerText(), /Object store/);
    assert.equal(await page.locator("#parts .works").count(), 2);
    await page.close();
  });
});
