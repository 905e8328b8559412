// The editor of <image-upload>: it opens when the ratio of a form does not fit, and works by keyboard, pointer and touch.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { before, test } from "node:test";

import { startFirefox } from "../browser/firefox.mjs";
import { openPage } from "./browser.mjs";
import { setUp, until } from "./proxy.mjs";

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'";
const sharp = createRequire(resolve("tests/browser/package.json"))("sharp");
const { server, proxy, browser, user, fileOf } = await setUp();

/** Red on the left, blue on the right. */
const halves = async (name, width, height) => {
  const half = { create: { width: width / 2, height, channels: 3, background: "#f00" } };
  return fileOf(name, await sharp({ create: { width, height, channels: 3, background: "#00f" } }).composite([{ input: await sharp(half).png().toBuffer(), left: 0, top: 0 }]).png().toBuffer());
};
let wide;
before(async () => {
  wide = await halves("wide.png", 600, 300);
  const headers = { Authorization: `Bearer ${server.token({ sub: "survey", role: "SERVICE" })}`, "Content-Type": "application/json" };
  assert.ok((await fetch(`${server.url}/forms/square`, { method: "PUT", headers, body: JSON.stringify({ aspectRatio: "1:1", minWidth: 100 }) })).ok);
});

function setPage(attributes) {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Editor</title><image-upload name="photos" ${attributes}></image-upload>
    <script type="module" src="/preflight/element/index.js"></script><script type="module" src="/files/setup.js"></script>`;
  proxy.pages.set("/editor", { html, headers: { "Content-Security-Policy": POLICY } });
  proxy.files.set("setup.js", `document.querySelector("image-upload").token = () => ${JSON.stringify(server.token({ sub: user() }))};`);
}

async function open(t, attributes, options) {
  const { page, complaints } = await openPage(t, browser, { locale: "en-US", ...options });
  t.after(() => assert.deepEqual(complaints, []));
  setPage(attributes);
  await page.goto(`${proxy.url}/editor`);
  await page.waitForFunction(() => document.querySelector("image-upload").token);
  return page;
}

const add = (page, ...paths) => page.locator("image-upload input[type=file]").first().setInputFiles(paths);
const stored = (page, count) => page.waitForFunction((count) => document.querySelector("image-upload").value.length === count, count);
/** The size is shown when the picture has been decoded. */
const sizeText = (page) => page.locator("image-upload dialog .size", { hasText: /\d/ }).innerText();
const shot = async (page, name) => process.env.SHOTS && (await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) }));

/** The stored picture of a key: its size and the colours of its left and right edge. */
async function storedPicture(key) {
  const { data, info } = await sharp(server.objects().get(key)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x) => ["red", "", "blue"].find((_, channel) => data[3 * (info.width * (info.height >> 1) + x) + channel] > 200);
  return [info.width, info.height, at(0), at(info.width - 1)];
}

test("the editor opens when the ratio does not fit, and is used by keyboard; Escape leaves the picture out", async (t) => {
  const page = await open(t, 'edit form-id="square"');
  const loaded = [];
  page.on("request", (request) => loaded.push(request.url()));
  await add(page, await halves("square.png", 300, 300));
  await stored(page, 1);
  await add(page, wide);
  const stage = page.getByRole("application");
  await stage.waitFor();
  assert.ok(loaded.some((url) => /\/preflight\/chunk-/.test(url)), "the editor loads when it is needed");
  assert.equal(await sizeText(page), "300\u00a0×\u00a0300 pixels");
  await page.keyboard.press("Escape");
  await stage.waitFor({ state: "detached" });
  assert.equal(await page.locator("image-upload li").count(), 1);

  await add(page, wide);
  await stage.waitFor();
  await stage.focus();
  for (let press = 0; press < 30; press++) await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("f");
  await page.keyboard.press("+");
  assert.equal(await sizeText(page), "273\u00a0×\u00a0273 pixels");
  await shot(page, "editor-desktop");
  await page.getByRole("button", { name: "Apply" }).focus();
  await page.keyboard.press("Enter");
  await stored(page, 2);
  const [, key] = await page.evaluate(() => document.querySelector("image-upload").value);
  assert.deepEqual(await storedPicture(key), [273, 273, "red", "red"]);

  // The picture of the list is edited again, from the file that was chosen.
  await page.getByRole("button", { name: "Edit wide.png" }).click();
  await stage.waitFor();
  assert.equal(await sizeText(page), "273\u00a0×\u00a0273 pixels");
  await page.getByRole("button", { name: "Turn right" }).click();
  await page.getByRole("button", { name: "Apply" }).click();
  await until(async () => (await page.evaluate(() => document.querySelector("image-upload").value))[1] !== key);
  await stored(page, 2);
  assert.deepEqual(await page.locator("image-upload [part=name]").allInnerTexts(), ["square.png", "wide.png"]);
});

test("on a phone, touch moves the picture and resizes a free crop, and a round form field shows a circle", async (t) => {
  const page = await open(t, "edit", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await add(page, wide);
  await stored(page, 1);
  await page.getByRole("button", { name: "Edit wide.png" }).tap();
  const stage = page.getByRole("application");
  await stage.waitFor();
  assert.equal(await sizeText(page), "600\u00a0×\u00a0300 pixels");
  const session = await page.context().newCDPSession(page);
  const drag = async (from, to) => {
    const touch = (type, ...points) => session.send("Input.dispatchTouchEvent", { type, touchPoints: points });
    await touch("touchStart", from);
    for (const part of [0.25, 0.5, 0.75, 1]) await touch("touchMove", { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part });
    await touch("touchEnd");
  };
  const handle = await page.locator("image-upload .handle.ne").boundingBox();
  const frame = await page.locator("image-upload .frame").boundingBox();
  await drag({ x: handle.x + 22, y: handle.y + 22 }, { x: handle.x + 22 - frame.width / 2, y: handle.y + 22 });
  const [width, height] = (await sizeText(page)).match(/\d+/g).map(Number);
  assert.ok(Math.abs(width - 300) <= 8 && Math.abs(height - 300) <= 4, `${width} × ${height}`);
  const box = await stage.boundingBox();
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await drag(middle, { x: middle.x - 400, y: middle.y });
  await shot(page, "editor-phone");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  const key = await page.evaluate(() => document.querySelector("image-upload").value[0]);
  // Chromium swallows a tap that follows a fast drag at once.
  await until(async () => {
    if ((await page.locator("image-upload dialog").count()) > 0) await page.getByRole("button", { name: "Apply" }).tap({ timeout: 2_000 }).catch(() => {});
    return (await page.locator("image-upload dialog").count()) === 0;
  });
  await until(async () => ![key, undefined].includes((await page.evaluate(() => document.querySelector("image-upload").value))[0]));
  const [edited] = await page.evaluate(() => document.querySelector("image-upload").value);
  assert.deepEqual((await storedPicture(edited)).slice(2), ["blue", "blue"], "the right half");

  await page.evaluate(() => (document.querySelector("image-upload").edit = "round"));
  await page.getByRole("button", { name: "Edit wide.png" }).tap();
  await page.locator("image-upload .frame.round").waitFor();
  await shot(page, "editor-round");
});

test("Firefox: the editor opens and crops", async (t) => {
  const firefox = await startFirefox();
  t.after(() => firefox.stop());
  setPage('edit form-id="square"');
  proxy.files.set("wide.png", readFileSync(wide));
  await firefox.goto(`${proxy.url}/editor`);
  const key = await firefox.evaluate(async () => {
    const field = document.querySelector("image-upload");
    const until = async (found) => {
      for (;;) {
        const value = found();
        if (value) return value;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await until(() => field.token);
    field.add([new File([await (await fetch("/files/wide.png")).blob()], "wide.png", { type: "image/png" })]);
    const stage = await until(() => field.shadowRoot.querySelector("[part=stage]"));
    for (let press = 0; press < 30; press++) stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    field.shadowRoot.querySelector("[part=apply]").click();
    return until(() => field.value[0]);
  });
  assert.deepEqual(await storedPicture(key), [300, 300, "blue", "blue"]);
});
