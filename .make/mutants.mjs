// Breaks the code on purpose, one place at a time, and counts what the unit tests notice: `node
// .make/mutants.mjs [AREA,…] [further arguments of cargo mutants]`. Which files make an area, and which tests
// judge it, stands here; what survives, and why, in docs/reliability.md.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

import { writeReport } from "../tests/report.mjs";

const OUTPUT = "target/mutants";

const edge = (files, tests) => ({ package: "image-edge", files: files.map((file) => `edge/src/${file}`), tests, options: [] });
const rules = (files, tests, options = []) => ({ package: "image-rules", files: files.map((file) => `shared/src/${file}`), tests, options });
// Pixels are judged by whole pictures, which takes longer.
const CODEC = ["--features", "codec", "--cargo-arg=--test=processing", "--cargo-arg=--test=laws"];

// The pixel arithmetic of decode/, encode/ and resize is no decision: every sum there changes a golden hash,
// and a run would take half a day.
const AREAS = {
  auth: [edge(["auth/**"], ["auth::", "tickets::", "story::"])],
  limits: [
    edge(["config/limits.rs", "admission.rs", "intake/body.rs"], ["config::", "admission::", "intake::", "story::"]),
    rules(["limits.rs"], ["limits::"]),
  ],
  ledger: [edge(["ledger/**"], ["ledger::", "story::"])],
  images: [
    rules(["sniff.rs", "sniff/**", "budget.rs", "plan.rs", "exif.rs", "probe/**"], []),
    rules(["orient.rs", "optimise.rs", "prepare.rs", "pipeline.rs", "scrub/**"], [], CODEC),
  ],
};

/** Whatever a run leaves behind. */
const folder = (area, part) => `${OUTPUT}/${area}-${AREAS[area].indexOf(part)}`;

function run(area, part, extra) {
  const files = part.files.flatMap((file) => ["--file", file]);
  const tests = part.tests.length > 0 ? ["--", "--", ...part.tests] : [];
  const options = ["--package", part.package, ...files, ...part.options, "--output", folder(area, part), ...extra];
  // Everything that is not mutated is compiled once, whatever is run.
  const env = { ...process.env, CARGO_TARGET_DIR: `${process.cwd()}/${OUTPUT}/build`, CARGO_PROFILE_TEST_DEBUG: "0" };
  const { status } = spawnSync("cargo", ["mutants", ...options, ...tests], { stdio: "inherit", env });
  // Survivors end it with 2, those that ran out of time with 3: they are counted below.
  if (![0, 2, 3].includes(status)) process.exit(status ?? 1);
}

/** What became of the mutants of an area, or nothing before it was run. */
function count(area) {
  const files = AREAS[area].map((part) => `${folder(area, part)}/mutants.out/outcomes.json`);
  if (!files.every(existsSync)) return [];
  const outcomes = files.flatMap((file) => JSON.parse(readFileSync(file, "utf8")).outcomes);
  const of = (summary) => outcomes.filter((outcome) => outcome.scenario !== "Baseline" && outcome.summary === summary).length;
  const [killed, survived, unviable, timeout] = ["CaughtMutant", "MissedMutant", "Unviable", "Timeout"].map(of);
  // Whatever never ends is noticed, too.
  const percent = Math.round((1000 * (killed + timeout)) / (killed + timeout + survived)) / 10;
  return [[area, { killed, survived, unviable, timeout, percent }]];
}

const [wanted, ...extra] = process.argv.slice(2);
for (const area of wanted ? wanted.split(",") : Object.keys(AREAS)) {
  if (!AREAS[area]) throw new Error(`no such area: ${area} (there are ${Object.keys(AREAS).join(", ")})`);
  for (const part of AREAS[area]) run(area, part, extra);
}
const mutants = Object.fromEntries(Object.keys(AREAS).flatMap(count));
writeReport("mutants", mutants);
console.table(mutants);
