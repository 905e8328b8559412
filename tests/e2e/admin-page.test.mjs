// The administrators' page in Chromium: uploads appear, a user is banned, unbanned, looked up and erased, and pictures are found and deleted, by
// keyboard, in English and Korean; and it fits a small phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBackEnd } from "./back_end.mjs";
import { newVisitor, startBrowser } from "./browser.mjs";
import { gif, png } from "./pictures.mjs";
import { startServer } from "./server.mjs";

let server;
let browser;
let backEnd;
let asked = 0;
before(async () => {
  backEnd = await startBackEnd();
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000, WEBHOOK_URL: backEnd.url }, secrets: { WEBHOOK_SECRET: backEnd.secret } });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), backEnd?.stop()]);
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

test("by keyboard: a picture is found by its URL, and its owner is erased after a confirmation that names what goes", async () => {
  const [one] = [await upload("frank", png(310, 200), "image/png", "one.png"), await upload("frank", png(330, 200), "image/png", "two.png")];
  const { page, complaints, close } = await open("en-US");
  const find = page.locator('#find [name="user"]');
  await find.focus();
  await page.keyboard.type(one.data.imageUrl);
  await page.keyboard.press("Enter");
  const owner = page.getByRole("button", { name: "Show the owner frank" });
  await owner.waitFor();
  assert.equal(await page.locator("#found-picture li").count(), 1);
  await owner.press("Enter");
  const erase = page.locator("#erase-found");
  await erase.waitFor();
  assert.equal(await page.locator("#found-picture li").count(), 0);
  await erase.press("Enter");
  const dialog = page.locator("#removal-dialog");
  await dialog.waitFor();
  assert.match(await dialog.innerText(), /Erase everything about frank\?[^]*2 pictures[^]*0 unclaimed uploads[^]*No built-in account/);
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "erase-found");
  assert.ok(server.objects().has(one.data.key), "nothing was erased");
  await erase.press("Enter");
  await dialog.waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("#removals li.over", { hasText: "frank" }).waitFor();
  assert.match(await page.locator("#removals li").innerText(), /2 of 2 pictures deleted · everything is erased/);
  assert.match(await page.locator("#announcer").innerText(), /Deleted: frank\./);
  assert.equal(server.objects().has(one.data.key), false);
  assert.equal((await upload("frank", gif(7), "image/gif")).code, "USER_ERASING");
  assert.deepEqual(complaints, []);
  await close();
});

test("in Korean: all pictures of a user and those of a form are deleted", async () => {
  await upload("grace", gif(30), "image/gif");
  const body = new FormData();
  body.append("formId", "설문 1");
  body.append("image", new Blob([gif(31)], { type: "image/gif" }), "a.gif");
  const headers = { Authorization: `Bearer ${server.token({ sub: "heidi" })}` };
  assert.equal((await fetch(`${server.url}/images`, { method: "POST", headers, body })).status, 201);
  const { page, complaints, close } = await open("ko-KR");
  await page.locator('#find [name="user"]').fill("grace");
  await page.locator('#find [name="user"]').press("Enter");
  await page.locator("#delete-found").waitFor();
  await page.locator("#delete-found").press("Enter");
  const confirm = page.locator('#removal-dialog button[value="yes"]');
  await confirm.waitFor();
  assert.match(await page.locator("#removal-dialog").innerText(), /grace 사용자의 사진을 모두 삭제할까요\?[^]*사진 1장/);
  await confirm.press("Enter");
  await page.locator("#removals li.over", { hasText: "grace" }).waitFor();
  await page.locator("#forms summary").press("Enter");
  await page.locator('#delete-form [name="form"]').fill("설문 1");
  await page.locator('#delete-form [name="form"]').press("Enter");
  await confirm.waitFor();
  assert.match(await page.locator("#removal-dialog").innerText(), /설문 1 폼의 사진을 모두 삭제할까요\?/);
  await confirm.press("Enter");
  await page.locator("#removals li.over", { hasText: "설문 1" }).waitFor();
  assert.deepEqual(server.rows().filter(({ owner }) => ["grace", "heidi"].includes(owner)), []);
  assert.deepEqual(complaints, []);
  await close();
});

test("by keyboard: a form is closed, and another one together with its pictures, after confirmations that name what goes", async () => {
  const back = { Authorization: `Bearer ${server.token({ sub: "back-end", role: "SERVICE" })}` };
  const put = (form, policy) => fetch(`${server.url}/forms/${form}`, { method: "PUT", headers: { ...back, "Content-Type": "application/json" }, body: JSON.stringify(policy) });
  await put("room", { maxFiles: 5, maxFilesPerUser: 2, closesAt: "2099-12-31T15:00:00Z" });
  await put("diary", {});
  const body = new FormData();
  body.append("formId", "diary");
  body.append("image", new Blob([gif(40)], { type: "image/gif" }), "a.gif");
  const headers = { Authorization: `Bearer ${server.token({ sub: "ivy" })}` };
  const { data } = await (await fetch(`${server.url}/images`, { method: "POST", headers, body })).json();

  const { page, complaints, close } = await open("en-US");
  const row = (name) => page.locator(`#forms li[data-key="${name}"]`);
  await row("room").waitFor();
  assert.match(await row("room").innerText(), /room[^]*open[^]*0 pictures · at most 5 · at most 2 per user · closes /);
  assert.match(await row("diary").innerText(), /diary[^]*open[^]*1 picture[^s]/);
  const dialog = page.locator("#removal-dialog");
  const shut = page.getByRole("button", { name: "Close the form room", exact: true });
  await shut.press("Enter");
  await dialog.waitFor();
  assert.match(await dialog.innerText(), /Close the form room\?[^]*New pictures are refused[^]*0 pictures/);
  assert.equal(await page.locator("#removal-lead").isVisible(), false, "nothing goes");
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "Close the form room");
  await shut.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await row("room").locator(".badge", { hasText: "closed" }).waitFor();
  assert.match(await page.locator("#announcer").innerText(), /The form room is closed\./);

  await page.getByRole("button", { name: "Close and delete: the form diary with its pictures" }).press("Enter");
  await dialog.waitFor();
  assert.match(await dialog.innerText(), /Close the form diary and delete all its pictures\?[^]*This goes:[^]*1 picture[^]*Unclaimed pictures/);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("#removals li.over", { hasText: "diary" }).waitFor();
  await row("diary").locator("p", { hasText: "0 pictures · pictures deleted" }).waitFor();
  assert.equal(await row("diary").locator("button").count(), 0, "nothing is left to do");
  assert.equal(server.objects().has(data.key), false);
  assert.deepEqual(complaints, []);
  await close();
});

