// Lists across users, deletion by key and of many pictures, erasure and withdrawal on the built Worker, looking into the stores.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";

let server;
let asked = 0;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000, RATE_PER_MINUTE: 100_000 } });
});
after(() => server?.stop());

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const of = (sub, role = "USER") => server.token({ sub, role });
const service = () => of("api", "SERVICE");

async function ask(method, path, { token = service(), json, body, headers = {} } = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(json && { "Content-Type": "application/json" }),
      "CF-Connecting-IP": `198.18.${(asked >> 8) & 255}.${(asked += 1) & 255}`,
      ...headers,
    },
    body: json ? JSON.stringify(json) : body,
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, ...(text && JSON.parse(text)) };
}

/** Uploads a picture to a form; returns the data of the response. */
async function upload(token, form, number) {
  const body = new FormData();
  body.append("formId", form);
  body.append("image", new Blob([gif(number)], { type: "image/gif" }), `${number}.gif`);
  const { status, data, code } = await ask("POST", "/images", { token, body });
  assert.equal(status, 201, code);
  return data;
}

/** Waits until a removal is done; runs the scheduled job when the first run has ended without it. */
async function finished(begun, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  for (let poll = 0; ; poll += 1) {
    const { data } = await ask("GET", `/removals/${begun.data.id}`);
    if (data.state === "done") return data;
    assert.ok(Date.now() < deadline, JSON.stringify(data));
    await sleep(200);
    if (poll % 25 === 24) await server.runCron();
  }
}

const keys = (prefix) => server.keys().filter((key) => key.startsWith(prefix));

test("a back end lists a form of all users, finds records by key, and deletes by key and form", async () => {
  const one = await upload(of("ann"), "survey 1", 1);
  const two = await upload(of("bob"), "survey 1", 2);
  const other = await upload(of("bob"), "survey 2", 3);
  const list = async (query) => (await ask("GET", `/images?${new URLSearchParams(query)}`)).data.images.map(({ key }) => key);
  assert.deepEqual(await list({ formId: "survey 1" }), [two.key, one.key]);
  assert.deepEqual(await list([["key", one.key], ["key", other.key]]), [other.key, one.key]);
  const { data } = await ask("GET", `/images?key=${one.key}`);
  assert.equal(data.images[0].placeholder, one.placeholder);
  assert.ok(one.placeholder.length > 20);

  assert.equal((await ask("DELETE", `/images?key=${one.key}`)).data.imageId, one.imageId);
  const begun = await ask("POST", "/images/delete", { json: { formId: "survey 1" } });
  assert.equal(begun.status, 202);
  assert.equal(begun.headers.get("location"), begun.data.url);
  assert.equal((await finished(begun)).removed, 1);
  assert.deepEqual(server.rows().map(({ key }) => key), [other.key]);
  assert.deepEqual(server.keys(), [other.key]);
  const refused = await ask("POST", "/images/delete", { json: { form: "x" } });
  assert.match(refused.detail, /`form`/);
});

test("a hundred pictures of a user are deleted at once in the background", async () => {
  // A user has a share of what is processed at once.
  for (let at = 0; at < 100; at += 5) await Promise.all([0, 1, 2, 3, 4].map((more) => upload(of("many"), "f", 1000 + at + more)));
  const begun = await ask("POST", "/images/delete", { json: { userId: "many" } });
  assert.deepEqual([begun.data.total, begun.data.removed, begun.data.state], [100, 0, "running"], "the response does not wait for the deletion");
  assert.equal((await finished(begun, 60)).removed, 100);
  assert.deepEqual(keys("users/many/"), []);
  assert.equal(server.rows("removals").find(({ id }) => id === begun.data.id).target, null);
});

