// Browser benchmark: compares the package in Chromium with other libraries, alternating on one page.
//
// `node tests/bench/browser.mjs [--rounds N]` after `make browser`. The images are those of image.mjs and a generated
// screenshot. Writes target/bench/browser.json; exits with 1 when a bar is missed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { serve } from '../browser/site.mjs';
import { startBrowser } from '../e2e/browser.mjs';
import { pictures, screenshot } from './pictures.mjs';
import { buildScore, scores } from './score.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const EDGE = 1600;
const QUALITY = 0.8;
const PEERS = ['compressorjs', 'compressionMain', 'compressionWorker', 'picaMain', 'jsquash'];
const NAMES = { compressionMain: 'browser-image-compression (main)', compressionWorker: 'browser-image-compression (worker)',
  picaMain: 'pica', jsquash: 'jSquash' };
/** A loose policy, because peers use inline styles and blob workers. */
const LOOSE = "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; script-src 'self' 'unsafe-eval' blob:";
/** Chromium's threshold of a long task, which a user can notice. */
const LONG_MS = 50;

const at = process.argv.indexOf('--rounds');
const rounds = at < 0 ? 9 : Number(process.argv[at + 1]);
const score = buildScore(root);
const folder = mkdtempSync(join(tmpdir(), 'bench-browser-'));
const results = [];
const { source, big } = await pictures(root);
const files = { photo: ['photo.jpg', 'image/jpeg', big], screenshot: ['screenshot.png', 'image/png', await screenshot(2880, 1800)] };
for (const [name, , bytes] of Object.values(files)) writeFileSync(join(folder, name), bytes);
await build({ entryPoints: [join(here, 'browser_peers.js')], bundle: true, format: 'esm', outfile: join(folder, 'peers.js'), logLevel: 'error' });
const site = await serve({ '/preflight/': join(root, 'target/browser'), '/peers/': join(here, 'node_modules'), '/files/': folder }, { csp: LOOSE });
const browser = await startBrowser();
try {
  console.log(`Chromium ${browser.version()}; pictures: ${source}; ${rounds} rounds, medians\n`);
  await ready();
  for (const [picture, [name, type, bytes]] of Object.entries(files)) await compare(picture, name, type, bytes);
} finally {
  await browser.close();
  await site.stop();
  rmSync(folder, { recursive: true });
}
mkdirSync(join(root, 'target/bench'), { recursive: true });
writeFileSync(join(root, 'target/bench/browser.json'), `${JSON.stringify(results, null, 2)}\n`);
const missed = results.filter(({ ratio, bar }) => bar !== undefined && !(ratio <= bar));
for (const { name, peer_name, ratio, bar } of missed) console.log(`MISSED: ${name} beside ${peer_name}: ${ratio.toFixed(2)}, bar ${bar}`);
process.exitCode = missed.length > 0 ? 1 : 0;

/** Measures the time until the worker is ready, each time in a new browser profile without a cache. */
async function ready() {
  const times = [];
  for (let turn = 0; turn < rounds; turn += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(site.url);
    times.push(await page.evaluate(async () => {
      const start = performance.now();
      const { warmUp } = await import('/preflight/index.js');
      await warmUp();
      return performance.now() - start;
    }));
    await context.close();
  }
  say('first use ready', median(times), 150, 'bar', 'ms', 1);
}

