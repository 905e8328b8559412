// Events of the built Worker at the receivers of docs/webhooks.md, which run as written; and a back end that is slow, redirects,
// hangs or answers garbage affects neither uploads nor clean-up.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

import { newSecret, startBackEnd } from "./back_end.mjs";
import { blocks } from "./examples.mjs";
import { gif } from "./pictures.mjs";
import { freePort, startServer } from "./server.mjs";

const PENDING_S = 60;
const folder = mkdtempSync(join(tmpdir(), "receivers-"));
const secret = newSecret();
let server;
let backEnd;
before(async () => {
  backEnd = await startBackEnd({ secret });
  const vars = { INTENT_S: 15, STORAGE_TIMEOUT_MS: 1_150, PENDING_S, IP_PER_MINUTE: 100_000, WEBHOOK_URL: backEnd.url };
  server = await startServer({ vars, secrets: { WEBHOOK_SECRET: secret } });
});
after(async () => {
  await Promise.all([server?.stop(), backEnd?.stop()]);
  rmSync(folder, { recursive: true });
});

let shade = 0;
async function send(method, path, { sub = "anna", role = "USER", json, body, type = "application/json" } = {}) {
  const headers = { Authorization: `Bearer ${server.token({ sub, role })}`, "Content-Type": type, "CF-Connecting-IP": `198.18.60.${++shade % 250}` };
  const answer = await fetch(server.url + path, { method, headers, body: json ? JSON.stringify(json) : body });
  return { status: answer.status, ...(await answer.json()) };
}

const upload = (more) => send("POST", "/images", { body: gif(++shade), type: "image/gif", ...more });

async function until(holds, seconds, what) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not after ${seconds} s: ${what()}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Runs a receiver of the document; returns the lines that it prints. */
async function startReceiver(t, language, file, command) {
  const { text } = blocks("docs/webhooks.md").find((block) => block.language === language);
  writeFileSync(join(folder, file), text);
  const port = await freePort();
  const child = spawn(command, [join(folder, file)], { env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: `${newSecret()} ${secret}` } });
  t.after(() => child.kill("SIGKILL"));
  const events = [];
  let [rest, errors] = ["", ""];
  child.stderr.on("data", (chunk) => (errors += chunk));
  child.stdout.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    events.push(...lines.map((line) => JSON.parse(line)));
  });
  const url = `http://127.0.0.1:${port}/webhooks`;
  await until(() => fetch(url, { method: "POST", body: "{}", headers: { "webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,x" } }).then(({ status }) => assert.equal(status, 401) ?? true, () => false), 10, () => errors);
  return { events, url };
}

for (const [language, file, command] of [["js", "receiver.mjs", process.execPath], ["python", "receiver.py", "python3"]]) {
  test(`the receiver of the documents in ${language} takes events, each once`, { timeout: 120_000 }, async (t) => {
    if (language === "js") symlinkSync(resolve("tests/browser/node_modules"), join(folder, "node_modules"));
    const receiver = await startReceiver(t, language, file, command);
    // As in `make dev`: the address is that of this machine.
    await server.restart({}, { vars: { WEBHOOK_URL: receiver.url } });
    const { data } = await upload();
    const deleted = await send("DELETE", `/images/${data.imageId}`);
    assert.equal(deleted.status, 200, JSON.stringify(deleted));
    await until(() => receiver.events.length >= 2, 20, () => server.log().slice(-3_000));
    assert.deepEqual(receiver.events.map(({ type, key }) => [type, key]), [["image.stored", data.key], ["image.deleted", data.key]]);
    const ping = await send("POST", "/admin/api/webhooks/ping", { sub: "root", role: "ADMIN", json: {} });
    assert.equal(ping.data?.delivered, true, JSON.stringify(ping));
  });
}

test("an upload to a form that waits brings the answer, and the slot is free meanwhile", { timeout: 120_000 }, async () => {
  await server.restart({}, { vars: { WEBHOOK_URL: backEnd.url } });
  const put = await send("PUT", "/forms/wait", { role: "SERVICE", json: { callback: "wait" } });
  assert.equal(put.status, 201, JSON.stringify(put));
  const form = () => {
    const body = new FormData();
    body.append("formId", "wait");
    body.append("file", new Blob([gif(++shade)], { type: "image/gif" }), "a.gif");
    return body;
  };
  const send201 = async () => {
    const began = Date.now();
    const headers = { Authorization: `Bearer ${server.token({ sub: "bora" })}`, "CF-Connecting-IP": `198.18.61.${++shade % 250}` };
    const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body: form() });
    assert.equal(answer.status, 201);
    return { data: (await answer.json()).data, tookMs: Date.now() - began };
  };
  backEnd.answer = ({ data }) => ({ status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({ serverData: { of: data.key } }) });
  const { data } = await send201();
  assert.deepEqual(data.serverData, { of: data.key });
  assert.equal(backEnd.taken().filter((event) => event.data.key === data.key).length, 1);
  backEnd.answer = () => "hang";
  const { data: late, tookMs } = await send201();
  assert.equal(late.serverData, null);
  assert.ok(tookMs > 4_500 && tookMs < 8_000, `${tookMs} ms`);
});

test("a back end that hangs, redirects or answers garbage affects neither uploads nor clean-up", { timeout: 180_000 }, async (t) => {
  const times = {};
  const measure = async (answer) => {
    backEnd.answer = answer;
    const took = [];
    for (let at = 0; at < 10; at += 1) {
      const began = Date.now();
      assert.equal((await upload({ sub: `user-${at % 3}` })).status, 201);
      took.push(Date.now() - began);
    }
    return took.sort((one, other) => one - other)[5];
  };
  times.works = await measure(() => 204);
  const guest = await upload({ sub: "guest-1", role: "GUEST" });
  assert.ok(guest.data.expiresAt);
  times.hangs = await measure(() => "hang");
  times.redirects = await measure(() => ({ status: 307, headers: { location: backEnd.url } }));
  times.garbage = await measure(() => ({ status: 200, body: "\u0000".repeat(100_000) }));
  backEnd.answer = () => "hang";
  t.diagnostic(`median of an upload: ${JSON.stringify(times)} ms`);
  for (const [name, ms] of Object.entries(times)) assert.ok(ms < times.works * 4 + 300, `${name}: ${ms} ms`);
  await until(() => !server.keys().includes(guest.data.key), PENDING_S + 30, () => "the expired picture is still stored");
  const redirected = backEnd.attempts.filter(({ taken }) => !taken);
  assert.ok(redirected.length > 0 && backEnd.forged.length === 0);
});
