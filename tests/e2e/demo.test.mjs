// The demo page in Chromium: from a guest's picture to an account that keeps it, refusals in both languages, the keyboard alone, and an interrupted
// network.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { chooseByKeyboard, newVisitor, startBrowser } from "./browser.mjs";
import { png } from "./pictures.mjs";
import { createDemoForms, startServer } from "./server.mjs";

const JPEG = "tests/fixtures/jpeg/baseline-420.jpg";
const PASSWORD = "correct horse 배터리";

let server;
let browser;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
  createDemoForms(server);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens the page in a language. `complaints` collects its errors, except those that match `mayFail`. */
async function open(locale, { mayFail = /^$/, ...options } = {}) {
  const context = await newVisitor(browser, { locale, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !mayFail.test(message.text()) && complaints.push(`${message.text()} ${message.location().url}`));
  const load = async () => {
    await page.goto(server.url);
    await page.locator("#portrait [part=types]", { hasText: "200" }).waitFor();
  };
  await load();
  return { page, complaints, load, close: () => context.close() };
}

const items = (page, state) => page.locator(`image-upload [part~=item][part~=${state}]`);
const keyOf = (page) => page.locator("#room").evaluate((element) => element.value);
const owners = () => server.rows().map(({ owner }) => owner);

test("a guest's picture, an account that claims it, logging out and in, upload and delete; an administrator sees it", async () => {
  const { page, complaints, close } = await open("en-US");
  await page.locator('[data-try="place"]').click();
  await items(page, "uploaded").waitFor();
  const [key] = await keyOf(page);
  assert.match(key, /^users\/guest-/);
  assert.ok(server.objects().has(key), "the image is in R2");
  assert.ok(!server.objects().get(key).includes("Exif"), "without its GPS position");
  assert.match(await items(page, "uploaded").innerText(), /Removed: camera data, location/);
  assert.deepEqual(owners(), [], "a guest image has no row until it is claimed");

  await page.locator("#survey .primary").click();
  assert.match(await page.locator("#rating-problem").innerText(), /stars/);
  await page.keyboard.press("Space");
  await page.locator("#survey .primary").click();
  assert.deepEqual(JSON.parse(await page.locator("#answers").innerText()), { rating: 1, room: [key], portrait: [], note: "" });

  await page.locator("#sign-up").click();
  await page.keyboard.type("mina@example.com");
  await page.keyboard.press("Enter");
  assert.match(await page.locator("#entry-problem").innerText(), /8 to 128/);
  await page.keyboard.type(PASSWORD);
  await page.locator("#nickname input").fill("미나");
  await page.keyboard.press("Enter");
  await page.locator("#pictures li").waitFor();
  assert.equal(await page.locator("#who").innerText(), "미나");
  assert.match(await page.locator("#announcer").innerText(), /1 picture is yours/);
  const [{ owner: mina }] = server.rows();
  assert.notEqual(mina, key.split("/")[1]);

  await page.locator('[data-try="photo"]').click();
  await page.locator("#pictures li").nth(1).waitFor();
  assert.deepEqual(owners(), [mina, mina], "later uploads belong to the account");
  await page.locator("#pictures .remove").first().click();
  await page.locator("#confirm .danger").click();
  await page.locator("#pictures li").nth(1).waitFor({ state: "detached" });

  await page.locator("#log-out").click();
  await page.locator("#log-in").waitFor();
  assert.equal(await page.locator("#pictures li").count(), 0);
  await page.locator("#log-in").click();
  await page.keyboard.type("mina@example.com");
  await page.locator("#entry [name=password]").fill("not the password");
  await page.keyboard.press("Enter");
  await page.locator("#entry-problem", { hasText: "wrong" }).waitFor();
  await page.locator("#entry [name=password]").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator("#pictures li").waitFor();

  await chooseByKeyboard(page, page.locator("#room"), JPEG);
  await items(page, "uploaded").waitFor();
  await page.locator("#pictures li").nth(1).waitFor();
  assert.deepEqual(owners(), [mina, mina]);
  await page.reload();
  await page.locator("#pictures li").nth(1).waitFor();
  assert.equal(await page.locator("#who").innerText(), "미나", "the session continues after a reload");

  const oldest = page.locator("#pictures li").nth(1);
  await oldest.locator(".remove").click();
  await page.locator("#confirm .danger").click();
  await page.locator("#pictures li").nth(1).waitFor({ state: "detached" });
  assert.equal(server.rows().length, 1);
  assert.ok(!server.objects().has(key), "the object is deleted as well");
  // A picture that is deleted while it is made smaller for the page is not found.
  assert.deepEqual(complaints.filter((text) => !/401|404 .*\/images\/.*\?w=/.test(text)), []);

  const admin = await page.context().newPage();
  await admin.goto(`${server.url}/admin/`);
  await admin.locator('#token-form [name="token"]').fill(server.token({ sub: "boss", role: "ADMIN" }));
  await admin.keyboard.press("Enter");
  await admin.locator("#uploaders button", { hasText: mina }).waitFor();
  await admin.locator("#tiles .stored dd", { hasText: "3" }).waitFor();
  for (const hasText of ["Sign-up", "Deletion"]) await admin.locator("#events .rows", { hasText }).waitFor();
  await close();
});

test("a refused file has a reason in Korean and is not sent", async () => {
  const { page, complaints, close } = await open("ko-KR");
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
  const objectsBefore = server.objects().size;
  for (const name of ["text", "bomb"]) await page.locator(`[data-try="${name}"]`).click();
  await items(page, "refused").nth(1).waitFor();
  for (const sentence of await items(page, "refused").locator("[part=state]").allInnerTexts()) assert.match(sentence, /[가-힣]/);
  assert.deepEqual(sent, []);
  assert.equal(server.objects().size, objectsBefore);
  assert.deepEqual(complaints, []);
  await close();
});

test("the two questions have different policies: a portrait that is not square is refused, a square one is stored", async () => {
  const { page, complaints, close } = await open("en-US");
  assert.match(await page.locator("#room [part=types]").innerText(), /^JPEG, PNG, GIF, WebP and more, up to 4 pictures\./);
  assert.match(await page.locator("#portrait [part=types]").innerText(), /^JPEG or PNG, square, at least 200\s×\s200 pixels, one picture\./);
  await page.locator('[data-try="wide"]').click();
  const refused = page.locator("#portrait [part~=item][part~=refused]");
  await refused.waitFor();
  assert.match(await refused.innerText(), /1,?600.*900/s);
  await refused.getByRole("button", { name: "Remove wide.jpg" }).click();
  const square = { name: "me.png", mimeType: "image/png", buffer: png(240, 240) };
  await page.locator("#portrait input[accept*=heic]").setInputFiles(square);
  await page.locator("#portrait [part~=item][part~=uploaded]").waitFor();
  const [key] = await page.locator("#portrait").evaluate((element) => element.value);
  assert.ok(server.objects().has(key));
  assert.deepEqual(complaints, []);
  await close();
});

test("a picture that a user removes from a question leaves the album as well", async () => {
  const { page, close } = await open("en-US");
  await page.locator("#log-in").click();
  await page.locator("#entry-other").click();
  await page.locator("#entry [name=email]").fill("remover@example.com");
  await page.locator("#entry [name=password]").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator("#who").waitFor();
  await page.locator('[data-try="place"]').click();
  await page.locator("#pictures li").waitFor();
  await page.locator("#room").getByRole("button", { name: "Remove seoul.jpg" }).click();
  await page.locator("#pictures li").waitFor({ state: "detached" });
  await close();
});

test("the page works by keyboard and in both languages", async () => {
  const { page, complaints, close } = await open("en-US");
  await page.locator('[data-language="ko"]').focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  assert.match(await page.locator("h1").innerText(), /[가-힣]/);
  await chooseByKeyboard(page, page.locator("#room"), JPEG);
  await items(page, "uploaded").waitFor();
  assert.match(await items(page, "uploaded").innerText(), /저장됨/);
  assert.deepEqual(complaints, []);
  await close();
});

test("people change their password by keyboard, in both languages", async () => {
  for (const [locale, email, wrong, common, changed] of [
    ["en-US", "ann@example.com", /not the password/, /first that are guessed/, /is changed/],
    ["ko-KR", "jimin@example.com", /지금 쓰는 비밀번호가 아닙니다/, /추측하는/, /바꾸었습니다/],
  ]) {
    const { page, complaints, close } = await open(locale, { mayFail: /401|422/, viewport: { width: 390, height: 800 } });
    const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    const problem = (hasText) => page.locator("#secret-problem", { hasText }).waitFor();
    await page.locator("#log-in").press("Enter");
    await page.locator("#entry-other").press("Enter");
    await page.locator("#entry [name=email]").focus();
    await page.keyboard.type(email);
    await press("Tab");
    await page.keyboard.type(PASSWORD);
    await press("Enter");
    await page.locator("#change-password").waitFor();
    await page.locator("#change-password").press("Enter");
    await page.keyboard.type("guess what");
    await press("Tab");
    await page.keyboard.type("another horse");
    await press("Enter");
    await problem(wrong);
    // The focus is in the field that is wrong.
    await press("ControlOrMeta+a");
    await page.keyboard.type(PASSWORD);
    await press("Tab", "ControlOrMeta+a");
    await page.keyboard.type("Password1");
    await press("Enter");
    await problem(common);
    await press("ControlOrMeta+a");
    await page.keyboard.type("another horse");
    await press("Enter");
    await page.locator("#announcer", { hasText: changed }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "change-password", "the focus returns");
    await page.locator("#log-out").press("Enter");
    // Hidden until the session has ended.
    await page.locator("#log-in").waitFor();
    await page.locator("#log-in").press("Enter");
    await page.keyboard.type(email);
    await press("Tab");
    await page.keyboard.type("another horse");
    await press("Enter");
    await page.locator("#who", { hasText: email }).waitFor();
    assert.deepEqual(complaints, []);
    await close();
  }
});

test("in flight mode a picture waits, also after the page is closed, and is sent once", async () => {
  const { page, complaints, load, close } = await open("en-US", { mayFail: /127\.0\.0\.1:1\/|ERR_|Refused to connect/ });
  const objectsBefore = server.objects().size;
  await page.locator("#flight").check();
  await page.locator('[data-try="photo"]').click();
  await page.locator("#room", { hasText: "Kept on this device" }).waitFor();
  assert.equal(server.objects().size, objectsBefore);
  await load();
  await items(page, "uploaded").waitFor();
  assert.equal(server.objects().size, objectsBefore + 1);
  assert.deepEqual(complaints, []);
  await close();
});
