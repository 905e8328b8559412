// Makes the table of docs/reliability.md from what the trials counted (target/reliability.json), and says of each
// figure whether it holds. Exits with 1 when one does not, or when a trial has not run.
import { readFileSync, writeFileSync } from "node:fs";

import { reported } from "../tests/report.mjs";

const PAGE = "docs/reliability.md";
const [BEGIN, END] = ["<!-- figures -->", "<!-- end of the figures -->"];
const number = (value) => Number(value).toLocaleString("en-US");
const most = (told, member) => Math.max(...Object.values(told).map((one) => one[member]));
const tally = (outcomes) => Object.entries(outcomes).map(([name, times]) => `${number(times)} × ${name}`).join(", ");

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
    trial: "memory",
    what: "Memory of the wasm module: each kind of accepted picture at its largest, and the four worst at once",
    figure: (c) => `${Object.keys(c.mb).length} kinds, at most ${Math.max(...Object.values(c.mb))} MB; four at once ${c.fourWorstMb} MB`,
    bar: "96 MB",
    holds: (c) => Math.max(...Object.values(c.mb), c.fourWorstMb) <= c.barMb,
  },
  {
    trial: "bombs",
    what: "Pictures whose header announces too much, or thousands of frames",
    figure: (c) => `${Object.keys(c).length} bombs; memory grew by ${number(most(c, "grownBytes"))} bytes, middle answer after at most ${most(c, "p50")} ms, slowest after ${most(c, "max")} ms`,
    bar: "under 1 MB, 50 ms",
    holds: (c) => most(c, "grownBytes") < 1_000_000 && most(c, "max") <= 50,
  },
  {
    trial: "forms",
    what: "Multipart bodies in pieces of 1, 2, 7, 64, 4096 bytes and at random, beside other parsers",
    figure: (c) => `${number(c.cases + (c.corpusBodies ?? 0))} bodies, ${number(c.requests + (c.corpusRequests ?? 0))} requests; ${c.dependedOnCuts} depended on the pieces, ${c.differing + (c.corpusDiffering ?? 0)} unlike the oracle without a reason`,
    bar: "0, 0",
    holds: (c) => c.dependedOnCuts + c.differing + (c.corpusDiffering ?? 0) === 0,
  },
  {
    trial: "names",
    what: "Naughty strings as file names and form fields: keys, headers, log lines and tables stay as they are",
    figure: (c) => `${number(c.names)} strings, ${number(c.requests)} requests, ${number(c.kept)} stored in ${number(c.rows)} rows, ${c.faults} answers 5xx`,
    bar: "0",
    holds: (c) => c.faults === 0 && c.rows === c.kept,
  },
  {
    trial: "tokens",
    what: "Forged tokens, random ones, and key servers that are flooded, gone or hostile",
    figure: (c) => `${c.forgedKinds} kinds, ${number(c.guesses)} random, ${c.publishedExamples ?? 0} published: ${c.forgedTaken + c.guessesTaken + (c.publishedTaken ?? 0)} taken; ${c.addressesAsked} addresses inside asked; ${c.unknownNames} unknown key names caused ${c.fetchesTheyCaused} fetches; ${c.takenDuringOutage} honest tokens taken during an outage`,
    bar: "200 kinds, 10,000 random, 0 taken, 0 asked",
    holds: (c) => c.forgedKinds >= 200 && c.guesses >= 10_000 && c.forgedTaken + c.guessesTaken + (c.publishedTaken ?? 0) + c.addressesAsked === 0,
  },
  {
    trial: "http",
    what: "Conditions, ranges and HEAD against a model of RFC 9110, CORS on every operation, and REDbot",
    figure: (c) => `${number(c.conditional)} conditional requests, ${c.conditionalWrong} wrong; ${c.routes} operations, ${number(c.cors)} requests across origins, ${c.corsWrong} wrong; ${c.notes} notes of REDbot, ${c.unexplained} unexplained`,
    bar: "0, 0, 0",
    holds: (c) => c.conditionalWrong + c.corsWrong + c.unexplained === 0,
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
    trial: "registry",
    what: "The registry's tables gone and back while uploads run",
    figure: (c) => `${c.uploads} uploads, ${c.refused} refused; ${c.lost} lost, ${c.leaked} leaked`,
    bar: "0, 0",
    holds: (c) => c.lost + c.leaked === 0,
  },
  {
    trial: "races",
    what: "Races for limits, tickets, the same bytes, claims against expiry, deleting against uploading; bans and tickets across a kill",
    figure: (c) => `${c.rounds} rounds, ${number(c.raced)} requests, of the claims ${c.claimedInTime} in time and ${c.claimedTooLate} too late; ${c.lost} lost, ${c.leaked} leaked, ${c.double} double`,
    bar: "0, 0, 0",
    holds: (c) => c.lost + c.leaked + c.double === 0,
  },
  {
    trial: "hangup",
    what: "Callers who hang up (RST) at work, in line and with their bodies in memory",
    figure: (c) => `${c.rounds} rounds, ${number(c.hungUp)} hung up; others served and nothing held after ${number(c.slowestMs)} ms; ${number(c.heldBytes)} bytes of bodies free after ${number(c.freedMs)} ms`,
    bar: "all comes back",
    holds: (c) => c.hungUp > 0 && c.freedMs !== undefined,
  },
  {
    trial: "overload",
    what: "Twice the load that it sustains",
    figure: (c) => `${c.seconds} s at ${c.offeredPerSecond} a second (it sustains ${c.sustained.perSecond}): ${tally(c.outcomes)}; the isolate held ${c.heldMb.early} MB early and ${c.heldMb.late} MB late, its wasm ${c.wasmMb.after} MB (the process with the simulators of R2 and D1 ${c.residentMb.early} and ${c.residentMb.late} MB); usual again after ${c.recoveredS} s; ${c.lost} lost, ${c.leaked} leaked`,
    bar: "ten minutes, only 429 and 503 beside successes, at most 4 MB more, seconds",
    holds: (c) => c.seconds >= 600 && c.lost + c.leaked === 0 && Object.keys(c.outcomes).every((name) => /^(200|201|429|503)\b/.test(name)) && c.recoveredS < 10 && c.heldMb.late - c.heldMb.early <= 4,
  },
  {
    trial: "slow",
    what: "Ten clients that dribble headers, ten that dribble bodies, ten that dribble forms",
    figure: (c) => `small uploads of others p50 ${c.besideMs.p50} ms, p99 ${c.besideMs.p99} ms (alone ${c.aloneMs.p50} and ${c.aloneMs.p99}); all slow ones ended after ${c.endedS} s`,
    bar: "others are served",
    holds: (c) => c.besideMs.count >= 50,
  },
  {
    trial: "crowded",
    what: "Small uploads while twelve photos of 12 MP are in work, one isolate",
    figure: (c) => `p50 ${c.besideMs.p50} ms, p99 ${c.besideMs.p99} ms (alone ${c.aloneMs.p50} and ${c.aloneMs.p99}); photos ${tally(c.photos)}`,
    bar: "p99 of a second",
    holds: (c) => c.besideMs.p99 <= 1000,
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
    bar: "90 % in each area",
    holds: (c) => ["auth", "limits", "ledger", "images", "cleaning"].every((area) => c[area]?.percent >= 90),
  },
];

const { trials, states } = reported();
let failed = 0;
const lines = ROWS.map(({ trial, what, figure, bar, holds }) => {
  const counts = trials[trial];
  const verdict = counts ? (holds(counts) ? "holds" : "**does not hold**") : "**not run**";
  if (verdict !== "holds") {
    failed += 1;
    console.error(`${trial}: ${verdict.replaceAll("*", "")}`);
  }
  return `| ${what} | ${counts ? figure(counts) : "–"} | ${bar} | ${verdict} | ${states[trial] ?? "–"} |`;
});
const page = readFileSync(PAGE, "utf8");
const [before, after] = [page.slice(0, page.indexOf(BEGIN) + BEGIN.length), page.slice(page.indexOf(END))];
const table = ["| what was tried | what came out | bar | | of the code at |", "|---|---|---|---|---|", ...lines].join("\n");
writeFileSync(PAGE, `${before}\n${table}\n${after}`);
console.log(`${PAGE}: ${ROWS.length - failed} of ${ROWS.length} figures hold`);
process.exitCode = failed === 0 ? 0 : 1;
