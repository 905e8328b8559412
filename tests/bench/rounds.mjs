// Loads the contenders alternately, so that a disturbance affects all of them, prints the figures of each, and compares the
// medians.
import { startAll } from './contenders.mjs';
import { load } from './load.mjs';
import { pictures } from './pictures.mjs';
import { cpuSeconds, forgetPeaks, peakMemory } from './usage.mjs';

const CLIENTS = 8;
const MB = 1_000_000;

export async function measure({ root, rounds, seconds, only }) {
  const { source, big, small } = await pictures(root);
  console.log(`Node ${process.version}; pictures: ${source}; ${CLIENTS} clients, ${rounds} rounds of ${seconds} s\n`);
  const contenders = await startAll();
  try {
    const rows = [
      { name: 'kept JPEG', picture: small, atLeast: 1.5 },
      { name: 'photo 12 MP', picture: big, atLeast: 1 },
    ];
    const results = [];
    for (const row of rows.filter(({ name }) => name.includes(only))) {
      results.push(...await compare(contenders, { ...row, rounds, seconds }));
    }
    return results;
  } finally {
    await contenders.stop();
  }
}

async function compare({ r2, stack, s3, pair }, { name, picture, atLeast, rounds, seconds }) {
  const entrants = [r2, stack, s3, pair].map((contender) => ({ contender, next: contender.series(picture), rounds: [] }));
  for (const { contender, next } of entrants) {
    contender.pids.forEach(forgetPeaks);
    await runOnce(contender, next, Math.min(2, seconds));
  }
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const entrant of entrants) entrant.rounds.push(await runOnce(entrant.contender, entrant.next, seconds));
  }
  console.log(`upload of a ${name}, ${picture.length} bytes`);
  const [ours, peer, oursS3, oursPair] = await Promise.all(entrants.map(summary));
  console.log('');
  return [
    ...comparisons(`upload ${name}, ours to R2`, ours, peer),
    ...comparisons(`upload ${name}, both to S3`, oursS3, peer),
    // The stack uses both cores. An isolate has one thread, and the platform starts as many as are needed.
    ...comparisons(`upload ${name}, both to S3 and on both cores`, oursPair, peer, { atLeast }),
  ].map(printed);
}

/** Loads one server once. */
async function runOnce(contender, next, seconds) {
  const before = cpuOf(contender);
  try {
    const outcome = await load(next, { seconds, clients: CLIENTS });
    return { ...outcome, cpuMs: ((cpuOf(contender) - before) * 1000) / outcome.uploads };
  } catch (error) {
    throw new Error(`${contender.name}: ${error.message}\n${contender.log().slice(-2000)}`, { cause: error });
  }
}

const cpuOf = ({ pids }) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);

async function summary({ contender, rounds }) {
  const of = (field) => median(rounds.map((round) => round[field]));
  const total = {
    name: contender.name,
    perSecond: of('perSecond'), p50: of('p50'), p99: of('p99'), cpuMs: of('cpuMs'),
    memoryMB: Math.max(...contender.pids.map((pid) => peakMemory(pid, contender.process))) / MB,
    wasmMB: await wasmMB(contender),
  };
  const each = rounds.map((round) => round.perSecond.toFixed(1)).join(' ');
  const wasm = total.wasmMB === undefined ? '' : `, of it wasm ${total.wasmMB.toFixed(1)} MB`;
  console.log(`  ${contender.name}: ${total.perSecond.toFixed(1)} uploads/s (${each}), p50 ${total.p50.toFixed(1)} ms, `
    + `p99 ${total.p99.toFixed(1)} ms, CPU ${total.cpuMs.toFixed(1)} ms an upload, `
    + `peak of ${contender.process} ${total.memoryMB.toFixed(0)} MB${wasm}`);
  return total;
}

/** Size of the Worker's wasm memory in MB, or undefined when the server does not report it. */
async function wasmMB({ urls: [url] }) {
  const answer = await fetch(`${url}/_fault/memory`);
  const text = await answer.text();
  return answer.status === 200 ? JSON.parse(text).wasmBytes / MB : undefined;
}

function comparisons(name, ours, peer, bar) {
  const compared = (what, field, unit) => ({
    name: `${name}: ${what}`, ours: round(ours[field]), peer: round(peer[field]), peer_name: peer.name,
    ratio: ours[field] / peer[field], unit,
  });
  return [
    { ...compared('throughput', 'perSecond', 'uploads/s'), ...(bar && { bar }) },
    compared('p50', 'p50', 'ms'),
    compared('p99', 'p99', 'ms'),
    compared('CPU an upload', 'cpuMs', 'ms'),
    compared('peak memory of the process', 'memoryMB', 'MB'),
  ];
}

function printed(result) {
  const { name, ours, peer, peer_name, ratio, unit, bar } = result;
  const verdict = bar ? `  bar at least ${bar.atLeast} ${ratio >= bar.atLeast ? 'met' : 'MISSED'}` : '';
  console.log(`${name}: ours ${ours} ${unit}, ${peer_name} ${peer} ${unit}, ratio ${ratio.toFixed(3)}${verdict}`);
  return result;
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const round = (value) => Math.round(value * 100) / 100;
