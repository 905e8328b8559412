// `preflight()` in Chromium, on a page with the strictest Content-Security-Policy that it allows: its results, its refusals, and that the edge keeps the
// results unchanged.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";

import sharp from "sharp";

import { startBrowser } from "../e2e/browser.mjs";
import { noise } from "../e2e/pictures.mjs";
import { openPage, prepare, TYPES } from "./page.mjs";
import { drawn } from "./pictures.mjs";
import { serve } from "./site.mjs";

const FIXTURES = "tests/fixtures";
const fixtures = readdirSync(FIXTURES, { recursive: true }).filter((name) => extname(name) in TYPES).sort();

let browser;
let site;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-preflight-"));
  site = await serve({ "/preflight/": "target/browser", "/fixtures/": FIXTURES, "/files/": folder });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The results of the native image rules for files. */
function inspect(files) {
  const command = ["run", "--quiet", "-p", "image-rules", "--features", "codec", "--example", "inspect", "--", "--process"];
  const lines = execFileSync("cargo", [...command, ...files], { encoding: "utf8", maxBuffer: 1 << 26 });
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

test("the edge keeps the result of every fixture byte for byte", async () => {
  const { page, complaints } = await openPage(browser, site);
  mkdirSync(join(folder, "made"));
  const made = [];
  for (const [index, name] of fixtures.entries()) {
    const { code, bytes, contentType, isFile } = await prepare(page, `/fixtures/${name}`);
    assert.equal(code, undefined, name);
    assert.equal(isFile, bytes.equals(readFileSync(join(FIXTURES, name))), `${name}: the file itself, unless something changed`);
    const file = join(folder, "made", `${index}.${contentType.slice(6)}`);
    writeFileSync(file, bytes);
    made.push(file);
  }
  for (const [index, { processed }] of inspect(made).entries()) {
    assert.equal(processed?.action, "keep", fixtures[index]);
    assert.equal(processed.sizeBytes, readFileSync(made[index]).length, fixtures[index]);
  }
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a resized result is kept by the same policy", async () => {
  const { page } = await openPage(browser, site);
  const outcomes = await page.evaluate(
    async ({ fixtures, types }) => {
      const { preflight, Refusal } = await import("/preflight/index.js");
      const policy = { maxEdge: 16 };
      const outcome = async (name) => {
        const type = types[name.slice(name.lastIndexOf("."))];
        const file = new Blob([await (await fetch(`/fixtures/${name}`)).arrayBuffer()], { type });
        try {
          const { blob } = await preflight(file, { policy });
          const again = await preflight(blob, { policy });
          return again.blob === blob ? (blob === file ? "unchanged" : "kept") : "changed again";
        } catch (error) {
          return error instanceof Refusal ? error.code : String(error);
        }
      };
      // All concurrently, in the job queue.
      return Promise.all(fixtures.map(outcome));
    },
    { fixtures, types: TYPES },
  );
  const recorded = new Map(readFileSync(join(FIXTURES, "processed.txt"), "utf8").trim().split("\n").map((line) => line.split(" ")));
  for (const [index, name] of fixtures.entries()) {
    const code = recorded.get(name);
    const expected = /^[A-Z]/.test(code) ? [code] : ["kept", "unchanged"];
    assert.ok(expected.includes(outcomes[index]), `${name}: ${outcomes[index]}`);
  }
  assert.ok(outcomes.filter((outcome) => outcome === "kept").length > 30);
  await page.close();
});

test("refusals have the edge's code and a sentence in the caller's language", async () => {
  const { page } = await openPage(browser, site);
  writeFileSync(join(folder, "notes.jpg"), "This is only text.\n");
  writeFileSync(join(folder, "photo.heic"), Buffer.from("\0\0\0\x1cftypheic\0\0\0\0mif1heic", "latin1"));
  writeFileSync(join(folder, "scan.tif"), Buffer.from("II*\0\x08\0\0\0", "latin1"));
  // With alpha it cannot become a JPEG, and with fewer colours it is still too large.
  const holed = { raw: { width: 700, height: 700, channels: 4 } };
  writeFileSync(join(folder, "holed.png"), await sharp(randomBytes(700 * 700 * 4), holed).png().toBuffer());
  writeFileSync(join(folder, "empty.gif"), "");
  for (const [file, code, en, ko, policy] of [
    ["notes.jpg", "INVALID_FILE_SIGNATURE", /./, /[가-힣]/],
    ["photo.heic", "INVALID_FILE_TYPE", /browser cannot open HEIC.*Save it as JPEG.*Most Compatible/, /HEIC.*JPEG.*높은 호환성/],
    ["scan.tif", "INVALID_FILE_TYPE", /browser cannot open TIFF.*JPEG or PNG/, /TIFF.*JPEG/],
    ["holed.png", "FILE_TOO_LARGE", /has 1\.9 MB; 0\.2 MB is the most/, /1\.9 MB.*0\.2 MB/, { limits: { maxBytes: 2 ** 18 } }],
    ["empty.gif", "FILE_MISSING", /is empty \(0 bytes\)\. Choose another/, /빈 파일\(0바이트\).*골라 주세요/],
  ]) {
    for (const [language, sentence] of [["en", en], ["ko-KR", ko]]) {
      const refusal = await prepare(page, `/files/${file}`, { options: { language, ...(policy && { policy }) } });
      assert.equal(refusal.code, code, file);
      assert.equal(refusal.status, 0);
      assert.match(refusal.sentence, sentence, file);
    }
  }
  // Declared as another type: the same refusal as the edge's.
  const disguised = await prepare(page, "/files/photo.heic", { type: "image/jpeg" });
  assert.equal(disguised.code, "INVALID_FILE_SIGNATURE");
  await page.close();
});

test("a picture above the edge's limits is accepted when its result is within them", async () => {
  const { page, complaints } = await openPage(browser, site);
  const photo = await drawn(8000, 6000, { grain: 40 }).jpeg({ quality: 90, chromaSubsampling: "4:4:4" }).toBuffer();
  assert.ok(photo.length > 18e6 && photo.length < 50e6, `${photo.length} bytes are like those of a large photo`);
  writeFileSync(join(folder, "48mp.jpg"), photo);
  const policy = { maxEdge: 2048, limits: { maxBytes: 2 ** 20, maxPixels: 12e6 } };
  const made = await prepare(page, "/files/48mp.jpg", { options: { policy, effort: "small" } });
  assert.deepEqual([made.code, made.width, made.height, made.contentType], [undefined, 2000, 1500, "image/jpeg"]);
  assert.equal(made.report.width, 8000);
  assert.equal(made.originalSize, photo.length);
  assert.ok(made.bytes.length <= 2 ** 20, `${made.bytes.length} bytes`);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a noisy photo of 12 MP in PNG becomes a JPEG that the edge accepts", async () => {
  const { page, complaints } = await openPage(browser, site);
  const photo = noise(4000, 3000);
  assert.ok(photo.length > 32e6);
  writeFileSync(join(folder, "noise.png"), photo);
  const made = await prepare(page, "/files/noise.png");
  assert.deepEqual([made.code, made.contentType, made.width, made.height], [undefined, "image/jpeg", 2048, 1536]);
  assert.ok(made.bytes.length <= 5 * 2 ** 20, `${made.bytes.length} bytes`);
  assert.equal(await prepareBytes(page, made), true, "the edge's rules keep it");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("the result of an AVIF has fewer bytes than the file, where quality allows it", async () => {
  const { page, complaints } = await openPage(browser, site);
  const photo = drawn(1600, 1200, { grain: 12 });
  const grown = [];
  for (const quality of [50, 62, 75]) {
    const source = await photo.clone().avif({ quality, effort: 2 }).toBuffer();
    const file = `grain-${quality}.avif`;
    writeFileSync(join(folder, file), source);
    const made = await prepare(page, `/files/${file}`);
    assert.equal(made.code, undefined, made.sentence);
    // Skips files that even a plain JPEG of the policy's quality makes smaller.
    const plain = await sharp(source).jpeg({ quality: 80, mozjpeg: true }).toBuffer();
    if (plain.length <= source.length) continue;
    grown.push(quality);
    const isWhole = made.width === 1600;
    assert.ok(made.bytes.length <= source.length || isWhole, `${made.bytes.length} of ${source.length}`);
    assert.ok([1600, 1200, 800].includes(made.width), `${made.width}`);
    if (made.bytes.length <= source.length) grown.fewer = true;
  }
  assert.ok(grown.fewer, `one of ${grown} could be made smaller`);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("types that only the browser decodes are accepted where it does", async () => {
  const { page, complaints } = await openPage(browser, site);
  const opaque = drawn(300, 200);
  const holed = drawn(300, 200, { channels: 4 });
  writeFileSync(join(folder, "photo.avif"), await opaque.clone().avif({ quality: 80 }).toBuffer());
  writeFileSync(join(folder, "deep.avif"), await opaque.clone().avif({ quality: 80, bitdepth: 10 }).toBuffer());
  writeFileSync(join(folder, "holed.avif"), await holed.clone().avif({ quality: 80 }).toBuffer());
  writeFileSync(join(folder, "drawing.bmp"), bitmap(40, 20));
  for (const [file, contentType, format] of [
    ["photo.avif", "image/jpeg", "avif"],
    ["deep.avif", "image/jpeg", "avif"],
    ["holed.avif", "image/png", "avif"],
    ["drawing.bmp", "image/png", "bmp"],
  ]) {
    const made = await prepare(page, `/files/${file}`, { options: { policy: { maxEdge: 150 } } });
    assert.equal(made.code, undefined, `${file}: ${made.sentence}`);
    assert.equal(made.report.format, format);
    assert.ok([contentType, "image/webp"].includes(made.contentType), `${file} became ${made.contentType}`);
    assert.equal(made.fileName, `${file.split(".")[0]}.${made.contentType.slice(6)}`);
    assert.deepEqual([made.report.width, made.report.height], file === "drawing.bmp" ? [40, 20] : [300, 200]);
    assert.equal(made.report.hasAlpha, file === "holed.avif");
    const again = await prepareBytes(page, made);
    assert.equal(again, true, `${file}: the edge's rules keep it`);
    await assertLooks(file, made);
  }
  assert.deepEqual(complaints, []);
  await page.close();
});

/** Whether `preflight` keeps a result unchanged. */
function prepareBytes(page, { bytes, contentType }) {
  return page.evaluate(
    async ({ base64, type }) => {
      const { preflight } = await import("/preflight/index.js");
      const bytes = Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
      const file = new Blob([bytes], { type });
      return (await preflight(file)).blob === file;
    },
    { base64: bytes.toString("base64"), type: contentType },
  );
}

/** Compares the pixels of a result with its source, with a tolerance for lossy coding. */
async function assertLooks(file, { bytes, width, height }) {
  const { default: sharp } = await import("sharp");
  if (file.endsWith(".bmp")) return assert.deepEqual([...(await pixels(sharp(bytes))).subarray(0, 8)], [255, 0, 0, 255, 255, 0, 0, 255]);
  const expected = await pixels(sharp(readFileSync(join(folder, file))).resize(width, height));
  const made = await pixels(sharp(bytes));
  assert.equal(made.length, expected.length);
  let sum = 0;
  for (let at = 0; at < made.length; at++) sum += Math.abs(made[at] - expected[at]) * (at % 4 === 3 ? 1 : expected[at | 3] / 255);
  assert.ok(sum / made.length < 3, `${file}: ${sum / made.length} off on average`);
}

const pixels = (image) => image.ensureAlpha().raw().toBuffer();

/** A BMP of 24 bits (no padding at this width): red above, blue below. */
function bitmap(width, height) {
  const bytes = Buffer.alloc(54 + width * height * 3);
  bytes.write("BM");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let pixel = 0; pixel < width * height; pixel++) bytes.set(pixel < (width * height) / 2 ? [255, 0, 0] : [0, 0, 255], 54 + pixel * 3);
  return bytes;
}

test("only the package's own files are requested, and its own formats need no canvas", async () => {
  const { page, complaints } = await openPage(browser, site);
  site.requests.length = 0;
  // In the page itself, where the test can remove APIs.
  await page.evaluate(() => {
    for (const name of ["Worker", "OffscreenCanvas", "ImageDecoder", "createImageBitmap"]) delete globalThis[name];
    document.createElement = () => {
      throw new Error("no elements");
    };
  });
  for (const name of ["jpeg/baseline-420.jpg", "png/rgba8.png", "gif/animated.gif", "webp/lossy.webp"]) {
    const made = await prepare(page, `/fixtures/${name}`, { options: { policy: { maxEdge: 16 } } });
    assert.equal(made.code, undefined, name);
  }
  assert.deepEqual(site.requests.filter((path) => !/^\/(preflight|fixtures)\//.test(path)), []);
  assert.deepEqual(complaints, []);
  await page.close();
});
