// Upload benchmark: compares the built Worker with the server of stack.mjs, in one run.
//
// `node tests/bench/upload.mjs [--rounds N] [--seconds N] [--only photo|kept]` from anywhere, after `make edge www`. The photos
// are those of image.mjs. Writes target/bench/upload.json; exits with 1 when a bar is missed. The servers are loaded
// alternately, one at a time; the medians of the rounds are compared.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const out = join(root, 'target/bench');
const node = join(root, 'tests/bench/node_modules/.bin/node');

if (Number(process.versions.node.split('.')[0]) < 22 && existsSync(node)) {
  process.exit(spawnSync(node, process.argv.slice(1), { stdio: 'inherit' }).status ?? 1);
}
// Adds wrangler and the build tools to PATH, as the Makefile does.
process.chdir(root);
const tools = ['node_modules/.bin', 'target/tools/bin'].map((folder) => join(root, folder));
process.env.PATH = [...tools, process.env.PATH].join(delimiter);

const text = { type: 'string' };
const { values } = parseArgs({ options: { rounds: text, seconds: text, only: text } });
const { measure } = await import('./rounds.mjs');
const results = await measure({ root, rounds: Number(values.rounds ?? 3), seconds: Number(values.seconds ?? 8), only: values.only ?? '' });
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'upload.json'), `${JSON.stringify(results, null, 2)}\n`);
const missed = results.filter(({ ratio, bar }) => bar !== undefined && ratio < bar.atLeast);
for (const { name, peer_name, ratio, bar } of missed) {
  console.log(`MISSED: ${name} beside ${peer_name}: ${ratio.toFixed(2)}, bar at least ${bar.atLeast}`);
}
process.exitCode = missed.length > 0 ? 1 : 0;
