// Fuzzes all targets in parallel, seeded with the fixtures and the corpus.
//
// `node shared/fuzz/run.mjs SECONDS`. A crash ends the run and names its input. Counts are written by tests/report.mjs; inputs with
// new coverage are in target/fuzz, and `node shared/fuzz/run.mjs keep` copies the smallest of them to shared/fuzz/corpus.
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { createInterface } from "node:readline";

import { writeReport } from "../../tests/report.mjs";

const TARGETS = ["inspect", "scrub", "process"];
const FORMATS = ["jpeg", "png", "gif", "webp"];
/** Of each target: enough to begin where a long run ended, and few enough for a repository. */
const KEPT = { files: 36, bytes: 512 };
const wish = process.argv[2];

if (spawnSync("rustup", ["run", "nightly", "cargo", "--version"]).status !== 0) {
  console.error("Missing: the nightly toolchain, which fuzzing needs. Run: rustup toolchain install nightly");
  process.exit(1);
}
console.log("Building the targets (the first time some minutes)");
if (spawnSync("cargo", ["+nightly", "fuzz", "build"], { cwd: "shared", stdio: "inherit" }).status !== 0) process.exit(1);

if (wish === "keep") for (const target of TARGETS) keep(target);
else await fuzzAll(Number(wish));

async function fuzzAll(seconds) {
  const counts = Object.fromEntries(await Promise.all(TARGETS.map(async (target) => [target, await fuzz(target, seconds)])));
  writeReport("fuzz", counts);
  console.log(JSON.stringify(counts));
  process.exitCode = Object.values(counts).every(({ crashes }) => crashes === 0) ? 0 : 1;
}

async function fuzz(target, seconds) {
  const found = `../target/fuzz/${target}`;
  for (const folder of [`target/fuzz/${target}`, `shared/fuzz/corpus/${target}`]) mkdirSync(folder, { recursive: true });
  const seeds = [`fuzz/corpus/${target}`, ...FORMATS.map((format) => `../tests/fixtures/${format}`)];
  const limits = ["-dict=fuzz/picture.dict", "-max_len=8192", `-max_total_time=${seconds}`, "-rss_limit_mb=2048", "-timeout=60"];
  const run = spawn("cargo", ["+nightly", "fuzz", "run", target, found, ...seeds, "--", ...limits], {
    cwd: "shared",
    stdio: ["ignore", "inherit", "pipe"],
  });
  let runs = 0;
  for await (const line of createInterface({ input: run.stderr })) {
    runs = Number(/^Done (\d+) runs/.exec(line)?.[1] ?? /^#(\d+)\s/.exec(line)?.[1] ?? runs);
    // Prints one line for each doubling of the runs, and all errors.
    if (!/^#\d+\s+(NEW|REDUCE|RELOAD)/.test(line)) console.log(`${target}: ${line}`);
  }
  const status = run.exitCode ?? (await new Promise((resolve) => run.once("exit", resolve)));
  return { seconds, runs, crashes: status === 0 ? 0 : 1 };
}

/** The shortest of the inputs that together reach all that short ones reach. */
function keep(target) {
  const [chosen, corpus] = [`target/fuzz-kept/${target}`, `shared/fuzz/corpus/${target}`];
  for (const folder of [chosen, corpus]) mkdirSync(folder, { recursive: true });
  const merge = ["+nightly", "fuzz", "run", target, `../${chosen}`, `fuzz/corpus/${target}`, `../target/fuzz/${target}`, "--", "-set_cover_merge=1", `-max_len=${KEPT.bytes}`];
  if (spawnSync("cargo", merge, { cwd: "shared", stdio: "inherit" }).status !== 0) process.exit(1);
  rmSync(corpus, { recursive: true });
  mkdirSync(corpus);
  const size = (name) => statSync(`${chosen}/${name}`).size;
  const short = readdirSync(chosen).filter((name) => size(name) <= KEPT.bytes).toSorted((one, other) => size(one) - size(other));
  for (const name of short.slice(0, KEPT.files)) copyFileSync(`${chosen}/${name}`, `${corpus}/${name}`);
  console.log(`${target}: ${Math.min(short.length, KEPT.files)} of ${short.length} inputs kept`);
  rmSync(chosen, { recursive: true });
}
