// Checks a running deployment from outside, as a client, and prints a sentence with the remedy for each problem. The exit code
// is 1 when there is one. Uploads one small image, to FORM if it is set: as a guest, whose images expire, or as the user of DOCTOR_TOKEN, and then
// deletes it.
import { parseArgs } from "node:util";

import { checks } from "./doctor/checks.mjs";

const { values } = parseArgs({ options: { url: { type: "string" }, origin: { type: "string" }, form: { type: "string" } } });
if (!values.url) {
  console.error("URL is missing: make doctor URL=https://image.the-form ORIGIN=https://the-form");
  process.exit(2);
}

const base = origin("URL", values.url);
/** Results that later checks use. The token is in the environment, because every process can read arguments. */
const context = {
  base,
  origin: values.origin ? origin("ORIGIN", values.origin) : base,
  token: process.env.DOCTOR_TOKEN,
  adminToken: process.env.DOCTOR_ADMIN_TOKEN,
  form: values.form,
  /** Sends its requests to this version of a deployment in steps. */
  version: process.env.DOCTOR_VERSION,
};
const outcomes = new Map();

for (const { name, needs = [], run } of checks) {
  const missing = needs.find((other) => outcomes.get(other) !== "ok");
  const lines = missing ? [{ kind: "skip", sentence: `Skipped, because "${missing}" did not pass.` }] : await attempt(run);
  outcomes.set(name, lines.some(({ kind }) => kind === "FAIL") ? "FAIL" : missing ? "skip" : "ok");
  for (const { kind, sentence } of lines) console.log(`${kind.padEnd(4)}  ${name.padEnd(11)} ${sentence}`);
}

const failed = [...outcomes].filter(([, outcome]) => outcome === "FAIL").map(([name]) => name);
console.log(failed.length === 0 ? "\nNo problems found." : `\nProblems in: ${failed.join(", ")}.`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** The origin of a URL in a variable; without a scheme it exits with one line. */
function origin(name, text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (["http:", "https:"].includes(url?.protocol)) return url.origin;
  console.error(`${name}=${text} has no scheme: write it as https://image.the-form (http:// only for this machine).`);
  return process.exit(2);
}

/** Runs a check and returns its lines. An exception counts as a failure. */
async function attempt(run) {
  const lines = [];
  const report = {
    ok: (sentence) => lines.push({ kind: "ok", sentence }),
    note: (sentence) => lines.push({ kind: "note", sentence }),
    fail: (sentence) => lines.push({ kind: "FAIL", sentence }),
    /** Fails with the sentence unless the condition is true; returns the condition. */
    expect: (condition, sentence) => {
      if (!condition) report.fail(sentence);
      return Boolean(condition);
    },
  };
  try {
    const passed = await run(context, report);
    if (passed && lines.every(({ kind }) => kind !== "FAIL")) report.ok(passed);
  } catch (error) {
    report.fail(`The check stopped with an error: ${error.cause?.message ?? error.message}.`);
  }
  return lines;
}
