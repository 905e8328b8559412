// The job queue and its runner: aborting, stopping an idle worker whose memory has grown, and running in the page where workers are forbidden.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser } from "../e2e/browser.mjs";
import { openPage, prepare, until } from "./page.mjs";
import { drawn, flat } from "./pictures.mjs";
import { serve, STRICT } from "./site.mjs";

const SMALL = "/fixtures/jpeg/baseline-420.jpg";

let browser;
let site;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-queue-"));
  writeFileSync(join(folder, "large.jpg"), await drawn(4000, 3000).jpeg({ quality: 90 }).toBuffer());
  writeFileSync(join(folder, "huge.png"), await flat(8000, 6000).png().toBuffer());
  const folders = { "/preflight/": "target/browser", "/fixtures/": "tests/fixtures", "/files/": folder };
  site = await serve(folders);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("aborting the running job rejects at once, and a new worker runs the waiting jobs", async () => {
  const { page, complaints } = await openPage(browser, site);
  const outcome = await page.evaluate(
    async ({ small, large }) => {
      const { preflight, warmUp } = await import("/preflight/index.js");
      const get = async (url) => new Blob([await (await fetch(url)).arrayBuffer()], { type: "image/jpeg" });
      const files = { small: await get(small), large: await get(large) };
      await warmUp();
      const posted = [];
      const ended = [];
      const { postMessage, terminate } = Worker.prototype;
      const atWork = new Promise((resolve) => {
        Worker.prototype.postMessage = function (message) {
          // The first message to a worker names the wasm.
          if (!message.file) return postMessage.call(this, message);
          posted.push(message.file === files.large ? "large" : "small");
          postMessage.call(this, message);
          resolve();
        };
      });
      Worker.prototype.terminate = function () {
        ended.push(posted.length);
        terminate.call(this);
      };
      const stop = new AbortController();
      const never = new AbortController();
      const first = preflight(files.large, { signal: stop.signal, effort: "small" }).catch((error) => error);
      const waiting = preflight(files.small);
      const givenUp = preflight(files.large, { signal: never.signal }).catch((error) => error);
      const last = preflight(files.large);
      await atWork;
      never.abort();
      stop.abort();
      const reasons = [await first, await givenUp].map((error) => [error instanceof DOMException, error.name]);
      const sizes = [(await waiting).width, (await last).width];
      const early = await preflight(files.small, { signal: AbortSignal.abort() }).catch((error) => error.name);
      const hanging = new AbortController();
      const policy = new Promise(() => {});
      const hung = preflight(files.small, { policy, signal: hanging.signal }).catch((error) => error.name);
      hanging.abort();
      return { reasons, sizes, posted, ended, early, hung: await hung };
    },
    { small: SMALL, large: "/files/large.jpg" },
  );
  assert.deepEqual(outcome.reasons, [[true, "AbortError"], [true, "AbortError"]]);
  assert.deepEqual(outcome.sizes, [40, 2000]);
  assert.deepEqual(outcome.posted, ["large", "small", "large"], "a job that was aborted in the queue never started");
  assert.deepEqual(outcome.ended, [1], "only the worker of the running job was terminated");
  assert.deepEqual([outcome.early, outcome.hung], ["AbortError", "AbortError"]);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a worker whose memory has grown large is stopped when it is idle; others stay", async () => {
  const { page, complaints } = await openPage(browser, site);
  await prepare(page, SMALL);
  const [kept] = page.workers();
  await prepare(page, "/files/large.jpg");
  assert.equal(page.workers()[0], kept, "a photo does not stop the worker");

  const made = await prepare(page, "/files/huge.png");
  assert.deepEqual([made.code, made.width, made.height], [undefined, 2048, 1536]);
  await until(() => page.workers().length === 0);

  assert.equal((await prepare(page, SMALL)).width, 40);
  assert.equal(page.workers().length, 1);
  assert.notEqual(page.workers()[0], kept);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("without workers the page runs the jobs, with the same result", async (t) => {
  const strict = await serve(site.folders, { csp: STRICT.replace("worker-src 'self'", "worker-src 'none'") });
  t.after(() => strict.stop());
  const { page } = await openPage(browser, site);
  const { page: forbidden, complaints } = await openPage(browser, strict);
  const { page: without } = await openPage(browser, site);
  await without.evaluate(() => delete globalThis.Worker);
  for (const url of [SMALL, "/fixtures/png/private.png", "/files/large.jpg"]) {
    const expected = await prepare(page, url);
    for (const other of [forbidden, without]) {
      const made = await prepare(other, url);
      assert.ok(made.bytes.equals(expected.bytes), url);
      assert.deepEqual(other.workers(), []);
    }
  }
  assert.ok(complaints.some((text) => /worker-src/.test(text)), "the policy forbids workers");
  for (const other of [page, forbidden, without]) await other.close();
});

test("in the page, events and aborts are handled between the steps", async () => {
  const { page, complaints } = await openPage(browser, site);
  const outcome = await page.evaluate(async (url) => {
    delete globalThis.Worker;
    const { preflight, warmUp } = await import("/preflight/index.js");
    const file = new Blob([await (await fetch(url)).arrayBuffer()], { type: "image/jpeg" });
    await warmUp();
    // Counts the timers that run during the job.
    let timers = 0;
    const count = () => {
      timers += 1;
      timer = setTimeout(count);
    };
    let timer = setTimeout(count);
    const { width } = await preflight(file);
    clearTimeout(timer);
    const stop = new AbortController();
    const given = preflight(file, { signal: stop.signal }).catch((error) => error.name);
    setTimeout(() => stop.abort());
    return { width, timers, given: await given, next: (await preflight(file)).width };
  }, "/files/large.jpg");
  const { timers, ...rest } = outcome;
  assert.deepEqual(rest, { width: 2000, given: "AbortError", next: 2000 });
  assert.ok(timers >= 3, `before decoding, resizing and encoding: ${timers}`);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a worker that fails rejects its current job and no other", async () => {
  const { page } = await openPage(browser, site);
  const outcome = await page.evaluate(async (url) => {
    const { preflight } = await import("/preflight/index.js");
    const file = new Blob([await (await fetch(url)).arrayBuffer()], { type: "image/jpeg" });
    await preflight(file);
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message) {
      Worker.prototype.postMessage = postMessage;
      // The worker cannot read such a file.
      postMessage.call(this, { ...message, file: null });
    };
    const broken = preflight(file).then(() => "prepared", (error) => error.constructor.name);
    return [await broken, (await preflight(file)).width];
  }, SMALL);
  assert.deepEqual(outcome, ["TypeError", 40]);
  await page.close();
});
