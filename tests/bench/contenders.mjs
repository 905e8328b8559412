// Starts what is compared: the built Worker under `wrangler dev`, storing in R2, in S3, and in S3 as two isolates, and
// the stack of stack.mjs; all that store in S3 do so in the same server, which verifies signatures.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { startS3 } from '../e2e/s3.mjs';
import { hs256, startServer } from '../e2e/server.mjs';
import { USERS, addresses, form, raw } from './uploads.mjs';

const DAY_S = 86_400;
// What bounds one user or one address would be measured in place of the work.
const UNLIMITED = {
  RATE_PER_MINUTE: 100_000,
  DAILY_COUNT: 10_000_000,
  DAILY_BYTES: 2 ** 50,
  IP_PER_MINUTE: 100_000,
  // As in production.
  LOG_LEVEL: 'warn',
};
// Only with it does a Worker tell how large its memory is.
const TELLING = { FAULT_INJECTION: 'true' };

/** All of them, each `{ name, urls, pids, process, series, log }`, and `stop` for all. */
export async function startAll() {
  const running = [];
  const stop = async () => {
    for (const part of running.reverse()) await part.stop();
  };
  const start = async (starting) => {
    const part = await starting;
    running.push(part);
    return part;
  };
  try {
    const s3 = await start(startS3());
    const r2Worker = await start(startServer({ vars: { ...UNLIMITED, ...TELLING } }));
    const s3Worker = () => start(startServer({ vars: { ...UNLIMITED, ...TELLING, ...s3.vars() } }));
    const s3Workers = [await s3Worker(), await s3Worker()];
    const stack = await start(startStack(s3.vars()));
    await Promise.all([r2Worker, ...s3Workers].map(({ url }) => openLedgers(url)));
    return {
      r2: workers('ours (R2)', [r2Worker]),
      s3: workers('ours (S3)', s3Workers.slice(0, 1)),
      pair: workers('ours (S3), two isolates', s3Workers),
      stack,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A new address opens its ledger once in its life: that is not what is compared. */
async function openLedgers(url) {
  for (const address of addresses()) {
    await (await fetch(`${url}/auth/guest-token`, { headers: { 'CF-Connecting-IP': address } })).arrayBuffer();
  }
}

/** An isolate has one thread; several share the users, as they do at the edge. */
function workers(name, servers) {
  const series = (picture) => {
    const each = servers.map(({ url, token }) => raw(picture, users((claims) => token(claims, DAY_S), servers.length), url));
    let count = 0;
    return () => each[count++ % each.length]();
  };
  const log = () => servers.map((server) => server.log().slice(-1000)).join('\n');
  const urls = servers.map(({ url }) => url);
  return { name, urls, pids: servers.map(({ pid }) => pid()), process: 'workerd', series, log };
}

async function startStack(s3) {
  const secret = randomBytes(32).toString('base64url');
  const child = fork(fileURLToPath(new URL('stack.mjs', import.meta.url)), {
    env: { ...process.env, NODE_ENV: 'production' },
  });
  child.send({ secret, s3 });
  const [{ port }] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => {
    throw new Error('the stack to compare with did not start');
  })]);
  const tokens = users((claims) => hs256(secret, claims, DAY_S));
  const url = `http://127.0.0.1:${port}`;
  return {
    name: 'Express, multer, sharp, S3',
    urls: [url],
    pids: [child.pid],
    process: 'node',
    series: (picture) => form(picture, tokens, url),
    log: () => '',
    stop: async () => {
      if (child.exitCode === null && child.kill()) await once(child, 'exit');
    },
  };
}

/** `team` keeps apart who shares a server: the same bytes of the same user would be recognised. */
const users = (sign, team = 1) => Array.from({ length: USERS }, (_, index) => sign({ sub: `bench-${team}-${index}` }));
