// Starts what is compared: the built Worker under `wrangler dev`, storing in R2 and in S3, and the stack of
// stack.mjs; both of the latter store in the same S3 server, which verifies signatures.
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

/** All of them, each `{ name, url, pid, process, series, log }`, and `stop` for all. */
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
    const s3Worker = await start(startServer({ vars: { ...UNLIMITED, ...TELLING, ...s3.vars() } }));
    const stack = await start(startStack(s3.vars()));
    await Promise.all([openLedgers(r2Worker.url), openLedgers(s3Worker.url)]);
    return { r2: worker('ours (R2)', r2Worker), s3: worker('ours (S3)', s3Worker), stack, stop };
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

function worker(name, server) {
  const tokens = users((claims) => server.token(claims, DAY_S));
  const series = (picture) => raw(picture, tokens);
  return { name, url: server.url, pid: server.pid(), process: 'workerd', series, log: server.log };
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
  return {
    name: 'Express, multer, sharp, S3',
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    process: 'node',
    series: (picture) => form(picture, tokens),
    log: () => '',
    stop: async () => {
      if (child.exitCode === null && child.kill()) await once(child, 'exit');
    },
  };
}

const users = (sign) => Array.from({ length: USERS }, (_, index) => sign({ sub: `bench-${index}` }));
