// Simulates the load of the ledgers at 10,000 uploads a second: discrete events without a network. Users follow a Zipf
// distribution; each upload sends two requests to its user's ledger, and each ledger is one queue. `--service-ms` is the mean
// duration of a request; 1 ms corresponds to the platform's soft limit of a thousand requests a second per object.
//
//   node tests/bench/scale.mjs [--per-second 10000] [--seconds 30] [--service-ms 1.0]
//   node tests/bench/scale.mjs --measure http://127.0.0.1:8787     measures a request to a ledger there
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { "per-second": { type: "string", default: "10000" }, seconds: { type: "string", default: "30" }, "service-ms": { type: "string", default: "1.0" }, seed: { type: "string", default: "1" }, measure: { type: "string" } },
});

/** A seeded generator of numbers from 0 to 1 (mulberry32), so that a run can be repeated. */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws numbers from 0 to count-1; the probability of k is proportional to 1/(k+1)^exponent. */
function zipf(count, exponent, random) {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let k = 0; k < count; k++) sums[k] = sum += (k + 1) ** -exponent;
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;

/**
 * Runs one scenario. Each request passes the flood limit of the platform (1,200 a minute from a client IP), then its user's
 * ledger (60 a minute), and if admitted the same ledger again to commit. `stolen` is the share of requests with the token of
 * one user, each from a new client IP.
 */
function run({ name, users, exponent, perAddress, gate = true, stolen = 0 }) {
  const random = randomNumbers(Number(values.seed));
  const [perSecond, seconds, serviceMs] = [Number(values["per-second"]), Number(values.seconds), Number(values["service-ms"])];
  const draw = zipf(users, exponent, random);
  const ledgers = new Map();
  const seenAtGate = new Map();
  const waits = { busiest: [], others: [] };
  /** Sends a request to a ledger at `atMs`. A ledger processes one request at a time. */
  const ask = (key, atMs) => {
    const ledger = ledgers.get(key) ?? { key, freeMs: 0, busyMs: 0, asked: 0, tokens: 60, filledMs: 0 };
    ledgers.set(key, ledger);
    const startMs = Math.max(atMs, ledger.freeMs);
    // Durations have an exponential distribution.
    const tookMs = -Math.log(1 - random()) * serviceMs;
    ledger.freeMs = startMs + tookMs;
    ledger.busyMs += tookMs;
    ledger.asked += 1;
    waits[key === "user:0" ? "busiest" : "others"].push(startMs - atMs);
    return ledger;
  };
  let nowMs = 0;
  let stolenRequests = 0;
  const sums = { asked: 0, gate: 0, limit: 0 };
  const later = [];
  while ((nowMs += -Math.log(1 - random()) * (1000 / perSecond)) < seconds * 1000) {
    // Commits that are due, in order: an upload takes about 100 ms between its two requests.
    while (later.length > 0 && later[0].atMs <= nowMs) ask(later[0].key, later.shift().atMs);
    sums.asked += 1;
    const isStolen = random() < stolen;
    const user = isStolen ? 0 : draw();
    const address = isStolen ? `stolen-${++stolenRequests}` : Math.floor(user / perAddress);
    const atGate = (seenAtGate.get(address) ?? 0) + 1;
    seenAtGate.set(address, atGate);
    // The whole run counts as one minute, so the result is the worst case.
    if (gate && atGate > 1200) {
      sums.gate += 1;
      continue;
    }
    const ledger = ask(`user:${user}`, nowMs);
    ledger.tokens = Math.min(60, ledger.tokens + (nowMs - ledger.filledMs) / 1000);
    ledger.filledMs = nowMs;
    if (ledger.tokens < 1) sums.limit += 1;
    else {
      ledger.tokens -= 1;
      later.push({ key: ledger.key, atMs: nowMs + 100 });
    }
  }
  const busiest = [...ledgers.values()].reduce((most, ledger) => (ledger.asked > most.asked ? ledger : most));
  waits.others.sort((one, other) => one - other);
  waits.busiest.sort((one, other) => one - other);
  return {
    scenario: name,
    requests: sums.asked,
    "rejected by the flood limit": sums.gate,
    "by the user's limit": sums.limit,
    ledgers: ledgers.size,
    "busiest ledger: requests/s": (busiest.asked / seconds).toFixed(0),
    "its load": `${Math.round((busiest.busyMs / (seconds * 1000)) * 100)} %`,
    "wait at user 0, p99": `${percentile(waits.busiest, 0.99).toFixed(1)} ms`,
    "at all others, p99": `${percentile(waits.others, 0.99).toFixed(1)} ms`,
    "p99.9": `${percentile(waits.others, 0.999).toFixed(1)} ms`,
  };
}

/** Measures the duration of a request to a ledger on a running Worker, by its Server-Timing. */
async function measure(url) {
  const times = [];
  for (let turn = 0; turn < 100; turn++) {
    const answer = await fetch(`${url}/auth/guest-token`, { headers: { "CF-Connecting-IP": `198.18.77.${turn % 4}` } });
    const [, ms] = /ledger;dur=(\d+)/.exec(answer.headers.get("server-timing") ?? "") ?? [];
    if (ms) times.push(Number(ms));
  }
  times.sort((one, other) => one - other);
  console.log(`${times.length} requests: median ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms, including the round trip to the object`);
}

const SCENARIOS = [
  { name: "a million users, evenly", users: 1_000_000, exponent: 0, perAddress: 1 },
  { name: "a million users, Zipf 0.8", users: 1_000_000, exponent: 0.8, perAddress: 1 },
  { name: "a million users, Zipf 1.0", users: 1_000_000, exponent: 1, perAddress: 1 },
  { name: "the same without the flood limit", users: 1_000_000, exponent: 1, perAddress: 1, gate: false },
  { name: "ten thousand users, Zipf 1.0", users: 10_000, exponent: 1, perAddress: 1 },
  { name: "a stolen token: a fifth of all", users: 1_000_000, exponent: 0.8, perAddress: 1, stolen: 0.2 },
];

/** Prints a Markdown table, which docs/scale.md contains. */
function print(rows) {
  const names = Object.keys(rows[0]);
  console.log(`| ${names.join(" | ")} |\n|${names.map(() => "---").join("|")}|`);
  for (const row of rows) console.log(`| ${names.map((name) => row[name]).join(" | ")} |`);
}

if (values.measure) await measure(values.measure);
else print(SCENARIOS.map(run));
