// Work benchmark: compares the CPU time that `Plan::work` estimates with the time that the work takes in wasm.
//
// `node tests/bench/work.mjs [--rounds N] [--only TEXT]` from anywhere. For each format, mode and action it takes the largest
// picture that is allowed, and then the fixtures and the photos of $PHOTOS (or ../shared/photos beside the checkout, if there
// are any). Writes target/bench/work.json; exits with 1 when an estimate is not 0.8 to 2.5 times the measurement, or
// a step between two pauses takes longer than 250 ms.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildWasm, ensureNode, root } from './build.mjs';

// Without its quick first compiler V8 runs the same code from the first call to the last.
ensureNode(['--no-liftoff']);
const folder = buildWasm();
const { initSync, Task, reference } = await import(join(folder, 'bench_images.js'));
initSync({ module: readFileSync(join(folder, 'bench_images_bg.wasm')) });
const { cases } = await import('./work_cases.mjs');

/** What the reference workload takes on the reference machine. */
const REFERENCE_MS = 5;
const [LEAST, MOST] = [0.8, 2.5];
/** Below this, ratios say nothing about work: what counts is the difference. */
const SMALL_MS = 1;
const SMALL_DIFFERENCE_MS = 1;
/** What a step may take, and what one may take that is a single call of a decoder or an encoder. */
const [STEP_MS, CALL_MS] = [50, 250];

const option = (name, value) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? value : process.argv[at + 1];
};
const rounds = Number(option('--rounds', 5));
const only = option('--only', '');

const results = [];
console.log(`Node ${process.version}. Estimates and measurements in ms of the reference machine: the reference workload takes ${REFERENCE_MS} ms there,
and measurements are scaled by what it takes here in the same minute. Each is the least CPU time of at least ${rounds} runs. A ratio
(estimate / measurement) must be ${LEAST} to ${MOST}; where either is below ${SMALL_MS} ms, they may differ by ${SMALL_DIFFERENCE_MS} ms. "worst" marks files made to be
slow for their bytes: their content is cheaper than it could be, so only the lower bound counts.\n`);

for (const { name, kind, edge, effort, make, sizes, worst } of cases.filter(({ name }) => name.includes(only))) {
  const task = await largest({ kind, edge, effort, make, sizes });
  if (task) compare(name, task, worst);
  else results.push({ name, missed: true }, console.log(`${name}: no size is allowed`));
}
const photos = process.env.PHOTOS ?? join(root, '../shared/photos');
for (const [title, from] of [['fixture', join(root, 'tests/fixtures')], ['photo', photos]]) {
  for (const file of existsSync(from) ? readdirSync(from, { recursive: true }).sort() : []) {
    if (!/\.(jpe?g|png|gif|webp)$/i.test(file) || !`${title} ${file}`.includes(only)) continue;
    const bytes = readFileSync(join(from, file));
    const tasks = title === 'fixture' ? [['upload', 2048, 0], ['upload', 20, 0], ['browser', 20, 2]]
      : [['upload', 2048, 0], ['upload', 1600, 0], ['browser', 1600, 1], ['browser', 1600, 2], ['preview', 1024, 0], ['preview', 200, 0]];
    for (const [kind, edge, effort] of tasks) {
      const task = new Task(bytes, kind, edge, effort);
      if (isAllowed(task)) compare(`${title} ${file}, ${kind} to ${edge}, effort ${effort}`, task);
    }
  }
}

mkdirSync(join(root, 'target/bench'), { recursive: true });
writeFileSync(join(root, 'target/bench/work.json'), `${JSON.stringify(results, null, 2)}\n`);
const missed = results.filter((result) => result.missed);
console.log(`\n${results.length} compared, ${missed.length} missed`);
for (const { name, ratio, longest } of missed) console.log(`MISSED: ${name}: ratio ${ratio}, longest step ${longest} ms`);
const calls = results.filter(({ longest }) => longest > STEP_MS).sort((one, other) => other.longest - one.longest);
console.log(`Longest of all other steps: ${Math.max(...results.map(({ longest = 0 }) => (longest > STEP_MS ? 0 : longest)))} ms. Longer than ${STEP_MS} ms:`);
for (const { name, longest } of calls) console.log(`${longest} ms: ${name}`);
process.exitCode = missed.length > 0 || results.length === 0 ? 1 : 0;

/** The first of these sizes that the limits allow. */
async function largest({ kind, edge, effort, make, sizes }) {
  for (const size of sizes) {
    const task = new Task(await make(...size), kind, edge, effort);
    if (isAllowed(task)) return task;
    task.free();
  }
  return undefined;
}

function isAllowed(task) {
  try {
    return task.estimate() >= 0;
  } catch {
    return false;
  }
}

function compare(name, task, worst = false) {
  const estimate = task.estimate();
  let done;
  try {
    done = task.carry_out();
  } catch (error) {
    // Such as a fixture that would grow.
    console.log(`${name}: not carried out, ${error}`);
    task.free();
    return;
  }
  let [work, scale] = [Infinity, Infinity];
  const began = cpuMs();
  let round = 0;
  for (; round < rounds || (round < 10 * rounds && cpuMs() - began < 150); round += 1) {
    scale = Math.min(scale, timed(reference));
    work = Math.min(work, timed(() => task.carry_out()));
  }
  const steps = stepTimes(task, round).map((ms) => (ms * REFERENCE_MS) / scale);
  const longest = Math.max(...steps);
  task.free();
  const measured = (work * REFERENCE_MS) / scale;
  const ratio = estimate / measured;
  const isSmall = Math.min(estimate, measured) < SMALL_MS;
  const isWithin = isSmall ? Math.abs(estimate - measured) <= SMALL_DIFFERENCE_MS : ratio >= LEAST && (worst || ratio <= MOST);
  const isMissed = !isWithin || longest > CALL_MS;
  results.push({ name, done, estimate: rounded(estimate), measured: rounded(measured), ratio: rounded(ratio), steps: steps.length, longest: rounded(longest), worst, missed: isMissed });
  const verdict = isMissed ? '  MISSED' : longest > STEP_MS ? '  (a single call)' : '';
  console.log(`${name}${worst ? ' (worst)' : ''}: estimate ${estimate.toFixed(1)}, measured ${measured.toFixed(1)}, ratio ${ratio.toFixed(2)}, longest of ${steps.length} steps ${longest.toFixed(1)}  [${done}]${verdict}`);
}

/** The least time of each step. */
function stepTimes(task, most) {
  const least = [];
  for (let round = 0; round < Math.min(most, rounds); round += 1) {
    const steps = task.steps();
    for (let [step, hasNext] = [0, true]; hasNext; step += 1) {
      const ms = timed(() => { hasNext = steps.next(); });
      least[step] = Math.min(least[step] ?? Infinity, ms);
    }
    steps.free();
  }
  return least;
}

function timed(call) {
  const began = cpuMs();
  call();
  return cpuMs() - began;
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function rounded(value) {
  return Math.round(value * 100) / 100;
}
