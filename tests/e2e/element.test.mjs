// <image-upload> in Chromium against the built Worker, on a page with a strict Content-Security-Policy: by keyboard, drop and paste, in a form, in
// both languages.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { startFirefox } from "../browser/firefox.mjs";
import { choose, chooseByKeyboard, openPage } from "./browser.mjs";
import { gif, png } from "./pictures.mjs";
import { setUp, until } from "./proxy.mjs";

const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'";

const { server, proxy, browser, user, fileOf } = await setUp();

const form = (attributes = "", around = "") => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Form</title>
  <form id="form" action="/sent" method="get">
    <label id="label" for="photos">Photos</label>
    <fieldset id="set">
      <image-upload id="photos" name="photos" ${attributes}><input type="file" name="photos" id="plain"></image-upload>
    </fieldset>
    ${around}
    <button id="send">Send</button>
  </form>
  <script type="module" src="/preflight/element/index.js"></script><script type="module" src="/files/setup.js"></script>`;
const SETUP = "document.querySelector('image-upload').token = () => window.tokenFor();";

/** Opens the form; an error in the console fails the test. */
async function open(t, { attributes, around, html = form(attributes, around), locale = "en-US", javaScriptEnabled = true, ...more } = {}) {
  const { page, complaints } = await openPage(t, browser, { locale, javaScriptEnabled, ...more });
  t.after(() => javaScriptEnabled && assert.deepEqual(complaints, []));
  proxy.pages.set("/form", { html, headers: { "Content-Security-Policy": POLICY } });
  proxy.pages.set("/sent", { html: "<!doctype html><title>Sent</title>" });
  proxy.files.set("setup.js", SETUP);
  if (javaScriptEnabled) await page.exposeFunction("tokenFor", () => server.token({ sub: user() }));
  await page.goto(`${proxy.url}/form`);
  if (javaScriptEnabled) await page.waitForFunction(() => document.querySelector("image-upload").token);
  return { page, complaints };
}

const items = (page) => page.locator("image-upload li");
const value = (page) => page.evaluate(() => document.querySelector("image-upload").value);
const data = (page) => page.evaluate(() => [...new FormData(document.querySelector("#form"))]);
const stored = (page, count) => page.waitForFunction((count) => document.querySelector("image-upload").value.length === count, count);

test("the sentence of a service that has uploads switched off is shown and announced", async (t) => {
  const { page, complaints } = await open(t, { locale: "ko-KR" });
  const detail = "지금은 업로드가 중지되어 있습니다.";
  let isOff = true;
  const off = { status: 503, headers: { "Content-Type": "application/problem+json", "Retry-After": "1" }, body: JSON.stringify({ code: "UPLOADS_OFF", detail }) };
  proxy.fault = ({ method, path }) => (isOff && method === "POST" && path === "/images" ? off : undefined);
  await give(page, "drop", [fileOf("a.gif", gif(181))]);
  await page.locator("image-upload [part~=item][part~=waiting] [part=state]", { hasText: detail }).waitFor();
  await page.locator("image-upload [role=status]", { hasText: detail }).waitFor({ state: "attached" });
  isOff = false;
  await stored(page, 1);
  // Chromium writes down every failed request.
  assert.ok(complaints.splice(0).every((line) => /status of 503/.test(line)));
});

/** Drops or pastes files. */
async function give(page, type, paths) {
  const files = paths.map((path) => ({ name: path.split("/").at(-1), bytes: readFileSync(path).toString("base64") }));
  await page.evaluate(
    ({ type, files }) => {
      const transfer = new DataTransfer();
      for (const { name, bytes } of files) {
        const content = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
        transfer.items.add(new File([content], name, { type: `image/${name.split(".").at(-1)}` }));
      }
      const element = document.querySelector("image-upload");
      const facts = { bubbles: true, cancelable: true, composed: true };
      if (type === "paste") document.body.dispatchEvent(new ClipboardEvent("paste", { ...facts, clipboardData: transfer }));
      else element.shadowRoot.querySelector(".drop").dispatchEvent(new DragEvent("drop", { ...facts, dataTransfer: transfer }));
    },
    { type, files },
  );
}

test("pictures chosen by keyboard are listed, announced, and sent with the form as keys", async (t) => {
  const { page } = await open(t, { attributes: "required" });
  assert.equal(await page.evaluate(() => document.querySelector("#form").checkValidity()), false);
  await page.locator("#send").click();
  assert.match(page.url(), /\/form$/, "a required field without a picture holds the form back");

  const choose = page.getByRole("button", { name: "Choose pictures" });
  await chooseByKeyboard(page, choose, [fileOf("one.gif", gif(1)), fileOf("two.gif", gif(2))]);
  await stored(page, 2);
  assert.equal(await items(page).count(), 2);
  await page.locator("image-upload [role=status]", { hasText: "is stored." }).waitFor();
  const keys = await value(page);
  for (const key of keys) assert.ok(server.objects().has(key));
  assert.deepEqual(await data(page), keys.map((key) => ["photos", key]));

  // Removing by keyboard moves the focus to the next picture.
  const remove = page.getByRole("button", { name: "Remove one.gif" });
  await remove.focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("image-upload").value.length === 1);
  const focused = await page.evaluate(() => document.activeElement.shadowRoot.activeElement.ariaLabel);
  assert.equal(focused, "Remove two.gif");
  assert.deepEqual(await data(page), [["photos", keys[1]]]);

  await page.locator("#send").click();
  await page.waitForURL(/\/sent/);
  assert.deepEqual(new URL(page.url()).searchParams.getAll("photos"), [keys[1]]);
});

test("dropped and pasted pictures have events, previews and sizes", async (t) => {
  const { page } = await open(t);
  await page.evaluate(() => {
    window.events = [];
    for (const type of ["uploaded", "refused", "change"]) {
      document.addEventListener(type, ({ detail }) => window.events.push([type, detail?.image?.key ?? detail?.error?.code]));
    }
  });
  await give(page, "drop", [fileOf("large.png", png(2600, 1400))]);
  await stored(page, 1);
  await give(page, "paste", [fileOf("pasted.gif", gif(3))]);
  await stored(page, 2);
  await items(page).nth(1).locator("canvas").waitFor();
  const keys = await value(page);
  assert.deepEqual(await page.evaluate(() => window.events), [["uploaded", keys[0]], ["change", undefined], ["uploaded", keys[1]], ["change", undefined]]);
  const meta = await items(page).first().locator("[part=meta]").innerText();
  assert.match(meta, /^2048\s×\s\d+ · .+\s→\s.+/);

  // The preview shows the picture, not an empty canvas.
  const drawn = await items(page).first().locator("canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(data).size;
  });
  assert.ok(drawn > 20, `${drawn} values`);
});

test("a refused picture says why in the page's language, and can be removed", async (t) => {
  const { page } = await open(t, { attributes: 'lang="ko"' });
  await give(page, "drop", [fileOf("notes.png", "only text\n")]);
  const refused = page.locator("image-upload li.refused");
  await refused.waitFor();
  assert.match(await refused.locator("[part=state]").innerText(), /[가-힣]/);
  assert.match(await page.locator("image-upload [role=status]").textContent(), /notes\.png 사진을 올릴 수 없습니다/);
  assert.equal(proxy.uploads().length, 0);
  await page.getByRole("button", { name: "notes.png 빼기" }).click();
  assert.equal(await items(page).count(), 0);
  // Without its own `lang` the element follows the page's language, also when it changes.
  await page.evaluate(() => document.querySelector("image-upload").removeAttribute("lang"));
  await page.getByRole("button", { name: "Choose pictures" }).waitFor();
  await page.evaluate(() => (document.documentElement.lang = "ko"));
  await page.getByRole("button", { name: "사진 고르기" }).waitFor();
});

test("the retry button tries a failed picture again", async (t) => {
  const { page, complaints } = await open(t);
  proxy.fault = ({ method }) => (method === "POST" ? { status: 400, body: "not ours" } : undefined);
  await give(page, "drop", [fileOf("again.gif", gif(5))]);
  await page.locator("image-upload li.failed").waitFor();
  assert.equal(proxy.uploads().length, 1);
  // The browser logs the status.
  assert.match(complaints.splice(0).join(), /400/);
  proxy.fault = () => undefined;
  await page.getByRole("button", { name: "Try again.gif again" }).click();
  await stored(page, 1);
});

test("the form is invalid during an upload; reset empties the field; a disabled field takes nothing", async (t) => {
  const { page } = await open(t);
  let go;
  const held = new Promise((resolve) => (go = resolve));
  proxy.fault = ({ method }) => (method === "POST" ? { hold: held } : undefined);
  await give(page, "drop", [fileOf("slow.gif", gif(6))]);
  await page.locator("image-upload li.sending").waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("image-upload").validationMessage), "Wait until all pictures are stored.");
  assert.equal(await page.evaluate(() => document.querySelector("#form").checkValidity()), false);
  go();
  await stored(page, 1);
  assert.equal(await page.evaluate(() => document.querySelector("#form").checkValidity()), true);

  await page.evaluate(() => document.querySelector("#form").reset());
  assert.deepEqual(await data(page), []);
  assert.equal(await items(page).count(), 0);

  await page.evaluate(() => (document.querySelector("#set").disabled = true));
  assert.equal(await page.getByRole("button", { name: "Choose pictures" }).isDisabled(), true);
  await give(page, "drop", [fileOf("late.gif", gif(7))]);
  assert.equal(await items(page).count(), 0);
  await page.evaluate(() => (document.querySelector("#set").disabled = false));
  await give(page, "drop", [fileOf("late.gif", gif(7))]);
  await stored(page, 1);
});

test("max-files limits the list, and stored keys can be set", async (t) => {
  const { page } = await open(t, { attributes: 'max-files="2"' });
  await give(page, "drop", [fileOf("a.gif", gif(11)), fileOf("b.gif", gif(12)), fileOf("c.gif", gif(13))]);
  await stored(page, 2);
  assert.equal(await items(page).count(), 2);
  await page.locator("image-upload [part=problem]", { hasText: "At most 2 pictures" }).waitFor();
  const keys = await value(page);
  await page.evaluate((key) => Object.assign(document.querySelector("image-upload"), { value: [] }, { value: [key] }), keys[0]);
  assert.deepEqual(await value(page), [keys[0]]);
  assert.deepEqual(await data(page), [["photos", keys[0]]]);
  await page.waitForFunction(() => document.querySelector("image-upload").shadowRoot.querySelector("li img").naturalWidth > 0);
});

/** Sets the element's value and collects its events in the page's `events`. */
const setValue = (page, keys) =>
  page.evaluate((keys) => {
    const element = document.querySelector("image-upload");
    if (!window.events) {
      window.events = [];
      for (const type of ["removed", "change", "input"]) {
        document.addEventListener(type, ({ detail, type }) => window.events.push(detail ? [type, detail.key ?? detail.item.name, detail.isByPerson] : [type]));
      }
    }
    element.value = keys;
  }, keys);
const names = (page) => page.locator("image-upload [part=name]").allInnerTexts();

test("setting value leaves running uploads alone, and every picture that it removes has an event", async (t) => {
  const { page, complaints } = await open(t, { attributes: 'form-id="f-value"' });
  await give(page, "drop", [fileOf("a.gif", gif(41)), fileOf("b.gif", gif(42))]);
  await stored(page, 2);
  const [a, b] = await value(page);
  let go;
  const held = new Promise((resolve) => (go = resolve));
  proxy.fault = ({ method, path, nth }) => (method === "POST" && path === "/images" ? (nth > 3 ? { status: 400, body: "not ours" } : { hold: held }) : undefined);
  await give(page, "drop", [fileOf("slow.gif", gif(43)), fileOf("failed.gif", gif(44))]);
  await page.locator("image-upload li.failed").waitFor();
  await page.locator("image-upload li.sending").waitFor();
  // The browser logs the status.
  assert.match(complaints.splice(0).join(), /400/);

  const cards = () => page.evaluate(() => [...document.querySelector("image-upload").shadowRoot.querySelectorAll("li")].map((card) => (card.nth ??= Math.random())));
  const before = await cards();
  await setValue(page, [a, b]);
  assert.deepEqual(await cards(), before, "the current keys change nothing");
  await setValue(page, [b]);
  assert.deepEqual(await names(page), ["b.gif", "slow.gif", "failed.gif"]);
  assert.deepEqual(await page.evaluate(() => window.events), [["removed", a, false]]);
  go();
  await stored(page, 2);
  const [, slow] = await value(page);
  assert.equal(server.rows().find(({ key }) => key === slow).original_name, "slow.gif");

  // A given key shows the file name of its record; without a record, the last part of the key.
  const unknown = "users/another-user/images/1699876543210-00000000-0000-4000-8000-000000000000.jpeg";
  await setValue(page, [slow, a, unknown, b]);
  await page.locator("image-upload [part=name]", { hasText: /^a\.gif$/ }).waitFor();
  assert.deepEqual(await names(page), ["slow.gif", "a.gif", unknown.split("/").at(-1), "b.gif", "failed.gif"]);
  assert.deepEqual(await value(page), [slow, a, unknown, b]);
  await page.getByRole("button", { name: "Remove a.gif" }).waitFor();
  assert.equal(proxy.seen.filter(({ method, path }) => method === "GET" && path === "/images").length, 1);
  // A missing thumbnail leaves the icon, and the browser logs the status.
  await page.waitForFunction(() => !document.querySelector("image-upload").shadowRoot.querySelector('img[src*="another-user"]'));
  complaints.length = 0;

  await page.evaluate(() => document.querySelector("#form").reset());
  assert.equal(await page.evaluate(() => window.events.filter(([type]) => type === "removed").length), 1 + 5, "each has its event");
});

test("the file input's own event does not leave the shadow root", async (t) => {
  const { page } = await open(t);
  await setValue(page, []);
  await chooseByKeyboard(page, page.getByRole("button", { name: "Choose pictures" }), [fileOf("one.gif", gif(45))]);
  await stored(page, 1);
  assert.deepEqual(await page.evaluate(() => window.events), [["change"]]);
});

for (const [seed, attributes, isDeleted] of [[46, "", false], [47, 'on-remove="keep"', false], [48, 'on-remove="delete"', true]]) {
  test(`removing a stored picture with ${attributes || "no attribute"} ${isDeleted ? "deletes" : "keeps"} it at the edge`, async (t) => {
    const { page } = await open(t, { attributes });
    await give(page, "drop", [fileOf("x.gif", gif(seed))]);
    await stored(page, 1);
    const [key] = await value(page);
    await page.getByRole("button", { name: "Remove x.gif" }).click();
    if (isDeleted) await until(() => !server.objects().has(key));
    else await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(server.objects().has(key), !isDeleted);
    assert.equal(server.rows().some((row) => row.key === key), !isDeleted);
    assert.deepEqual(await data(page), []);
  });
}

test("on-remove=delete deletes nothing that an answer may need", async (t) => {
  const others = `<image-upload id="other" name="other" on-remove="delete"></image-upload><script type="module" src="/files/other.js"></script>`;
  proxy.files.set("other.js", "document.querySelector('#other').token = () => window.tokenFor(); document.querySelector('#form').addEventListener('submit', (event) => event.preventDefault());");
  const { page } = await open(t, { attributes: 'on-remove="delete"', around: others });
  await page.waitForFunction(() => document.querySelector("#other").token);
  const remove = (id, name) => page.locator(`image-upload#${id} [part=remove][aria-label="Remove ${name}"]`).click();

  // Set by its key.
  const record = await fetch(`${server.url}/images`, { method: "POST", headers: { "Content-Type": "image/gif", "X-Filename": "r.gif", Authorization: `Bearer ${server.token({ sub: user() })}`, "CF-Connecting-IP": proxy.address }, body: gif(51) }).then((answer) => answer.json());
  await setValue(page, [record.data.key]);
  await page.locator("image-upload#photos [part=name]", { hasText: "r.gif" }).waitFor();
  await remove("photos", "r.gif");
  // The same bytes added here: the picture was stored before.
  await give(page, "drop", [fileOf("r.gif", gif(51))]);
  await stored(page, 1);
  assert.deepEqual(await value(page), [record.data.key]);
  await remove("photos", "r.gif");
  // The same picture in another field.
  await give(page, "drop", [fileOf("both.gif", gif(52))]);
  await stored(page, 1);
  const [both] = await value(page);
  await page.evaluate((key) => (document.querySelector("#other").value = [key]), both);
  await remove("photos", "both.gif");
  // Sent with the form.
  await give(page, "drop", [fileOf("sent.gif", gif(53))]);
  await stored(page, 1);
  const [sent] = await value(page);
  await page.locator("#send").click();
  await remove("photos", "sent.gif");
  // Reset by the page, as after sending.
  await give(page, "drop", [fileOf("reset.gif", gif(54))]);
  await stored(page, 1);
  const [reset] = await value(page);
  await page.evaluate(() => document.querySelector("#form").reset());

  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(proxy.seen.filter(({ method }) => method === "DELETE").length, 0);
  for (const key of [record.data.key, both, sent, reset]) assert.ok(server.objects().has(key));
});

