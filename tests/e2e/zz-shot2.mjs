// Screenshots of the README (not tracked).
import { execFileSync } from "node:child_process";
import { startServer } from "./server.mjs";
import { startBrowser } from "./browser.mjs";
const server = await startServer({ vars: { IP_PER_MINUTE: 100000 } });
const browser = await startBrowser();
execFileSync(process.execPath, [".make/demo-forms.mjs", "--url", server.url], { env: { ...process.env, TOKEN: server.token({ sub: "demo", role: "SERVICE" }) } });
try {
  for (const [path, options, tries] of [
    ["demo.png", { viewport: { width: 900, height: 1400 }, locale: "en-US" }, ["place", "photo", "wide"]],
    ["demo-phone.png", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, locale: "ko-KR", colorScheme: "dark" }, ["place", "wide"]],
  ]) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("console", (m) => m.type() === "error" && console.log(path, m.text()));
    await page.goto(server.url);
    await page.locator("#portrait [part=types]", { hasText: "200" }).waitFor();
    await page.locator("#stars label").nth(3).click();
    for (const name of tries) {
      await page.locator(`[data-try="${name}"]`).click();
      await page.waitForTimeout(300);
      await page.waitForFunction(() => [...document.querySelectorAll("image-upload")].every((f) => f.items.every((i) => ["uploaded", "refused"].includes(i.state))) && document.querySelectorAll("image-upload").length === 2, undefined, { timeout: 60000 });
      await page.waitForTimeout(1500);
    }
    await page.mouse.move(0, 0);
    await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
    const box = await page.locator("#survey").boundingBox();
    await page.screenshot({ path: `/tmp/client-shots/${path}`, fullPage: true, clip: { x: 0, y: 0, width: options.viewport.width, height: Math.ceil(box.y + box.height + 14) } });
    await context.close();
  }
} finally { await browser.close(); await server.stop(); }
