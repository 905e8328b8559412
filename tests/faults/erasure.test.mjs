// Kills the server twice during an erasure and a batch deletion, while a slow store makes them last, and restarts it on the same
// stores. Both end with nothing left of the user and of the form, everything left of the others, and one event each.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "../e2e/pictures.mjs";
import { startS3 } from "../e2e/s3.mjs";
import { startServer } from "../e2e/server.mjs";
import { startProxy } from "./s3_proxy.mjs";
import { chance, report, sleep } from "./trial.mjs";

const CYCLES = Number(process.env.FAULT_CYCLES ?? 2);
const PICTURES = 60;
const LEFT = PICTURES / 6;
/** A deletion of an object takes a second, and a step of a removal deletes 20. So each removal takes two seconds at least, and the first kill comes earlier. */
const KILL_MS = [200, 1_500];

let s3, proxy, server;
let asked = 0;
before(async () => {
  s3 = await startS3();
  proxy = await startProxy(s3.url);
  const open = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000 };
  server = await startServer({ vars: { ...open, ...s3.vars(proxy.url), INTENT_S: 30, STORAGE_TIMEOUT_MS: 2_300 } });
});
after(() => Promise.all([server?.stop(), proxy?.stop(), s3?.stop()]));

const service = () => server.token({ sub: "platform", role: "SERVICE" });

async function ask(method, path, { token = service(), json, body } = {}) {
  const headers = { Authorization: `Bearer ${token}`, ...(json && { "Content-Type": "application/json" }) };
  headers["CF-Connecting-IP"] = `198.18.${(asked >> 8) & 255}.${(asked += 1) & 255}`;
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

/** Kills the server and starts it again, as if the minute were over for which a dead isolate keeps a removal. */
const kill = () => server.restart({}, { meanwhile: () => server.changeRows("UPDATE removals SET taken_until_ms = 0") });

/** Waits until both are done, with a scheduled run each second. */
async function finish(begun) {
  const deadline = Date.now() + 150_000;
  for (;;) {
    const all = await Promise.all(begun.map(({ id }) => ask("GET", `/removals/${id}`)));
    if (all.every(({ data }) => data?.state === "done")) return all.map(({ data }) => data);
    assert.ok(Date.now() < deadline, JSON.stringify(all));
    await sleep(1_000);
    await server.runCron();
  }
}

test(`an erasure and a deletion that are killed twice each, ${CYCLES} times, end exactly once`, { timeout: 1_500_000 }, async (t) => {
  const random = chance(t);
  const wait = () => sleep(KILL_MS[0] + random() * (KILL_MS[1] - KILL_MS[0]));
  const left = [];
  let interrupted = 0;
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    const [user, form] = [`gone-${cycle}`, `form-${cycle}`];
    const send = (at) => upload(at % 2 ? user : "stays", at % 3 ? form : "other", cycle * 1_000 + at);
    for (let at = 0; at < PICTURES; at += 6) await Promise.all([0, 1, 2, 3, 4, 5].map((more) => send(at + more)));
    proxy.script(Array(10_000).fill("slow"), { method: "DELETE" });
    const begun = await Promise.all([ask("DELETE", `/users/${user}`), ask("POST", "/images/delete", { json: { formId: form } })]);
    for (let turn = 0; turn < 2; turn += 1) {
      const running = turn === 0 ? undefined : server.runCron().catch(() => undefined);
      await wait();
      interrupted += Number(server.rows("removals").some(({ finished_ms: ms }) => ms === null));
      await kill();
      await running;
      left.push(server.rows().length - cycle * LEFT);
    }
    proxy.script([]);
    const done = await finish(begun.map(({ data }) => data));
    assert.deepEqual(done.map(({ total, removed }) => total - removed), [0, 0]);

    const rows = server.rows();
    assert.ok(rows.every((row) => row.owner !== user && row.form_id !== form), `cycle ${cycle}`);
    const events = server.rows("events");
    for (const start of [`erased:${begun[0].data.id}`, `removal:${begun[1].data.id}`]) {
      assert.equal(events.filter(({ idempotency_key: key }) => key.startsWith(start)).length, 1, start);
    }
    assert.ok(!JSON.stringify(events).includes(user), JSON.stringify(events));
  }
  // What was being removed when the server was killed is finished by the alarms of the ledgers.
  const expected = () => server.rows().map(({ key }) => key).sort();
  const stored = () => [...s3.objects().keys()].sort();
  const deadline = Date.now() + 120_000;
  while (stored().length !== expected().length && Date.now() < deadline) await sleep(500);
  assert.deepEqual(stored(), expected(), "objects and rows");
  assert.equal(expected().length, CYCLES * LEFT, "those of the other user in the other form stay");
  // The second kill of a cycle may come after the end.
  assert.ok(interrupted >= CYCLES, `${interrupted} kills during the work`);
  report(t, "erasure", { cycles: CYCLES, interrupted, pictures: PICTURES, leftAtTheKills: left });
});
