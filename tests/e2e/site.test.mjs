// The documentation that the Worker serves at /docs/: its links and search work under the policy of the pages, in both languages, and axe-core finds nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { holdToRules, prepareAudits, setMode } from "./audit.mjs";
import { newVisitor, startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, path, width) {
  const context = await newVisitor(browser, {});
  t.after(() => context.close());
  await prepareAudits(context);
  const page = await context.newPage();
  const messages = [];
  page.on("console", (message) => messages.push(message.text()));
  page.on("pageerror", (error) => messages.push(error.message));
  await setMode(page, { width });
  await page.goto(server.url + path);
  return { page, messages };
}

for (const { path, word, other, heading } of [
  { path: "/docs/operate", word: "burn", other: "/docs/ko/", heading: /Objectives/ },
  { path: "/docs/ko/webhooks", word: "서명", other: "/docs/webhooks", heading: /./ },
]) {
  test(`${path} is found by its search, links the other language, and keeps to the rules of accessibility`, async (t) => {
    const { page, messages } = await open(t, path, 1000);
    await holdToRules(page);
    await page.fill("#search", word);
    const found = page.locator("#results li a");
    await found.first().waitFor();
    await holdToRules(page);
    assert.ok((await found.allInnerTexts()).some((text) => heading.test(text)));
    await found.first().click();
    await page.locator("article").waitFor();
    assert.match(page.url(), /\/docs\/.*#/);
    await page.goto(server.url + path);
    await page.click(".other");
    await page.waitForURL(server.url + other);
    assert.deepEqual(messages, [], "nothing is blocked by the policy");
  });
}

test("on a phone the contents are folded, and nothing is wider than the screen", async (t) => {
  const { page } = await open(t, "/docs/configuration", 360);
  assert.equal(await page.locator("nav details").getAttribute("open"), null);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.click("nav summary");
  await page.locator('nav a[aria-current="page"]').waitFor();
  await holdToRules(page);
});
