// The demo page in a real Chromium: a photo dropped on it is checked, sent, stored and shown; what
// must not pass is refused before anything is sent.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { chooseByKeyboard, startBrowser } from "./browser.mjs";
import { noise } from "./pictures.mjs";
import { startServer } from "./server.mjs";

const JPEG = "tests/fixtures/jpeg/baseline-420.jpg";

let server;
let browser;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-files-"));
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The page, opened in a language; anything the page complains about fails the test. */
async function open(locale) {
  const context = await browser.newContext({ locale });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(server.url);
  await page.locator("#limits", { hasText: "5" }).waitFor();
  return { page, complaints, close: () => context.close() };
}

/** Drops a file on the page, as a hand with a mouse would. */
async function dropFile(page, path, name, type) {
  const bytes = [...readFileSync(path)];
  const data = await page.evaluateHandle(
    ({ bytes, name, type }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
      return transfer;
    },
    { bytes, name, type },
  );
  await page.dispatchEvent("#drop", "drop", { dataTransfer: data });
}

test("a photo dropped on the page is stored, fetched back and decoded", async () => {
  const { page, complaints, close } = await open("en-US");
  await dropFile(page, JPEG, "holiday.jpg", "image/jpeg");
  await page.locator(".upload.stored").waitFor();

  const url = await page.locator(".result a").getAttribute("href");
  const key = new URL(url).pathname.slice(1);
  assert.ok(server.objects().has(key), "R2 holds it");
  assert.deepEqual(server.rows(), [], "a guest's picture waits to be claimed");

  const shown = page.locator(".upload img");
  await page.waitForFunction((url) => {
    const image = document.querySelector(".upload img");
    return image.src === url && image.complete;
  }, url);
  const size = await shown.evaluate((image) => [image.naturalWidth, image.naturalHeight]);
  assert.deepEqual(size, jpegSize(server.objects().get(key)), "the stored picture decodes in Chromium");
  assert.match(await page.locator(".steps").innerText(), /Checked in \d+ ms[\s\S]*Sent[\s\S]*Stored/);
  assert.deepEqual(complaints, []);
  await close();
});

test("a text file renamed .jpg and noise that stays too large are refused on the page, in Korean, and nothing is sent", async () => {
  const objectsBefore = server.objects().size;
  const { page, complaints, close } = await open("ko-KR");
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
  const text = join(folder, "notes.jpg");
  writeFileSync(text, "This is only text.\n");
  const big = join(folder, "noise.png");
  writeFileSync(big, noise(1500, 1400));
  await page.setInputFiles("#files", [text, big]);
  await page.locator(".upload.refused").nth(1).waitFor();

  const codes = await page.locator(".refusal code").allInnerTexts();
  assert.deepEqual(codes.sort(), ["FILE_TOO_LARGE", "INVALID_FILE_SIGNATURE"]);
  for (const sentence of await page.locator(".refusal span").allInnerTexts()) assert.match(sentence, /[가-힣]/);
  assert.deepEqual(sent, []);
  assert.equal(server.objects().size, objectsBefore);
  assert.deepEqual(complaints, []);
  await close();
});

test("the page works by keyboard and in both languages", async () => {
  const { page, close } = await open("en-US");
  await page.locator('[data-language="ko"]').focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  assert.match(await page.locator("h1").innerText(), /[가-힣]/);
  await chooseByKeyboard(page, page.locator("#files"), JPEG, "Space");
  await page.locator(".upload.stored").waitFor();
  await close();
});

/** Width and height as the frame header has them. */
function jpegSize(jpeg) {
  let at = 2;
  while (jpeg[at + 1] < 0xc0 || jpeg[at + 1] > 0xc2) at += 2 + jpeg.readUInt16BE(at + 2);
  return [jpeg.readUInt16BE(at + 7), jpeg.readUInt16BE(at + 5)];
}
