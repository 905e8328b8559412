// How long the browser package takes for a proof of work in Chromium: in its Web Worker, and in the page on a processor that is slowed down six
// times, as a slow phone is. RUNS=50 and BITS=21 by default.
import { mkdirSync, writeFileSync } from "node:fs";

import { startBrowser } from "../e2e/browser.mjs";
import { startServer } from "../e2e/server.mjs";

const RUNS = Number(process.env.RUNS ?? 50);
const BITS = Number(process.env.BITS ?? 21);
const WORKERLESS = "default-src 'self' 'wasm-unsafe-eval'; worker-src 'none'";

/** Runs in the page: solves a challenge, as a request that the service has refused does, and returns the milliseconds. */
async function solve() {
  const { Refusal, withChallenge, warmUp } = await import("/preflight/index.js");
  await warmUp();
  const startedMs = performance.now();
  await withChallenge("", "login", async (headers) => {
    if (!headers["X-Challenge-Response"]) throw new Refusal("", "CHALLENGE_REQUIRED");
  });
  return performance.now() - startedMs;
}

function quantiles(samples) {
  const sorted = samples.toSorted((one, other) => one - other);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
  return { runs: sorted.length, medianMs: at(0.5), p95Ms: at(0.95), maxMs: Math.round(sorted.at(-1)) };
}

const server = await startServer({ vars: { CHALLENGE: "pow", CHALLENGE_BITS: BITS } });
const browser = await startBrowser();
try {
  const results = {};
  for (const [name, rate, policy] of [["desktop, Web Worker", 1], ["desktop, page", 1, WORKERLESS], ["slow phone (6x), page", 6, WORKERLESS]]) {
    const page = await browser.newPage();
    // The throttling of Chromium slows the thread of the page and no worker.
    if (policy) await page.route(`${server.url}/`, async (route) => route.fulfill({ contentType: "text/html", headers: { "Content-Security-Policy": policy }, body: "<!doctype html>" }));
    await page.goto(`${server.url}/`);
    const session = await page.context().newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate });
    await page.evaluate(solve);
    const samples = [];
    for (let run = 0; run < RUNS; run++) samples.push(await page.evaluate(solve));
    results[name] = quantiles(samples);
    console.log(name, results[name]);
    await page.close();
  }
  mkdirSync("target/bench", { recursive: true });
  writeFileSync("target/bench/challenge.json", `${JSON.stringify({ bits: BITS, results }, null, 2)}\n`);
} finally {
  await browser.close();
  await server.stop();
}
