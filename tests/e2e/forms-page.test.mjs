// Forms in the browser: <image-upload> says what its form asks before a picture is chosen, checks pictures with the policy of the form, and explains
// why a form takes none. The Uploader checks with it as well. And pictures of answers that are not sent yet.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { chooseByKeyboard, openPage } from "./browser.mjs";
import { gif, png } from "./pictures.mjs";
import { setUp, until } from "./proxy.mjs";

const { server, proxy, browser, user, fileOf, serve } = await setUp({ vars: { REQUIRE_FORM: "true", PENDING_ROLES: "USER,GUEST" } });

/** A form that only this test uses. */
let forms = 0;
async function makeForm(policy) {
  const formId = `form-${++forms}`;
  await change("PUT", formId, policy);
  return formId;
}

async function change(method, formId, policy) {
  const headers = { Authorization: `Bearer ${server.token({ sub: "survey", role: "SERVICE" })}`, "Content-Type": "application/json" };
  const answer = await fetch(`${server.url}/forms/${formId}`, { method, headers, body: policy && JSON.stringify(policy) });
  assert.ok(answer.ok, await answer.clone().text());
  return (await answer.json()).data;
}

/** Opens a page with a field for this form. `role` is that of its first tokens. */
async function open(t, formId, { attributes = "", locale = "en-US", role = "USER", ...more } = {}) {
  const { page, complaints } = await openPage(t, browser, { locale, timezoneId: "Asia/Seoul", ...more });
  const caller = { role, sub: role === "GUEST" ? `guest-${user()}` : user() };
  await page.exposeFunction("tokenFor", () => server.token(caller));
  proxy.pages.set("/form", {
    html: `<!doctype html><html lang="${locale.slice(0, 2)}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Form</title>
      <form id="form"><label id="label" for="photos">Photos</label>
      <image-upload id="photos" name="photos" form-id="${formId}" ${attributes}></image-upload><button id="send">Send</button></form>
      <script type="module" src="/preflight/element/index.js"></script>
      <script type="module">const field = document.querySelector("image-upload"); field.token = () => window.tokenFor();
        document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());</script>`,
  });
  await page.goto(`${proxy.url}/form`);
  await page.waitForFunction(() => document.querySelector("image-upload").token);
  return { page, complaints, caller };
}

const asked = (page) => page.locator("image-upload [part=types]");
const problem = (page) => page.locator("image-upload [part=problem]");
const state = (page, name) => page.locator(`image-upload [part~=item][part~=${name}] [part=state]`);
const value = (page) => page.evaluate(() => document.querySelector("image-upload").value);
const stored = (page, count) => page.waitForFunction((count) => document.querySelector("image-upload").value.length === count, count);
const give = (page, ...paths) => page.locator("image-upload input[type=file]").first().setInputFiles(paths);
const SQUARE = { accept: ["image/jpeg", "image/png"], minWidth: 200, minHeight: 200, aspectRatio: "1:1", maxFilesPerUser: 4, maxBytes: 1_048_576 };

