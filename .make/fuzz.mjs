// Fuzzes every target at once for some seconds, seeded with the fixtures and with what was found before.
//
// `node .make/fuzz.mjs SECONDS`. A crash ends it and names its file. Counts land in target/reliability.json (tests/report.mjs says when); inputs that
// reach something new land in target/fuzz, and `make fuzz-corpus` keeps the smallest of them.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";

import { writeReport } from "../tests/report.mjs";

const TARGETS = ["inspect", "scrub", "process"];
const FORMATS = ["jpeg", "png", "gif", "webp"];
const seconds = Number(process.argv[2]);

if (spawnSync("rustup", ["run", "nightly", "cargo", "--version"]).status !== 0) {
  console.error("Missing: the nightly toolchain, which fuzzing needs. Run: rustup toolchain install nightly");
  process.exit(1);
}
console.log("Building the targets (the first time some minutes)");
if (spawnSync("cargo", ["+nightly", "fuzz", "build"], { cwd: "shared", stdio: "inherit" }).status !== 0) process.exit(1);

const counts = Object.fromEntries(await Promise.all(TARGETS.map(async (target) => [target, await fuzz(target)])));
writeReport("fuzz", counts);
console.log(JSON.stringify(counts));
process.exitCode = Object.values(counts).every(({ crashes }) => crashes === 0) ? 0 : 1;

async function fuzz(target) {
  const found = `../target/fuzz/${target}`;
  mkdirSync(`target/fuzz/${target}`, { recursive: true });
  const seeds = [`fuzz/corpus/${target}`, ...FORMATS.map((format) => `../tests/fixtures/${format}`)];
  const limits = ["-dict=fuzz/picture.dict", "-max_len=8192", `-max_total_time=${seconds}`, "-rss_limit_mb=2048", "-timeout=60"];
  const run = spawn("cargo", ["+nightly", "fuzz", "run", target, found, ...seeds, "--", ...limits], {
    cwd: "shared",
    stdio: ["ignore", "inherit", "pipe"],
  });
  let runs = 0;
  for await (const line of createInterface({ input: run.stderr })) {
    runs = Number(/^Done (\d+) runs/.exec(line)?.[1] ?? /^#(\d+)\s/.exec(line)?.[1] ?? runs);
    // One line for each doubling, and all of what goes wrong.
    if (!/^#\d+\s+(NEW|REDUCE|RELOAD)/.test(line)) console.log(`${target}: ${line}`);
  }
  const status = run.exitCode ?? (await new Promise((resolve) => run.once("exit", resolve)));
  return { seconds, runs, crashes: status === 0 ? 0 : 1 };
}
