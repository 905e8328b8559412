// One set of rules, three places: natively, in workerd and in Chromium every fixture gets the same
// verdict, and natively and in workerd the same picture comes out.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser } from "../e2e/browser.mjs";
import { startServer } from "../e2e/server.mjs";

const FOLDER = "tests/fixtures";
const TYPES = { ".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp" };
const fixtures = readdirSync(FOLDER, { recursive: true })
  .filter((name) => extname(name) in TYPES)
  .map((name) => join(FOLDER, name))
  .sort();
const typeOf = (file) => TYPES[extname(file)];

/** What the rules say natively: file -> {report, processed} or {code}. */
function native() {
  const command = ["run", "--quiet", "-p", "image-rules", "--features", "codec", "--example", "inspect", "--", "--process"];
  const lines = execFileSync("cargo", [...command, ...files], { encoding: "utf8", maxBuffer: 1 << 26 });
  return new Map(lines.trim().split("\n").map((line) => JSON.parse(line)).map((line) => [line.file, line]));
}

/** A picture of each format broken in two ways: its second half missing, a byte in its middle flipped. */
function broken(folder) {
  return ["jpeg/baseline-420.jpg", "png/rgb8.png", "gif/animated.gif", "webp/lossless.webp"].flatMap((path) => {
    const bytes = readFileSync(join(FOLDER, path));
    const middle = bytes.length >> 1;
    const flipped = Buffer.from(bytes);
    flipped[middle] ^= 0xff;
    return [["cut", bytes.subarray(0, middle)], ["flipped", flipped]].map(([name, bytes]) => {
      const file = join(folder, `${name}${extname(path)}`);
      writeFileSync(file, bytes);
      return file;
    });
  });
}

let folder;
let files;
let server;
let browser;
let expected;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-broken-"));
  files = [...fixtures, ...broken(folder)];
  expected = native();
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("every fixture is known natively, and both outcomes occur", () => {
  const verdicts = [...expected.values()];
  assert.equal(verdicts.length, files.length);
  assert.deepEqual(verdicts.filter(({ panic, unreadable }) => panic || unreadable), []);
  assert.ok(verdicts.filter(({ processed }) => processed).length >= 40);
  assert.ok(verdicts.filter(({ code }) => code).length >= 4);
});

test("workerd answers with the native verdict and stores the native picture", async () => {
  for (const file of files) {
    const { code, processed } = expected.get(file);
    const answer = await fetch(`${server.url}/images`, {
      method: "POST",
      headers: { "Content-Type": typeOf(file), Authorization: `Bearer ${server.token()}` },
      body: readFileSync(file),
    });
    const body = await answer.json();
    assert.equal(body.code, code, file);
    if (code) continue;
    const { data } = body;
    assert.deepEqual(
      {
        contentType: data.contentType,
        size: [data.width, data.height],
        bytes: data.fileSize,
        removed: data.removed,
        placeholder: Buffer.from(data.placeholder, "base64").toString("hex"),
      },
      {
        contentType: `image/${processed.format}`,
        size: [processed.width, processed.height],
        bytes: processed.sizeBytes,
        removed: Object.keys(processed.removed).filter((kind) => processed.removed[kind] > 0).sort(byRules),
        placeholder: processed.placeholder,
      },
      file,
    );
  }
});

test("workerd makes the same smaller pictures as native code and Chromium, byte for byte", async (t) => {
  const small = await startServer({ vars: { MAX_EDGE: "16" } });
  t.after(() => small.stop());
  const lines = readFileSync(join(FOLDER, "processed.txt"), "utf8").trim().split("\n");
  assert.equal(lines.length, fixtures.length);
  for (const line of lines) {
    const [path, outcome] = line.split(" ");
    const file = join(FOLDER, path);
    const answer = await fetch(`${small.url}/images`, {
      method: "POST",
      headers: { "Content-Type": typeOf(file), Authorization: `Bearer ${small.token()}` },
      body: readFileSync(file),
    });
    const { code, data } = await answer.json();
    assert.equal(code ?? data.sha256, outcome, path);
  }
});

/** The order in which answers name what was removed. */
const KINDS = ["exif", "gps", "thumbnail", "xmp", "iptc", "icc", "comment", "vendor", "trailing"];
const byRules = (a, b) => KINDS.indexOf(a) - KINDS.indexOf(b);

test("Chromium reaches the native verdict and makes the native picture", async () => {
  const page = await browser.newPage();
  await page.goto(server.url);
  for (const file of files) {
    const { code, report, processed } = expected.get(file);
    const made = await page.evaluate(
      async ({ bytes, type }) => {
        const { preflight } = await import("/preflight/index.js");
        try {
          const { blob, ...prepared } = await preflight(new Blob([new Uint8Array(bytes)], { type }));
          return { ...prepared, bytes: blob.size };
        } catch (refusal) {
          return { code: refusal.code };
        }
      },
      { bytes: [...readFileSync(file)], type: typeOf(file) },
    );
    assert.equal(made.code, code, file);
    if (code) continue;
    // These four are not in the report of the package: the plan is made from them in the wasm.
    const { jpegBlocks, jpegQuality, payload, unterminated, ...shown } = report;
    assert.deepEqual(made.report, shown, file);
    assert.deepEqual(
      [made.contentType, made.width, made.height, made.bytes, Buffer.from(made.placeholder, "base64").toString("hex")],
      [`image/${processed.format}`, processed.width, processed.height, processed.sizeBytes, processed.placeholder],
      file,
    );
  }
});