test("a guest's removed picture is deleted by its key, because there is no record of it yet", async (t) => {
  const { page } = await open(t, { attributes: 'on-remove="delete"' });
  proxy.files.set("guest.js", "import { guestToken } from '/preflight/index.js'; document.querySelector('image-upload').token = guestToken('');");
  await page.addScriptTag({ url: "/files/guest.js", type: "module" });
  await page.waitForFunction(() => document.querySelector("image-upload").token.length === 1);
  await give(page, "drop", [fileOf("guest.gif", gif(55))]);
  await stored(page, 1);
  const facts = await page.evaluate(() => document.querySelector("image-upload").items.map(({ image }) => [typeof image.imageId, typeof image.expiresAt]));
  assert.deepEqual(facts, [["number", "string"]]);
  const [key] = await value(page);
  await page.getByRole("button", { name: "Remove guest.gif" }).click();
  await until(() => !server.objects().has(key));
});

test("a phone has a button for the camera", async (t) => {
  const { page } = await open(t, { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } });
  const camera = page.getByRole("button", { name: "Take a photo" });
  assert.equal(await camera.isVisible(), true);
  const input = page.locator("image-upload input[capture]");
  assert.deepEqual(await input.evaluate((input) => [input.accept, input.getAttribute("capture")]), ["image/*", "environment"]);
  await choose(page, fileOf("photo.gif", gif(21)), () => camera.tap());
  await stored(page, 1);
});

