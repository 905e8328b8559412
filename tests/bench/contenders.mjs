// Starts the servers of the upload benchmark: the built Worker under `wrangler dev` with R2, with S3, and with S3 in two
// isolates, and the stack of stack.mjs. All use the same S3 server, which verifies signatures.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { startS3 } from '../e2e/s3.mjs';
import { hs256, startServer } from '../e2e/server.mjs';
import { USERS, addresses, form, raw } from './uploads.mjs';

const DAY_S = 86_400;
// High limits, so that rate limiting is not measured.
const UNLIMITED = {
  RATE_PER_MINUTE: 100_000,
  DAILY_COUNT: 10_000_000,
  DAILY_BYTES: 2 ** 50,
  IP_PER_MINUTE: 100_000,
  // As in production.
  LOG_LEVEL: 'warn',
};
// Enables the route that reports the size of the wasm memory.
const REPORTING = { FAULT_INJECTION: 'true' };

/** Starts all contenders, each `{ name, urls, pids, process, series, log }`, and returns them with `stop`. */
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
    const r2Worker = await start(startServer({ vars: { ...UNLIMITED, ...REPORTING } }));
    const s3Worker = () => start(startServer({ vars: { ...UNLIMITED, ...REPORTING, ...s3.vars() } }));
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

/** Creates the ledger of each client IP, so that its creation is not measured. */
async function openLedgers(url) {
  for (const address of addresses()) {
    await (await fetch(`${url}/auth/guest-token`, { headers: { 'CF-Connecting-IP': address } })).arrayBuffer();
  }
}

/** A contender of one or more isolates. An isolate has one thread; several share the users, as on the platform. */
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
    throw new Error('the stack did not start');
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

/** Tokens of the users. `team` separates contenders that share a store, because equal bytes of one user are a duplicate. */
const users = (sign, team = 1) => Array.from({ length: USERS }, (_, index) => sign({ sub: `bench-${team}-${index}` }));
