// Runs test files that each start servers and browsers of their own, and says how long each took.
//
// `node tests/run.mjs FILE…`. LANES files run at once (one, unless the variable says more). A file that fails is
// run again, alone, after the others: one that passes then depends on the machine, and is named at the end so that
// somebody mends it; one that fails twice fails the run.
import { spawn } from "node:child_process";

const LANES = Number(process.env.LANES ?? 1);
const TIMEOUT_MS = 600_000;
const files = process.argv.slice(2);

const tooks = [];
const [first, again] = [[], []];
const queue = [...files];
await Promise.all(Array.from({ length: LANES }, async () => {
  for (let file = queue.shift(); file; file = queue.shift()) if (!(await passes(file))) first.push(file);
}));
for (const file of first) {
  console.log(`==> Once more, alone: ${file}`);
  if (!(await passes(file))) again.push(file);
}
tooks.sort((one, other) => other.ms - one.ms);
console.log(`The longest: ${tooks.slice(0, 5).map(({ file, ms }) => `${file} ${(ms / 1000).toFixed(0)} s`).join(", ")}`);
for (const file of first) console.log(again.includes(file) ? `FAILED twice: ${file}` : `UNSTABLE, passed only when run again: ${file}`);
console.log(`${files.length} files of tests, ${again.length} failed`);
process.exitCode = files.length > 0 && again.length === 0 ? 0 : 1;

/** Runs one file; what it says is shown in one piece, when it is over. */
async function passes(file) {
  const began = Date.now();
  const run = spawn(process.execPath, ["--test", "--test-reporter=spec", `--test-timeout=${TIMEOUT_MS}`, file]);
  let said = "";
  for (const stream of [run.stdout, run.stderr]) stream.on("data", (text) => (said += text));
  const status = await new Promise((resolve, reject) => run.once("error", reject).once("close", resolve));
  const ms = Date.now() - began;
  tooks.push({ file, ms });
  const words = said.replace(/^.*(ExperimentalWarning|--trace-warnings).*\n/gm, "");
  console.log(`${status === 0 ? "✔" : "✖"} ${file} (${(ms / 1000).toFixed(1)} s)\n${words}`);
  return status === 0;
}
