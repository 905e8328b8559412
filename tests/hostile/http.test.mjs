// HTTP conformance: REDbot checks the served resources, and all combinations of conditions, ranges and CORS are compared with
// RFC 9110 and the Fetch standard.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { startServer } from "../e2e/server.mjs";
import { send } from "../e2e/wire.mjs";
import { report } from "../faults/trial.mjs";
import { ACCEPTED_NOTES, OPEN_FILES } from "./redbot_notes.mjs";
import { expected } from "./rfc9110.mjs";

const AT_ONCE = 8;
const ORIGIN = "https://survey.example";
const PICTURE = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));

let server, open, key;
before(async () => {
  [server, open] = await Promise.all([startServer({ vars: { ALLOWED_ORIGINS: ORIGIN } }), startServer({ vars: { ALLOWED_ORIGINS: "*" } })]);
  const headers = { "Content-Type": "image/jpeg", Authorization: `Bearer ${server.token()}` };
  ({ key } = (await send(`${server.url}/images`, { headers, body: PICTURE })).json().data);
});
after(() => Promise.all([server?.stop(), open?.stop()]));

async function forEachTask(tasks, work) {
  const waiting = [...tasks];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

test("REDbot reports no problem except the accepted notes", { timeout: 300_000 }, async (t) => {
  const paths = {
    picture: `/${key}`,
    thumbnail: `/${key}?v=thumb`,
    "no picture": `/${key.replace(/-[0-9a-f]{8}-/, "-00000000-")}`,
    policy: "/policy",
    keys: "/.well-known/jwks.json",
    health: "/healthz",
    description: "/openapi.json",
    demo: "/",
    script: "/preflight/index.js",
  };
  const tasks = Object.entries(paths).flatMap(([name, path]) => ["GET", "HEAD"].map((method) => ({ name, method, url: server.url + path })));
  const running = promisify(execFile)("target/redbot/bin/python", ["tests/hostile/redbot_check.py"], { maxBuffer: 2 ** 26 });
  running.child.stdin.end(JSON.stringify(tasks));
  const results = JSON.parse((await running).stdout);
  const [used, unexpected] = [new Set(), []];
  const counts = { looks: results.length, redbotRequests: 0, notes: 0, explained: 0, unexplained: 0 };
  for (const [at, { name, status, error, requests, supports, notes }] of results.entries()) {
    const { method } = tasks[at];
    assert.deepEqual([error, status], [null, name === "no picture" ? 404 : 200], `${method} ${name}`);
    counts.redbotRequests += requests;
    counts.notes += notes.length;
    if (name === "picture" || name === "thumbnail") assert.deepEqual([supports.range, supports.ifNoneMatch, supports.ifModifiedSince], [method === "GET", true, true], `${method} ${name}`);
    for (const { level, check, note, summary } of notes.filter(({ level }) => level === "BAD" || level === "WARN")) {
      const reason = ACCEPTED_NOTES[note];
      if (reason?.of.includes(name)) used.add(`${note} ${name}`), (counts.explained += 1);
      else unexpected.push(`${level} ${method} ${name} (${check}): ${note}: ${summary}`);
    }
  }
  counts.unexplained = unexpected.length;
  report(t, "http", counts);
  assert.deepEqual(unexpected, []);
  const reasons = Object.entries(ACCEPTED_NOTES).flatMap(([note, { of }]) => of.map((name) => `${note} ${name}`));
  assert.deepEqual(reasons.filter((reason) => !used.has(reason)), [], "accepted notes that REDbot no longer reports");
});

/** Pairs of conditional headers that interact, with all combinations of their values. */
function* conditions({ etag, modified, size }) {
  const [weak, other] = [`W/${etag}`, '"other"'];
  const tags = [undefined, etag, weak, other, `${other}, ${etag}`, `${other},${weak} , "x"`, "*", "nonsense"];
  const at = (offset) => new Date((modified + offset) * 1000);
  const imf = (offset) => at(offset).toUTCString();
  const [, day, month, year, time] = /, (\d\d) (\w+) (\d+) ([\d:]+)/.exec(imf(0));
  const weekday = at(0).toLocaleDateString("en", { weekday: "long", timeZone: "UTC" });
  const old = [`${weekday}, ${day}-${month}-${year.slice(2)} ${time} GMT`, `${weekday.slice(0, 3)} ${month} ${day.replace(/^0/, " ")} ${time} ${year}`];
  const dates = [undefined, imf(0), imf(-1), imf(1), ...old, "yesterday", imf(0).replace("GMT", "+0900"), "0"];
  const ranges = ["0-0", "0-9", "100-199", "-7", `-${size + 5}`, "-0", "5-", `${size - 1}-`, `${size}-`, `5-${size + 100}`, "99999999999999999999-", "9-0", "-", "a-b", "0-1,4-5", "0x0-5", "1", ""];
  const spans = [...ranges.map((range) => `bytes=${range}`), "BYTES=0-4", "lines=0-1", "bytes 0-1", "0-1"];
  const validators = [undefined, etag, weak, other, imf(0), imf(-1), imf(1), ...old, "nonsense"];
  const product = (one, ones, two, twos) => ones.flatMap((a) => twos.map((b) => ({ [one]: a, [two]: b })));
  yield* product("If-Match", tags, "If-None-Match", tags);
  yield* product("If-Modified-Since", dates, "If-Unmodified-Since", dates);
  yield* product("If-Match", tags, "If-Unmodified-Since", dates);
  yield* product("If-None-Match", tags, "If-Modified-Since", dates);
  yield* product("Range", spans, "If-Range", validators);
  yield* product("Range", spans.slice(0, 10), "If-None-Match", tags);
  yield* product("Range", spans.slice(0, 10), "If-Match", tags);
}

test("each combination of conditions and ranges gets the status, headers and bytes of RFC 9110", { timeout: 600_000 }, async (t) => {
  const counts = { conditional: 0, statuses: {}, conditionalWrong: 0 };
  for (const path of [`/${key}`, `/${key}?v=thumb`]) {
    const whole = await send(server.url + path, { method: "GET" });
    const known = { etag: whole.headers.etag, modified: Date.parse(whole.headers["last-modified"]) / 1000, size: whole.bytes.length };
    const tasks = [...conditions(known)].flatMap((headers) => ["GET", "HEAD"].map((method) => ({ method, headers: JSON.parse(JSON.stringify(headers)) })));
    await forEachTask(tasks, async ({ method, headers }) => {
      const [answer, should] = [await send(server.url + path, { method, headers }), expected(method, headers, known)];
      const what = `${method} ${path.includes("?") ? "thumbnail" : "picture"} ${JSON.stringify(headers)}`;
      counts.conditional += 1;
      counts.statuses[answer.status] = (counts.statuses[answer.status] ?? 0) + 1;
      assert.equal(answer.status, should.status, what);
      const body = { 200: whole.bytes, 206: whole.bytes.subarray(should.from, should.to + 1) }[should.status] ?? Buffer.alloc(0);
      assert.deepEqual(answer.bytes, method === "HEAD" ? Buffer.alloc(0) : body, what);
      const header = (name) => answer.headers[name];
      const range = { 206: `bytes ${should.from}-${should.to}/${known.size}`, 416: `bytes */${known.size}` }[should.status];
      assert.equal(header("content-range"), range, what);
      if (body.length > 0) assert.equal(header("content-length"), String(body.length), what);
      // 15.4.5: a 304 has the headers that a cache needs, and none that describe a body.
      if ([200, 206, 304].includes(should.status)) for (const name of ["etag", "cache-control", "vary"]) assert.equal(header(name), whole.headers[name], what);
      if (should.status === 304) assert.equal(header("content-type"), undefined, what);
    });
  }
  report(t, "http", counts);
});

/** Every operation of openapi.json as path and method, with values for the path parameters. */
function routes() {
  const { paths } = JSON.parse(readFileSync(new URL("../../www/openapi.json", import.meta.url)));
  const [, userId, , file] = key.split("/");
  const values = { userId, file, id: "7", subject: "user:7", sessionId: "0".repeat(32), removalId: "0".repeat(32), formId: "stay" };
  const value = (name) => values[name] ?? assert.fail(`no value for the parameter ${name}`);
  return Object.entries(paths).flatMap(([path, operations]) => {
    const methods = Object.keys(operations).filter((name) => ["get", "post", "patch", "put", "delete"].includes(name));
    return methods.map((method) => ({ path: path.replace(/\{(\w+)\}/g, (_, name) => value(name)), method: method.toUpperCase() }));
  });
}

test("every operation sends CORS headers to allowed origins only", { timeout: 300_000 }, async (t) => {
  const counts = { routes: 0, cors: 0, corsWrong: 0 };
  let asked = 0;
  for (const [worker, isOpen] of [[server, false], [open, true]]) {
    const all = routes().flatMap((route) => [undefined, ORIGIN, "https://evil.example", `${ORIGIN}.evil.example`, "null"].map((origin) => ({ ...route, origin })));
    counts.routes = new Set(all.map(({ path, method }) => `${method} ${path}`)).size;
    await forEachTask(all, async ({ path, method, origin }) => {
      // openapi.json is a static file: open to every origin, and never with cookies.
      const isFile = OPEN_FILES.includes(path);
      const allowed = isFile ? "*" : origin === undefined || (!isOpen && origin !== ORIGIN) ? undefined : isOpen ? "*" : origin;
      const hasCookies = /^\/(users\/signup|auth\/(signup|login|refresh_token|logout))$/.test(path);
      for (const kind of ["simple", "credentials", ...(isFile ? [] : ["preflight"])]) {
        const headers = { "CF-Connecting-IP": `198.18.6.${Math.floor(asked++ / 100)}`, ...(origin && { Origin: origin }) };
        if (kind === "credentials") headers.Cookie = "__Host-refresh_token=nobodys";
        if (kind === "preflight") Object.assign(headers, { "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type,x-filename" });
        const answer = await send(worker.url + path, { method: kind === "preflight" ? "OPTIONS" : method, headers });
        const what = `${kind} ${method} ${path} from ${origin}, ${isOpen ? "open" : "named"}: ${answer.status}`;
        counts.cors += 1;
        assert.ok(answer.status < 500, what);
        assert.equal(answer.headers["access-control-allow-origin"], allowed, what);
        assert.equal(answer.headers["access-control-allow-credentials"], allowed && !isOpen && hasCookies ? "true" : undefined, what);
        if (isFile) continue;
        assert.ok((answer.headers.vary ?? "").split(/, ?/).includes("Origin"), what);
        assert.equal(Boolean(answer.headers["access-control-expose-headers"]), Boolean(allowed), what);
        if (kind !== "preflight") continue;
        assert.equal(answer.status, 204, what);
        assert.ok(answer.headers["access-control-allow-methods"].split(", ").includes(method), what);
        const may = answer.headers["access-control-allow-headers"].toLowerCase().split(", ");
        assert.ok(["authorization", "content-type", "x-filename"].every((name) => may.includes(name)), what);
      }
    });
  }
  report(t, "http", counts);
});
