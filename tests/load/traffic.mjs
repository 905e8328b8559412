// Shared code of the load tests: a server with high limits of users and client IPs, an upload that reports each possible
// outcome, and the memory of the server.
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";

import { percentile } from "../bench/load.mjs";
import { listeningPorts, residentMemory } from "../bench/usage.mjs";
import { startServer } from "../e2e/server.mjs";
import { sleep } from "../faults/trial.mjs";

/** Seconds of load. More than 60 is the long form; only there times are asserted. */
export const LOAD_SECONDS = Number(process.env.LOAD_SECONDS ?? 10);
export const IS_LONG = LOAD_SECONDS > 60;
export const MB = 1024 * 1024;

const OPEN = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 10_000_000, DAILY_BYTES: 2 ** 50 };
// FAULT_INJECTION enables the route that reports the size of the wasm memory; the log level is that of production.
const REPORTING = { FAULT_INJECTION: "true", LOG_LEVEL: "warn" };
const DAY_S = 86_400;
/** Timeout of the inspector for a garbage collection under full load. */
const INSPECTOR_MS = 20_000;
/** Timeout of a request to a port that may belong to another program. */
const PORT_MS = 2_000;

/** Starts a server with high limits and with `vars`. */
export const startOpen = (vars = {}) => startServer({ vars: { ...OPEN, ...REPORTING, ...vars } });

/**
 * The same server, addressed without the reload proxy of `wrangler dev`. That proxy forwards about two hundred requests a
 * second and queues the others until it has no file descriptor left. Without /proc, where the port is found, the server is
 * returned unchanged.
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

/** A user's token. It is signed once, so that signing is not measured. */
function tokenOf(server, user) {
  const name = `${server.url} ${user}`;
  if (!tokens.has(name)) tokens.set(name, server.token({ sub: user }, DAY_S));
  return tokens.get(name);
}

/** The headers of an upload by this user from client IP number `address`. */
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

/** Begins an upload that announces `length` bytes and sends only `sent`: the text of the response so far, and how to close it. */
export async function openUpload(server, { sent, ...details }) {
  const { hostname, port, host } = new URL(server.url);
  const socket = connect(port, hostname);
  const outcome = { heard: "", stop: () => socket.destroy() };
  socket.on("data", (text) => (outcome.heard += text));
  socket.on("error", () => {});
  await once(socket, "connect");
  const lines = Object.entries({ Host: host, ...headersOf(server, details) });
  socket.write(`POST /images HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  socket.write(sent);
  return outcome;
}

/** Measures the sustained rate: each client calls `send(agent)` again when the last one is answered. */
export async function closedLoop(send, { clients, seconds }) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const outcomes = [];
  const began = performance.now();
  const client = async () => {
    while (performance.now() - began < seconds * 1000) outcomes.push(await send(agent));
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return { outcomes, perSecond: outcomes.length / ((performance.now() - began) / 1000) };
}

/** Calls `send(agent)` at a fixed rate, whether or not earlier requests have been answered. */
export async function openLoop(send, { perSecond, seconds }) {
  const agent = new Agent({ keepAlive: true });
  const [outcomes, waiting] = [[], new Set()];
  const began = performance.now();
  let mostWaiting = 0;
  for (let at = 0; at < perSecond * seconds; at += 1) {
    const early = began + (at * 1000) / perSecond - performance.now();
    if (early > 1) await sleep(early);
    const sending = send(agent).then((outcome) => {
      waiting.delete(sending);
      outcomes.push({ ...outcome, atS: (performance.now() - began) / 1000 });
    });
    waiting.add(sending);
    mostWaiting = Math.max(mostWaiting, waiting.size);
    // Yield, so that this process reads the responses.
    if (at % 16 === 0) await sleep(0);
  }
  await Promise.all(waiting);
  agent.destroy();
  return { outcomes, mostWaiting };
}

/** Parses a response; a body that is not JSON becomes the cause. */
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

/** Size of the wasm memory of the Worker; it never shrinks. */
export async function wasmBytes(server) {
  const answer = await fetch(`${server.url}/_fault/memory`);
  return (await answer.json()).wasmBytes;
}

/**
 * Heap size of the Worker's isolate after a garbage collection: JavaScript objects and buffers, without the wasm memory,
 * which `wasmBytes` returns.
 */
export async function heldBytes(server) {
  // wrangler rejects inspector connections without these headers.
  const socket = new WebSocket(server.inspector, { headers: { Origin: "https://devtools.devprod.cloudflare.dev", "User-Agent": "node" } });
  const late = AbortSignal.timeout(INSPECTOR_MS);
  const received = (wanted, isIt) => new Promise((resolve, reject) => {
    socket.addEventListener(wanted, (event) => isIt(event) && resolve(event));
    late.addEventListener("abort", () => reject(new Error(`no answer of the inspector after ${INSPECTOR_MS} ms`)));
    for (const name of ["error", "close"]) socket.addEventListener(name, ({ message }) => reject(new Error(`the inspector closed the connection: ${message}`)));
  });
  let last = 0;
  const ask = async (method) => {
    const id = (last += 1);
    socket.send(JSON.stringify({ id, method }));
    const { data } = await received("message", (event) => JSON.parse(event.data).id === id);
    return JSON.parse(data).result;
  };
  try {
    await received("open", () => true);
    await ask("HeapProfiler.enable");
    await ask("HeapProfiler.collectGarbage");
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = await ask("Runtime.getHeapUsage");
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  } finally {
    socket.close();
  }
}

/** Resident memory of the server's largest process, without memory of its file system. */
export const residentBytes = (server) => residentMemory(server.pid(), "workerd");

/** Replaces the Worker's wasm instance, as a panic does, so that the next one starts with its smallest memory. */
export async function startAfresh(server) {
  await (await fetch(`${server.url}/_fault/panic`, { method: "POST" })).arrayBuffer();
}

/** `{ count, p50, p99, max }` of times in ms. */
export function times(list) {
  const sorted = list.toSorted((one, other) => one - other);
  const at = (part) => (sorted.length > 0 ? Math.round(percentile(sorted, part) * 10) / 10 : null);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Counts outcomes by status and code. */
export function tally(outcomes) {
  const counts = {};
  for (const { status, code, cause } of outcomes) {
    const name = [status, code ?? cause].filter((part) => part !== undefined && part !== null).join(" ");
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
