// Compares what Chromium makes of files that nobody here wrote with what native code makes of them.
//
// `node tests/conformance/browser.mjs DIR`, where DIR holds the corpora. Prints every file that differs and
// exits with 1 when there is one. Needs `make browser`.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { extname, join, resolve } from "node:path";

import { serve } from "../browser/site.mjs";
import { startBrowser } from "../e2e/browser.mjs";

const dir = resolve(process.argv[2]);
const TYPES = { ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp" };
/** So many files that their names fit on a command line. */
const BATCH = 200;

const files = readdirSync(dir, { recursive: true }).filter((name) => extname(name) in TYPES).sort();
const native = files.flatMap((_, at) => (at % BATCH === 0 ? inspect(files.slice(at, at + BATCH)) : []));
const site = await serve({ "/preflight/": "target/browser", "/corpora/": dir });
const browser = await startBrowser();
const differing = [];
try {
  const page = await browser.newPage();
  await page.goto(site.url);
  for (const [index, file] of files.entries()) {
    const { report, code, processed } = native[index];
    const type = report ? `image/${report.format}` : TYPES[extname(file)];
    const made = await page.evaluate(prepareThere, { url: `/corpora/${file.split("/").map(encodeURIComponent).join("/")}`, type });
    const expected = code
      ? { code: report || code !== "INVALID_FILE_TYPE" ? code : "INVALID_FILE_SIGNATURE" }
      : {
          contentType: `image/${processed.format}`,
          size: [processed.width, processed.height, processed.sizeBytes],
          placeholder: processed.placeholder,
        };
    if (JSON.stringify(made) !== JSON.stringify(expected)) differing.push(`${file}: ${JSON.stringify({ made, expected })}`);
  }
} finally {
  await browser.close();
  await site.stop();
}
for (const line of differing) console.log(line);
console.log(`Chromium beside native code: ${files.length} files, ${differing.length} differ`);
process.exitCode = files.length > 0 && differing.length === 0 ? 0 : 1;

function inspect(names) {
  const command = ["run", "--quiet", "--release", "-p", "image-rules", "--features", "codec", "--example", "inspect", "--", "--process", "--browser"];
  const lines = execFileSync("cargo", [...command, ...names.map((name) => join(dir, name))], { encoding: "utf8", maxBuffer: 1 << 28 });
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

async function prepareThere({ url, type }) {
  const { preflight } = await import("/preflight/index.js");
  const bytes = await (await fetch(url)).arrayBuffer();
  try {
    const { blob, contentType, width, height, placeholder } = await preflight(new Blob([bytes], { type }));
    const hex = Array.from(atob(placeholder), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
    return { contentType, size: [width, height, blob.size], placeholder: hex };
  } catch (refusal) {
    return { code: refusal.code ?? String(refusal) };
  }
}
