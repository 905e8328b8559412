// Stored images on the built Worker: claim, list, read and delete; upload tickets; and the sweep, which compares registry,
// ledger and store.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";

let server;
let pictures = 0;
before(async () => {
  server = await startServer({ vars: { SWEEP_REPAIR: "true" } });
});
after(() => server.stop());

async function ask(method, path, { token = server.token(), json, body, type, headers = {} } = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(json || type ? { "Content-Type": json ? "application/json" : type } : {}),
      "CF-Connecting-IP": `198.18.7.${(pictures % 200) + 1}`,
      ...headers,
    },
    body: json ? JSON.stringify(json) : body,
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, ...(text ? JSON.parse(text) : {}) };
}

const upload = (token, bytes = gif(++pictures)) => ask("POST", "/images", { token, body: bytes, type: "image/gif" });

async function guest() {
  const { data } = await ask("GET", "/auth/guest-token", { token: "" });
  return { token: data.token, ...(await upload(data.token)).data };
}

test("a guest image has an expiry, and one of several concurrent claims with the guest's token gets 201", async () => {
  const { token, key, imageId, imageUrl, expiresAt } = await guest();
  assert.equal(typeof imageId, "number");
  assert.ok(Date.parse(expiresAt) > Date.now() + 3_500_000);
  const claim = (json, sub = "123") => ask("POST", "/images/metadata", { token: server.token({ sub }), json });

  assert.equal((await claim({ imageUrl })).code, "USER_MISMATCH");
  assert.equal((await claim({ imageUrl, guestToken: (await guest()).token })).code, "USER_MISMATCH");
  assert.equal((await claim({ imageUrl: imageUrl.replace("127.0.0.1", "evil.example"), guestToken: token })).code, "INVALID_IMAGE_URL");

  const all = await Promise.all(Array.from({ length: 8 }, (_, n) => claim({ imageUrl, guestToken: token, formId: "f-9" }, `user-${n}`)));
  const won = all.filter(({ status }) => status === 201);
  assert.equal(won.length, 1, "one of the concurrent claims succeeds");
  for (const { status, code } of all.filter(({ status }) => status !== 201)) {
    assert.deepEqual([status, code], [409, "IMAGE_ALREADY_REGISTERED"]);
  }
  assert.equal(won[0].message, "register_image_metadata_success");
  assert.ok(Number.isInteger(won[0].data.imageId));
  assert.equal(won[0].data.key, key);
  const row = server.rows().find((row) => row.key === key);
  assert.deepEqual([row.id, row.form_id], [won[0].data.imageId, "f-9"]);
});

test("images are listed in pages to their owner and to SERVICE; other users get USER_MISMATCH", async () => {
  const token = server.token({ sub: "lister" });
  for (let n = 0; n < 5; n++) assert.equal((await upload(token)).status, 201);
  const first = await ask("GET", "/images?limit=3", { token });
  assert.equal(first.message, "list_images_success");
  assert.equal(first.data.images.length, 3);
  const second = await ask("GET", `/images?limit=3&cursor=${first.data.nextCursor}`, { token });
  assert.equal(second.data.images.length, 2);
  assert.equal(second.data.nextCursor, null);
  const ids = [...first.data.images, ...second.data.images].map(({ imageId }) => imageId);
  assert.deepEqual(ids, [...ids].sort((a, b) => b - a));
  assert.equal((await ask("GET", "/images?userId=lister")).code, "USER_MISMATCH");
  const byService = await ask("GET", "/images?userId=lister&limit=100", { token: server.token({ sub: "api", role: "SERVICE" }) });
  assert.equal(byService.data.images.length, 5);
  assert.equal((await ask("GET", "/images?limit=0", { token })).code, "MALFORMED_REQUEST");
  assert.equal((await ask("GET", "/images", { token: "" })).code, "TOKEN_MISSING");
  assert.match(first.headers.get("cache-control"), /no-store/);
});

test("deleting an image removes its row, its object and its cached copies", async () => {
  const token = server.token({ sub: "deleter" });
  const { data } = await upload(token);
  assert.equal((await fetch(data.imageUrl)).status, 200);
  assert.equal((await fetch(`${data.imageUrl}?v=thumb`)).status, 200);
  assert.equal((await ask("DELETE", `/images/${data.imageId}`)).code, "USER_MISMATCH");
  assert.equal((await ask("GET", `/images/${data.imageId}`, { token })).data.key, data.key);
  const deleted = await ask("DELETE", `/images/${data.imageId}`, { token });
  assert.equal(deleted.status, 200);
  assert.equal(deleted.message, "delete_image_success");
  assert.equal(server.objects().has(data.key), false);
  assert.equal(server.rows().some(({ key }) => key === data.key), false);
  for (const query of ["", "?v=thumb"]) {
    assert.equal((await fetch(data.imageUrl + query)).status, 404);
  }
  assert.equal((await ask("DELETE", `/images/${data.imageId}`, { token })).code, "IMAGE_NOT_FOUND");
});

