// Builds what the image benchmarks run, and runs them with the Node version of tests/bench.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const modules = join(here, 'node_modules');
/** The root of the repository. */
export const root = join(here, '../..');

/** Installs the packages; starts this program again, with these options, if Node is older than 22 or lacks them. */
export function ensureNode(options = []) {
  if (!existsSync(modules)) run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], here);
  const node = join(modules, '.bin/node');
  const isOld = Number(process.versions.node.split('.')[0]) < 22 && existsSync(node);
  if (!isOld && options.every((option) => process.execArgv.includes(option))) return;
  const program = isOld ? node : process.execPath;
  process.exit(spawnSync(program, [...options, ...process.argv.slice(1)], { stdio: 'inherit' }).status ?? 1);
}

/** Builds the wasm module with the optimisations of the browser package; returns its folder. */
export function buildWasm() {
  const cargo = ['build', '--release', '--quiet', '--manifest-path', join(here, 'wasm/Cargo.toml'),
    '--target-dir', join(root, 'target/bench-build')];
  run('cargo', [...cargo, '--lib', '--target', 'wasm32-unknown-unknown'], root);
  const wasm = join(root, 'target/bench-build/wasm32-unknown-unknown/release/bench_images.wasm');
  const bindgen = process.env.WASM_BINDGEN_BIN ?? join(root, 'target/tools/bin/wasm-bindgen');
  const folder = join(root, 'target/bench/wasm');
  run(bindgen, ['--target', 'web', '--out-dir', folder, wasm], root);
  const bound = join(folder, 'bench_images_bg.wasm');
  run(join(modules, '.bin/wasm-opt'), ['-O3', '--enable-simd', '--enable-bulk-memory',
    '--enable-nontrapping-float-to-int', '--enable-sign-ext', '--enable-mutable-globals',
    '--enable-reference-types', '--enable-multivalue', '-o', bound, bound], root);
  return folder;
}

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} failed`, { cause: error });
}
