// Sends files that nobody here wrote to the running Worker, each as four types and a good picture after it.
//
// `node tests/conformance/worker.mjs DIR`, where DIR holds the corpora. Prints every answer that is not what native
// code says of the file, every stored picture that sharp cannot read, and all that was stored although it was refused;
// exits with 1 when there is any. Needs `make edge www` and what tests/bench/package.json names.
import { createRequire } from "node:module";
import { resolve } from "node:path";

import { gif } from "../e2e/pictures.mjs";
import { startServer } from "../e2e/server.mjs";
import { writeReport } from "../report.mjs";
import { corpora, inspect, TYPES, typeOf } from "./corpora.mjs";

const sharp = createRequire(new URL("../bench/package.json", import.meta.url))("sharp");
const LANES = 4;

const files = corpora(resolve(process.argv[2]));
const native = inspect(files);
const counts = { files: files.length, uploads: 0, accepted: 0, refused: 0, goodAfter: 0, faults: 0, differing: 0, undecodable: 0, strays: 0 };
const wrong = [];
/** Keys that were answered. */
const stored = new Set();
let asked = 0;

const server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
try {
  const queue = files.map((file, index) => ({ file, verdict: native[index] }));
  await Promise.all(Array.from({ length: LANES }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await tryAs(next);
  }));
  await lookInside();
} finally {
  await server.stop();
}
for (const line of wrong) console.log(line);
writeReport("corporaInWorker", counts);
console.log(`The Worker beside native code and sharp: ${JSON.stringify(counts)}`);
process.exitCode = files.length > 0 && wrong.length === 0 && counts.goodAfter === counts.uploads ? 0 : 1;

/** One file under each type, with a good picture after each. */
async function tryAs({ file, verdict }) {
  const bytes = file.read();
  for (const type of TYPES) {
    const { status, json } = await send(bytes, type);
    counts.uploads += 1;
    if (status >= 500 || status === 0) complain("faults", `${file.name} as ${type}: ${status}`);
    const expected = expectation(bytes, type, verdict);
    const found = json?.data ? [json.data.contentType, json.data.width, json.data.height, json.data.fileSize].join(" ") : json?.code;
    if (found !== expected) complain("differing", `${file.name} as ${type}: ${found}, natively ${expected}`);
    counts[json?.data ? "accepted" : "refused"] += 1;
    if (json?.data) stored.add(json.data.key);
    const after = await send(gif(asked), "image/gif");
    if (after.status === 201) counts.goodAfter += 1;
    else wrong.push(`a good picture after ${file.name} as ${type}: ${after.status} ${after.json?.code}`);
    if (after.json?.data) stored.add(after.json.data.key);
  }
}

/** What native code says of a file that is sent as `type`. */
function expectation(bytes, type, { code, processed }) {
  // A body that is too short or too long is refused before anybody looks at what it is.
  if (bytes.length > 0 && bytes.length <= 5 << 20 && typeOf(bytes) !== type) return "INVALID_FILE_SIGNATURE";
  return code ?? [`image/${processed.format}`, processed.width, processed.height, processed.sizeBytes].join(" ");
}

/** From a user and an address of its own, so that no limit comes in between. */
async function send(body, type) {
  asked += 1;
  const headers = {
    Authorization: `Bearer ${server.token({ sub: `user-${asked}` })}`,
    "Content-Type": type,
    "CF-Connecting-IP": `198.18.${asked >> 8}.${asked & 255}`,
  };
  try {
    const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body });
    return { status: answer.status, json: await answer.json() };
  } catch {
    return { status: 0 };
  }
}

/** Whether just what was answered is stored, and another decoder reads all of it. */
async function lookInside() {
  for (const [key, bytes] of server.objects()) {
    if (!stored.delete(key)) complain("strays", `${key} is stored, and nobody was told`);
    const reading = sharp(bytes, { failOn: "warning", animated: true }).stats();
    await reading.catch((error) => complain("undecodable", `${key}: ${error.message}`));
  }
  for (const key of stored) complain("strays", `${key} was answered and is not stored`);
}

function complain(kind, line) {
  counts[kind] += 1;
  wrong.push(`${kind}: ${line}`);
}
