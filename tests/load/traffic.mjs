// What the trials of load have in common: a server whose limits of users and addresses stay out of the way,
// one upload and all that can become of it, and how much memory the server has taken.
import { request } from "node:http";

import { percentile } from "../bench/load.mjs";
import { listeningPorts, residentMemory } from "../bench/usage.mjs";
import { startServer } from "../e2e/server.mjs";

/** Whether the long form was asked for: so many seconds of load; bars of time are asserted only then. */
export const LOAD_SECONDS = Number(process.env.LOAD_SECONDS ?? 10);
export const IS_LONG = LOAD_SECONDS > 60;
export const MB = 1024 * 1024;

const OPEN = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 10_000_000, DAILY_BYTES: 2 ** 50 };
// Only with it does a Worker tell how large its memory is; the log as in production.
const TELLING = { FAULT_INJECTION: "true", LOG_LEVEL: "warn" };
const DAY_S = 86_400;
/** How long the inspector may take to collect an isolate's garbage while others ask for all there is. */
const INSPECTOR_MS = 20_000;
/** How long to wait for a port that may be another's. */
const PORT_MS = 2_000;

/** A server of its own, with `vars` beside what opens it. */
export const startOpen = (vars = {}) => startServer({ vars: { ...OPEN, ...TELLING, ...vars } });

/**
 * The same server without what `wrangler dev` puts before it in order to exchange it: that passes on some two hundred
 * requests a second, whatever they are, and piles up the others until it has no file left for a connection. Where
 * there is no /proc to find its port in, the server as it is.
 */
export async function withoutProxy(server) {
  const ports = listeningPorts(server.pid(), "workerd").filter((port) => port !== Number(new URL(server.url).port));
  for (const port of ports) {
    const url = `http://127.0.0.1:${port}`;
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(PORT_MS) }).catch(() => undefined);
    if (answer?.ok) return { ...server, url };
  }
  if (ports.length > 0) throw new Error(`no Worker at any of the ports ${ports.join(", ")}`);
  return server;
}

const tokens = new Map();

/** A token of a user, signed once, as signing is not what is measured. */
function tokenOf(server, user) {
  const name = `${server.url} ${user}`;
  if (!tokens.has(name)) tokens.set(name, server.token({ sub: user }, DAY_S));
  return tokens.get(name);
}

/** The headers of an upload by this user from the address of this number. */
export function headersOf(server, { user, address, type, length }) {
  return {
    Authorization: `Bearer ${tokenOf(server, user)}`,
    "CF-Connecting-IP": `10.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}`,
    "Content-Type": type,
    ...(length === undefined ? {} : { "Content-Length": length }),
  };
}

/** One upload: `{ status, code, retryAfterS, data, ms }`; a status of 0 when the connection broke without an answer. */
export function upload(server, { user = "load", address = 1, type, body, agent }) {
  const began = performance.now();
  const headers = headersOf(server, { user, address, type, length: body.length });
  return new Promise((resolve) => {
    const done = (outcome) => resolve({ code: null, retryAfterS: null, ...outcome, ms: performance.now() - began });
    const sending = request(`${server.url}/images`, { method: "POST", agent, headers }, (answer) => {
      answered(answer).then(done, (error) => done({ status: 0, cause: error.code ?? error.message }));
    });
    sending.on("error", (error) => done({ status: 0, cause: error.code ?? error.message }));
    sending.end(body);
  });
}

/** What an answer says; what is no JSON is its text. */
export async function answered(answer) {
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const { statusCode: status, headers } = answer;
  const retryAfterS = headers["retry-after"] === undefined ? null : Number(headers["retry-after"]);
  try {
    const { code = null, data = null } = JSON.parse(text);
    return { status, code, retryAfterS, data };
  } catch {
    return { status, code: null, retryAfterS, cause: text.slice(0, 200) };
  }
}

/** How large the memory of the Worker's instance has become; it never shrinks. */
export async function wasmBytes(server) {
  const answer = await fetch(`${server.url}/_fault/memory`);
  return (await answer.json()).wasmBytes;
}

/**
 * What the Worker's isolate holds once its garbage is collected: objects and buffers of JavaScript, without the
 * memory of its wasm instance, which is a buffer that `wasmBytes` tells.
 */
export async function heldBytes(server) {
  // wrangler lets nobody in who does not say where he comes from.
  const socket = new WebSocket(server.inspector, { headers: { Origin: "https://devtools.devprod.cloudflare.dev", "User-Agent": "node" } });
  const late = AbortSignal.timeout(INSPECTOR_MS);
  const heard = (wanted, isIt) => new Promise((resolve, reject) => {
    socket.addEventListener(wanted, (event) => isIt(event) && resolve(event));
    late.addEventListener("abort", () => reject(new Error("the inspector is silent")));
    for (const name of ["error", "close"]) socket.addEventListener(name, ({ message }) => reject(new Error(`the inspector is gone: ${message}`)));
  });
  let last = 0;
  const ask = async (method) => {
    const id = (last += 1);
    socket.send(JSON.stringify({ id, method }));
    const { data } = await heard("message", (event) => JSON.parse(event.data).id === id);
    return JSON.parse(data).result;
  };
  try {
    await heard("open", () => true);
    await ask("HeapProfiler.enable");
    await ask("HeapProfiler.collectGarbage");
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = await ask("Runtime.getHeapUsage");
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  } finally {
    socket.close();
  }
}

/** What the largest process of the server holds now, without what only its file system holds. */
export const residentBytes = (server) => residentMemory(server.pid(), "workerd");

/** Throws the Worker's instance away, as a panic does, so that the next one begins with no more than it needs. */
export async function startAfresh(server) {
  await (await fetch(`${server.url}/_fault/panic`, { method: "POST" })).arrayBuffer();
}

/** `{ count, p50, p99, max }` of times in ms. */
export function times(list) {
  const sorted = list.toSorted((one, other) => one - other);
  const at = (part) => (sorted.length > 0 ? Math.round(percentile(sorted, part) * 10) / 10 : null);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** How often each outcome came. */
export function tally(outcomes) {
  const counts = {};
  for (const { status, code, cause } of outcomes) {
    const name = [status, code ?? cause].filter((part) => part !== undefined && part !== null).join(" ");
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
