// Ledgers at rest delete themselves: after a day without requests, nothing of a user, a client IP or a login is left in the storage of
// their Durable Objects, and the next request finds a new ledger that works.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";

const INTENT_S = 15;
const ADDRESS = "198.18.61.7";
const DAY_MS = 86_400_000;

let server;
before(async () => {
  server = await startServer({ vars: { LOG_LEVEL: "debug", INTENT_S, STORAGE_TIMEOUT_MS: 1_150 } });
});
after(() => server?.stop());

async function send(path, { method = "GET", token, body, type, address = ADDRESS } = {}) {
  const headers = { "CF-Connecting-IP": address };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (type) headers["Content-Type"] = type;
  const answer = await fetch(server.url + path, { method, headers, body });
  return { status: answer.status, json: await answer.json() };
}

const upload = (sub, number) => send("/images", { method: "POST", token: server.token({ sub }), body: gif(number), type: "image/gif" });
const admin = (path, more) => send(path, { token: server.token({ sub: "root", role: "ADMIN" }), ...more });
/** Ledgers that have a table. */
const written = () => server.ledgers().filter(({ tables }) => tables.length > 0);

async function until(holds, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `not true after ${seconds} s: ${JSON.stringify(server.ledgers())}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Makes everything that ledgers remember a day older. */
const dayPasses = () =>
  server.restart({}, {
    meanwhile: () => {
      server.changeLedgers("uploads", `UPDATE uploads SET due_ms = due_ms - ${DAY_MS}, upload = json_set(upload, '$.due_ms', due_ms - ${DAY_MS})`);
      server.changeLedgers(
        "account",
        `UPDATE account SET state = json_set(state,
           '$.rate.at_ms', max(0, json_extract(state, '$.rate.at_ms') - ${DAY_MS}),
           '$.usage.day', max(0, json_extract(state, '$.usage.day') - 1),
           '$.login_throttle.at_ms', max(0, json_extract(state, '$.login_throttle.at_ms') - ${DAY_MS}),
           '$.new_identities.hour', max(0, json_extract(state, '$.new_identities.hour') - 24))`,
      );
    },
  });

test("a day later nothing is left of a user and a client IP, and both work again", { timeout: 120_000 }, async (t) => {
  const stored = await upload("anna", 1);
  assert.equal(stored.status, 201);
  // The client IP of a guest has a ledger, and the guest.
  const { token } = (await send("/auth/guest-token")).json.data;
  const guest = await send("/images", { method: "POST", token, body: gif(2), type: "image/gif" });
  assert.equal(guest.status, 201, JSON.stringify(guest.json));
  const before = written();
  assert.equal(before.length, 3, JSON.stringify(before));
  for (const { alarms } of before) assert.equal(alarms, 1);

  await dayPasses();
  // The uploads are due, and an event of the client IP is: three alarms run at once instead of in hours.
  await admin("/admin/api/users/anna");
  await admin(`/admin/api/users/${guest.json.data.key.split("/")[1]}`);
  const lifted = await admin(`/admin/api/bans/ip:${ADDRESS}`, { method: "DELETE" });
  assert.equal(lifted.status, 200, JSON.stringify(lifted.json));
  await until(() => written().length === 0);
  t.diagnostic(JSON.stringify(server.ledgers()));
  for (const { alarms } of server.ledgers()) assert.equal(alarms, 0);
  // The picture is forgotten by the ledger, not lost.
  assert.equal((await fetch(stored.json.data.imageUrl)).status, 200);

  assert.equal((await upload("anna", 1)).status, 201, "the tables are created again");
  assert.equal((await send("/auth/guest-token")).status, 200);
  assert.equal(written().length, 2);
});
