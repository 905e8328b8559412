// Metrics of the built Worker, scraped by a real Prometheus: counters increase and survive a restart, promtool accepts the
// text, and the dashboard and the rules name only existing metrics.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { findPrometheus } from "../../.make/programs.mjs";
import { gif } from "./pictures.mjs";
import { startPrometheus } from "./prometheus.mjs";
import { startServer } from "./server.mjs";

const TOKEN = randomBytes(32).toString("base64url");
const MONITORING = "docs/monitoring";

let server;
let prometheus;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000 }, secrets: { METRICS_TOKEN: TOKEN } });
  prometheus = await startPrometheus(new URL(server.url).host, TOKEN);
});
after(async () => {
  await prometheus?.stop();
  await server?.stop();
});

let asked = 0;
const address = () => ({ "CF-Connecting-IP": `198.18.11.${(++asked % 200) + 1}` });
const scrape = (token) => fetch(`${server.url}/metrics`, { headers: { ...address(), ...(token ? { Authorization: `Bearer ${token}` } : {}) } });

async function upload(number, type = "image/gif", body = gif(number)) {
  const headers = { Authorization: `Bearer ${server.token({ sub: `u-${number % 5}` })}`, "Content-Type": type, ...address() };
  return (await fetch(`${server.url}/images`, { method: "POST", headers, body })).status;
}

/** Waits until an expression has the expected value. */
async function becomes(expression, expected, seconds = 60) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await prometheus.value(expression);
    if (value === expected) return;
    assert.ok(Date.now() < deadline, `${expression} is ${value}, not ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

const stored = 'image_edge_uploads_total{outcome="STORED",format="gif"}';

test("/metrics gets 200 with the scraper's token or an administrator's, 403 for users, and 401 otherwise", async () => {
  assert.equal((await scrape(server.token({ role: "ADMIN" }))).status, 200);
  assert.equal((await scrape(server.token())).status, 403);
  assert.equal((await scrape()).status, 401);
  assert.equal((await scrape(TOKEN.slice(1))).status, 401);
});

test("Prometheus scrapes uploads, rejections, bytes, stages and memory", async () => {
  await becomes(stored, 0);
  for (let number = 1; number <= 12; number += 1) assert.equal(await upload(number), 201);
  assert.equal(await upload(1), 200);
  assert.equal(await upload(1, "image/gif", "<svg></svg>"), 400);
  await becomes(stored, 12);
  await becomes('image_edge_uploads_total{outcome="REPEATED",format="gif"}', 1);
  await becomes('image_edge_uploads_total{outcome="INVALID_FILE_SIGNATURE"}', 1);
  await becomes('image_edge_upload_bytes_total{direction="stored"}', 12 * gif(1).length);
  await becomes('image_edge_requests_total{route="upload",status="201"}', 12);
  await becomes('image_edge_stage_seconds_count{stage="whole"}', 14);
  await becomes('image_edge_stage_seconds_bucket{stage="commit",le="+Inf"}', 13);
  assert.ok((await prometheus.value('image_edge_stage_seconds_sum{stage="store"}')) > 0);
  assert.ok((await prometheus.value("image_edge_memory_peak_bytes")) >= gif(1).length);
  assert.ok((await prometheus.value("image_edge_wasm_memory_bytes")) > 1e6);
  assert.equal((await prometheus.query("image_edge_build_info")).length, 1);
});

test("Prometheus scrapes bans, sweeps and probes", async () => {
  const json = JSON.stringify({ account: "user:mallory", seconds: 3600, reason: "spam" });
  const headers = { Authorization: `Bearer ${server.token({ sub: "boss", role: "ADMIN" })}`, "Content-Type": "application/json", ...address() };
  assert.equal((await fetch(`${server.url}/admin/api/bans`, { method: "POST", headers, body: json })).status, 201);
  await server.runCron();
  await becomes("image_edge_bans", 1);
  await becomes('image_edge_bans_total{reason="administrator"}', 1);
  await becomes('image_edge_sweeps_total{outcome="clean"}', 1);
  await becomes('image_edge_probes_total{component="storage",outcome="ok"}', 1);
  assert.ok((await prometheus.value("time() - image_edge_swept_timestamp_seconds")) < 60);
});

test("counters never reset when the Worker is killed, and continue to increase", async () => {
  // A scrape writes the pending counts of its isolate to the database.
  await scrape(TOKEN);
  await server.restart();
  const began = Date.now() / 1000;
  await becomes(`up and timestamp(up) > ${began}`, 1);
  await becomes(`${stored} and timestamp(${stored}) > ${began}`, 12);
  assert.equal(await upload(100), 201);
  await becomes(stored, 13);
  const names = await prometheus.ask("/api/v1/label/__name__/values");
  const counters = names.filter((name) => /^image_edge_.+_(total|bucket|sum|count)$/.test(name));
  assert.ok(counters.length > 10);
  for (const name of counters) assert.equal(await prometheus.value(`max(resets(${name}[30m]))`), 0, name);
});

test("promtool accepts the metrics, the rules, their tests and the configuration", async () => {
  const { tool } = findPrometheus();
  const input = await (await scrape(TOKEN)).text();
  assert.equal(execFileSync(tool, ["check", "metrics"], { input, encoding: "utf8" }), "");
  execFileSync(tool, ["check", "rules", "--lint-fatal", `${MONITORING}/alerts.yml`, `${MONITORING}/objectives.yml`], { stdio: "pipe" });
  execFileSync(tool, ["test", "rules", "alerts.test.yml", "objectives.test.yml"], { cwd: MONITORING, stdio: "pipe" });
  execFileSync(tool, ["check", "config", "--syntax-only", `${MONITORING}/prometheus.yml`], { stdio: "pipe" });
  const { activeAlertmanagers } = await prometheus.ask("/api/v1/alertmanagers");
  assert.deepEqual(activeAlertmanagers.map(({ url }) => new URL(url).host), ["localhost:9093"], "alerts are sent to the Alertmanager");
  const { groups } = await prometheus.ask("/api/v1/rules");
  assert.deepEqual(groups.flatMap(({ rules }) => rules).filter(({ health }) => health !== "ok"), []);
});

test("the dashboard and the rules name existing metrics only, and the documentation names all of them", async () => {
  const existing = new Set([...(await (await scrape(TOKEN)).text()).matchAll(/^(image_edge_\w+)/gm)].map(([name]) => name));
  const dashboard = JSON.parse(readFileSync(`${MONITORING}/grafana.json`, "utf8"));
  const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(expressions.length > 10);
  const read = (file) => readFileSync(`${MONITORING}/${file}`, "utf8");
  const names = (texts) => new Set(texts.flatMap((text) => text.match(/\bimage_edge_\w+/g) ?? []));
  assert.deepEqual([...names([...expressions, ...["alerts.yml", "alerts.test.yml", "objectives.yml", "objectives.test.yml"].map(read)])].filter((name) => !existing.has(name)), []);
  // The documentation names families: all of them.
  const families = new Set([...existing].map((name) => name.replace(/(_seconds)_(bucket|sum|count)$/, "$1")));
  assert.deepEqual([...names([read("README.md")])].sort(), [...families].sort());
  for (const expression of expressions) {
    const asked = expression.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*");
    const found = await prometheus.query(asked);
    assert.ok(found.length > 0 || /== 1/.test(asked), `no data: ${asked}`);
  }
});
