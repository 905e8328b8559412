// Times the contenders alternately, so that a disturbance affects all of them, and prints medians.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as peers from './peers.mjs';
import { pictures } from './pictures.mjs';
import { scores } from './score.mjs';

const EDGE = 1600;
const QUALITY = 80;
const [FAST, BALANCED, SMALL] = [0, 1, 2];
const MB = 1_000_000;

let instances = 0;

// A new instance, so that its memory is that of the measured work.
async function ours(root) {
  const folder = join(root, 'target/bench/wasm');
  const glue = await import(`${join(folder, 'bench_images.js')}?${(instances += 1)}`);
  const { memory } = glue.initSync({ module: readFileSync(join(folder, 'bench_images_bg.wasm')) });
  return { run: glue.run, memoryBytes: () => memory.buffer.byteLength };
}

export async function measure({ root, rounds, score }) {
  const { source, big, small, drawing } = await pictures(root);
  console.log(`Node ${process.version}; pictures: ${source}; ${rounds} rounds, medians in ms\n`);
  const results = [];
  const say = (result) => {
    results.push(result);
    const { name, ours, peer, peer_name, ratio, unit, bar } = result;
    const verdict = bar === undefined ? '' : `  bar ${bar} ${ratio <= bar ? 'met' : 'MISSED'}`;
    console.log(`${name}: ours ${ours} ${unit}, ${peer_name} ${peer} ${unit}, ratio ${ratio.toFixed(3)}${verdict}`);
  };
  await photo({ root, rounds, big, say });
  await keep({ root, rounds, small, say });
  await png({ root, rounds, drawing, say });
  await quality({ root, big, score, say });
  return results;
}

async function photo({ root, rounds, big, say }) {
  const squash = await peers.jsquash();
  const { run, memoryBytes } = await ours(root);
  const name = 'photo 12 MP to 1600 px, JPEG q80';
  const encoded = run(big, EDGE, QUALITY, FAST);
  const times = await timed(rounds, {
    ours: () => run(big, EDGE, QUALITY, FAST),
    sharp: () => peers.sharpPhoto(EDGE, { quality: QUALITY })(big),
  });
  // Slow contenders take a second per run, so they have fewer rounds, alternating with ours.
  const slow = await timed(Math.max(3, Math.ceil(rounds / 5)), {
    ours: () => run(big, EDGE, QUALITY, FAST),
    photon: () => peers.photonPhoto(EDGE)(big),
    jsquash: () => squash.photo(EDGE)(big),
  });
  console.log(`ours: ${encoded.length} bytes`);
  say(result(name, times.ours, times.sharp, 'sharp (native, one thread)', 'ms', 0.55));
  say(result(name, slow.ours, slow.photon, '@cf-wasm/photon', 'ms', 0.13));
  say(result(name, slow.ours, slow.jsquash, 'jSquash', 'ms'));
  say(result(`${name}: wasm memory`, memoryBytes() / MB, 32, 'bar', 'MB', 1));
  say(result(`${name}: wasm memory`, memoryBytes() / MB, squash.memoryBytes() / MB, 'jSquash', 'MB'));
  for (const [label, effort] of [['balanced', BALANCED], ['small', SMALL]]) {
    const fresh = await ours(root);
    const bytes = fresh.run(big, EDGE, QUALITY, effort);
    const { ours: time, sharp: mozjpeg } = await timed(3, {
      ours: () => fresh.run(big, EDGE, QUALITY, effort),
      sharp: () => peers.sharpPhoto(EDGE, { quality: QUALITY, mozjpeg: true })(big),
    });
    console.log(`effort ${label}: ${bytes.length} bytes, ${round(fresh.memoryBytes() / MB)} MB of wasm memory`);
    say(result(`${name}, effort ${label}`, time, mozjpeg, 'sharp mozjpeg', 'ms'));
  }
}

async function keep({ root, rounds, small, say }) {
  const { run, memoryBytes } = await ours(root);
  if (run(small, 2048, QUALITY, FAST).length !== 0) console.log('note: the 1600 px image is scrubbed, not stored unchanged');
  // A run takes a few milliseconds, so more rounds are cheap.
  const times = await timed(rounds * 8, {
    ours: () => run(small, 2048, QUALITY, FAST),
    sharp: () => peers.sharpDecode(small),
  });
  say(result('verify and keep 1600 px JPEG', times.ours, times.sharp, 'sharp decode', 'ms', 0.55));
  say(result('verify and keep 1600 px JPEG: wasm memory', memoryBytes() / MB, 32, 'bar', 'MB', 1));
}

async function png({ root, rounds, drawing, say }) {
  const { run, memoryBytes } = await ours(root);
  const theirs = await peers.sharpPng(1024)(drawing);
  for (const [label, effort] of [['fast', FAST], ['balanced', BALANCED]]) {
    const encoded = run(drawing, 1024, QUALITY, effort);
    const times = await timed(Math.ceil(rounds / 2), {
      ours: () => run(drawing, 1024, QUALITY, effort),
      sharp: () => peers.sharpPng(1024)(drawing),
    });
    const name = `PNG 2048x1536 with alpha to 1024, effort ${label}`;
    say(result(name, times.ours, times.sharp, 'sharp', 'ms'));
    say(result(`${name}: bytes`, encoded.length, theirs.length, 'sharp', 'bytes'));
  }
  console.log(`PNG: ${round(memoryBytes() / MB)} MB of wasm memory`);
}

// SSIMULACRA2 at equal bytes: sharp's score is interpolated between the qualities around our size.
async function quality({ root, big, score, say }) {
  const { run } = await ours(root);
  const encoded = Buffer.from(run(big, EDGE, QUALITY, SMALL));
  const candidates = [];
  for (let q = 60; q <= 95; q += 1) {
    const bytes = await peers.sharpPhoto(EDGE, { quality: q, mozjpeg: true })(big);
    candidates.push({ q, bytes });
    if (bytes.length > encoded.length) break;
  }
  const [below, above] = candidates.slice(-2);
  const [mine, low, high] = await scores(score, big, [encoded, below.bytes, above.bytes]);
  const part = (encoded.length - below.bytes.length) / (above.bytes.length - below.bytes.length);
  const theirs = low + (high - low) * part;
  console.log(`ours at effort small: ${encoded.length} bytes; sharp mozjpeg q${below.q}: ${below.bytes.length}, q${above.q}: ${above.bytes.length}`);
  // Our score may be at most one point lower.
  const outcome = { name: 'SSIMULACRA2 at equal bytes, effort small', ours: round(mine), peer: round(theirs),
    peer_name: 'sharp mozjpeg', ratio: mine / theirs, unit: 'points' };
  say(outcome);
  if (mine < theirs - 1) throw new Error(`quality: ${mine} is more than a point below ${theirs}`);
}

async function timed(rounds, works) {
  const times = Object.fromEntries(Object.keys(works).map((name) => [name, []]));
  for (const work of Object.values(works)) await work();
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const [name, work] of Object.entries(works)) {
      const start = process.hrtime.bigint();
      await work();
      times[name].push(Number(process.hrtime.bigint() - start) / 1e6);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const round = (value) => Math.round(value * 100) / 100;

function result(name, mine, theirs, peer_name, unit, bar) {
  const entry = { name, ours: round(mine), peer: round(theirs), peer_name, ratio: mine / theirs, unit };
  return bar === undefined ? entry : { ...entry, bar };
}