test("a field says what its form asks before a picture is chosen, and screen readers read it with the button", async (t) => {
  const formId = await makeForm(SQUARE);
  const { page, complaints } = await open(t, formId);
  const sentence = "JPEG or PNG, square, at least 200\u00a0×\u00a0200 pixels, up to 4 pictures. Files above 1\u00a0MB are made smaller.";
  await page.waitForFunction((text) => document.querySelector("image-upload").shadowRoot.querySelector("[part=types]").textContent === text, sentence);
  const reader = await page.context().newCDPSession(page);
  const { nodes } = await reader.send("Accessibility.getFullAXTree");
  const button = nodes.find(({ role, name }) => role?.value === "button" && name?.value === "Choose pictures");
  assert.equal(button.description.value, sentence);
  assert.match(await page.locator("image-upload input[multiple]").getAttribute("accept"), /^image\/jpeg,image\/png,image\/heic/);

  await page.evaluate(() => (document.documentElement.lang = "ko"));
  await asked(page).filter({ hasText: "JPEG 또는 PNG, 정사각형, 200\u00a0×\u00a0200픽셀 이상, 4장까지. 1\u00a0MB가 넘는 파일은 줄여서 보냅니다." }).waitFor();
  await page.setViewportSize({ width: 320, height: 640 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "it fits a small phone");
  // The attribute may ask for fewer.
  await page.evaluate(() => (document.querySelector("image-upload").maxFiles = 1));
  await asked(page).filter({ hasText: "1장까지" }).waitFor();
  await page.getByRole("button", { name: "사진 한 장 고르기" }).waitFor();
  // Another form, and none.
  await page.evaluate((id) => document.querySelector("image-upload").setAttribute("form-id", id), await makeForm({ minWidth: 640 }));
  await asked(page).filter({ hasText: "가로 640픽셀 이상" }).waitFor();
  assert.deepEqual(complaints, []);
});

test("pictures are checked with the policy of the form before they are sent, by the keyboard alone", async (t) => {
  const { page } = await open(t, await makeForm(SQUARE));
  await asked(page).filter({ hasText: "square" }).waitFor();
  const files = { "wide.png": png(400, 300), "tiny.png": png(120, 120), "moving.gif": gif(1) };
  const paths = Object.entries(files).map(([name, bytes]) => fileOf(name, bytes));
  await chooseByKeyboard(page, page.getByRole("button", { name: "Choose pictures" }), paths);
  await state(page, "refused").nth(2).waitFor();
  const [wide, tiny, moving] = await state(page, "refused").allInnerTexts();
  assert.match(wide, /400 x 300 pixels; it must be as wide as high/);
  assert.match(tiny, /120.*120.*200.*200/s);
  assert.match(moving, /JPEG.*PNG/s);
  assert.equal(proxy.uploads().length, 0);

  // The edge would say the same.
  const codes = await page.evaluate(() => document.querySelector("image-upload").items.map(({ error }) => error.code));
  assert.deepEqual(codes, ["IMAGE_DIMENSIONS", "IMAGE_DIMENSIONS", "INVALID_FILE_TYPE"]);
  for (const name of ["wide.png", "tiny.png", "moving.gif"]) await page.getByRole("button", { name: `Remove ${name}` }).click();
  await give(page, fileOf("square.png", png(640, 640)));
  await stored(page, 1);
  const [key] = await value(page);
  assert.ok(server.objects().has(key));
});

test("a field takes as many pictures as its form takes of one person", async (t) => {
  const { page } = await open(t, await makeForm({ maxFilesPerUser: 2 }), { attributes: 'max-files="9"' });
  await asked(page).filter({ hasText: "up to 2 pictures" }).waitFor();
  await give(page, fileOf("a.gif", gif(11)), fileOf("b.gif", gif(12)), fileOf("c.gif", gif(13)));
  await stored(page, 2);
  await problem(page).filter({ hasText: "At most 2 pictures" }).waitFor();
  assert.equal(proxy.uploads().length, 2);
});

test("a form that opens later says when, in both languages, and takes no picture", async (t) => {
  const opensAt = "2099-12-03T00:00:00Z";
  const { page } = await open(t, await makeForm({ opensAt }), { attributes: "required" });
  await problem(page).filter({ hasText: "Pictures can be added from December 3, 2099 at 9:00 AM." }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Choose pictures" }).isVisible(), false);
  assert.equal(await page.evaluate(() => document.querySelector("image-upload").validationMessage), await problem(page).innerText());
  await page.locator("#label").click();
  const focused = () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.id);
  assert.equal(await focused(), "problem");
  await page.evaluate(() => (document.documentElement.lang = "ko"));
  await problem(page).filter({ hasText: /2099년 12월 3일 .*9:00부터 올릴 수 있습니다/ }).waitFor();
  await page.evaluate(() => document.querySelector("image-upload").add([new File(["GIF89a"], "a.gif", { type: "image/gif" })]));
  assert.equal(await page.locator("image-upload li").count(), 0);
  // The same field with an open form.
  await page.evaluate((id) => (document.querySelector("image-upload").formId = id), await makeForm({}));
  await page.getByRole("button", { name: "사진 고르기" }).waitFor();
  assert.equal(await problem(page).isVisible(), false);
});

test("a form that is closed while the page is open is explained at the picture and in the field", async (t) => {
  const formId = await makeForm({});
  const { page } = await open(t, formId, { locale: "ko-KR" });
  await asked(page).filter({ hasText: "JPEG" }).waitFor();
  await change("DELETE", formId);
  await give(page, fileOf("late.gif", gif(21)));
  await state(page, "refused").waitFor();
  assert.match(await state(page, "refused").innerText(), /[가-힣]/);
  assert.equal(await page.evaluate(() => document.querySelector("image-upload").items[0].error.code), "FORM_CLOSED");
  await problem(page).filter({ hasText: "까지 올릴 수 있었습니다" }).waitFor();
});

test("a form that is unknown, or full of this person's pictures or of all, is explained in the reader's language", async (t) => {
  const unknown = await open(t, "nowhere", { locale: "ko-KR" });
  await problem(unknown.page).filter({ hasText: /[가-힣]/ }).waitFor();
  assert.equal(await unknown.page.getByRole("button", { name: "사진 고르기" }).isVisible(), false);

  const formId = await makeForm({ maxFilesPerUser: 1, maxFiles: 2 });
  const answers = [];
  for (const [sub, number] of [["full-1", 31], ["full-1", 32], ["full-2", 33], ["full-3", 34]]) {
    const body = new FormData();
    body.append("formId", formId);
    body.append("image", new File([gif(number)], "a.gif", { type: "image/gif" }));
    const answer = await fetch(`${server.url}/images`, { method: "POST", headers: { Authorization: `Bearer ${server.token({ sub })}` }, body });
    answers.push(await answer.json());
  }
  assert.deepEqual(answers.map(({ code, full }) => code && `${code} ${full}`), [undefined, "FORM_FULL user", undefined, "FORM_FULL form"]);
  const { page } = await open(t, formId);
  await asked(page).filter({ hasText: "one picture" }).waitFor();
  await give(page, fileOf("full.gif", gif(35)));
  await state(page, "refused").filter({ hasText: answers[3].detail }).waitFor();
});

test("a guest whose form takes none of guests reads why, and the picture is sent once they have signed in", async (t) => {
  const { page, caller } = await open(t, await makeForm({ guests: false }), { role: "GUEST" });
  await give(page, fileOf("guest.gif", gif(41)));
  await state(page, "refused").waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("image-upload").items[0].error.code), "GUEST_NOT_ALLOWED");
  Object.assign(caller, { role: "USER", sub: user() });
  await page.evaluate(() => (document.querySelector("image-upload").token = () => window.tokenFor()));
  await stored(page, 1);
});

