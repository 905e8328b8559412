// Counts on the built Worker what an upload costs: commands to ledgers, rows of Durable Objects and rows of D1, as the runtime
// bills them, from the admission until the upload is forgotten a day later. docs/cost.md has these counts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { startBackEnd } from "./back_end.mjs";
import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";

const INTENT_S = 15;
const PENDING_S = 60;
const TABLE_ROWS = 2;

/** A server whose costs are counted, for tests that must not share one. */
async function startMeter(options = {}) {
  const server = await startServer({ ...options, vars: { LOG_LEVEL: "debug", VARIANT_WIDTHS: 16, INTENT_S, STORAGE_TIMEOUT_MS: 1_150, PENDING_S, ...options.vars } });
  let seen = 0;
  /** What was written since the last call: rows of each command and each alarm, rows of each statement of D1. */
  const costs = () => {
    const lines = server.lines().slice(seen);
    seen += lines.length;
    const of = (name, test = () => true) => lines.filter((line) => line.event === name && test(line)).map(({ rows }) => rows);
    return {
      commands: of("ledger_rows_written", ({ during }) => during === "command"),
      alarms: of("ledger_rows_written", ({ during }) => during === "alarm"),
      images: of("d1_rows_written", ({ by }) => by === "INSERT INTO images"),
      counters: of("d1_rows_written", ({ by }) => by === "a batch"),
    };
  };
  /** Waits until it holds for what was written, and adds that up. */
  const wait = async (holds, seconds) => {
    const all = costs();
    const deadline = Date.now() + seconds * 1000;
    while (!holds(all)) {
      assert.ok(Date.now() < deadline, JSON.stringify(all));
      await new Promise((resolve) => setTimeout(resolve, 200));
      for (const [name, rows] of Object.entries(costs())) all[name].push(...rows);
    }
    return all;
  };
  return { server, costs, wait };
}

const sum = (rows) => rows.reduce((all, more) => all + more, 0);

async function send({ server }, path, { sub, role = "USER", body, type, at = 1 }) {
  const headers = { Authorization: `Bearer ${server.token({ sub, role })}`, "CF-Connecting-IP": `198.18.40.${at}` };
  if (type) headers["Content-Type"] = type;
  const answer = await fetch(server.url + path, { method: body ? "POST" : "GET", headers, body });
  const json = await answer.json();
  assert.ok(answer.ok, JSON.stringify(json));
  return json.data;
}

const raw = (meter, sub, bytes, more) => send(meter, "/images", { sub, body: bytes, type: "image/gif", ...more });

function form(meter, sub, bytes, formId) {
  const body = new FormData();
  body.append("formId", formId);
  body.append("file", new Blob([bytes], { type: "image/gif" }), "a.gif");
  return send(meter, "/images", { sub, body });
}

/** Makes what ledgers remember a day older, and lets the alarm of this user find it. */
async function nextDay(meter, sub) {
  const { server, costs, wait } = meter;
  costs();
  await server.restart({}, {
    meanwhile: () => {
      server.changeLedgers("uploads", "UPDATE uploads SET due_ms = due_ms - 86400000 WHERE phase = 'kept'");
      server.changeLedgers("account", `UPDATE account SET state = json_set(state, '$.usage.day', 0, '$.rate.at_ms', json_extract(state, '$.rate.at_ms') - 86400000)`);
    },
  });
  // A command sees that the alarm is too late now; without the change it would be due by itself. An alarm that the restart
  // interrupted runs again before that and finds what is due.
  await send(meter, `/admin/api/users/${sub}`, { sub: "root", role: "ADMIN" });
  return wait(({ alarms }) => alarms.length > 0, 20);
}