test("by keyboard: an event that the back end did not take is sent again, and a test event is sent; in both languages", async () => {
  backEnd.answer = () => 503;
  const { data } = await upload("ivan", gif(40), "image/gif");
  const { page, complaints, close } = await open("en-US");
  const row = page.locator("#webhooks .rows li", { hasText: data.key });
  await row.waitFor();
  assert.match(await row.innerText(), /image\.stored[^]*ivan[^]*status 503 · \d attempts?/);
  assert.match(await page.locator("#endpoint").innerText(), /^127\.0\.0\.1:\d+ · \d+ failures? since/);
  assert.equal(await page.locator("#endpoint-state").innerText(), "failing");
  await page.locator("#ping").press("Enter");
  await page.locator("#ping-outcome", { hasText: "did not take the test event: status 503" }).waitFor();
  backEnd.answer = () => 204;
  await page.locator("#ping").press("Enter");
  await page.locator("#ping-outcome", { hasText: /took the test event in \d+ ms/ }).waitFor();
  await page.locator("#endpoint-state", { hasText: "works" }).waitFor();
  await row.getByRole("button", { name: "Send image.stored" }).press("Enter");
  await row.waitFor({ state: "detached" });
  assert.match(await page.locator("#announcer").innerText(), /image\.stored is being sent again/);
  const taken = () => backEnd.taken().some((event) => event.type === "image.stored" && event.data.key === data.key);
  for (let waited = 0; !taken() && waited < 15_000; waited += 100) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(taken());
  assert.deepEqual(complaints, []);
  await close();
  const korean = await open("ko-KR");
  await korean.page.locator("#endpoint-state", { hasText: "정상" }).waitFor();
  await korean.close();
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

test("held pictures are released and refused by keyboard, with a reason, in English and Korean", async () => {
  const service = { Authorization: `Bearer ${server.token({ sub: "back-end", role: "SERVICE" })}`, "Content-Type": "application/json" };
  await fetch(`${server.url}/forms/held`, { method: "PUT", headers: service, body: JSON.stringify({ review: "held" }) });
  for (const shade of [11, 12, 13, 14]) {
    const body = new FormData();
    body.append("formId", "held");
    body.append("file", new Blob([gif(shade)], { type: "image/gif" }), `room-${shade}.gif`);
    const headers = { Authorization: `Bearer ${server.token({ sub: "ann" })}`, "CF-Connecting-IP": `198.18.5.${++asked}` };
    assert.equal((await fetch(`${server.url}/images`, { method: "POST", body, headers })).status, 201);
  }
  const reviews = () => server.rows().filter(({ form_id: form }) => form === "held").map(({ review, review_reason: reason }) => [review, reason]);
  const { page, complaints, close } = await open("en-US");
  await page.locator("#queue img").first().waitFor();
  await page.waitForFunction(() => document.querySelector("#queue img").naturalWidth > 0);
  await page.getByRole("button", { name: "Release room-11.gif" }).focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(page), "Release room-12.gif");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("a");
  await page.locator("#queue li").nth(2).waitFor();
  await page.waitForFunction(() => document.querySelectorAll("#queue li").length === 3);
  assert.equal(await focused(page), "Release room-12.gif", "the next one");
  await page.keyboard.press("r");
  await page.locator("#refuse-dialog").waitFor();
  await page.keyboard.press("Tab");
  await page.locator("#refuse-dialog button[value=yes]").click();
  await page.locator("#refuse-problem", { hasText: "Enter the reason." }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "TEXTAREA");
  // Letters that are keys of the queue are text here.
  await page.keyboard.type("a rug");
  await page.locator("#refuse-dialog button[value=yes]").press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("#queue li").length === 2);
  assert.equal(await page.locator("#announcer").innerText(), "room-12.gif is refused.");
  assert.deepEqual(reviews(), [["released", null], ["refused", "a rug"], ["held", null], ["held", null]]);
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/queue-en.png` });
  assert.deepEqual(complaints, []);
  await close();

  const phone = await open("ko-KR", { viewport: { width: 360, height: 740 } });
  await phone.page.getByRole("button", { name: "room-13.gif 공개" }).waitFor();
  const width = await phone.page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width} pixels wide`);
  await phone.page.locator("#review").scrollIntoViewIfNeeded();
  if (process.env.SCREENSHOTS) await phone.page.screenshot({ path: `${process.env.SCREENSHOTS}/queue-ko.png` });
  await phone.page.getByRole("button", { name: "room-13.gif 거절" }).click();
  if (process.env.SCREENSHOTS) await phone.page.screenshot({ path: `${process.env.SCREENSHOTS}/refuse-ko.png` });
  await phone.page.getByRole("button", { name: "취소" }).last().click();
  await phone.close();
});
