// Edits in Chromium: each combination of flip, turn and crop puts every pixel where it belongs, at full size.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import sharp from "sharp";

import { startBrowser } from "../e2e/browser.mjs";
import { openPage, prepare } from "./page.mjs";
import { drawn } from "./pictures.mjs";
import { serve } from "./site.mjs";

const [WIDTH, HEIGHT] = [7, 4];
let [site, browser, folder, page, complaints] = [];
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-edit-"));
  // Every pixel has its place as its colour.
  const pixels = Buffer.from(Array.from({ length: WIDTH * HEIGHT }, (_, at) => [30 * (at % WIDTH), 60 * Math.floor(at / WIDTH), 90]).flat());
  writeFileSync(join(folder, "places.png"), await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } }).png().toBuffer());
  writeFileSync(join(folder, "photo.jpg"), await drawn(1200, 800, { grain: 20 }).jpeg({ quality: 92 }).withMetadata({ orientation: 6 }).toBuffer());
  writeFileSync(join(folder, "notes.png"), "This is only text.\n");
  site = await serve({ "/preflight/": "target/browser", "/files/": folder });
  browser = await startBrowser();
  ({ page, complaints } = await openPage(browser, site));
});
after(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The places of the pixels of a picture, row by row. */
async function placesOf(bytes) {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const places = Array.from({ length: info.width * info.height }, (_, at) => `${data[3 * at] / 30},${data[3 * at + 1] / 60}`);
  return Array.from({ length: info.height }, (_, row) => places.slice(row * info.width, (row + 1) * info.width));
}

test("flip, turn and crop put every pixel where sharp puts it", async () => {
  for (const flip of [false, true]) {
    for (const rotate of [0, 90, 180, 270]) {
      const crop = { left: 1, top: 1, width: 2, height: 3 };
      const made = await prepare(page, "/files/places.png", { options: { edit: { flip, rotate, crop } } });
      assert.deepEqual([made.code, made.contentType, made.width, made.height], [undefined, "image/png", 2, 3]);
      const flipped = flip ? await sharp(join(folder, "places.png")).flop().toBuffer() : join(folder, "places.png");
      const turned = await sharp(flipped).rotate(rotate).png().toBuffer();
      const expected = await sharp(turned).extract(crop).png().toBuffer();
      assert.deepEqual(await placesOf(made.bytes), await placesOf(expected), `${flip} ${rotate}`);
    }
  }
  assert.deepEqual(complaints, []);
});

test("an edited photo is cut from the upright picture at full size, and has no metadata", async () => {
  const crop = { left: 100, top: 300, width: 600, height: 600 };
  const made = await prepare(page, "/files/photo.jpg", { options: { edit: { crop }, policy: { aspectRatio: "1:1", minWidth: 600, minHeight: 600, quality: 95 } } });
  assert.deepEqual([made.code, made.contentType, made.width, made.height], [undefined, "image/jpeg", 600, 600]);
  assert.deepEqual(made.removed, []);
  const { exif } = await sharp(made.bytes).metadata();
  assert.equal(exif, undefined);
  const upright = await sharp(await sharp(join(folder, "photo.jpg")).rotate().png().toBuffer()).extract(crop).removeAlpha().raw().toBuffer();
  const pixels = await sharp(made.bytes).removeAlpha().raw().toBuffer();
  const error = Math.sqrt(pixels.reduce((sum, value, at) => sum + (value - upright[at]) ** 2, 0) / pixels.length);
  assert.ok(error < 6, `root mean square error ${error}`);
});

test("an edit cannot make a file acceptable that the image rules refuse, and the result must fit the form", async () => {
  assert.equal((await prepare(page, "/files/notes.png", { options: { edit: { rotate: 90 } } })).code, "INVALID_FILE_SIGNATURE");
  const options = { edit: { crop: { left: 0, top: 0, width: 4, height: 3 } }, policy: { aspectRatio: "1:1" } };
  assert.equal((await prepare(page, "/files/places.png", { options })).code, "IMAGE_DIMENSIONS");
});
