// The API reference in Chromium and its OpenAPI document: every operation opens by keyboard, in both languages, on a small phone; other origins may
// read the document.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

const description = JSON.parse(readFileSync("www/openapi.json", "utf8"));
const operations = Object.values(description.paths).flatMap((methods) => Object.values(methods));
let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** The page. `complaints` collects its errors. */
async function open(options, at = "") {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`${server.url}/api/${at}`);
  await page.locator(".operation").first().waitFor();
  return { page, complaints, close: () => context.close() };
}

test("the OpenAPI document is served to every origin, and cached for five minutes", async () => {
  const answer = await fetch(`${server.url}/openapi.json`, { headers: { Origin: "https://elsewhere.example" } });
  assert.equal(answer.status, 200);
  const expected = { "content-type": /^application\/json/, "access-control-allow-origin": /^\*$/, "x-content-type-options": /^nosniff$/, "referrer-policy": /^no-referrer$/, "cache-control": /max-age=300/ };
  for (const [name, value] of Object.entries(expected)) assert.match(answer.headers.get(name) ?? "", value, name);
  assert.deepEqual(await answer.json(), description);
});

test("every operation opens with its parameters, responses and codes", async () => {
  const { page, complaints, close } = await open({ locale: "en-US" });
  assert.equal(await page.locator(".operation").count(), operations.length);
  for (const summary of await page.locator(".operation > summary").all()) await summary.press("Enter");
  for (const { operationId, responses } of operations) {
    const shown = page.locator(`#${operationId}`);
    assert.equal(await shown.locator(".status").count(), Object.keys(responses).length, operationId);
    assert.match(await shown.locator("pre").innerText(), /^curl /, operationId);
  }
  assert.equal(await page.locator("#codes tbody tr").count(), description.components.schemas.Code.enum.length);
  assert.match(await page.locator("#uploadImage").innerText(), /INVALID_FILE_SIGNATURE/);
  assert.doesNotMatch(await page.locator("main").innerText(), /undefined|\[object|NaN/);
  assert.deepEqual(complaints, []);
  await close();
});

test("by keyboard, in Korean: found, opened from its address, and turned to English", async () => {
  const { page, complaints, close } = await open({ locale: "ko-KR" }, "#login");
  assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  assert.ok(await page.locator("#login").evaluate((element) => element.open));
  assert.match(await page.locator("#login").innerText(), /이메일 또는 비밀번호가 올바르지 않습니다/);
  await page.locator("#find").focus();
  await page.keyboard.type("/admin/api/bans");
  assert.equal(await page.locator(".operation:visible").count(), 3);
  await page.keyboard.type("-nothing");
  await page.locator("#none").waitFor();
  await page.locator("#find").fill("");
  await page.locator('[data-language="en"]').press("Enter");
  assert.match(await page.locator("#login").innerText(), /The e-mail address or the password is wrong/);
  assert.deepEqual(complaints, []);
  await close();
});

test("an open operation fits a phone of 320 pixels", async () => {
  const { page, close } = await open({ locale: "en-US", viewport: { width: 320, height: 640 } }, "#registerImage");
  await page.locator("#registerImage .answers").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  await close();
});
