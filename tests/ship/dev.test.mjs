// `make dev HTTPS=1` and `make dev-all`, as people start them. Part of the long tests, because they serve from this folder.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { test } from "node:test";

import { freePort } from "../e2e/server.mjs";

const START_MS = 180_000;

/** Starts a make target; its whole process group is ended after the test. */
function start(t, ...words) {
  const child = spawn("make", ["--silent", "--no-print-directory", ...words], { detached: true, env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false" } });
  const started = { output: "", child };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (started.output += text));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  t.after(async () => {
    if (child.exitCode === null) process.kill(-child.pid, "SIGTERM");
    await ended;
  });
  return started;
}

async function becomes(started, what) {
  const deadline = Date.now() + START_MS;
  for (;;) {
    const found = await what();
    if (found) return found;
    assert.ok(Date.now() < deadline && started.child.exitCode === null, started.output);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

test("`make dev HTTPS=1` serves https", async (t) => {
  const port = await freePort();
  const started = start(t, "dev", "HTTPS=1", `PORT=${port}`);
  const ask = (path) => new Promise((resolve) => {
    const request = get(`https://127.0.0.1:${port}${path}`, { rejectUnauthorized: false }, async (answer) => resolve({ status: answer.statusCode, text: Buffer.concat(await answer.toArray()).toString() }));
    request.once("error", () => resolve(undefined));
  });
  const healthy = await becomes(started, () => ask("/healthz"));
  assert.match(healthy.text, /alive/);
  await becomes(started, async () => (await ask("/policy?formId=demo-room")).text.includes('"state":"open"'));
});

test("`make dev-all` prints where the parts are; a picture goes to the S3 server, and Prometheus counts it", async (t) => {
  const started = start(t, "dev-all");
  const [, prometheus] = await becomes(started, () => /Prometheus +(http:\S+)/.exec(started.output));
  const [, demo] = /Demo +(http:\S+)\//.exec(started.output);
  const [, token] = /User +token: (\S+)/.exec(started.output);
  const [, admin] = /Administrator .*token: (\S+)/.exec(started.output);
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "image/jpeg" };
  const answer = await fetch(`${demo}/images`, { method: "POST", headers, body: readFileSync("tests/fixtures/jpeg/baseline-420.jpg") });
  assert.equal(answer.status, 201, await answer.clone().text());
  assert.equal((await fetch(`${demo}/${(await answer.json()).data.key}`)).status, 200);
  assert.equal((await fetch(`${demo}/metrics`, { headers: { Authorization: `Bearer ${admin}` } })).status, 200);
  const query = encodeURIComponent('image_edge_uploads_total{outcome="STORED",format="jpeg"}');
  await becomes(started, async () => {
    const { data } = await (await fetch(`${prometheus}/api/v1/query?query=${query}`)).json();
    return data.result[0]?.value[1] === "1";
  });
  const { data } = await (await fetch(`${prometheus}/api/v1/rules`)).json();
  assert.deepEqual(data.groups.flatMap(({ rules }) => rules).filter(({ health }) => health === "err"), []);
});