test("the label names the field; without scripts it is a plain file input", async (t) => {
  const { page } = await open(t);
  await page.locator("#label").click();
  await page.waitForFunction(() => document.activeElement?.id === "photos");
  assert.deepEqual(await data(page), [], "the fallback sends nothing beside");
  assert.equal(await page.locator("#plain").isVisible(), false);
  const reader = await page.context().newCDPSession(page);
  const { nodes } = await reader.send("Accessibility.getFullAXTree");
  const group = nodes.find(({ role, name }) => role?.value === "group" && name?.value === "Photos");
  assert.ok(group, "a screen reader finds it by its label");

  const bare = await open(t, { javaScriptEnabled: false });
  assert.equal(await bare.page.locator("#plain").isVisible(), true);
  assert.equal(await bare.page.locator("#plain").isEnabled(), true);
});

test("after a reload each field of a form has its own pictures again, until the form is sent", async (t) => {
  const fields = `<image-upload id="other" name="other" offline="${user()}"></image-upload><script type="module" src="/files/other.js"></script>`;
  proxy.files.set("other.js", "document.querySelector('#other').token = () => window.tokenFor();");
  const { page, complaints } = await open(t, { attributes: `offline="${user()}"`, around: fields });
  const add = (id, name, seed) =>
    page.evaluate(
      ({ id, name, bytes }) => document.querySelector(id).add([new File([Uint8Array.from(bytes)], name, { type: "image/gif" })]),
      { id, name, bytes: [...gif(seed)] },
    );
  const listed = () =>
    page.evaluate(() => [...document.querySelectorAll("image-upload")].map(({ id, items, value }) => [id, items.map(({ name, state }) => `${name} ${state}`), value.length]));
  const listsAre = (wanted) => page.waitForFunction(
    (wanted) => JSON.stringify([...document.querySelectorAll("image-upload")].map(({ id, items, value }) => [id, items.map(({ name, state }) => `${name} ${state}`), value.length])) === wanted,
    JSON.stringify(wanted),
  ).catch(async () => assert.deepEqual(await listed(), wanted));
  const down = ({ method, path }) => (method === "POST" || path === "/healthz" ? { reset: true } : undefined);

  await add("#photos", "stored.gif", 61);
  await stored(page, 1);
  proxy.fault = down;
  await add("#photos", "photo.gif", 62);
  await add("#other", "other.gif", 63);
  await listsAre([["photos", ["stored.gif uploaded", "photo.gif waiting"], 1], ["other", ["other.gif waiting"], 0]]);
  await page.waitForFunction(() => [...document.querySelectorAll("image-upload")].every(({ items }) => items.every(({ isKept }) => isKept)));
  await page.reload();
  await listsAre([["photos", ["stored.gif uploaded", "photo.gif waiting"], 1], ["other", ["other.gif waiting"], 0]]);
  assert.equal(await items(page).count(), 3);
  assert.deepEqual((await data(page)).map(([name]) => name), ["photos"]);
  proxy.fault = () => undefined;
  const all = [["photos", ["stored.gif uploaded", "photo.gif uploaded"], 2], ["other", ["other.gif uploaded"], 1]];
  await listsAre(all);
  await page.reload();
  await listsAre(all);
  assert.equal(await items(page).count(), 3, "each once, also where the browser restored its key");
  assert.equal(proxy.uploads().filter(({ status }) => status === 201).length, 3);
  const keys = await data(page);

  await page.locator("#send").click();
  await page.waitForURL(/\/sent/);
  assert.deepEqual([...new URL(page.url()).searchParams], keys);
  await page.goto(`${proxy.url}/form`);
  await page.waitForFunction(() => document.querySelector("image-upload").token);
  await until(async () => (await outbox(page)) === 0);
  await listsAre([["photos", [], 0], ["other", [], 0]]);
  // The browser logs the broken connections.
  complaints.length = 0;
});

