// Kills the server at random times while pictures are released and refused. Afterwards every picture is where its row says, once.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { startServer } from "../e2e/server.mjs";
import { chance, report, sleep, until } from "./trial.mjs";

const CYCLES = Number(process.env.FAULT_CYCLES ?? 3);
const PICTURES = 12;
/** A decision that was interrupted is repeated by the alarm after half a minute. */
const ALARM_MS = 32_000;
const SETTLED_S = 60;
const BYTES = readFileSync("tests/fixtures/jpeg/baseline-420.jpg");

let server;
before(async () => {
  server = await startServer({ vars: { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, SERVICE_PER_MINUTE: 100_000 } });
  await fetch(`${server.url}/forms/held`, { method: "PUT", headers: asService(), body: JSON.stringify({ review: "held" }) });
});
after(() => server?.stop());

const asService = () => ({ "Content-Type": "application/json", Authorization: `Bearer ${server.token({ sub: "back-end", role: "SERVICE" })}` });

async function upload(sub) {
  const body = new FormData();
  body.append("formId", "held");
  body.append("file", new Blob([BYTES], { type: "image/jpeg" }), "a.jpg");
  const answer = await fetch(`${server.url}/images`, { method: "POST", body, headers: { Authorization: `Bearer ${server.token({ sub })}` } });
  return (await answer.json()).data;
}

const decide = (id, action) =>
  fetch(`${server.url}/images/${id}/${action}`, { method: "POST", headers: asService(), ...(action === "refuse" && { body: JSON.stringify({ reason: "no" }) }) }).then(
    ({ status }) => status,
    () => undefined,
  );

test(`after ${CYCLES} kills every decision that was begun is carried out, and no picture is lost or left behind`, { timeout: 600_000 }, async (t) => {
  const random = chance(t);
  const pictures = [];
  const statuses = [];
  const cycle = async (name, killMs) => {
    const fresh = await Promise.all(Array.from({ length: PICTURES }, (_, at) => upload(`${name}-${at}`)));
    const wanted = fresh.map((image, at) => ({ ...image, action: at % 3 === 0 ? "refuse" : "release" }));
    pictures.push(...wanted);
    const started = Date.now();
    const deciding = Promise.all(wanted.map(({ imageId, action }) => decide(imageId, action)));
    await (killMs === undefined ? deciding : Promise.race([deciding, sleep(killMs)]));
    const tookMs = Date.now() - started;
    if (killMs !== undefined) await server.restart();
    statuses.push(...(await deciding));
    return tookMs;
  };
  // How long decisions take on this machine; the kills are spread over that time.
  const usualMs = await cycle("first");
  for (let at = 0; at < CYCLES; at += 1) await cycle(`u${at}`, (usualMs * (at + random())) / CYCLES);
  const expected = (row) => ({ held: [`private/${row.key}`], released: [row.key], refused: [] })[row.review];
  const stored = (row, keys) => keys.filter((key) => key.endsWith(row.key));
  const isSettled = () => {
    const keys = server.keys();
    return server.rows().every((row) => JSON.stringify(stored(row, keys)) === JSON.stringify(expected(row)));
  };
  // Until then a release that was begun may look like a picture that nobody has decided about.
  await sleep(ALARM_MS);
  await until(isSettled, SETTLED_S, "every picture is where its row says");
  const rows = server.rows();
  const counts = { held: 0, released: 0, refused: 0 };
  for (const { imageId, action } of pictures) {
    const { review } = rows.find(({ id }) => id === imageId);
    counts[review] += 1;
    if (review === "held") assert.ok([200, 202].includes(await decide(imageId, action)), "a decision that never arrived can be made again");
    else assert.equal(review, action === "refuse" ? "refused" : "released");
  }
  report(t, "review", { cycles: CYCLES, ...counts, unanswered: statuses.filter((status) => status === undefined).length });
  assert.ok(counts.released > 0 && counts.refused > 0);
});
