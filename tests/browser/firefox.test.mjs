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