/** How many entries the outbox has. */
const outbox = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const request = indexedDB.open("the-form-images");
        request.onsuccess = () => {
          const count = request.result.transaction("outbox").objectStore("outbox").count();
          count.onsuccess = () => (request.result.close(), resolve(count.result));
        };
      }),
  );

test("another owner neither sees nor sends the first one's pictures", async (t) => {
  const { page, complaints } = await open(t, { attributes: `offline="${user()}"` });
  await give(page, "drop", [fileOf("mine.gif", gif(71))]);
  await stored(page, 1);
  proxy.fault = ({ method, path }) => (method === "POST" || path === "/healthz" ? { reset: true } : undefined);
  await give(page, "drop", [fileOf("waits.gif", gif(72))]);
  await page.locator("image-upload li", { hasText: "Kept on this device" }).waitFor();
  const owner = (name) => page.evaluate((name) => document.querySelector("image-upload").setAttribute("offline", name), name);
  await owner("another-user");
  assert.equal(await items(page).count(), 0);
  assert.deepEqual(await data(page), []);
  proxy.fault = () => undefined;
  await give(page, "drop", [fileOf("theirs.gif", gif(73))]);
  await stored(page, 1);
  assert.equal(proxy.uploads().filter(({ status }) => status === 201).length, 2, "what waits is not sent for another");
  await owner(user());
  await stored(page, 2);
  assert.deepEqual((await names(page)).sort(), ["mine.gif", "waits.gif"]);
  complaints.length = 0;
});

