// Links in mails on the built Worker, with a mail service that is a real HTTP server; and the pages in Chromium, by keyboard, in both languages.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { newVisitor, startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

const PASSWORD = "correct horse battery";
const NEXT = "another horse 배터리";

let mails;
let server;
let browser;
before(async () => {
  mails = await startMailService();
  server = await startServer({
    vars: { MAIL_URL: `${mails.url}/send`, MAIL_FROM: "no-reply@example.org", EMAIL_VERIFICATION: "required", PUBLIC_BASE_URL: "http://127.0.0.1:1", IP_PER_MINUTE: 100_000 },
    secrets: { MAIL_TOKEN: "secret-of-the-service" },
  });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await mails?.stop();
});

/** A mail service: records what it gets, and answers with the statuses that a test sets. */
async function startMailService() {
  const got = [];
  const service = { got, statuses: [], waiting: [] };
  const http = createServer(async (request, answer) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const status = service.statuses.shift() ?? 202;
    answer.writeHead(status).end();
    got.push({ status, path: request.url, headers: request.headers, mail: JSON.parse(body) });
    service.waiting.splice(0).forEach((wake) => wake());
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  /** The first mail of this kind to this address that was taken, which may still be on its way. */
  service.mail = async (to, kind) => {
    for (;;) {
      const found = got.find(({ status, mail }) => status < 300 && mail.to === to && mail.kind === kind);
      if (found) return found;
      await new Promise((resolve) => service.waiting.push(resolve));
    }
  };
  service.url = `http://127.0.0.1:${http.address().port}`;
  service.stop = () => new Promise((resolve) => (http.closeAllConnections(), http.close(resolve)));
  return service;
}

async function post(path, json, headers = {}) {
  const answer = await fetch(server.url + path, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(json) });
  return { status: answer.status, ...(await answer.json()) };
}

const tokenOf = ({ mail }) => /#[a-z-]+=([0-9a-f]{64})/.exec(mail.text)[1];
/** The page of a link on the server of the test. */
const pageOf = ({ mail }) => mail.text.match(/http:\/\/127\.0\.0\.1:1(\S+)/)[1];

test("a sign-up becomes an account by its link, once, and the stores have no token", async () => {
  const begun = await post("/users/signup", { email: "ann@example.org", password: PASSWORD });
  assert.deepEqual([begun.status, begun.message, begun.data], [202, "signup_pending", {}]);
  const sent = await mails.mail("ann@example.org", "sign_up");
  assert.equal(sent.headers.authorization, "Bearer secret-of-the-service");
  assert.deepEqual(Object.keys(sent.mail), ["to", "from", "kind", "language", "subject", "text", "html"]);
  const token = tokenOf(sent);
  const [link] = server.rows("mail_links");
  assert.equal(link.digest, createHash("sha256").update(token).digest("hex"));
  assert.ok(!JSON.stringify(link).includes(token));
  assert.equal((await post("/auth/login", { email: "ann@example.org", password: PASSWORD })).code, "CREDENTIALS_INVALID");
  assert.equal((await post("/auth/verify-email", { token })).code, "MALFORMED_REQUEST", "who opens the link chooses the password");
  const opened = await Promise.all([1, 2, 3].map((number) => post("/auth/verify-email", { token, password: `${NEXT} ${number}` })));
  assert.deepEqual(opened.map(({ status }) => status).sort(), [200, 410, 410], JSON.stringify(opened));
  const won = opened.findIndex(({ status }) => status === 200) + 1;
  assert.equal((await post("/auth/login", { email: "ann@example.org", password: PASSWORD })).code, "CREDENTIALS_INVALID");
  assert.equal((await post("/auth/login", { email: "ann@example.org", password: `${NEXT} ${won}` })).data.user.emailVerified, true);
  assert.equal(server.rows("mail_links").length, 0);
  const again = await post("/users/signup", { email: "ann@example.org", password: NEXT });
  assert.deepEqual([again.status, again.message, again.data], [202, "signup_pending", {}], "as for a new address");
  await mails.mail("ann@example.org", "has_account");
});

