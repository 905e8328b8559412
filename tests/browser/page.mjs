// Pages of a test's site in a browser, and calls of the package in them.
import { readFileSync } from "node:fs";
import { extname } from "node:path";

export const TYPES = {
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".png": "image/png",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".bmp": "image/bmp",
  ".tif": "image/tiff",
  ".heic": "image/heic",
};

/** An empty page of the site; `complaints` collects its errors. */
export async function openPage(browser, site) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`${site.url}/`);
  return { page, complaints };
}

/** The result of `preflight` for a file of the site; `bytes` are those of the blob. */
export async function prepare(page, url, { type = TYPES[extname(url)], options = {} } = {}) {
  const { base64, ...made } = await page.evaluate(
    async ({ url, type, options }) => {
      const { preflight, Refusal } = await import("/preflight/index.js");
      const file = new File([await (await fetch(url)).arrayBuffer()], url.split("/").at(-1), { type });
      try {
        const { blob, ...prepared } = await preflight(file, options);
        const reader = new FileReader();
        const read = new Promise((resolve) => reader.addEventListener("load", resolve));
        reader.readAsDataURL(blob);
        await read;
        return { ...prepared, isFile: blob === file, type: blob.type, base64: reader.result.split(",")[1] ?? "" };
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { code: error.code, sentence: error.message, status: error.status };
      }
    },
    { url, type, options },
  );
  return base64 === undefined ? made : { ...made, bytes: Buffer.from(base64, "base64") };
}

/** Waits until a condition holds; the test runner has a timeout. */
export async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

export const size = (path) => readFileSync(path).length;