test("with a key kept pictures are sealed, come back after a reload, and are cleared at log-out", async (t) => {
  const { page, complaints } = await open(t, { attributes: `offline="${user()}"` });
  // The page gets its key after the element was defined, as pages do that ask their back end for it.
  const setKey = () =>
    page.evaluate(async () => {
      document.querySelector("image-upload").offlineKey = await crypto.subtle.importKey("raw", new Uint8Array(32).fill(7), "AES-GCM", false, ["encrypt", "decrypt"]);
    });
  const rows = () =>
    page.evaluate(
      () =>
        new Promise((resolve) => {
          indexedDB.open("the-form-images").onsuccess = ({ target }) => {
            target.result.transaction("outbox").objectStore("outbox").getAll().onsuccess = ({ target }) => resolve(target.result.map((row) => Object.keys(row).sort().join()));
          };
        }),
    );
  await setKey();
  await give(page, "drop", [fileOf("mine.gif", gif(75))]);
  await stored(page, 1);
  assert.deepEqual(await rows(), ["addedMs,bytes,id,iv,scope,sizeBytes"]);
  await page.reload();
  await page.waitForFunction(() => document.querySelector("image-upload").token);
  assert.deepEqual(await value(page), [], "not without the key");
  await setKey();
  await stored(page, 1);
  assert.deepEqual(await names(page), ["mine.gif"]);
  await page.evaluate(() => document.querySelector("image-upload").clearQueue());
  assert.deepEqual([await value(page), await rows()], [[], []]);
  await give(page, "drop", [fileOf("next.gif", gif(76))]);
  await stored(page, 1);
  complaints.length = 0;
});

