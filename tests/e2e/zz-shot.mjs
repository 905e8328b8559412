// Screenshots for a look (not tracked).
import { startServer } from "./server.mjs";
import { startProxy } from "./proxy.mjs";
import { startBrowser } from "./browser.mjs";
const fake = process.argv[2] === "fake";
const server = await startServer({ vars: { IP_PER_MINUTE: 100000 } });
const proxy = await startProxy(server.url);
const browser = await startBrowser();
const base = await (await fetch(`${server.url}/policy`)).json();
const policyOf = (id) => ({ ...base, minWidth: null, minHeight: null, aspectRatio: null, guests: true, form: { formId: id, state: "open", opensAt: null, closesAt: null, maxFiles: null, maxFilesPerUser: null, pendingSeconds: null } });
const POLICIES = {
  "demo-room": (p) => (p.form.maxFilesPerUser = 4, p),
  "demo-portrait": (p) => Object.assign(p, { acceptedTypes: ["image/jpeg", "image/png"], minWidth: 200, minHeight: 200, aspectRatio: "1:1", form: { ...p.form, maxFilesPerUser: 1 } }),
  later: (p) => Object.assign(p, { form: { ...p.form, state: "not_yet_open", opensAt: "2027-01-04T00:00:00.000Z" } }),
};
if (!fake) {
  const { readFileSync } = await import("node:fs");
  for (const [id, policy] of Object.entries(JSON.parse(readFileSync("www/demo/forms.json", "utf8"))))
    console.log((await fetch(`${server.url}/forms/${id}`, { method: "PUT", headers: { Authorization: `Bearer ${server.token({ sub: "s", role: "SERVICE" })}`, "Content-Type": "application/json" }, body: JSON.stringify(policy) })).status);
}
try {
  for (const [name, options] of Object.entries({
    "desktop-en": { viewport: { width: 1100, height: 1200 } },
    "desktop-ko-dark": { viewport: { width: 1100, height: 1200 }, locale: "ko-KR", colorScheme: "dark" },
    "phone-en": { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
    "phone-ko-dark": { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, locale: "ko-KR", colorScheme: "dark" },
  })) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("console", (m) => m.type() === "error" && console.log(name, m.text()));
    if (fake) await page.route("**/policy?*", (route) => { const id = new URL(route.request().url()).searchParams.get("formId"); route.fulfill({ json: POLICIES[id](policyOf(id)) }); });
    await page.goto(server.url);
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `/tmp/client-shots/${name}-start.png`, fullPage: true });
    await page.locator('[data-try="photo"]').click();
    await page.locator('[data-try="wide"]').click();
    await page.waitForTimeout(6000);
    await page.screenshot({ path: `/tmp/client-shots/${name}-tried.png`, fullPage: true });
    await context.close();
  }
  if (fake) {
    for (const locale of ["en-US", "ko-KR"]) {
      const context = await browser.newContext({ locale, viewport: { width: 390, height: 500 }, deviceScaleFactor: 2 });
      const page = await context.newPage();
      await page.route("**/policy?*", (route) => route.fulfill({ json: POLICIES.later(policyOf("later")) }));
      proxy.pages.set("/later", { html: `<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><body><image-upload form-id="later"></image-upload><script type=module src="/preflight/element/index.js"></script>` });
      await page.goto(`${proxy.url}/later`);
      await page.waitForTimeout(1000);
      await page.screenshot({ path: `/tmp/client-shots/later-${locale}.png` });
      await context.close();
    }
  }
} finally {
  await browser.close(); await proxy.stop(); await server.stop();
}
