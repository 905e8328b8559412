// Reads and writes target/reliability.json, the counts of the trials, from which `make reliability` writes the table of
// docs/reliability.md.
//
// Counts are written only with KEEP_COUNTS, which `make test-long` sets; those of short forms and partial runs are only shown.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

export const REPORT = "target/reliability.json";

/** The stored counts: `trials`, trial -> counts, and `states`, trial -> commit. */
export function reported() {
  try {
    return JSON.parse(readFileSync(REPORT, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return { trials: {}, states: {} };
  }
}

/** The current commit, with a mark for uncommitted changes. */
const state = () => execFileSync("git", ["describe", "--always", "--dirty=+"], { encoding: "utf8" }).trim();

/** Adds counts to those of a trial, which may come from several tests. */
export function writeReport(name, counts) {
  if (!process.env.KEEP_COUNTS) return;
  const { trials, states } = reported();
  const all = { trials: { ...trials, [name]: { ...trials[name], ...counts } }, states: { ...states, [name]: state() } };
  mkdirSync("target", { recursive: true });
  writeFileSync(REPORT, `${JSON.stringify(all, null, 2)}\n`);
}