test("offline without an owner logs what to do", async (t) => {
  const { complaints } = await open(t, { attributes: "offline" });
  assert.match(complaints.splice(0).join(), /`offline` needs an owner.+offline="user id"/);
});

test("Firefox: pictures come back after a reload, setting the value works, and no inner event leaves", async (t) => {
  const firefox = await startFirefox();
  t.after(() => firefox.stop());
  const token = server.token({ sub: user() });
  const html = `${form(`offline="${user()}"`)}<script>document.querySelector("image-upload").token = () => "${token}";</script>`.replace("/files/setup.js", "/files/none.js");
  proxy.pages.set("/firefox", { html });
  const open = async (count) => {
    await firefox.goto(`${proxy.url}/firefox`);
    return firefox.evaluate(async (count) => {
      await customElements.whenDefined("image-upload");
      const element = document.querySelector("image-upload");
      for (let turn = 0; turn < 600 && element.items.length < count; turn++) await new Promise((resolve) => setTimeout(resolve, 50));
      return { value: element.value, cards: element.shadowRoot.querySelectorAll("li").length, states: element.items.map(({ state }) => state) };
    }, count);
  };
  await open(0);
  const sent = await firefox.evaluate(async (bytes) => {
    const element = document.querySelector("image-upload");
    const events = [];
    for (const type of ["input", "removed"]) document.addEventListener(type, () => events.push(type));
    element.add([new File([Uint8Array.from(bytes)], "fox.gif", { type: "image/gif" })]);
    element.value = [];
    element.shadowRoot.querySelector("input").dispatchEvent(new InputEvent("input", { bubbles: true, composed: true }));
    for (let turn = 0; turn < 600 && element.value.length === 0; turn++) await new Promise((resolve) => setTimeout(resolve, 50));
    return { value: element.value, events };
  }, [...gif(81)]);
  assert.equal(sent.value.length, 1);
  assert.deepEqual(sent.events, []);
  assert.deepEqual(await open(1), { value: sent.value, cards: 1, states: ["uploaded"] });
  await firefox.evaluate(async () => document.querySelector("image-upload").markSent() ?? null);
  assert.deepEqual((await open(0)).states, []);
});
