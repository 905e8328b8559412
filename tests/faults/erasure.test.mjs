// Kills the server at random times during an erasure and a batch deletion, and restarts it on the same stores. Both end with
// nothing left of the user and of the form, everything left of the others, and one event each.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "../e2e/pictures.mjs";
import { startServer } from "../e2e/server.mjs";
import { chance, report, sleep } from "./trial.mjs";

const CYCLES = Number(process.env.FAULT_CYCLES ?? 3);
const PICTURES = 60;

let server;
let asked = 0;
before(async () => {
  server = await startServer({ vars: { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000, INTENT_S: 15, STORAGE_TIMEOUT_MS: 1_150 } });
});
after(() => server?.stop());

const service = () => server.token({ sub: "platform", role: "SERVICE" });

async function ask(method, path, { token = service(), json, body, type } = {}) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": json ? "application/json" : (type ?? "text/plain") };
  headers["CF-Connecting-IP"] = `198.18.${(asked >> 8) & 255}.${(asked += 1) & 255}`;
  if (!json && !type) delete headers["Content-Type"];
  const answer = await fetch(server.url + path, { method, headers, body: json ? JSON.stringify(json) : body });
  return { status: answer.status, ...(await answer.json()) };
}

async function upload(owner, form, number) {
  const body = new FormData();
  body.append("formId", form);
  body.append("image", new Blob([gif(number)], { type: "image/gif" }), "a.gif");
  const { status, code } = await ask("POST", "/images", { token: server.token({ sub: owner }), body });
  assert.equal(status, 201, code);
}

/** Waits until both are done, with a scheduled run each second. A killed isolate keeps a removal for a minute. */
async function finish(begun) {
  const deadline = Date.now() + 150_000;
  for (;;) {
    const all = await Promise.all(begun.map(({ id }) => ask("GET", `/removals/${id}`)));
    if (all.every(({ data }) => data?.state === "done")) return;
    assert.ok(Date.now() < deadline, JSON.stringify(all));
    await sleep(1_000);
    await server.runCron();
  }
}

test(`an erasure and a deletion that are killed ${CYCLES} times end exactly once`, { timeout: 1_500_000 }, async (t) => {
  const random = chance(t);
  const killed = [];
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    const [user, form] = [`gone-${cycle}`, `form-${cycle}`];
    const first = cycle * 1_000;
    const send = (at) => upload(at % 2 ? user : "stays", at % 3 ? form : "other", first + at);
    for (let at = 0; at < PICTURES; at += 6) await Promise.all([0, 1, 2, 3, 4, 5].map((more) => send(at + more)));
    const begun = await Promise.all([ask("DELETE", `/users/${user}`), ask("POST", "/images/delete", { json: { formId: form } })]);
    await sleep(random() * 300);
    await server.restart();
    const left = server.rows().length;
    killed.push(left);
    await finish(begun.map(({ data }) => data));

    const rows = server.rows();
    assert.ok(rows.every((row) => row.owner !== user && row.form_id !== form), `cycle ${cycle}`);
    const events = server.rows("events");
    assert.equal(events.filter(({ idempotency_key: key }) => key.startsWith(`erased:${begun[0].data.id}`)).length, 1);
    assert.ok(!JSON.stringify(events).includes(user), JSON.stringify(events));
  }
  // What was being removed when the server was killed is finished by the alarms of the ledgers.
  const expected = () => server.rows().map(({ key }) => key).sort();
  const deadline = Date.now() + 120_000;
  while (server.keys().length !== expected().length && Date.now() < deadline) await sleep(500);
  assert.deepEqual(server.keys().sort(), expected(), "objects and rows");
  assert.equal(expected().length, CYCLES * (PICTURES / 6), "those of the other user in the other form stay");
  report(t, "erasure", { cycles: CYCLES, pictures: PICTURES, leftAtTheKill: killed });
});
