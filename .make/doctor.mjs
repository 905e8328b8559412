// Looks at a running deployment from outside, as a caller would, and says in a sentence each what is wrong and
// what to do. Exit code 1 when anything is. It uploads one tiny picture: as a guest, and it goes away
// by itself; or with DOCTOR_TOKEN as that user, and it is deleted.
import { parseArgs } from "node:util";

import { checks } from "./doctor/checks.mjs";

const { values } = parseArgs({ options: { url: { type: "string" }, origin: { type: "string" } } });
if (!values.url) {
  console.error("Say which deployment: make doctor URL=https://image.the-form ORIGIN=https://the-form");
  process.exit(2);
}

const base = origin("URL", values.url);
/** What later checks need of earlier ones. The token comes by the environment: arguments are seen by every process. */
const found = { base, origin: values.origin ? origin("ORIGIN", values.origin) : base, token: process.env.DOCTOR_TOKEN };
const outcomes = new Map();

for (const { name, needs = [], run } of checks) {
  const missing = needs.find((other) => outcomes.get(other) !== "ok");
  const lines = missing ? [{ kind: "skip", sentence: `Not tried, because it needs "${missing}".` }] : await attempt(run);
  outcomes.set(name, lines.some(({ kind }) => kind === "FAIL") ? "FAIL" : missing ? "skip" : "ok");
  for (const { kind, sentence } of lines) console.log(`${kind.padEnd(4)}  ${name.padEnd(11)} ${sentence}`);
}

const failed = [...outcomes].filter(([, outcome]) => outcome === "FAIL").map(([name]) => name);
console.log(failed.length === 0 ? "\nAll is well." : `\nWrong: ${failed.join(", ")}.`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Scheme and host of a variable; anything else ends the program with one line. */
function origin(name, text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (["http:", "https:"].includes(url?.protocol)) return url.origin;
  console.error(`${name}=${text} has no scheme: write it as https://image.the-form (http:// only for this machine).`);
  return process.exit(2);
}

/** What a check says. One that stops half-way has found something, too. */
async function attempt(run) {
  const lines = [];
  const tell = {
    ok: (sentence) => lines.push({ kind: "ok", sentence }),
    note: (sentence) => lines.push({ kind: "note", sentence }),
    fail: (sentence) => lines.push({ kind: "FAIL", sentence }),
    /** Whether it holds; if not, the sentence says what to do. */
    holds: (condition, sentence) => {
      if (!condition) tell.fail(sentence);
      return Boolean(condition);
    },
  };
  try {
    const good = await run(found, tell);
    if (good && lines.every(({ kind }) => kind !== "FAIL")) tell.ok(good);
  } catch (error) {
    tell.fail(`It broke off: ${error.cause?.message ?? error.message}.`);
  }
  return lines;
}
