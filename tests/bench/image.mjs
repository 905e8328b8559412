// Image benchmark: compares time and memory of the image rules in wasm with other libraries, in one run.
//
// `node tests/bench/image.mjs [--rounds N]` from anywhere. Photos come from $PHOTOS (or ../shared/photos beside the checkout)
// when it contains phone12mp.jpg and preflighted1600.jpg; otherwise an image with the statistics of a photo is generated.
// Writes target/bench/image.json; exits with 1 when a bar is missed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildWasm, ensureNode, root } from './build.mjs';

const out = join(root, 'target/bench');

ensureNode();
buildWasm();
const { measure } = await import('./measure.mjs');
const { buildScore } = await import('./score.mjs');
const results = await measure({ root, rounds: rounds(), score: buildScore(root) });
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'image.json'), `${JSON.stringify(results, null, 2)}\n`);
const missed = results.filter((result) => result.bar !== undefined && result.ratio > result.bar);
for (const { name, peer_name, ratio, bar } of missed) {
  console.log(`MISSED: ${name} beside ${peer_name}: ${ratio.toFixed(2)}, bar ${bar}`);
}
process.exitCode = missed.length > 0 ? 1 : 0;

function rounds() {
  const at = process.argv.indexOf('--rounds');
  return at < 0 ? 15 : Number(process.argv[at + 1]);
}
