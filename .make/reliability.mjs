// Makes the table of docs/reliability.md from what the trials counted (target/reliability.json), and says of each
// figure whether it holds. Exits with 1 when one does not, or when a trial has not run.
import { readFileSync, writeFileSync } from "node:fs";

import { reported } from "../tests/report.mjs";

const PAGE = "docs/reliability.md";
const [BEGIN, END] = ["<!-- figures -->", "<!-- end of the figures -->"];
const number = (value) => Number(value).toLocaleString("en-US");
const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** What was tried, what came out, what it is held against, and whether it holds. */
const ROWS = [
  {
    trial: "corporaInWorker",
    what: "Files of others (PngSuite, libwebp, reftests, fuzzers' finds, polyglots, bombs) sent to the Worker as each of the four types, a good upload after each",
    figure: (c) => `${number(c.files)} files, ${number(c.uploads)} uploads, ${number(c.accepted)} accepted; ${c.faults} answers 5xx, ${c.differing} unlike native code, ${c.undecodable} that sharp cannot read, ${c.strays} stray objects, ${number(c.goodAfter)} good uploads after`,
    bar: "0, 0, 0, 0, all",
    holds: (c) => c.faults + c.differing + c.undecodable + c.strays === 0 && c.goodAfter === c.uploads,
  },
  {
    trial: "corporaInChromium",
    what: "The same files in the browser package in Chromium",
    figure: (c) => `${number(c.files)} files, ${c.differing} unlike native code`,
    bar: "0",
    holds: (c) => c.files > 0 && c.differing === 0,
  },
  {
    trial: "hybrids",
    what: "A ZIP, a script and a PDF in every place that the four formats leave for it",
    figure: (c) => `${number(c.places)} places, ${number(c.hybrids)} hybrids: ${c.cleaned} cleaned, ${c.refused} refused, ${c.survived} survived`,
    bar: "0 survive",
    holds: (c) => c.survived === 0,
  },
  {
    trial: "kill",
    what: "The Worker killed with SIGKILL while uploads and claims run, started again on the same state",
    figure: (c) => `${c.cycles} kills, ${number(c.uploads)} uploads, ${number(c.acknowledged)} acknowledged; ${c.lost} lost, ${c.leaked} leaked`,
    bar: "0, 0",
    holds: (c) => c.lost + c.leaked === 0,
  },
  {
    trial: "storage",
    what: "S3 behind a proxy that resets, stalls, cuts, answers 5xx or loses answers",
    figure: (c) => `${number(c.calls)} calls, ${number(c.faults)} faults; ${c.lost} lost, ${c.leaked} leaked; slowest answer ${number(c.slowestMs)} ms`,
    bar: "0, 0",
    holds: (c) => c.lost + c.leaked === 0,
  },
  {
    trial: "api",
    what: "Every operation of the API against its description (schemathesis)",
    figure: (c) => `${c.operations} operations, ${number(c.cases)} cases, ${number(c.failed)} failed`,
    bar: "0",
    holds: (c) => c.failed === 0,
  },
  {
    trial: "fuzz",
    what: "Coverage-guided fuzzing of the image rules",
    figure: (c) => Object.entries(c).map(([target, { seconds, runs, crashes }]) => `\`${target}\` ${number(runs)} runs in ${Math.round(seconds / 60)} min, ${crashes} crashes`).join("; "),
    bar: "an hour each, 0 crashes",
    holds: (c) => Object.values(c).every(({ seconds, crashes }) => seconds >= 3600 && crashes === 0),
  },
  {
    trial: "mutants",
    what: "The code changed on purpose, one place at a time, for its unit tests to notice",
    figure: (c) => Object.entries(c).map(([area, { tried, survived, percent, shard }]) => `${area} ${percent} % (${survived} of ${tried} survive; ${shard})`).join("; "),
    bar: "90 % in each of the four areas",
    holds: (c) => ["auth", "limits", "ledger", "images"].every((area) => c[area]?.percent >= 90),
  },
];

const counted = reported();
let failed = 0;
const lines = ROWS.map(({ trial, what, figure, bar, holds }) => {
  const counts = counted[trial];
  const verdict = counts ? (holds(counts) ? "holds" : "**does not hold**") : "**not run**";
  if (verdict !== "holds") {
    failed += 1;
    console.error(`${trial}: ${verdict.replaceAll("*", "")}`);
  }
  return `| ${what} | ${counts ? figure(counts) : "–"} | ${bar} | ${verdict} |`;
});
const page = readFileSync(PAGE, "utf8");
const [before, after] = [page.slice(0, page.indexOf(BEGIN) + BEGIN.length), page.slice(page.indexOf(END))];
const table = ["| what was tried | what came out | bar | |", "|---|---|---|---|", ...lines].join("\n");
writeFileSync(PAGE, `${before}\n${table}\n${after}`);
console.log(`${PAGE}: ${ROWS.length - failed} of ${ROWS.length} figures hold`);
process.exitCode = failed === 0 ? 0 : 1;
