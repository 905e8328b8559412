// Image benchmark: compares time and memory of the image rules in wasm with other libraries, in one run.
//
// `node tests/bench/image.mjs [--rounds N]` from anywhere. Photos come from $PHOTOS (or ../shared/photos beside the checkout)
// when it contains phone12mp.jpg and preflighted1600.jpg; otherwise an image with the statistics of a photo is generated.
// Writes target/bench/image.json; exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const out = join(root, 'target/bench');
const modules = join(here, 'node_modules');

run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], here, existsSync(modules));
const node = join(modules, '.bin/node');
if (Number(process.versions.node.split('.')[0]) < 22 && existsSync(node)) {
  process.exit(spawnSync(node, process.argv.slice(1), { stdio: 'inherit' }).status ?? 1);
}
build();
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

// Builds the wasm module with the optimisations of the browser package.
function build() {
  const cargo = ['build', '--release', '--quiet', '--manifest-path', join(here, 'wasm/Cargo.toml'),
    '--target-dir', join(root, 'target/bench-build')];
  run('cargo', [...cargo, '--lib', '--target', 'wasm32-unknown-unknown'], root);
  const wasm = join(root, 'target/bench-build/wasm32-unknown-unknown/release/bench_images.wasm');
  const bindgen = process.env.WASM_BINDGEN_BIN ?? join(root, 'target/tools/bin/wasm-bindgen');
  run(bindgen, ['--target', 'web', '--out-dir', join(out, 'wasm'), wasm], root);
  const bound = join(out, 'wasm/bench_images_bg.wasm');
  run(join(modules, '.bin/wasm-opt'), ['-O3', '--enable-simd', '--enable-bulk-memory',
    '--enable-nontrapping-float-to-int', '--enable-sign-ext', '--enable-mutable-globals',
    '--enable-reference-types', '--enable-multivalue', '-o', bound, bound], root);
}

function run(command, args, cwd, done = false) {
  if (done) return;
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} failed`, { cause: error });
}
