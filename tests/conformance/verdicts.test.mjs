// The image rules give the same result for every fixture in native code, in workerd and in Chromium.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser } from "../e2e/browser.mjs";
import { startServer } from "../e2e/server.mjs";
import { flatGif } from "../load/animations.mjs";

const FOLDER = "tests/fixtures";
const TYPES = { ".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp" };
const fixtures = readdirSync(FOLDER, { recursive: true })
  .filter((name) => extname(name) in TYPES)
  .map((name) => join(FOLDER, name))
  .sort();
const typeOf = (file) => TYPES[extname(file)];

/** The results of native code: file -> {report, processed} or {code}. */
function native() {
  // With all features, as for `cargo test`, so that no dependency is built again.
  execFileSync("cargo", ["build", "--quiet", "--workspace", "--all-features", "--example", "inspect"]);
  const lines = execFileSync("target/debug/examples/inspect", ["--process", ...files], { encoding: "utf8", maxBuffer: 1 << 26 });
  return new Map(lines.trim().split("\n").map((line) => JSON.parse(line)).map((line) => [line.file, line]));
}

/** Broken images of each format: one truncated to its first half, and one with a flipped byte in the middle. */
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

/** A GIF that takes more CPU time than both the edge and the browser allow. */
function long(folder) {
  const file = join(folder, "long.gif");
  writeFileSync(file, flatGif(2052, 1218, 200));
  return file;
}

let folder;
let files;
let server;
let browser;
let expected;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-broken-"));
  files = [...fixtures, ...broken(folder), long(folder)];
  expected = native();
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("native code accepts some fixtures, rejects others, and panics on none", () => {
  const verdicts = [...expected.values()];
  assert.equal(verdicts.length, files.length);
  assert.deepEqual(verdicts.filter(({ panic, unreadable }) => panic || unreadable), []);
  assert.ok(verdicts.filter(({ processed }) => processed).length >= 40);
  assert.ok(verdicts.filter(({ code }) => code).length >= 4);
});

test("workerd has the code of native code for each fixture, or its type, size, removed data and placeholder", async () => {
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

test("workerd resizes each fixture to the same bytes as native code and Chromium", async (t) => {
  const small = await startServer({ vars: { MAX_EDGE: "16" } });
  t.after(() => small.stop());
  const lines = readFileSync(join(FOLDER, "processed.txt"), "utf8").trim().split("\n");
  // The list has one line for each fixture of a format's folder.
  assert.equal(lines.length, fixtures.filter((file) => !file.startsWith(join(FOLDER, "large"))).length);
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

/** The order of the removed kinds in a response. */
const KINDS = ["exif", "gps", "thumbnail", "xmp", "iptc", "icc", "comment", "vendor", "trailing"];
const byRules = (a, b) => KINDS.indexOf(a) - KINDS.indexOf(b);

test("Chromium has the code of native code for each fixture, or its report, type, size and placeholder", async () => {
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
    // The report of the package omits these five, which only the plan in the wasm uses.
    const { coded, jpegBlocks, jpegQuality, payload, unterminated, ...shown } = report;
    assert.deepEqual(made.report, shown, file);
    assert.deepEqual(
      [made.contentType, made.width, made.height, made.bytes, Buffer.from(made.placeholder, "base64").toString("hex")],
      [`image/${processed.format}`, processed.width, processed.height, processed.sizeBytes, processed.placeholder],
      file,
    );
  }
});
