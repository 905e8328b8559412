// A proxy between browser and edge that injects faults (lost, delayed and replaced responses) and records all requests. It also serves the pages and
// files of a test.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as ask } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach } from "node:test";

import { startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

/** The page that tests drive: the package as `kit`, and files of the proxy as `fileOf(name)`. */
const BLANK = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title><body><script type="module">
  import * as kit from "/preflight/index.js";
  window.fileOf = async (name, type) => new File([await (await fetch("/files/" + name)).blob()], name, { type });
  window.kit = kit;
</script>`;

const TYPES = { js: "text/javascript", css: "text/css", wasm: "application/wasm" };

let addresses = 0;

/** Waits until a condition holds, at most a minute. */
export async function until(holds) {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not true after a minute: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * What the tests of a file share: a Worker with these options, a proxy in front of it, Chromium, and a folder. Before each test the proxy is reset, and
 * `user()` is another user. `fileOf` writes a file into the folder, `serve` lets the proxy serve one.
 */
export async function setUp(options) {
  const folder = mkdtempSync(join(tmpdir(), "the-form-test-"));
  let [server, proxy, browser] = [];
  after(async () => {
    await browser?.close();
    await proxy?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  server = await startServer(options);
  proxy = await startProxy(server.url);
  browser = await startBrowser();
  let users = 0;
  beforeEach(() => {
    proxy.fresh();
    users++;
  });
  const fileOf = (name, bytes) => (writeFileSync(join(folder, name), bytes), join(folder, name));
  const serve = (name, bytes) => (proxy.files.set(name, bytes), name);
  return { server, proxy, browser, folder, user: () => `u${users}`, fileOf, serve };
}

/**
 * `proxy.fault` is asked about each request that would go on to the edge (`{ method, path, headers, nth }`, nth of its method and
 * path) and answers with nothing or one of: `{ reset: true }`, `{ resetAfter: bytes }`, `{ status, headers, body }`,
 * `{ hold: promise }`, `{ twice: true }` (as browsers do after a lost answer).
 */
export async function startProxy(edge) {
  const counts = new Map();
  const sockets = new Set();
  const proxy = {
    /** All requests to the edge: method, path, headers, time, bytes read so far, and the status and Retry-After of the response. */
    seen: [],
    fault: () => undefined,
    pages: new Map([["/blank", { html: BLANK }]]),
    files: new Map(),
    uploads: () => proxy.seen.filter(({ method, path }) => method === "POST" && path === "/images"),
    /** Resets it, with a client IP that no test has used. */
    fresh: () => {
      proxy.seen.length = 0;
      counts.clear();
      proxy.fault = () => undefined;
      proxy.address = `198.19.${++addresses >> 8}.${addresses & 255}`;
    },
    /** Breaks all connections. */
    cut: () => sockets.forEach((socket) => socket.destroy()),
    stop: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  };
  proxy.fresh();

  const server = createServer((incoming, outgoing) => {
    // Browsers repeat a request that breaks on a reused connection; here only the package may retry.
    outgoing.setHeader("Connection", "close");
    incoming.on("error", () => {});
    outgoing.on("error", () => {});
    const path = incoming.url.split("?")[0];
    const page = proxy.pages.get(path);
    if (path === "/favicon.ico") return outgoing.writeHead(204).end();
    if (page) return outgoing.writeHead(200, { "Content-Type": "text/html; charset=utf-8", ...page.headers }).end(page.html);
    if (path.startsWith("/files/")) {
      const type = TYPES[path.split(".").at(-1)];
      if (type) outgoing.setHeader("Content-Type", type);
      return outgoing.end(proxy.files.get(decodeURIComponent(path.slice(7))));
    }
    // Some tests abort requests.
    pass(incoming, outgoing, path).catch(() => outgoing.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });

  async function pass(incoming, outgoing, path) {
    const { method, headers } = incoming;
    const name = `${method} ${path}`;
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    const entry = { method, path, headers, atMs: Date.now(), bytes: 0, arrived: [], status: undefined };
    proxy.seen.push(entry);
    const fault = proxy.fault({ method, path, headers, nth }) ?? {};
    if (fault.reset) return incoming.destroy();
    if (fault.hold) await fault.hold;
    if (incoming.destroyed) return;
    if (fault.status) {
      entry.status = fault.status;
      incoming.resume();
      return outgoing.writeHead(fault.status, fault.headers).end(fault.body);
    }
    const { host, ...others } = headers;
    const options = { method, headers: { ...others, host: new URL(edge).host, "CF-Connecting-IP": proxy.address } };
    if (fault.twice) {
      const body = Buffer.concat(await incoming.toArray());
      for (const socket of [undefined, outgoing]) await new Promise((resolve, reject) => {
        const again = ask(edge + incoming.url, options, (answer) => {
          entry.status = answer.statusCode;
          socket?.writeHead(answer.statusCode, { "Content-Type": answer.headers["content-type"] });
          answer.on("data", (chunk) => socket?.write(chunk)).on("end", () => resolve(socket?.end()));
        });
        again.on("error", reject).end(body);
      });
      return;
    }
    const onward = ask(edge + incoming.url, options, (answer) => {
      entry.status = answer.statusCode;
      entry.retryAfterS = Number(answer.headers["retry-after"]);
      const { connection, ...headers } = answer.headers;
      outgoing.writeHead(answer.statusCode, headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.on("close", () => incoming.complete || onward.destroy());
    for await (const chunk of incoming) {
      entry.bytes += chunk.length;
      entry.arrived.push({ atMs: Date.now(), bytes: entry.bytes });
      if (entry.bytes >= fault.resetAfter) return onward.destroy(), incoming.destroy();
      onward.write(chunk);
    }
    onward.end();
  }

  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}
