// Mutation testing: changes the code in one place at a time and counts which changes the tests notice. `node
// tests/mutants.mjs [AREA,…] [--again] [further arguments of cargo mutants]`. Quick tests judge first; `--again` makes only those
// changes that survived the last time, has all tests of their crates judge them, and counts them anew. Which files make an
// area, and which tests judge it at first, stands here; what survives, and why, in docs/reliability.md.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";

import { writeReport } from "./report.mjs";

const OUTPUT = `${process.cwd()}/target/mutants`;
const TREE = `${OUTPUT}/tree`;

// The request tests of edge-api judge all crates of the edge, without those that hash passwords or are about other things. The
// list of forged tokens takes as long.
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
// Pixels are judged by whole pictures, which takes longer.
const CODEC = ["--features", "codec", "--cargo-arg=--test=processing", "--cargo-arg=--test=laws"];
/** What judges the survivors of the quick tests. */
const ALL = { shared: { options: ["--all-features", "--cargo-arg=--tests"], tests: [] }, edge: { options: REQUESTS, tests: [] } };

// The pixel arithmetic of decode/, encode/ and resize is no decision: every sum there changes a golden hash,
// and a run would take half a day.
const AREAS = {
  auth: [edge("auth", ["**"])],
  limits: [
    edge("api", ["config/mod.rs", "admission.rs", "body/read.rs"]),
    rules(["limits.rs"], ["limits::"]),
  ],
  ledger: [edge("ledger", ["**"])],
  images: [rules(["format/**", "plan/**", "container/**", "inspect/**"], [])],
  cleaning: [rules(["raster/orient.rs", "pipeline/**", "sanitize/**"], [], CODEC)],
};

for (const parts of Object.values(AREAS)) parts.forEach((part, number) => (part.number = number));

/** Whatever a run leaves behind. */
const folder = (area, part) => `${OUTPUT}/${area}-${part.number}`;

/**
 * The tree whose code is changed: always at the same place, so that what is not changed is compiled once. Files of the
 * sources that are changed get a new date, as the last thing that was compiled of them is a mutant.
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
  // A folder for each: what is compiled of shared may be a mutant, and the edge is built upon it.
  const env = { ...process.env, CARGO_TARGET_DIR: `${OUTPUT}/build-${part.sources}`, CARGO_PROFILE_TEST_DEBUG: "0" };
  copy(part.sources);
  const { status } = spawnSync("cargo", ["mutants", ...options, ...tests], { stdio: "inherit", env });
  // Survivors end it with 2, those that ran out of time with 3: they are counted below.
  if (![0, 2, 3].includes(status)) process.exit(status ?? 1);
}

const json = (file) => JSON.parse(readFileSync(file, "utf8"));
/** What became of each change, at first and at last. */
const verdicts = (area, part) => `${folder(area, part)}/verdicts.json`;
const VERDICTS = { CaughtMutant: "killed", MissedMutant: "survived", Unviable: "unviable", Timeout: "timeout" };

function record(area, part, past) {
  const changes = { ...past.changes };
  for (const { scenario, summary } of json(`${folder(area, part)}/mutants.out/outcomes.json`).outcomes) {
    const name = scenario.Mutant?.name;
    // cargo mutants also makes every "delete field", whatever it is asked for: those were not in the shard.
    if (scenario === "Baseline" || (past.changes && !past.changes[name])) continue;
    const last = VERDICTS[summary];
    changes[name] = { first: changes[name]?.first ?? last, last };
  }
  writeFileSync(verdicts(area, part), JSON.stringify({ ...past, changes }, null, 1));
}

/** The very changes that survived; one whose line has moved since counts as a survivor until its area is run whole. */
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
  // Whatever never ends is noticed, too.
  const noticed = counts.killed + counts.timeout;
  const percent = Math.round((1000 * noticed) / (noticed + counts.survived)) / 10;
  return { ...counts, survivedAtFirst: of("survived", "first"), percent, shard: [...new Set(runs.map((run) => run.shard))].join(", ") };
}

const [wanted, ...rest] = process.argv.slice(2);
const again = rest.includes("--again");
const extra = rest.filter((option) => option !== "--again");
const at = extra.indexOf("--shard");
const shard = at < 0 ? "all" : extra[at + 1];
for (const area of wanted ? wanted.split(",") : Object.keys(AREAS)) {
  if (!AREAS[area]) throw new Error(`no such area: ${area} (there are ${Object.keys(AREAS).join(", ")})`);
  for (const part of AREAS[area]) {
    if (again) {
      runAgain(area, part, extra);
    } else {
      // Neighbours are alike: every fourth change says more than the first quarter of them.
      run(area, part, at < 0 ? extra : ["--sharding", "round-robin", ...extra]);
      record(area, part, { shard });
    }
  }
  const counts = count(area);
  writeReport("mutants", { [area]: counts });
  console.table({ [area]: counts });
}