test("an erasure removes what a user has under any key, and refuses uploads meanwhile; the audit log keeps a pseudonym", async () => {
  const guest = (await ask("GET", "/auth/guest-token", { token: "" })).data.token;
  const claimed = await upload(guest, "f", 20);
  const own = await upload(of("carol"), "f", 21);
  const kept = await upload(of("dave"), "f", 22);
  assert.equal((await ask("POST", "/images/metadata", { token: of("carol"), json: { key: claimed.key, guestToken: guest } })).status, 201);
  assert.equal((await ask("DELETE", `/images/${own.imageId}`, { token: of("carol") })).status, 200);
  const again = await upload(of("carol"), "f", 23);
  const pending = (await ask("GET", "/auth/guest-token", { token: "" })).data.token;
  const unclaimed = await upload(pending, "f", 24);

  const both = await Promise.all([ask("DELETE", "/users/carol"), ask("DELETE", "/users/carol")]);
  assert.deepEqual(both.map(({ status }) => status), [202, 202]);
  assert.equal(both[0].data.id, both[1].data.id, "two requests begin one erasure");
  const [upload1, claim] = await Promise.all([
    ask("POST", "/images", { token: of("carol"), body: gif(25), headers: { "Content-Type": "image/gif" } }),
    ask("POST", "/images/metadata", { token: of("carol"), json: { key: unclaimed.key, guestToken: pending } }),
  ]);
  for (const refused of [upload1, claim]) assert.ok(["USER_ERASING", "BUSY"].includes(refused.code), JSON.stringify(refused));
  const done = await finished(both[0]);
  assert.deepEqual([done.kind, done.total, done.removed], ["user", 2, 2]);
  assert.equal((await ask("POST", "/images", { token: of("carol"), body: gif(26), headers: { "Content-Type": "image/gif" } })).code, "USER_ERASING");

  const left = server.rows().map(({ key }) => key);
  assert.ok(left.includes(kept.key));
  for (const { key } of [claimed, again]) assert.ok(!left.includes(key) && !server.keys().includes(key), key);
  const events = server.rows("events");
  assert.ok(!JSON.stringify(events).includes("carol"), JSON.stringify(events));
  assert.equal(events.filter(({ kind, reason }) => kind === "erase" && reason === "finished").length, 1);
  const erased = server.rows("erased").map(({ name }) => name);
  assert.ok(erased.includes(claimed.key) && erased.some((name) => /^erased:[0-9a-f]{32}$/.test(name)), String(erased));
  const exported = await ask("GET", "/users/carol/export");
  assert.deepEqual([exported.data.imageCount, exported.data.events, exported.data.account], [0, [], null]);
});

test("a built-in account withdraws with its password: account, sessions and pictures go", async () => {
  const account = { email: "eve@example.org", password: "correct horse battery" };
  const signedUp = await ask("POST", "/users/signup", { token: "", json: account });
  const { accessToken: token, user } = signedUp.data;
  await upload(token, "f", 40);
  const exported = await ask("GET", `/users/${user.id}/export`, { token });
  assert.equal(exported.data.account.email, account.email);
  assert.equal(exported.data.sessions.length, 1);
  const wrong = await ask("POST", `/users/${user.id}/withdraw`, { token, json: { password: "wrong horse" } });
  assert.deepEqual([wrong.status, wrong.code], [401, "CREDENTIALS_INVALID"]);
  const begun = await ask("POST", `/users/${user.id}/withdraw`, { token, json: { password: account.password } });
  assert.equal(begun.status, 202);
  assert.match(begun.headers.get("set-cookie"), /Max-Age=0/);
  await finished(begun);
  const own = await ask("GET", `/removals/${begun.data.id}`, { token });
  assert.equal(own.data.state, "done", "the user can see it until the token expires");
  for (const table of ["users", "refresh_families"]) assert.ok(!JSON.stringify(server.rows(table)).includes(user.id), table);
  assert.deepEqual(keys(`users/${user.id}/`), []);
  assert.equal((await ask("POST", "/auth/login", { token: "", json: account })).code, "CREDENTIALS_INVALID");
  assert.ok(!JSON.stringify(server.rows("events")).includes(user.id));
});
