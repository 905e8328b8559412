// The administrators' page in Chromium: uploads appear, a user is banned, unbanned and looked up, and a picture deleted, by keyboard, in English and
// Korean; and it fits a small phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { newVisitor, startBrowser } from "./browser.mjs";
import { gif, png } from "./pictures.mjs";
import { startServer } from "./server.mjs";

let server;
let browser;
let asked = 0;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function upload(sub, body, type, name = "x") {
  const headers = { Authorization: `Bearer ${server.token({ sub })}`, "Content-Type": type, "X-Filename": encodeURIComponent(name) };
  const answer = await fetch(`${server.url}/images`, { method: "POST", body, headers: { ...headers, "CF-Connecting-IP": `198.18.5.${++asked}` } });
  return { status: answer.status, ...(await answer.json()) };
}

/** The page, signed in by keyboard. `complaints` collects its errors. */
async function open(locale, options = {}) {
  const context = await newVisitor(browser, { locale, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  // Where there are no accounts, the browser logs the 404 of the request that asks for them.
  const isOurs = (message) => message.type() === "error" && !message.location().url.endsWith("/auth/login");
  page.on("console", (message) => isOurs(message) && complaints.push(message.text()));
  await page.goto(`${server.url}/admin/`);
  await page.locator("#entry").waitFor();
  await page.locator('#token-form [name="token"]').focus();
  await page.keyboard.type(server.token({ sub: "boss", role: "ADMIN" }));
  await page.keyboard.press("Enter");
  await page.locator("#tiles .stored").waitFor().catch(async (error) => {
    throw new Error(`${await page.locator("main").innerText()}\n${complaints.join("\n")}\n${server.log().slice(-4000)}`, { cause: error });
  });
  return { page, complaints, close: () => context.close() };
}

const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id);

test("uploads appear without moving the focus", async () => {
  const { page, complaints, close } = await open("en-US");
  await page.locator('#find [name="user"]').focus();
  await page.keyboard.type("half-writ");
  assert.equal((await upload("ann", gif(1), "image/gif")).status, 201);
  assert.equal((await upload("ann", "<svg></svg>", "image/gif")).code, "INVALID_FILE_SIGNATURE");
  await page.locator("#uploaders button", { hasText: "ann" }).waitFor();
  await page.locator("#legend li", { hasText: "INVALID_FILE_SIGNATURE" }).waitFor();
  assert.equal(await page.locator("#tiles .stored dd").innerText(), "1");
  assert.equal(await page.locator("#tiles .refused dd").innerText(), "1");
  assert.equal(await page.locator("#parts .works").count(), 4);
  await page.keyboard.type("ten");
  assert.equal(await page.locator('#find [name="user"]').inputValue(), "half-written", "the input keeps the focus and its text");

  await page.locator("#chart").focus();
  await page.keyboard.press("End");
  assert.match(await page.locator("#readout").innerText(), /Stored 1 · INVALID_FILE_SIGNATURE 1/);
  await page.locator("details", { has: page.locator("#table") }).locator("summary").press("Enter");
  assert.equal(await page.locator("#table tbody tr").count(), 24);
  assert.match(await page.locator("#table tbody tr").first().innerText(), /\t1\t1\t/);
  assert.deepEqual(complaints, []);
  await close();
});

test("a user is banned permanently, in Korean", async () => {
  const { page, complaints, close } = await open("ko-KR");
  await page.locator("#ban-details summary").press("Enter");
  await page.locator('#ban [name="account"]').fill("mallory");
  await page.locator('#ban [name="seconds"]').selectOption({ label: "영구" });
  await page.locator('#ban [name="reason"]').fill("spam");
  await page.locator('#ban [name="reason"]').press("Enter");
  const row = page.locator("#bans .rows li", { hasText: "mallory" });
  await row.waitFor();
  assert.match(await row.innerText(), /spam · 영구/);
  assert.equal((await upload("mallory", gif(3), "image/gif")).code, "USER_BANNED");
  await page.locator('#find [name="user"]').fill("mallory");
  await page.locator('#find [name="user"]').press("Enter");
  await page.locator("#standing", { hasText: "영구 차단" }).waitFor();
  await row.getByRole("button", { name: "user:mallory 차단 해제" }).press("Enter");
  await row.waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await close();
});

test("by keyboard: a user is banned and unbanned", async () => {
  const { page, complaints, close } = await open("en-US");
  await page.locator("#ban-details summary").press("Enter");
  await page.locator('#ban [name="account"]').focus();
  await page.keyboard.type("bob");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("spam");
  await page.keyboard.press("Enter");
  const lift = page.getByRole("button", { name: "Unban user:bob" });
  await lift.waitFor();
  assert.match(await page.locator("#announcer").innerText(), /user:bob is banned/);
  assert.equal((await upload("bob", gif(2), "image/gif")).code, "USER_BANNED");
  await page.locator("#events li", { has: page.locator(".badge.ban"), hasText: "bob" }).first().waitFor();
  await lift.focus();
  await page.keyboard.press("Enter");
  await lift.waitFor({ state: "detached" });
  assert.equal(await focused(page), "bans-title", "the focus is not lost with the row");
  assert.equal((await upload("bob", gif(2), "image/gif")).status, 201);
  assert.deepEqual(complaints, []);
  await close();
});

test("in Korean and by keyboard: a user is looked up and a picture deleted after a confirmation", async () => {
  const stored = [];
  for (const [width, name] of [[300, "여름.png"], [320, "겨울.png"]]) stored.push((await upload("carol", png(width, 200), "image/png", name)).data);
  const { page, complaints, close } = await open("ko-KR");
  assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  await page.locator('#find [name="user"]').focus();
  await page.keyboard.type("carol");
  await page.keyboard.press("Enter");
  const remove = page.getByRole("button", { name: "여름.png 삭제" });
  await remove.waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll("#pictures img")].every((image) => image.naturalWidth > 0));
  assert.equal(await page.locator("#limits meter").count(), 3);
  assert.match(await page.locator("#log-name").innerText(), /^로그의 가명: [0-9a-f]{16}$/);

  await remove.press("Enter");
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "여름.png 삭제", "after canceling the focus is on the same button");
  assert.ok(server.objects().has(stored[0].key));
  await remove.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await remove.waitFor({ state: "detached" });
  assert.equal(server.objects().has(stored[0].key), false);
  assert.equal(await focused(page), "겨울.png 삭제");
  assert.match(await page.locator("#announcer").innerText(), /삭제되었습니다/);
  assert.deepEqual(complaints, []);
  await close();
});

test("a token without the role ADMIN is refused with the reason, and not stored", async () => {
  const context = await newVisitor(browser, { locale: "ko-KR" });
  const page = await context.newPage();
  await page.goto(`${server.url}/admin/`);
  await page.locator('#token-form [name="token"]').fill(server.token({ sub: "eve" }));
  await page.keyboard.press("Enter");
  await page.locator("#entry-problem", { hasText: "권한이 없습니다" }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("admin-token")), null);
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes("eyJ")), false);
  await context.close();
});

test("the page fits a phone of 320 pixels, also with a user shown", async () => {
  const { page, close } = await open("en-US", { viewport: { width: 320, height: 640 } });
  await page.locator("#uploaders button").first().click();
  await page.locator("#found").waitFor();
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(beyond, 0);
  await close();
});