test("a forgotten password is replaced once, after the service was busy for a moment", async () => {
  await post("/users/signup", { email: "bob@example.org" });
  await post("/auth/verify-email", { token: tokenOf(await mails.mail("bob@example.org", "sign_up")), password: PASSWORD });
  mails.statuses.push(503);
  const [known, unknown] = [await post("/auth/password-reset", { email: "bob@example.org" }), await post("/auth/password-reset", { email: "nobody@example.org" })];
  assert.deepEqual([known.status, known.message, known.data], [unknown.status, unknown.message, unknown.data]);
  const token = tokenOf(await mails.mail("bob@example.org", "reset"));
  const set = (password) => post("/auth/password-reset/confirm", { token, password });
  assert.equal((await set("password1")).code, "PASSWORD_COMMON");
  const all = await Promise.all([1, 2].map((number) => set(`${NEXT} ${number}`)));
  assert.deepEqual(all.map(({ status }) => status).sort(), [200, 410], JSON.stringify(all));
  const won = all.findIndex(({ status }) => status === 200) + 1;
  assert.equal((await post("/auth/login", { email: "bob@example.org", password: `${NEXT} ${won}` })).status, 200);
  assert.equal((await post("/auth/login", { email: "bob@example.org", password: PASSWORD })).code, "CREDENTIALS_INVALID");
  assert.ok(!mails.got.some(({ mail }) => mail.to === "nobody@example.org"));
});

test("a guest's picture waits for the first login, because a sign-up that is verified takes none", async () => {
  const context = await newVisitor(browser, { locale: "en-US" });
  const page = await context.newPage();
  await page.goto(server.url);
  await page.locator('[data-try="place"]').click();
  await page.locator("#room [part~=item][part~=uploaded]").waitFor();
  // A star, which the survey asks for.
  await page.locator("#survey .primary").click();
  await page.keyboard.press("Space");
  await page.locator("#survey .primary").click();
  await page.locator("#sign-up").click();
  await page.locator("#entry [name=email]").fill("dave@example.org");
  await page.locator("#entry [name=password]").fill(PASSWORD);
  await page.locator("#entry-go").click();
  await page.locator("#entry-hint", { hasText: "Look into your mail" }).waitFor();
  await post("/auth/verify-email", { token: tokenOf(await mails.mail("dave@example.org", "sign_up")), password: PASSWORD });
  await page.locator("#entry-go").click();
  // Attached and not visible: nobody answers at the address that this deployment has for its pictures.
  await page.locator("#pictures li").waitFor({ state: "attached" });
  const [{ owner }] = server.rows();
  assert.doesNotMatch(owner, /^guest-/);
  await context.close();
});

for (const [locale, email, pending, confirmed, changed] of [
  ["en-US", "carol@example.org", /Look into your mail/, "Your account is ready", "Your password is changed"],
  ["ko-KR", "jimin@example.org", /메일을 확인/, "계정을 만들었습니다", "비밀번호를 바꾸었습니다"],
]) {
  test(`people sign up, forget their password and choose another by keyboard (${locale})`, async () => {
    const context = await newVisitor(browser, { locale, viewport: { width: 390, height: 800 } });
    const page = await context.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(server.url);
    await page.locator("#log-in").press("Enter");
    await page.locator("#entry-other").press("Enter");
    await page.locator("#entry [name=email]").focus();
    await page.keyboard.type(email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.locator("#entry-hint", { hasText: pending }).waitFor();
    const sent = await mails.mail(email, "sign_up");
    assert.equal(sent.mail.language, locale.slice(0, 2));

    await page.goto(server.url + pageOf(sent));
    assert.ok(!page.url().includes("="), "the token is not in the history");
    await page.locator("#form [name=password]").waitFor();
    await page.locator("#form [name=password]").focus();
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.locator("h1", { hasText: confirmed }).waitFor();

    await page.goto(server.url + pageOf(sent));
    await page.locator("#form [name=password]").fill(PASSWORD);
    await page.locator("#go").press("Enter");
    await page.locator("#sign-up").waitFor();

    await page.goto(server.url);
    await page.locator("#log-in").press("Enter");
    await page.locator("#forgotten a").press("Enter");
    await page.locator("#form [name=email]").waitFor();
    await page.locator("#form [name=email]").focus();
    await page.keyboard.type(email);
    await page.keyboard.press("Enter");
    const reset = await mails.mail(email, "reset");
    await page.locator("#next").waitFor();
    await page.goto(server.url + pageOf(reset));
    await page.locator("#form [name=password]").waitFor();
    await page.locator("#form [name=password]").focus();
    await page.keyboard.type("short");
    await page.keyboard.press("Enter");
    await page.locator("#problem", { hasText: "128" }).waitFor();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type(NEXT);
    await page.keyboard.press("Enter");
    await page.locator("h1", { hasText: changed }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "title");

    await page.locator("#next a").press("Enter");
    await page.waitForURL(`${server.url}/`);
    await page.locator("#log-in").press("Enter");
    await page.keyboard.type(email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(NEXT);
    await page.keyboard.press("Enter");
    await page.locator("#who", { hasText: email }).waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });
}
