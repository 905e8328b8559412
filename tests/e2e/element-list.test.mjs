// The list of <image-upload> in Chromium: its order, folders, the camera, the number of pictures of a form, keys at first, and own texts.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { openPage, startBrowser } from "./browser.mjs";
import { gif } from "./pictures.mjs";
import { setUp } from "./proxy.mjs";

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'";
const PHONE = { viewport: { width: 360, height: 740 } };

const { server, proxy, browser, folder, user, fileOf } = await setUp();
const filming = await startBrowser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
after(() => filming.close());

/** A page with a field; an error in the console fails the test. */
async function open(t, attributes, { from = browser, setup = "", isComplete = true, ...options } = {}) {
  const { page, complaints } = await openPage(t, from, { locale: "en-US", ...options });
  // Chromium writes down that the thumbnail of an unknown key does not exist.
  t.after(() => assert.deepEqual(complaints.filter((line) => isComplete || !/status of 404/.test(line)), []));
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>List</title><form><image-upload name="photos" ${attributes}></image-upload></form>
    <script type="module" src="/preflight/element/index.js"></script><script type="module" src="/files/setup.js"></script>`;
  proxy.pages.set("/list", { html, headers: { "Content-Security-Policy": POLICY } });
  proxy.files.set("setup.js", `const field = document.querySelector("image-upload"); field.token = () => window.tokenFor(); ${setup}`);
  await page.exposeFunction("tokenFor", () => server.token({ sub: user() }));
  await page.goto(`${proxy.url}/list`);
  await page.waitForFunction(() => document.querySelector("image-upload").token);
  return page;
}

const value = (page) => page.evaluate(() => document.querySelector("image-upload").value);
const names = (page) => page.locator("image-upload [part=name]").allInnerTexts();
const stored = (page, count) => page.waitForFunction((count) => document.querySelector("image-upload").value.length === count, count);
const add = (page, ...paths) => page.locator("image-upload input[type=file]").first().setInputFiles(paths);
const status = (page, text) => page.locator("image-upload [role=status]", { hasText: text }).waitFor({ state: "attached" });

test("people change the order by keyboard and by pointer, at the width of a phone", async (t) => {
  const page = await open(t, "sortable", PHONE);
  await add(page, ...["a", "b", "c"].map((name, index) => fileOf(`${name}.gif`, gif(700 + index))));
  await stored(page, 3);
  const [a, b, c] = await value(page);
  await page.evaluate(() => {
    window.changes = [];
    document.querySelector("image-upload").addEventListener("change", ({ target }) => window.changes.push(target.value.join()));
  });
  await page.getByRole("button", { name: "Move a.gif, 1 of 3" }).focus();
  await page.keyboard.press("ArrowDown");
  await status(page, "a.gif is now 2 of 3.");
  await page.keyboard.press("End");
  await status(page, "a.gif is now 3 of 3.");
  await page.keyboard.press("ArrowDown");
  assert.deepEqual(await names(page), ["b.gif", "c.gif", "a.gif"]);
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.ariaLabel), "Move a.gif, 3 of 3. Use the arrow keys.", "the focus stays");

  const [from, to] = await Promise.all(["a.gif", "b.gif"].map((name) => page.locator("image-upload li", { hasText: name }).locator("[part=move]").boundingBox()));
  await page.mouse.move(from.x + 20, from.y + 20);
  await page.mouse.down();
  await page.mouse.move(to.x + 20, to.y + 10, { steps: 8 });
  await page.mouse.up();
  await status(page, "a.gif is now 1 of 3.");
  assert.deepEqual(await value(page), [a, b, c]);
  assert.deepEqual(await page.evaluate(() => [...new FormData(document.forms[0]).values()]), [a, b, c]);
  assert.deepEqual(await page.evaluate(() => window.changes), [[b, a, c], [b, c, a], [a, b, c]].map(String), "a drag is one change");
  const isWide = () => document.documentElement.scrollWidth > innerWidth;
  assert.equal(await page.evaluate(isWide), false);
});

test("folders are read in the order of their names, and give pictures only", async (t) => {
  const page = await open(t, "directory");
  const album = join(folder, "album");
  mkdirSync(join(album, "inner"), { recursive: true });
  mkdirSync(join(folder, "empty"), { recursive: true });
  for (const [index, name] of ["album/10.gif", "album/9.gif", "album/inner/11.gif"].entries()) fileOf(name, gif(710 + index));
  fileOf("album/notes.txt", "Not a picture.");
  const session = await page.context().newCDPSession(page);
  const box = await page.locator("image-upload .drop").boundingBox();
  const drop = async (path) => {
    const event = { x: box.x + 20, y: box.y + 20, data: { items: [], files: [path], dragOperationsMask: 1 } };
    for (const type of ["dragEnter", "dragOver", "drop"]) await session.send("Input.dispatchDragEvent", { type, ...event });
  };
  await drop(join(folder, "empty"));
  await page.getByText("The folder contains no pictures.").waitFor();
  await drop(album);
  await stored(page, 3);
  assert.deepEqual(await names(page), ["9.gif", "10.gif", "11.gif"]);
  await page.evaluate(() => document.forms[0].reset());
  const choosing = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose a folder" }).click();
  await (await choosing).setFiles(album);
  await stored(page, 3);
});

test("the progress of the whole list is shown until all pictures are stored", async (t) => {
  const page = await open(t, "");
  let release;
  const hold = new Promise((resolve) => (release = resolve));
  proxy.fault = ({ method, path, nth }) => (method === "POST" && path === "/images" && nth > 1 ? { hold } : undefined);
  await add(page, ...[1, 2, 3].map((index) => fileOf(`${index}.gif`, gif(720 + index))));
  await page.locator("image-upload [part=overall]", { hasText: "1 of 3 pictures stored" }).waitFor();
  release();
  await stored(page, 3);
  await page.locator("image-upload [part=overall]").waitFor({ state: "hidden" });
});

test("no more pictures are sent than a form takes of one person", async (t) => {
  const headers = { Authorization: `Bearer ${server.token({ sub: "survey", role: "SERVICE" })}`, "Content-Type": "application/json" };
  for (const form of ["two", "own"]) assert.ok((await fetch(`${server.url}/forms/${form}`, { method: "PUT", headers, body: JSON.stringify({ maxFilesPerUser: 2 }) })).ok);
  let release;
  const hold = new Promise((resolve) => (release = resolve));
  proxy.fault = ({ path }) => (path.startsWith("/policy") ? { hold } : undefined);
  const page = await open(t, 'form-id="two"');
  // The policy is not known yet.
  await add(page, ...[1, 2, 3].map((index) => fileOf(`${index}.gif`, gif(730 + index))));
  release();
  await page.getByText("At most 2 pictures. Remove one to add another.").waitFor();
  await stored(page, 2);
  assert.deepEqual(await names(page), ["1.gif", "2.gif"]);
  assert.equal(proxy.uploads().length, 2);
  proxy.files.set("one.gif", gif(1));
  const outcome = await page.evaluate(async () => {
    const { Uploader } = await import("/preflight/index.js");
    const uploader = new Uploader({ endpoint: "", formId: "own", token: window.tokenFor, language: "ko" });
    const file = (byte) => fetch("/files/one.gif").then((response) => response.arrayBuffer()).then((bytes) => new File([new Uint8Array(bytes).fill(byte, 13, 16)], "x.gif", { type: "image/gif" }));
    const items = [await file(1), await file(2), await file(3)].map((file) => uploader.add(file));
    await Promise.allSettled(items.map(({ done }) => done));
    return { code: items[2].error.code, sentence: items[2].error.message, progress: uploader.progress };
  });
  assert.equal(outcome.code, "FORM_FULL");
  assert.deepEqual(outcome.progress, { total: 3, uploaded: 2, failed: 1, part: 1 });
  assert.equal(proxy.uploads().length, 4);
  assert.equal(outcome.sentence, "이 설문에는 한 사람이 사진을 2장까지 올릴 수 있습니다.");
});

test("the attribute `value` has the keys at first and after a reset, and texts may be those of the page", async (t) => {
  const key = "users/7/images/1-a.gif";
  const setup = `field.texts = { language: "de", choose: "Bilder wählen", remove: (name) => name + " entfernen", refusals: { INVALID_FILE_SIGNATURE: "Das ist kein Bild." } };`;
  const page = await open(t, `value="${key}"`, { setup, isComplete: false });
  assert.deepEqual(await value(page), [key]);
  await page.getByRole("button", { name: "1-a.gif entfernen" }).click();
  assert.deepEqual(await value(page), []);
  await page.evaluate(() => document.forms[0].reset());
  assert.deepEqual(await value(page), [key]);
  await page.getByRole("button", { name: "Bilder wählen" }).waitFor();
  await add(page, fileOf("notes.gif", "This is only text."));
  await page.locator("image-upload [part=state]", { hasText: "Das ist kein Bild." }).waitFor();
});

test("a camera of the computer takes a photo; without one there is no button", async (t) => {
  const without = await open(t, "");
  assert.equal(await without.getByRole("button", { name: "Take a photo", exact: true }).count(), 0);
  const page = await open(t, "", { from: filming });
  const take = page.getByRole("button", { name: "Take a photo", exact: true });
  await take.focus();
  await page.keyboard.press("Enter");
  const capture = page.getByRole("button", { name: "Take the photo" });
  await page.waitForFunction(() => document.querySelector("image-upload").shadowRoot.querySelector("[part=capture]")?.disabled === false);
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/camera.png` });
  assert.ok(await capture.evaluate((button) => button.getRootNode().activeElement === button));
  await page.keyboard.press("Enter");
  await stored(page, 1);
  const image = await page.evaluate(() => document.querySelector("image-upload").items[0].image);
  assert.ok(image.width >= 320 && image.contentType === "image/jpeg");
  await take.click();
  await capture.waitFor();
  await page.keyboard.press("Escape");
  await page.locator("image-upload dialog").waitFor({ state: "detached" });
  assert.equal((await value(page)).length, 1);
});