// The groups run at the same time on different servers, because most of the time they wait for alarms.
describe("costs", { concurrency: true }, () => {
  describe("of users", { concurrency: 1 }, () => {
    let meter, server, costs, wait;
    before(async () => {
      meter = await startMeter();
      ({ server, costs, wait } = meter);
    });
    after(() => server?.stop());

    test("the upload of a user costs two commands, six rows of Durable Objects and four of D1, five with a form", { timeout: 200_000 }, async (t) => {
      for (const [sub, upload, images] of [["anna", () => raw(meter, "anna", gif(1)), 4], ["bora", () => form(meter, "bora", gif(2), "stay"), 5]]) {
        costs();
        await upload();
        const first = await wait(({ commands }) => commands.length >= 2, 10);
        // The admission creates the table of uploads, the commit that of the account, unless the user has uploaded in the last
        // day; a new table is two rows.
        const tables = 2 * TABLE_ROWS;
        assert.deepEqual(first.commands, [2 + TABLE_ROWS, 2 + TABLE_ROWS], "admit and commit");
        assert.deepEqual(first.images, [images], "rows of D1");
        // The lease ends and nothing is to be done but to set the alarm for the next day, which deletes the ledger.
        const lease = await wait(({ alarms }) => alarms.length > 0, INTENT_S + 20);
        const day = await nextDay(meter, sub);
        const rows = sum([...first.commands, ...lease.alarms, ...day.alarms]) - tables;
        t.diagnostic(`${sub}: commands ${first.commands}, alarms ${lease.alarms} and ${day.alarms}: ${rows} rows and ${tables} for new tables; D1 ${first.images}`);
        assert.ok(rows <= 6, `${rows} rows`);
        assert.deepEqual([lease.alarms, day.alarms], [[1], [1]]);
        assert.ok(server.rows().some(({ owner }) => owner === sub), "it is forgotten, not lost");
      }
    });
  });

  describe("of forms and guests", { concurrency: 1 }, () => {
    let meter, server, costs, wait;
    before(async () => {
      meter = await startMeter();
      ({ server, costs, wait } = meter);
    });
    after(() => server?.stop());

    test("an upload to a form with a limit costs two commands and two rows more, and nothing more without a limit", { timeout: 200_000 }, async (t) => {
      const put = (name, policy) =>
        fetch(`${server.url}/forms/${name}`, {
          method: "PUT",
          headers: { Authorization: `Bearer ${server.token({ sub: "survey", role: "SERVICE" })}`, "Content-Type": "application/json" },
          body: JSON.stringify(policy),
        });
      assert.equal((await put("free", { quality: 70 })).status, 201);
      assert.equal((await put("limited", { maxFiles: 100, maxFilesPerUser: 50 })).status, 201);
      const cost = async (formId, shade, commands) => {
        costs();
        await form(meter, "eun", gif(shade), formId);
        return (await wait((all) => all.commands.length >= commands && all.images.length > 0, 10)).commands;
      };
      // The first creates the tables and sets the alarms.
      await cost("free", 40, 2);
      const free = await cost("free", 41, 2);
      await cost("limited", 42, 4);
      const limited = await cost("limited", 43, 4);
      t.diagnostic(`without a limit ${free}, with one ${limited}`);
      assert.deepEqual([free.length, limited.length], [2, 4], "admit and commit; reserve and confirm");
      assert.equal(sum(limited), sum(free) + 2);
    });

    test("a size costs two commands and two rows once, and nothing when it is read again", { timeout: 60_000 }, async (t) => {
      const { key } = await raw(meter, "hana", readFileSync("tests/fixtures/jpeg/baseline-420.jpg"), { type: "image/jpeg" });
      await wait((all) => all.images.length > 0, 10);
      const read = async () => (await fetch(`${server.url}/${key}?w=16`)).arrayBuffer();
      await read();
      const { commands } = await wait((all) => all.commands.length >= 2, 10);
      t.diagnostic(`lease and end ${commands}`);
      assert.deepEqual(commands, [1 + TABLE_ROWS, 1]);
      await read();
      assert.deepEqual(costs().commands, []);
    });

    test("the upload of a guest costs four commands, its claim by the back end six more", { timeout: 200_000 }, async (t) => {
      costs();
      const { key } = await raw(meter, "guest-1", gif(3), { role: "GUEST", at: 2 });
      const first = await wait(({ commands }) => commands.length >= 4, 10);
      const lease = await wait(({ alarms }) => alarms.length > 0, INTENT_S + 20);
      await send(meter, "/images/metadata", { sub: "platform", role: "SERVICE", body: JSON.stringify({ key, userId: "dora" }), type: "application/json", at: 3 });
      const claim = await wait(({ images }) => images.length > 0, 10);
      t.diagnostic(`guest: commands ${first.commands}, alarm ${lease.alarms}, claim ${claim.commands}; D1 ${first.images} and ${claim.images}`);
      // The client IP counts the request and the picture. Its ledger is new, creates one table and sets the alarm for its deletion;
      // that of the guest creates two tables.
      assert.deepEqual([first.commands.length, sum(first.commands)], [4, 7 + 3 * TABLE_ROWS], "request, picture, admit, commit");
      assert.deepEqual([lease.alarms, first.images, claim.images], [[1], [], [4]]);
      // The request of the back end; the new owner is looked up and charged, and the charge is settled; the upload is looked up,
      // claimed and kept. Two ledgers are new and set the alarm for their deletion.
      assert.deepEqual([claim.commands.length, sum(claim.commands)], [6, 7 + 2 * TABLE_ROWS]);
    });
  });

  describe("of counters", { concurrency: 1 }, () => {
    let meter, server, costs, wait;
    before(async () => {
      meter = await startMeter();
      ({ server, costs, wait } = meter);
    });
    after(() => server?.stop());

    test("however many uploads, an isolate writes eight rows of counters each 22 s, and two more with reads", { timeout: 200_000 }, async (t) => {
      const flushed = [];
      for (const isReading of [false, false, true, true]) {
        costs();
        const { key } = await raw(meter, "chul", gif(100 + flushed.length));
        for (let at = 1; at < 15; at += 1) await raw(meter, "chul", gif(200 + 20 * flushed.length + at));
        if (isReading) for (let at = 0; at < 15; at += 1) await (await fetch(`${server.url}/${key}`)).arrayBuffer();
        flushed.push((await wait(({ counters }) => counters.length >= 1, 40)).counters[0]);
      }
      t.diagnostic(`rows of counters: ${flushed}; ${server.rows("totals").map(({ name, labels }) => `${name} ${labels}`)}`);
      // The first of each kind inserts rows that have an index; the next one only changes them.
      assert.ok(flushed[1] <= 8 && flushed[3] <= 10, `${flushed}`);
    });
  });

  describe("of events", { concurrency: 1 }, () => {
    let backEnd, meter, server, costs, wait;
    before(async () => {
      backEnd = await startBackEnd();
      meter = await startMeter({ vars: { WEBHOOK_URL: backEnd.url }, secrets: { WEBHOOK_SECRET: backEnd.secret } });
      ({ server, costs, wait } = meter);
    });
    after(() => Promise.all([server?.stop(), backEnd?.stop()]));

    test("with a back end that gets events, the upload of a user costs two commands and nine rows", { timeout: 200_000 }, async (t) => {
      costs();
      await raw(meter, "fani", gif(4));
      const first = await wait(({ commands }) => commands.length >= 2, 10);
      const delivery = await wait(({ alarms }) => alarms.length > 0, 20);
      await wait(() => backEnd.taken().length === 1, 10);
      const day = await nextDay(meter, "fani");
      // Two tables and that of the events.
      const tables = 3 * TABLE_ROWS;
      const rows = sum([...first.commands, ...delivery.alarms, ...day.alarms]) - tables;
      t.diagnostic(`commands ${first.commands}, alarms ${delivery.alarms} and ${day.alarms}: ${rows} rows and ${tables} for new tables; D1 ${first.images}`);
      assert.equal(first.commands.length, 2, "admit and commit");
      assert.ok(rows <= 9, `${rows} rows`);
      assert.deepEqual(first.images, [4], "rows of D1");
    });
  });
});
