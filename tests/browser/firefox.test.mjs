// Firefox makes the same bytes as Chromium and refuses the same files, on a page with the same strict policy.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser } from "../e2e/browser.mjs";
import { startFirefox } from "./firefox.mjs";
import { openPage, prepare } from "./page.mjs";
import { drawn } from "./pictures.mjs";
import { serve } from "./site.mjs";

let site;
let firefox;
let chromium;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-two-engines-"));
  writeFileSync(join(folder, "photo.jpg"), await drawn(3000, 2000, { grain: 20 }).jpeg({ quality: 90 }).toBuffer());
  writeFileSync(join(folder, "notes.png"), "This is only text.\n");
  writeFileSync(join(folder, "photo.avif"), await drawn(300, 200).avif().toBuffer());
  site = await serve({ "/preflight/": "target/browser", "/fixtures/": "tests/fixtures", "/files/": folder });
  firefox = await startFirefox();
  chromium = await startBrowser();
  await firefox.goto(`${site.url}/`);
});
after(async () => {
  await firefox?.stop();
  await chromium?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The result of `preflight` in Firefox for a file of the site, and how many workers were started. */
async function inFirefox(url, type, options = {}) {
  return firefox.evaluate(
    async (url, type, options) => {
      const started = (globalThis.started ??= { count: 0 });
      if (!started.watching) {
        started.watching = true;
        globalThis.Worker = class extends Worker {
          constructor(...given) {
            super(...given);
            started.count += 1;
          }
        };
      }
      const { preflight, Refusal } = await import("/preflight/index.js");
      const file = new File([await (await fetch(url)).arrayBuffer()], "file", { type });
      try {
        const { blob, contentType, width, height, removed, placeholder } = await preflight(file, options);
        const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
        const sha256 = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
        return { contentType, width, height, removed, placeholder, sha256, workers: started.count };
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { code: error.code, sentence: error.message };
      }
    },
    url,
    type,
    options,
  );
}

test("a photo and a drawing become the same bytes in both engines, in a worker", async () => {
  const { page, complaints } = await openPage(chromium, site);
  for (const [url, type, options] of [
    ["/files/photo.jpg", "image/jpeg", {}],
    ["/files/photo.jpg", "image/jpeg", { effort: "small", policy: { maxEdge: 800 } }],
    ["/fixtures/png/private.png", "image/png", {}],
    ["/fixtures/png/rgb8.png", "image/png", { policy: { maxEdge: 16 } }],
    ["/fixtures/png/rgb8.png", "image/png", { edit: { flip: true, rotate: 90, crop: { left: 2, top: 3, width: 12, height: 9 } } }],
  ]) {
    const { bytes, contentType, width, height, removed, placeholder } = await prepare(page, url, { type, options });
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const made = await inFirefox(url, type, options);
    assert.deepEqual(made, { contentType, width, height, removed, placeholder, sha256, workers: 1 }, url);
  }
  assert.deepEqual(complaints, []);
});

test("a refusal is the same in both engines", async () => {
  const { page } = await openPage(chromium, site);
  const options = { language: "ko" };
  const { code, sentence } = await prepare(page, "/files/notes.png", { options });
  assert.equal(code, "INVALID_FILE_SIGNATURE");
  assert.deepEqual(await inFirefox("/files/notes.png", "image/png", options), { code, sentence });
});

test("Firefox prepares a type that only the browser decodes", async () => {
  const made = await inFirefox("/files/photo.avif", "image/avif", { policy: { maxEdge: 150 } });
  assert.deepEqual([made.code, made.contentType, made.width, made.height], [undefined, "image/jpeg", 150, 100]);
});

test("Firefox seals pictures that are kept, opens them with the key, and clears those of one owner", async () => {
  const outcome = await firefox.evaluate(async (url) => {
    const { clearQueue, EDGE_POLICY, Uploader } = await import("/preflight/index.js");
    const until = async (holds) => {
      for (let tries = 0; !(await holds()); tries++) {
        if (tries > 400) throw new Error(`not true: ${holds}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const rows = () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open("the-form-images");
        request.onerror = () => reject(request.error);
        request.onsuccess = () => (request.result.transaction("outbox").objectStore("outbox").getAll().onsuccess = ({ target }) => resolve(target.result));
      });
    const text = (value) => (typeof value === "object" ? new TextDecoder("latin1").decode(value) : String(value));
    const keyOf = (byte) => crypto.subtle.importKey("raw", new Uint8Array(32).fill(byte), "AES-GCM", false, ["encrypt", "decrypt"]);
    // Its token never comes, so nothing is sent.
    const start = async (owner, byte) => new Uploader({ endpoint: "", policy: EDGE_POLICY, token: () => new Promise(() => {}), offline: { owner, key: await keyOf(byte) } });
    const file = new File([await (await fetch(url)).arrayBuffer()], "holiday.png", { type: "image/png" });
    for (const [owner, byte] of [["anna", 1], ["bora", 2]]) {
      const uploader = await start(owner, byte);
      const item = uploader.add(file);
      await until(() => item.isKept);
      uploader.close();
    }
    const written = (await rows()).map((row) => Object.values(row).map(text).join(" "));
    const readable = ["IHDR", "holiday", "image/png"].filter((plain) => written.some((row) => row.includes(plain)));
    const again = await start("anna", 1);
    await until(() => again.items.length === 1);
    const { name, file: blob } = again.items[0];
    const opened = { name, type: blob.type, isPng: text(await blob.arrayBuffer()).includes("IHDR") };
    again.close();
    const other = await start("bora", 3);
    await until(async () => (await rows()).length === 1);
    const seen = other.items.length;
    other.close();
    await clearQueue({ owner: "bora" });
    const before = (await rows()).length;
    await clearQueue({ owner: "anna" });
    return { written: written.length, readable, opened, seen, before, after: (await rows()).length };
  }, "/fixtures/png/rgb8.png");
  assert.deepEqual(outcome, { written: 2, readable: [], opened: { name: "holiday.png", type: "image/png", isPng: true }, seen: 0, before: 1, after: 0 });
});
