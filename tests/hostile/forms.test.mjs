// Multipart forms on the running Worker, compared with another parser and sent in chunks of many sizes: the result depends only
// on the bytes. edge/api/src/body/part/tests.rs does the same natively with the corpora of three parsers; with CORPORA=/path
// these are sent here as well.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { retryWhileBusy } from "../e2e/retry.mjs";
import { startServer } from "../e2e/server.mjs";
import { cut, send } from "../e2e/wire.mjs";
import { chance, report } from "../faults/trial.mjs";
import { bodies, oracle } from "./bodies.mjs";

const AT_ONCE = 8;
const SIZES = [1, 2, 7, 64, 4096];
/** More pieces only take time. */
const MOST_PIECES = 4096;

let server;
before(async () => {
  server = await startServer({ vars: { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000, STRIKES_TO_BAN: 1000 } });
});
after(() => server?.stop());

let sent = 0;
/** Each request is sent as a different user, so that none counts as the retry of another. */
async function post({ body, type }, how) {
  const at = sent++;
  const headers = { "Content-Type": type, Authorization: `Bearer ${server.token({ sub: `u-${at}` })}`, "CF-Connecting-IP": `198.18.5.${Math.floor(at / 100)}` };
  // A form without a length reserves memory for the largest form, so that only few are read at once and others get BUSY.
  return retryWhileBusy(async () => {
    const answer = await send(`${server.url}/images`, { headers, body, ...how });
    return { status: answer.status, headers: new Headers(answer.headers), ...answer.json() };
  });
}

/** The ways in which a body is split into writes to the socket. */
function* ways(body, random) {
  yield {};
  for (const size of SIZES.filter((size) => body.length / size <= MOST_PIECES)) yield { pieces: [...cut(body, size)] };
  yield { pieces: [...cut(body, () => 1 + Math.floor(random() * 100))] };
  yield { pieces: [...cut(body, () => 1 + Math.floor(random() * 100))], isChunked: true };
}

const results = ({ code, data }) => (code ? [{ code }] : [data].flat());

/** The part of a response that must not depend on the chunks, with the digest of the stored bytes instead of the key. */
function outcome(answer, objects) {
  const items = results(answer).map(({ code, key, originalFilename, formId, sha256, fileSize }) => {
    const stored = key && createHash("sha256").update(objects.get(key) ?? "").digest("hex");
    if (key) assert.equal(stored, sha256, "the stored bytes have the digest of the response");
    return { code, originalFilename, formId, sha256, fileSize };
  });
  return { status: answer.status, items };
}

/** Sends each body in all ways; returns the outcome of each body. */
async function sendAll(list, random) {
  const waiting = list.flatMap((body) => [...ways(body.body, random)].map((how) => ({ body, how })));
  const answers = new Map(list.map((body) => [body, []]));
  const all = waiting.length;
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) answers.get(next.body).push(await post(next.body, next.how));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const objects = server.objects();
  const outcomes = new Map();
  for (const [body, responses] of answers) {
    const [first, ...others] = responses.map((answer) => outcome(answer, objects));
    assert.ok(first.status < 500, `${body.what}: ${first.status}`);
    for (const other of others) assert.deepEqual(other, first, `depends on the chunks: ${body.what}`);
    outcomes.set(body, first);
  }
  return { outcomes, all };
}

/** The response that a form must get when the other parser reads `read`. */
function expected(read) {
  if (!read) return { codes: ["MALFORMED_REQUEST"] };
  if (read.files.length === 0) return { codes: ["FILE_MISSING"] };
  const codes = read.files.map(({ type }) => (type === "image/gif" ? undefined : "INVALID_FILE_TYPE"));
  const kept = read.files.filter((_, at) => !codes[at]);
  const digests = kept.map(({ bytes }) => createHash("sha256").update(bytes).digest("hex"));
  return { codes, digests, formId: read.formId };
}

test("a form gets the result that undici's parser implies, in chunks of any size", { timeout: 600_000 }, async (t) => {
  const { outcomes, all } = await sendAll(bodies, chance(t));
  const [counts, differ] = [{ cases: bodies.length, requests: all, agreed: 0, meantToDiffer: 0, differing: 0, dependedOnCuts: 0 }, []];
  for (const [body, { items }] of outcomes) {
    const theirs = expected(await oracle(body));
    const ours = { codes: items.map(({ code }) => code) };
    const kept = items.filter(({ code }) => !code);
    if (theirs.digests) Object.assign(ours, { digests: kept.map(({ sha256 }) => sha256), formId: kept[0]?.formId ?? (kept.length ? null : theirs.formId) });
    const isSame = JSON.stringify(ours) === JSON.stringify(theirs);
    if (body.ours) {
      assert.ok(!isSame && body.why, `${body.what}: the parsers agree now`);
      assert.deepEqual(ours.codes, [body.ours === "accepted" ? undefined : body.ours], body.what);
      counts.meantToDiffer += 1;
    } else if (isSame) counts.agreed += 1;
    else differ.push(`${body.what}: ours ${JSON.stringify(ours)}, theirs ${JSON.stringify(theirs)}`);
  }
  counts.differing = differ.length;
  report(t, "forms", counts);
  assert.deepEqual(differ, []);
});

/** Every body of the corpus by its digest. */
function corpus(folder) {
  const cases = (name) => JSON.parse(readFileSync(join(folder, name, "cases.json")));
  const bodies = [...cases("busboy").map(({ source_b64: text }) => text), ...cases("defnull").map(({ body_b64: text }) => text)].map((text) => Buffer.from(text, "base64"));
  for (const name of ["python-multipart", "werkzeug"]) {
    const files = readdirSync(join(folder, name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    bodies.push(...files.map((entry) => readFileSync(join(entry.parentPath, entry.name))));
  }
  return new Map(bodies.map((body) => [createHash("sha256").update(body).digest("hex"), body]));
}

test("a form of the corpora gets the result on which three other parsers agree", { timeout: 900_000, skip: !process.env.CORPORA && "CORPORA is not set" }, async (t) => {
  const folder = join(process.env.CORPORA, "multipart");
  const known = corpus(folder);
  const list = JSON.parse(readFileSync(join(folder, "oracle.json"))).map(({ case: what, boundary, body_sha256: digest, class: verdict, defnull_strict: { parts } }) => {
    return { what, verdict, parts, body: known.get(digest), type: `multipart/form-data; boundary="${boundary}"` };
  });
  const { outcomes, all } = await sendAll(list, chance(t));
  const [counts, differ] = [{ corpusBodies: list.length, corpusRequests: all, corpusAgreed: 0, corpusDisputed: 0 }, []];
  for (const [{ what, verdict, parts }, { items }] of outcomes) {
    const codes = items.map(({ code }) => code);
    const files = parts?.filter(([, name, length]) => name !== null && (name !== "" || length > 0)).length;
    const right = {
      "all-accept": () => (files === 0 ? codes[0] === "FILE_MISSING" : !codes.includes("MALFORMED_REQUEST") && codes.length === files),
      "all-reject": () => codes[0] === "MALFORMED_REQUEST",
    }[verdict];
    if (!right) counts.corpusDisputed += 1;
    else if (right()) counts.corpusAgreed += 1;
    else differ.push(`${what}: ${verdict} of ${JSON.stringify(parts)}, ours ${codes}`);
  }
  report(t, "forms", { ...counts, corpusDiffering: differ.length });
  assert.deepEqual(differ, []);
});
