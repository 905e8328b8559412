// Writes the audit log of a deployment to a file, the oldest event last, as one JSON object a line: `node .make/audit-export.mjs --url https://… --to FILE`
// with the token of an administrator in AUDIT_TOKEN. The file is complete or does not exist.
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";

const PAGE = 100;
const TIMEOUT_MS = 30_000;
const MOST_WAIT_S = 120;

const { url, to } = parseArgs({ options: { url: { type: "string" }, to: { type: "string" } } }).values;
const token = process.env.AUDIT_TOKEN;
if (!url || !to || !token) fail("URL, TO and the TOKEN of an administrator are required: make audit-export URL=https://image.the-form TO=audit.ndjson TOKEN=…");

const part = `${to}.part`;
// Only this user reads it: it names users and client IPs.
const file = openSync(part, "w", 0o600);
let count = 0;
try {
  for (let cursor = ""; cursor !== null; ) {
    const { events, nextCursor } = await page(cursor);
    for (const event of events) writeSync(file, `${JSON.stringify(event)}\n`);
    count += events.length;
    cursor = nextCursor;
  }
  closeSync(file);
  renameSync(part, to);
} catch (error) {
  rmSync(part, { force: true });
  fail(error.cause?.message ?? error.message);
}
console.log(`${count} events are in ${to}.`);

/** One page; waits when a limit is reached. */
async function page(cursor) {
  const query = new URLSearchParams({ limit: PAGE, ...(cursor === "" ? {} : { cursor }) });
  for (;;) {
    const answer = await fetch(new URL(`/admin/api/events?${query}`, url), { headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const json = await answer.json().catch(() => ({}));
    if (answer.ok) return json.data;
    const waitS = Number(answer.headers.get("retry-after"));
    if (answer.status !== 429 || !(waitS <= MOST_WAIT_S)) throw new Error(`The deployment answers ${answer.status} ${json.code ?? ""}: ${json.detail ?? ""}`);
    await new Promise((resolve) => setTimeout(resolve, waitS * 1000));
  }
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
