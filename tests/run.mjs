// Runs test files that start their own servers and browsers, and prints the duration of each.
//
// `node tests/run.mjs FILE…`. LANES files run in parallel (default 2). A file that fails is run again alone after the others.
// One that then passes depends on the machine and is listed as unstable; one that fails twice fails the run.
import { spawn } from "node:child_process";

const LANES = Number(process.env.LANES ?? 2);
const TIMEOUT_MS = 600_000;
const files = process.argv.slice(2);

const durations = [];
const [first, again] = [[], []];
const queue = [...files];
await Promise.all(Array.from({ length: LANES }, async () => {
  for (let file = queue.shift(); file; file = queue.shift()) if (!(await passes(file))) first.push(file);
}));
for (const file of first) {
  console.log(`==> Again, alone: ${file}`);
  if (!(await passes(file))) again.push(file);
}
durations.sort((one, other) => other.ms - one.ms);
console.log(`Slowest: ${durations.slice(0, 5).map(({ file, ms }) => `${file} ${(ms / 1000).toFixed(0)} s`).join(", ")}`);
for (const file of first) console.log(again.includes(file) ? `FAILED twice: ${file}` : `UNSTABLE, passed on the second run: ${file}`);
console.log(`${files.length} test files, ${again.length} failed`);
process.exitCode = files.length > 0 && again.length === 0 ? 0 : 1;

/** Runs one file and prints its output when it has ended. */
async function passes(file) {
  const began = Date.now();
  const run = spawn(process.execPath, ["--test", "--test-reporter=spec", `--test-timeout=${TIMEOUT_MS}`, file]);
  let output = "";
  for (const stream of [run.stdout, run.stderr]) stream.on("data", (text) => (output += text));
  const status = await new Promise((resolve, reject) => run.once("error", reject).once("close", resolve));
  const ms = Date.now() - began;
  durations.push({ file, ms });
  const shown = output.replace(/^.*(ExperimentalWarning|--trace-warnings).*\n/gm, "");
  console.log(`${status === 0 ? "✔" : "✖"} ${file} (${(ms / 1000).toFixed(1)} s)\n${shown}`);
  return status === 0;
}
