// Starts Chromium without access to the internet, and helps to drive its pages.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

import { findChromium } from "../../.make/programs.mjs";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Twice the default of Playwright, for busy machines. */
const PATIENCE_MS = 60_000;

export async function startBrowser(...more) {
  const browser = await chromium.launch({ executablePath: findChromium(), headless: true, args: [...ARGUMENTS, ...more] });
  const open = browser.newContext.bind(browser);
  browser.newContext = async (options) => patient(await open(options));
  return browser;
}

function patient(context) {
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/** A page in a context of its own, which closes after the test. `complaints` collects its uncaught errors and what it writes to the console at these levels. */
export async function openPage(t, browser, { levels = ["error"], ...options } = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => levels.includes(message.type()) && complaints.push(message.text()));
  return { context, page, complaints };
}

let visitors = 0;
/** A context with a client IP of its own, because each IP may send 120 requests a minute without a valid token. */
export function newVisitor(browser, options = {}) {
  return browser.newContext({ ...options, extraHTTPHeaders: { "CF-Connecting-IP": `198.51.100.${++visitors % 250}` } });
}

/** A browser with its profile in `folder`, so that a later browser can continue with it. */
export function startProfile(folder) {
  return chromium
    .launchPersistentContext(folder, { executablePath: findChromium(), headless: true, args: ARGUMENTS })
    .then(patient);
}

/** Chooses files by keyboard. */
export function chooseByKeyboard(page, locator, files, key = "Enter") {
  return choose(page, files, async () => {
    await locator.focus();
    await page.keyboard.press(key);
  });
}

/** Chooses files in the file chooser that `open` opens. */
export async function choose(page, files, open) {
  // On a slow machine the browser may not yet intercept the first chooser, so `open` is repeated.
  const came = new Promise((resolve) => page.once("filechooser", resolve));
  const deadline = Date.now() + 60_000;
  for (let chooser; !chooser; chooser = await Promise.race([came, sleep(2_000)])) {
    assert.ok(Date.now() < deadline, "no file chooser came");
    await open();
  }
  await (await came).setFiles(files);
}
