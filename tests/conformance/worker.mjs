// Sends the files of public corpora to the running Worker, each as four types, with a valid image after each.
//
// `node tests/conformance/worker.mjs DIR`, where DIR is the folder of the corpora. Prints every response that differs from the
// verdict of native code, every stored image that sharp cannot read, and every difference between responses and stored
// objects; exits with 1 when there is one. Needs `make edge www` and the packages of tests/bench/package.json.
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
/** Keys in responses that are not yet found in the store. */
const stored = new Set();
let asked = 0;

const server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
try {
  const queue = files.map((file, index) => ({ file, verdict: native[index] }));
  await Promise.all(Array.from({ length: LANES }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await tryAs(next);
  }));
  await checkStore();
} finally {
  await server.stop();
}
for (const line of wrong) console.log(line);
writeReport("corporaInWorker", counts);
console.log(`The Worker compared with native code and sharp: ${JSON.stringify(counts)}`);
process.exitCode = files.length > 0 && wrong.length === 0 && counts.goodAfter === counts.uploads ? 0 : 1;

/** Sends a file as each type, with a valid image after each. */
async function tryAs({ file, verdict }) {
  const bytes = file.read();
  for (const type of TYPES) {
    const { status, json } = await send(bytes, type);
    counts.uploads += 1;
    if (status >= 500 || status === 0) record("faults", `${file.name} as ${type}: ${status}`);
    const expected = expectation(bytes, type, verdict);
    const found = json?.data ? [json.data.contentType, json.data.width, json.data.height, json.data.fileSize].join(" ") : json?.code;
    if (found !== expected) record("differing", `${file.name} as ${type}: ${found}, natively ${expected}`);
    counts[json?.data ? "accepted" : "refused"] += 1;
    if (json?.data) stored.add(json.data.key);
    const after = await send(gif(asked), "image/gif");
    if (after.status === 201) counts.goodAfter += 1;
    else wrong.push(`a valid image after ${file.name} as ${type}: ${after.status} ${after.json?.code}`);
    if (after.json?.data) stored.add(after.json.data.key);
  }
}

/** The expected result of a file that is sent as `type`, by native code. */
function expectation(bytes, type, { code, processed }) {
  // An empty or too large body is rejected before its type is checked.
  if (bytes.length > 0 && bytes.length <= 5 << 20 && typeOf(bytes) !== type) return "INVALID_FILE_SIGNATURE";
  return code ?? [`image/${processed.format}`, processed.width, processed.height, processed.sizeBytes].join(" ");
}

/** Sends each body as a new user from a new client IP, so that no limit applies. */
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

/** Checks that the store contains exactly the acknowledged images, and that sharp decodes each. */
async function checkStore() {
  for (const [key, bytes] of server.objects()) {
    if (!stored.delete(key)) record("strays", `${key} is stored and was not acknowledged`);
    const reading = sharp(bytes, { failOn: "warning", animated: true }).stats();
    await reading.catch((error) => record("undecodable", `${key}: ${error.message}`));
  }
  for (const key of stored) record("strays", `${key} was acknowledged and is not stored`);
}

function record(kind, line) {
  counts[kind] += 1;
  wrong.push(`${kind}: ${line}`);
}
