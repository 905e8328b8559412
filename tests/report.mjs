// The file in which trials leave what they counted: target/reliability.json. `make reliability` makes the table of
// docs/reliability.md from it.
//
// Only with KEEP_COUNTS in the environment, as `make test-long` has it: short forms and half runs are shown and not kept.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

export const REPORT = "target/reliability.json";

/** Everything that was kept: `trials`, trial -> counts, and `states`, trial -> of which state of the code they are. */
export function reported() {
  try {
    return JSON.parse(readFileSync(REPORT, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return { trials: {}, states: {} };
  }
}

/** Its commit, and a mark when something was changed since. */
const state = () => execFileSync("git", ["describe", "--always", "--dirty=+"], { encoding: "utf8" }).trim();

/** Puts down counts of a trial, beside those of others and of other tests of the same matter. */
export function writeReport(name, counts) {
  if (!process.env.KEEP_COUNTS) return;
  const { trials, states } = reported();
  const all = { trials: { ...trials, [name]: { ...trials[name], ...counts } }, states: { ...states, [name]: state() } };
  mkdirSync("target", { recursive: true });
  writeFileSync(REPORT, `${JSON.stringify(all, null, 2)}\n`);
}
