// Compares the results of the browser package in Chromium with those of native code, for the files of public corpora.
//
// `node tests/conformance/browser.mjs DIR`, where DIR is the folder of the corpora. Prints every file that differs and exits
// with 1 when there is one. Needs `make browser`.
import { resolve } from "node:path";

import { serve } from "../browser/site.mjs";
import { startBrowser } from "../e2e/browser.mjs";
import { writeReport } from "../report.mjs";
import { corpora, inspect, typeOf } from "./corpora.mjs";

const dir = resolve(process.argv[2]);
const files = corpora(dir);
const native = inspect(files, "--browser");
const site = await serve({ "/preflight/": "target/browser", "/corpora/": dir });
const browser = await startBrowser();
const differing = [];
try {
  const page = await browser.newPage();
  await page.goto(site.url);
  for (const [index, file] of files.entries()) {
    const { code, processed } = native[index];
    const type = typeOf(file.read());
    const url = `/corpora/${file.name.split("/").map(encodeURIComponent).join("/")}`;
    const made = await page.evaluate(prepareInPage, { url, type: type ?? "image/jpeg" });
    const expected = code
      ? { code: type || code !== "INVALID_FILE_TYPE" ? code : "INVALID_FILE_SIGNATURE" }
      : {
          contentType: `image/${processed.format}`,
          size: [processed.width, processed.height, processed.sizeBytes],
          placeholder: processed.placeholder,
        };
    if (JSON.stringify(made) !== JSON.stringify(expected)) differing.push(`${file.name}: ${JSON.stringify({ made, expected })}`);
  }
} finally {
  await browser.close();
  await site.stop();
}
for (const line of differing) console.log(line);
console.log(`Chromium compared with native code: ${files.length} files, ${differing.length} differ`);
writeReport("corporaInChromium", { files: files.length, differing: differing.length });
process.exitCode = files.length > 0 && differing.length === 0 ? 0 : 1;

async function prepareInPage({ url, type }) {
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
