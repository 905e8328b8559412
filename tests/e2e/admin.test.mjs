// The admin API on the built Worker: statistics, status, bans, user lookup, and rejection of other roles.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";

let server;
let boss;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000, ALLOWED_ORIGINS: "https://team.example" } });
  boss = server.token({ sub: "boss", role: "ADMIN" });
});
after(() => server?.stop());

let asked = 0;
async function ask(method, path, { token = boss, json, body, type, headers = {} } = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(json || type ? { "Content-Type": json ? "application/json" : type } : {}),
      "CF-Connecting-IP": `198.18.9.${(++asked % 200) + 1}`,
      ...headers,
    },
    body: json ? JSON.stringify(json) : body,
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, ...(text ? JSON.parse(text) : {}) };
}

const upload = (sub, bytes, type = "image/gif") => ask("POST", "/images", { token: server.token({ sub }), body: bytes, type });

/** Waits until `holds()` is true. */
async function until(holds, seconds = 40) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not true after ${seconds} s: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const written = (area, code) =>
  server.rows("hour_counts").filter((row) => row.area === area && row.code === code).reduce((sum, row) => sum + row.count, 0);

test("counters are written to the database within seconds without a request, and the statistics have exact sums", async () => {
  const size = gif(1).length;
  const all = await Promise.all(Array.from({ length: 30 }, (_, n) => upload(`u-${n % 3}`, gif(n + 1))));
  assert.ok(all.every(({ status }) => status === 201));
  assert.equal((await upload("u-0", gif(1))).status, 200);
  assert.equal((await upload("u-0", "<svg></svg>")).code, "INVALID_FILE_SIGNATURE");
  assert.equal((await upload("u-0", Buffer.alloc(6_000_000))).code, "FILE_TOO_LARGE");
  assert.equal((await ask("POST", "/images", { token: "", body: gif(1), type: "image/gif" })).code, "TOKEN_MISSING");
  await until(() => written("uploads", "TOKEN_MISSING") === 1);
  assert.equal(written("files", "STORED"), 30);
  assert.equal(written("files", "REPEATED"), 1);
  for (const code of ["INVALID_FILE_SIGNATURE", "FILE_TOO_LARGE", "TOKEN_MISSING"]) assert.equal(written("files", code), 1, code);
  assert.equal(written("uploads", "SERVED"), 31);

  const { status, data, headers } = await ask("GET", "/admin/api/stats?hours=1");
  assert.equal(status, 200);
  assert.match(headers.get("cache-control"), /no-store/);
  assert.deepEqual(data.totals.codes, { FILE_TOO_LARGE: 1, INVALID_FILE_SIGNATURE: 1, REPEATED: 1, STORED: 30, TOKEN_MISSING: 1 });
  assert.equal(data.totals.bytesIn, 31 * size + 11);
  assert.equal(data.totals.bytesStored, 30 * size);
  assert.equal(data.totals.uploaders, 3);
  assert.equal(data.series.length, 1);
});

test("the status lists every component, and counts the previous response at once", async () => {
  const { data } = await ask("GET", "/admin/api/status");
  assert.deepEqual(data.parts, { storage: "ok", registry: "ok", ledger: "ok", bucket: "bound" });
  assert.match(data.version, /^\d+\.\d+\.\d+$/);
  assert.ok(Date.parse(data.deployment.since) <= Date.now());
  assert.equal((await fetch(`${server.url}/nowhere`)).status, 404);
  const later = (await ask("GET", "/admin/api/status")).data;
  assert.equal(later.requests.areas.other.refused, data.requests.areas.other.refused + 1);
});