test("SQL in a field is stored and compared as text", async () => {
  const evil = `'; DROP TABLE images; --`;
  const token = server.token({ sub: "sql" });
  const { data } = await ask("POST", "/images", {
    token,
    body: gif(++pictures),
    type: "image/gif",
    headers: { "X-Filename": encodeURIComponent(evil) },
  });
  assert.equal(data.originalFilename, evil);
  const rows = server.rows().length;
  assert.equal((await ask("GET", `/images?formId=${encodeURIComponent(evil)}`, { token })).data.images.length, 0);
  assert.equal((await ask("GET", `/images?cursor=${encodeURIComponent("1 OR 1=1")}`, { token })).code, "MALFORMED_REQUEST");
  assert.equal((await ask("GET", `/images/${encodeURIComponent("1 OR 1=1")}`, { token })).code, "NOT_FOUND");
  assert.equal((await ask("POST", "/images/metadata", { token, json: { key: evil } })).code, "INVALID_IMAGE_URL");
  assert.equal(server.rows().length, rows);
});

test("of ten concurrent uploads with one ticket one gets 201, the others TICKET_SPENT; its limits apply", async () => {
  const issue = async (json = {}, claims = { sub: "ticketed" }) =>
    (await ask("POST", "/uploads/tickets", { token: server.token(claims), json })).data.ticket;
  const ticket = await issue({ formId: "f-1", contentType: "image/gif", maxBytes: 1000 });
  const all = await Promise.all(Array.from({ length: 10 }, () => upload(ticket)));
  const counts = Object.groupBy(all, ({ status, code }) => code ?? status);
  assert.deepEqual(Object.keys(counts).sort(), ["201", "TICKET_SPENT"]);
  assert.equal(counts[201].length, 1);
  assert.equal(counts[201][0].data.formId, "f-1");
  assert.equal((await upload(await issue({ contentType: "image/png" }))).code, "TICKET_REQUIRED");
  assert.equal((await upload(await issue({ maxBytes: 10 }))).code, "FILE_TOO_LARGE");
  assert.equal((await ask("GET", "/images", { token: await issue() })).code, "TOKEN_INVALID");
  assert.match((await upload(await issue({ userId: "for-7" }, { sub: "api", role: "SERVICE" }))).data.key, /^users\/for-7\//);
});

test("with REQUIRE_TICKET an upload without a ticket gets TICKET_REQUIRED, and a late one TOKEN_EXPIRED", async (t) => {
  const strict = await startServer({ vars: { REQUIRE_TICKET: "true", TICKET_S: 4 } });
  t.after(() => strict.stop());
  const post = (path, body, type, token = strict.token()) =>
    fetch(strict.url + path, { method: "POST", headers: { Authorization: `Bearer ${token}`, "Content-Type": type }, body }).then((answer) => answer.json());
  const askForTicket = (role) => post("/uploads/tickets", '{"userId":"123"}', "application/json", strict.token({ sub: role === "SERVICE" ? "api" : "123", role }));
  const ticket = async () => (await askForTicket("SERVICE")).data.ticket;
  assert.equal((await askForTicket("USER")).code, "ROLE_NOT_ALLOWED", "nobody approves an upload of their own");
  assert.equal((await post("/images", gif(1), "image/gif")).code, "TICKET_REQUIRED");
  assert.ok((await post("/images", gif(1), "image/gif", await ticket())).data.key);
  const late = await ticket();
  await new Promise((resolve) => setTimeout(resolve, 4_100));
  assert.equal((await post("/images", gif(2), "image/gif", late)).code, "TOKEN_EXPIRED");
});

test("the sweep removes a row without an object and writes it to the audit log", async () => {
  const { data } = await upload(server.token({ sub: "swept" }));
  server.loseObject(data.key);
  assert.ok(server.rows().some(({ key }) => key === data.key));
  const deadline = Date.now() + 20_000;
  while (server.rows().some(({ key }) => key === data.key)) {
    assert.ok(Date.now() < deadline, "the sweep did not remove the row in time");
    await fetch(`${server.url}/cdn-cgi/handler/scheduled`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const [event] = server.rows("events").filter(({ kind }) => kind === "sweep");
  assert.equal(event.reason, "repaired");
  assert.deepEqual(JSON.parse(event.detail).rowsWithoutObject, [data.key]);
});