test("the Uploader checks with the policy of its form, and describes it", async (t) => {
  const formId = await makeForm(SQUARE);
  const { page } = await openPage(t, browser);
  await page.exposeFunction("tokenFor", () => server.token({ sub: user() }));
  await page.goto(`${proxy.url}/blank`);
  await page.waitForFunction(() => window.kit);
  serve("wide.png", png(400, 300));
  serve("square.png", png(300, 300));
  const [sentence, wide, square] = await page.evaluate(async (formId) => {
    const { describePolicy, loadPolicy, Uploader } = window.kit;
    const uploader = new Uploader({ endpoint: "", formId, token: () => window.tokenFor() });
    const ends = ["wide.png", "square.png"].map(async (name) => uploader.add(await window.fileOf(name, "image/png")).done);
    const results = await Promise.all(ends.map((end) => end.then(({ formId }) => formId, ({ code }) => code)));
    return [describePolicy(await loadPolicy({ endpoint: "", formId }), "ko"), ...results];
  }, formId);
  assert.match(sentence, /^JPEG 또는 PNG, 정사각형/);
  assert.deepEqual([wide, square], ["IMAGE_DIMENSIONS", formId]);
  assert.equal(proxy.uploads().length, 1);
  const unknown = await page.evaluate(() => window.kit.loadPolicy({ endpoint: "", formId: "nowhere" }).catch(({ name, code }) => [name, code]));
  assert.deepEqual(unknown, ["Refusal", "FORM_NOT_FOUND"]);
});

test("a picture that would expire while the answer is being written is renewed, until the form is sent", async (t) => {
  const formId = await makeForm({ pendingSeconds: 4, maxFilesPerUser: 1 });
  const { page } = await open(t, formId, { attributes: "required" });
  await give(page, fileOf("slow.gif", gif(51)));
  await stored(page, 1);
  const keys = await value(page);
  await until(() => proxy.uploads().filter(({ status }) => status === 200).length >= 3);
  assert.deepEqual(await value(page), keys, "it keeps its key");
  assert.ok(server.objects().has(keys[0]), "nine seconds after it was stored for four");
  assert.equal(proxy.uploads().filter(({ status }) => status === 201).length, 1);
  // Once the form is sent, nothing is sent any more.
  await page.locator("#send").click();
  const sent = proxy.uploads().length;
  await until(() => !server.objects().has(keys[0]));
  assert.equal(proxy.uploads().length, sent);
});

test("a guest's picture that would expire is sent again as another guest's", async (t) => {
  const { page, caller } = await open(t, await makeForm({ pendingSeconds: 4 }), { role: "GUEST" });
  await give(page, fileOf("guest.gif", gif(61)));
  await stored(page, 1);
  const [first] = await value(page);
  await page.evaluate(() => document.querySelector("image-upload").addEventListener("change", () => (window.hasChanged = true)));
  // As after the five minutes of a guest token.
  caller.sub = "guest-another";
  await page.evaluate(() => (document.querySelector("image-upload").token = () => window.tokenFor()));
  await page.waitForFunction((first) => window.hasChanged && document.querySelector("image-upload").value[0] !== first, first);
  const [key] = await value(page);
  assert.match(key, /^users\/guest-another\//);
  assert.ok(server.objects().has(key));
});