test("a ban applies at once, is listed until it ends, and can be lifted; the audit log has both", async () => {
  const ban = (json) => ask("POST", "/admin/api/bans", { json });
  const made = await ban({ account: "user:mallory", seconds: 3600, reason: "스팸 '; DROP TABLE events; --" });
  assert.equal(made.status, 201);
  assert.equal((await upload("mallory", gif(500))).code, "USER_BANNED");
  await ban({ account: "user:brief", seconds: 1, reason: "x" });
  const listed = async () => (await ask("GET", "/admin/api/bans")).data.bans.map(({ account }) => account);
  await until(async () => (await listed()).includes("user:mallory"));
  const [mallory] = (await ask("GET", "/admin/api/bans")).data.bans.filter(({ account }) => account === "user:mallory");
  assert.deepEqual([mallory.reason, mallory.detail], ["스팸 '; DROP TABLE events; --", "by boss"]);
  await until(async () => !(await listed()).includes("user:brief"));

  assert.equal((await ask("DELETE", "/admin/api/bans/user%3Amallory")).status, 200);
  assert.deepEqual(await listed(), []);
  assert.equal((await upload("mallory", gif(500))).status, 201);
  await until(() => server.rows("events").some(({ kind }) => kind === "lift"));
  const first = (await ask("GET", "/admin/api/events?limit=1")).data;
  assert.equal(first.events[0].kind, "lift");
  const rest = (await ask("GET", `/admin/api/events?kind=ban&cursor=${first.nextCursor}`)).data;
  assert.deepEqual(rest.events.map(({ subject }) => subject).sort(), ["user:brief", "user:mallory"]);

  assert.equal((await ban({ account: "nobody", seconds: 60, reason: "x" })).code, "MALFORMED_REQUEST");
  assert.equal((await ask("DELETE", "/admin/api/bans/nobody")).code, "NOT_FOUND");
});

test("an administrator looks up a user and deletes one of their images", async () => {
  const { data: stored } = await upload("looked-up", gif(700));
  const { data } = await ask("GET", "/admin/api/users/looked-up");
  assert.equal(data.standing.strikes, 0);
  assert.equal(data.limits.dailyCount.remaining, 999);
  assert.deepEqual(data.images.map(({ key }) => key), [stored.key]);
  const one = (await ask("GET", "/admin/api/uploaders?hours=1&limit=100")).data.uploaders.find(({ userId }) => userId === "looked-up");
  assert.deepEqual([one.count, one.bytes], [1, gif(700).length]);
  assert.equal((await ask("DELETE", `/images/${stored.imageId}`)).status, 200);
  assert.equal(server.objects().has(stored.key), false);
  assert.deepEqual((await ask("GET", "/admin/api/users/looked-up")).data.images, []);
});

test("other roles get 403, no token gets 401, and preflights are answered as on all routes", async () => {
  for (const role of ["USER", "GUEST", "SERVICE"]) {
    const refused = await ask("GET", "/admin/api/status", { token: server.token({ role }) });
    assert.deepEqual([refused.status, refused.code], [403, "ROLE_NOT_ALLOWED"]);
    assert.match(refused.headers.get("content-type"), /problem\+json/);
  }
  assert.equal((await ask("GET", "/admin/api/status", { token: "" })).code, "TOKEN_MISSING");
  const preflight = await ask("OPTIONS", "/admin/api/bans/user:1", { token: "", headers: { Origin: "https://team.example" } });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("allow"), "DELETE, OPTIONS");
  assert.equal(preflight.headers.get("access-control-allow-origin"), "https://team.example");
  assert.equal((await ask("PUT", "/admin/api/bans", { headers: { Origin: "https://team.example" } })).code, "METHOD_NOT_ALLOWED");
});

test("`make audit-export` writes every event of the audit log, and no file when it is refused", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "the-form-audit-"));
  t.after(() => rmSync(folder, { recursive: true }));
  server.changeRows("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO events (idempotency_key, at_ms, kind, subject, reason) SELECT 'test-' || i, unixepoch() * 1000 - i, 'signup', 'user:' || i, '' FROM n");
  const to = join(folder, "audit.ndjson");
  const run = (token) => promisify(execFile)("make", ["--silent", "audit-export", `URL=${server.url}`, `TO=${to}`, `TOKEN=${token}`]);
  await assert.rejects(run(server.token()), /403 ROLE_NOT_ALLOWED/);
  assert.ok(!existsSync(to));
  await run(boss);
  const events = readFileSync(to, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events.map(({ id }) => id).sort((a, b) => a - b), server.rows("events").map(({ id }) => id).sort((a, b) => a - b));
  assert.ok(events.length >= 250);
});
