// The file in which trials leave what they counted: target/reliability.json, one entry a trial.
// `make reliability` makes the table of docs/reliability.md from it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

export const REPORT = "target/reliability.json";

/** Everything counted so far: trial -> counts. */
export function reported() {
  try {
    return JSON.parse(readFileSync(REPORT, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return {};
  }
}

/** Puts down counts of a trial, beside those of others and of other tests of the same matter. */
export function writeReport(name, counts) {
  const all = reported();
  mkdirSync("target", { recursive: true });
  writeFileSync(REPORT, `${JSON.stringify({ ...all, [name]: { ...all[name], ...counts } }, null, 2)}\n`);
}
