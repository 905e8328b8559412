// Mutation testing: changes the code in one place at a time and counts the mutants that the tests catch. `node
// tests/mutants.mjs [AREA,…] [--again] [further arguments of cargo mutants]`. The first run uses quick tests; `--again` runs all
// tests of the crates on the mutants that survived, and counts them again. This file lists the files and the quick tests of
// each area; docs/reliability.md lists the survivors with the reasons.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";

import { writeReport } from "./report.mjs";

const OUTPUT = `${process.cwd()}/target/mutants`;
const TREE = `${OUTPUT}/tree`;

// The request tests of edge-api test all crates of the edge. SLOW lists those that hash passwords, test other things, or send
// many forged tokens.
const REQUESTS = ["--cargo-arg=--tests"];
const SLOW = ["accounts::", "admin::", "alerts::", "access::", "log::", "scheduling::", "bucket_binding::", "response_contract::", "tests::forged"];
const edge = (crate, files) => ({
  packages: [...new Set([`edge-${crate}`, "edge-api"])],
  sources: "edge",
  files: files.map((file) => `edge/${crate}/src/${file}`),
  tests: ["--", ...SLOW.flatMap((name) => ["--skip", name])],
  options: REQUESTS,
});
const rules = (files, tests, options = []) => ({
  packages: ["image-rules"],
  sources: "shared",
  files: files.map((file) => `shared/src/${file}`),
  tests: tests.length > 0 ? ["--", ...tests] : [],
  options,
});
// Pixel code is tested by whole images, which takes longer.
const CODEC = ["--features", "codec", "--cargo-arg=--test=processing", "--cargo-arg=--test=laws"];
/** The tests for the survivors of the quick tests. */
const ALL = { shared: { options: ["--all-features", "--cargo-arg=--tests"], tests: [] }, edge: { options: REQUESTS, tests: [] } };

// Without the pixel arithmetic of decode/, encode/ and resize: every change there changes a golden hash, and a run would take
// half a day.
const AREAS = {
  auth: [edge("auth", ["**"])],
  limits: [
    edge("api", ["config/mod.rs", "admission/mod.rs", "admission/strikes.rs", "admission/upload.rs", "body/read.rs"]),
    rules(["limits.rs"], ["limits::"]),
  ],
  ledger: [edge("ledger", ["**"])],
  images: [rules(["format/**", "plan/**", "container/**", "inspect/**"], [])],
  cleaning: [rules(["raster/orient.rs", "pipeline/**", "sanitize/**"], [], CODEC)],
};

for (const parts of Object.values(AREAS)) parts.forEach((part, number) => (part.number = number));

/** The output folder of a run. */
const folder = (area, part) => `${OUTPUT}/${area}-${part.number}`;

/**
 * Copies the tree that is mutated, always to the same path, so that unchanged crates are compiled once. Files of the mutated
 * sources get a new date, because the last build of them was one of a mutant.
 */
function copy(sources) {
  const { stdout } = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
  rmSync(TREE, { recursive: true, force: true });
  const now = new Date();
  for (const file of new Set(stdout.split("\0").filter((file) => file && existsSync(file)))) {
    cpSync(file, `${TREE}/${file}`, { preserveTimestamps: true });
    if (file.startsWith(`${sources}/`)) utimesSync(`${TREE}/${file}`, now, now);
  }
}

function run(area, part, extra) {
  const files = part.files.flatMap((file) => ["--file", file]);
  const tests = part.tests.length > 0 ? ["--", ...part.tests] : [];
  const place = ["--dir", TREE, "--in-place", "--output", folder(area, part)];
  const judges = part.packages.flatMap((name) => ["--test-package", name]);
  const options = ["--package", part.packages[0], ...judges, ...files, ...part.options, ...place, ...extra];
  // A target folder for each source tree, because the edge must not be built on a mutant of shared.
  const env = { ...process.env, CARGO_TARGET_DIR: `${OUTPUT}/build-${part.sources}`, CARGO_PROFILE_TEST_DEBUG: "0" };
  copy(part.sources);
  const { status } = spawnSync("cargo", ["mutants", ...options, ...tests], { stdio: "inherit", env });
  // cargo mutants exits with 2 for survivors and 3 for timeouts, which are counted below.
  if (![0, 2, 3].includes(status)) process.exit(status ?? 1);
}

const json = (file) => JSON.parse(readFileSync(file, "utf8"));
/** The file with the first and the last verdict on each mutant. */
const verdicts = (area, part) => `${folder(area, part)}/verdicts.json`;
const VERDICTS = { CaughtMutant: "killed", MissedMutant: "survived", Unviable: "unviable", Timeout: "timeout" };

function record(area, part, past) {
  const changes = { ...past.changes };
  for (const { scenario, summary } of json(`${folder(area, part)}/mutants.out/outcomes.json`).outcomes) {
    const name = scenario.Mutant?.name;
    // cargo mutants also runs every "delete field" mutant in spite of the filter; those were not in the shard.
    if (scenario === "Baseline" || (past.changes && !past.changes[name])) continue;
    const last = VERDICTS[summary];
    changes[name] = { first: changes[name]?.first ?? last, last };
  }
  writeFileSync(verdicts(area, part), JSON.stringify({ ...past, changes }, null, 1));
}

/** Runs the mutants that survived. One whose line has moved counts as a survivor until its area is run again completely. */
function runAgain(area, part, extra) {
  const past = json(verdicts(area, part));
  const survivors = Object.keys(past.changes).filter((name) => past.changes[name].last === "survived");
  if (survivors.length === 0) return;
  const these = survivors.flatMap((name) => ["--re", `^${name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`]);
  const files = [...new Set(survivors.map((name) => name.split(":")[0]))];
  run(area, { ...part, files, ...ALL[part.sources] }, [...these, ...extra]);
  record(area, part, past);
}

function count(area) {
  const runs = AREAS[area].map((part) => json(verdicts(area, part)));
  const changes = runs.flatMap((run) => Object.values(run.changes));
  const of = (verdict, when = "last") => changes.filter((change) => change[when] === verdict).length;
  const counts = { tried: changes.length, unviable: of("unviable"), killed: of("killed"), timeout: of("timeout"), survived: of("survived") };
  // A timeout counts as caught.
  const caught = counts.killed + counts.timeout;
  const percent = Math.round((1000 * caught) / (caught + counts.survived)) / 10;
  return { ...counts, survivedAtFirst: of("survived", "first"), percent, shard: [...new Set(runs.map((run) => run.shard))].join(", ") };
}

const [wanted, ...rest] = process.argv.slice(2);
const again = rest.includes("--again");
const extra = rest.filter((option) => option !== "--again");
const at = extra.indexOf("--shard");
const shard = at < 0 ? "all" : extra[at + 1];
for (const area of wanted ? wanted.split(",") : Object.keys(AREAS)) {
  if (!AREAS[area]) throw new Error(`unknown area: ${area}; the areas are ${Object.keys(AREAS).join(", ")}`);
  for (const part of AREAS[area]) {
    if (again) {
      runAgain(area, part, extra);
    } else {
      // Neighbouring mutants are similar, so every fourth mutant is a better sample than the first quarter.
      run(area, part, at < 0 ? extra : ["--sharding", "round-robin", ...extra]);
      record(area, part, { shard });
    }
  }
  const counts = count(area);
  writeReport("mutants", { [area]: counts });
  console.table({ [area]: counts });
}
