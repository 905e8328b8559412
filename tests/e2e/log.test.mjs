// The log of the built Worker: one line per request, without personal data or secrets.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { gif } from "./pictures.mjs";
import { freePort, startServer } from "./server.mjs";

const SECRET = "s3cret-jane.doe";
const MAIL = `${SECRET}@example.com`;
const ADDRESS = "203.0.113.77";

let server;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000, LOG_LEVEL: "debug" } });
});
after(() => server?.stop());

/** The lines of requests, without those of /healthz, which the start of the server sends. */
const requests = () => server.lines().filter(({ event, route }) => event === "request" && route !== "healthz");

/** Waits until `count` requests have a line. */
async function logged(count) {
  const deadline = Date.now() + 30_000;
  while (requests().length < count) {
    assert.ok(Date.now() < deadline, `${requests().length} of ${count} lines`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return requests();
}

const post = (path, body, headers) => fetch(server.url + path, { method: "POST", body, headers: { "CF-Connecting-IP": ADDRESS, ...headers } });

test("an upload writes one log line with route, outcome, sizes, request id and stages", async () => {
  const before = requests().length;
  const headers = { Authorization: `Bearer ${server.token()}`, "Content-Type": "image/gif" };
  const answer = await post("/images", gif(1), headers);
  const body = await answer.arrayBuffer();
  const [line] = (await logged(before + 1)).slice(before);
  const { level, route, method, status, outcome, bytesIn, bytesOut, requestId, user } = line;
  assert.deepEqual([level, route, method, status, outcome], ["info", "upload", "POST", 201, "SERVED"]);
  assert.deepEqual([bytesIn, bytesOut], [gif(1).length, body.byteLength]);
  assert.equal(requestId, answer.headers.get("x-request-id"));
  assert.match(user, /^[0-9a-f]{16}$/);
  assert.deepEqual(Object.keys(line.stagesMs).sort(), ["admit", "commit", "read", "rules", "store"]);
});

test("secrets in headers, paths, queries and bodies are not in the log", async () => {
  const before = requests().length;
  const token = server.token({ sub: "s3cret-jane_doe", email: MAIL });
  const marks = {
    "X-Filename": `${SECRET}.gif`,
    Cookie: `__Host-refresh_token=${SECRET}; other=${SECRET}`,
    Origin: `https://${SECRET}.example`,
    Referer: `https://example.com/${SECRET}`,
    "User-Agent": SECRET,
    "Accept-Language": SECRET,
  };
  const json = { "Content-Type": "application/json", ...marks };
  const account = JSON.stringify({ email: MAIL, password: SECRET, nickname: SECRET, guestToken: SECRET, imageKey: SECRET });
  const form = new FormData();
  form.append("formId", SECRET);
  form.append("userId", SECRET);
  form.append("image", new Blob([gif(2)], { type: "image/gif" }), `${SECRET}.gif`);
  const answers = await Promise.all([
    post(`/images?token=${SECRET}`, gif(3), { ...marks, "Content-Type": "image/gif", Authorization: `Bearer ${token}` }),
    post("/images", `<svg>${SECRET}</svg>`, { ...marks, "Content-Type": "image/gif", Authorization: `Bearer ${token}` }),
    post("/images", form, { ...marks, Authorization: `Bearer ${token}` }),
    post("/images", gif(4), { ...marks, "Content-Type": SECRET, Authorization: `Bearer ${token}` }),
    post("/images/metadata", JSON.stringify({ imageUrl: SECRET, guestToken: SECRET }), { ...json, Authorization: `Bearer ${token}` }),
    post("/auth/login", account, { "Content-Type": "application/json", "CF-Connecting-IP": "203.0.113.78" }),
    post("/auth/signup", account, { "Content-Type": "application/json", "CF-Connecting-IP": "203.0.113.79" }),
    post("/auth/refresh_token", "{}", json),
    fetch(`${server.url}/${SECRET}/${MAIL}?v=${SECRET}`, { headers: { ...marks, Authorization: `Bearer ${SECRET}` } }),
    fetch(`${server.url}/admin/api/events?kind=${SECRET}`, { headers: { ...marks, Authorization: `Bearer ${token}` } }),
    fetch(`${server.url}/images`, { headers: { ...marks, Authorization: `Bearer ${SECRET}` } }),
  ]);
  assert.equal(answers[0].status, 201);
  const lines = await logged(before + answers.length);
  assert.ok(lines.some(({ outcome }) => outcome === "TOKEN_INVALID"));
  const log = JSON.stringify(server.lines()).toLowerCase();
  for (const part of ["s3cret", "jane", "example.com", "203.0.113", token.slice(0, 30), token.slice(-20)]) {
    assert.ok(!log.includes(part.toLowerCase()), part);
  }
});

test("at production's log level a request id finds its line, the search of the guide finds failures, and a lookup shows the user's pseudonym", async (t) => {
  const [, level] = /LOG_LEVEL = "(\w+)"/.exec(readFileSync("wrangler.toml", "utf8"));
  const gone = { STORAGE: "s3", S3_ENDPOINT: `http://127.0.0.1:${await freePort()}`, S3_REGION: "auto", S3_BUCKET: "b", S3_ACCESS_KEY_ID: "k", S3_SECRET_ACCESS_KEY: "s", STORAGE_TIMEOUT_MS: 1000 };
  const production = await startServer({ vars: { LOG_LEVEL: level, ...gone } });
  t.after(production.stop);
  const send = (body) => fetch(`${production.url}/images`, { method: "POST", body, headers: { Authorization: `Bearer ${production.token({ sub: "seen" })}`, "Content-Type": "image/gif", "CF-Ray": "8f1a2b3c4d5e6f70-ICN" } });
  const answers = [await send("<svg></svg>"), await send(gif(9))];
  const ids = answers.map(({ headers }) => headers.get("x-request-id"));
  const problems = await Promise.all(answers.map((answer) => answer.json()));
  assert.deepEqual(problems.map(({ code }) => code), ["INVALID_FILE_SIGNATURE", "STORAGE_UNAVAILABLE"]);
  const raw = (text) => production.log().split("\n").filter((line) => line.includes('"event":"request"') && line.includes(text));
  const deadline = Date.now() + 30_000;
  while (ids.some((id) => raw(id).length === 0)) {
    assert.ok(Date.now() < deadline, production.log().slice(-2000));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  // `wrangler tail --search` compares the text of the line.
  const searches = [...readFileSync("docs/operate.md", "utf8").matchAll(/^npx wrangler tail .*--search (\S+)$/gm)].map(([, text]) => text);
  const [byId, failures] = searches;
  assert.equal(byId, "REQUEST_ID");
  assert.deepEqual(raw(failures).length, 1, `"${failures}" finds only failures`);
  assert.ok(raw(failures)[0].includes(ids[1]));
  const lines = production.lines().filter(({ requestId }) => ids.includes(requestId));
  assert.deepEqual(lines.map(({ level, ray }) => [level, ray]), [["warn", "8f1a2b3c4d5e6f70-ICN"], ["error", "8f1a2b3c4d5e6f70-ICN"]]);
  const asAdmin = { headers: { Authorization: `Bearer ${production.token({ sub: "boss", role: "ADMIN" })}` } };
  const { data } = await (await fetch(`${production.url}/admin/api/users/seen`, asAdmin)).json();
  assert.equal(data.pseudonym, lines[0].user);
});