async function compare(picture, name, type, bytes) {
  const page = await browser.newPage();
  await page.goto(site.url);
  const works = ['fast', 'small', ...PEERS];
  const measured = Object.fromEntries(works.map((work) => [work, { times: [], longest: [] }]));
  const options = { edge: EDGE, quality: QUALITY };
  const turn = (work, more = options) => page.evaluate(once, { work, url: `/files/${name}`, type, options: more });
  for (const work of works) measured[work].blob = Buffer.from((await turn(work)).base64, 'base64');
  for (let round = 0; round < rounds; round += 1) {
    for (const work of works) {
      const { ms, longestMs } = await turn(work);
      measured[work].times.push(ms);
      measured[work].longest.push(longestMs);
    }
  }
  const [fastScore, ...others] = await Promise.all(works.map((work) => scores(score, bytes, [measured[work].blob]).then(([points]) => points)));
  const points = Object.fromEntries(works.map((work, index) => [work, [fastScore, ...others][index]]));
  for (const work of works) {
    const { times, longest, blob } = measured[work];
    console.log(`  ${(NAMES[work] ?? work).padEnd(36)} ${median(times).toFixed(0).padStart(5)} ms, longest task ${Math.max(...longest).toFixed(0)} ms, `
      + `${blob.length} bytes, SSIMULACRA2 ${points[work].toFixed(1)}`);
  }
  const isPhoto = picture === 'photo';
  const label = `${picture} to ${EDGE} px in Chromium`;
  for (const effort of ['fast', 'small']) {
    for (const peer of PEERS) {
      const [ours, theirs] = [measured[effort], measured[peer]];
      const bar = isPhoto && effort === 'fast' && peer === 'compressorjs' ? 1 : undefined;
      say(`${label}, effort ${effort}`, median(ours.times), median(theirs.times), NAMES[peer] ?? peer, 'ms', bar);
      say(`${label}, effort ${effort}: bytes`, ours.blob.length, theirs.blob.length, NAMES[peer] ?? peer, 'bytes');
      say(`${label}, effort ${effort}: SSIMULACRA2`, points[effort], points[peer], NAMES[peer] ?? peer, 'points');
    }
    say(`${label}, effort ${effort}: longest task of the page`, Math.max(...measured[effort].longest), LONG_MS, 'bar', 'ms', 1);
  }
  if (isPhoto) await equalQuality(label, bytes, measured.small.blob, points.small, turn);
  await page.close();
}

/** The size that compressorjs needs for our score, interpolated between its two nearest qualities. */
async function equalQuality(label, bytes, ours, points, turn) {
  let below;
  for (let percent = 60; percent <= 100; percent += 2) {
    const blob = Buffer.from((await turn('compressorjs', { edge: EDGE, quality: percent / 100 })).base64, 'base64');
    const [theirs] = await scores(score, bytes, [blob]);
    if (theirs >= points) {
      const part = below ? (points - below.points) / (theirs - below.points) : 1;
      const needed = below ? below.bytes + (blob.length - below.bytes) * part : blob.length;
      return say(`${label}, effort small: bytes at equal SSIMULACRA2`, ours.length, needed, 'compressorjs', 'bytes', 0.88);
    }
    below = { points: theirs, bytes: blob.length };
  }
  console.log(`  compressorjs never reaches ${points.toFixed(1)}: at quality 100 it has ${below.points.toFixed(1)}`);
  say(`${label}, effort small: bytes at equal SSIMULACRA2`, ours.length, below.bytes, 'compressorjs at quality 100, which is less', 'bytes', 0.88);
}

/** Runs one contender once in the page; returns the time and the longest task of the page. */
async function once({ work, url, type, options }) {
  const get = (globalThis.files ??= {});
  get[url] ??= await (await fetch(url)).blob();
  const file = new File([get[url]], url.split('/').at(-1), { type });
  let longestMs = 0;
  const record = (list) => {
    for (const { duration } of list.getEntries()) longestMs = Math.max(longestMs, duration);
  };
  const { preflight } = await import('/preflight/index.js');
  const peers = await import('/files/peers.js');
  const ours = async (effort) => (await preflight(file, { effort, policy: { maxEdge: options.edge, quality: options.quality * 100 } })).blob;
  const contender = { fast: () => ours('fast'), small: () => ours('small') }[work] ?? (() => peers[work](file, options));
  const quiet = () => new Promise((resolve) => requestIdleCallback(() => setTimeout(resolve)));
  await quiet();
  const observer = new PerformanceObserver(record);
  observer.observe({ type: 'longtask' });
  const start = performance.now();
  const blob = await contender();
  const ms = performance.now() - start;
  await quiet();
  record({ getEntries: () => observer.takeRecords() });
  observer.disconnect();
  const reader = new FileReader();
  const read = new Promise((resolve) => reader.addEventListener('load', resolve));
  reader.readAsDataURL(blob);
  await read;
  return { ms, longestMs, base64: reader.result.split(',')[1] };
}

function say(name, ours, peer, peer_name, unit, bar) {
  const result = { name, ours: round(ours), peer: round(peer), peer_name, ratio: ours / peer, unit, ...(bar !== undefined && { bar }) };
  results.push(result);
  const verdict = bar === undefined ? '' : `  bar ${bar} ${result.ratio <= bar ? 'met' : 'MISSED'}`;
  console.log(`${name}: ours ${result.ours} ${unit}, ${peer_name} ${result.peer} ${unit}, ratio ${result.ratio.toFixed(3)}${verdict}`);
}

function median(list) {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}

function round(value) {
  return Math.round(value * 100) / 100;
}
