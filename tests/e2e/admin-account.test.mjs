// A user signs up, `make admin` makes them an administrator, and they sign in on the administrators' page with e-mail and password.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { newVisitor, startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

const run = promisify(execFile);
const account = { email: "o'hara@example.org", password: "correct horse battery" };
let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const makeAdmin = (email) => run("make", ["--silent", "--no-print-directory", "admin", `EMAIL=${email}`, `STATE=${server.state}`], { encoding: "utf8" });

const refresh = async (cookie) => (await fetch(`${server.url}/auth/refresh_token`, { method: "POST", headers: { Cookie: cookie } })).json();

/** Signs in on the page by keyboard. */
async function signIn(page) {
  await page.goto(`${server.url}/admin/`);
  // The form is shown once the page knows that there are accounts; a hidden field cannot have the focus.
  await page.locator('#login [name="email"]').waitFor();
  await page.locator('#login [name="email"]').focus();
  await page.keyboard.type(account.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(account.password);
  await page.keyboard.press("Enter");
}

test("an account that `make admin` has promoted sees the panels after signing in", async () => {
  const signedUp = await fetch(`${server.url}/users/signup`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(account) });
  assert.equal(signedUp.status, 201);

  const page = await (await newVisitor(browser, { locale: "en-US" })).newPage();
  await signIn(page);
  await page.locator("#entry-problem", { hasText: "Your account is not allowed to do this" }).waitFor();
  assert.equal(await page.locator("#board").isVisible(), false);

  const { stdout } = await makeAdmin(account.email);
  assert.match(stdout, /is an administrator from the next sign-in on/);
  assert.deepEqual(server.rows("users").map(({ email, role }) => [email, role]), [[account.email, "ADMIN"]]);

  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  await signIn(page);
  await page.locator("#tiles .stored").waitFor();
  assert.equal(await page.locator("#parts .works").count(), 4, "store, database, ledger, and the bucket of this database");
  assert.match(await page.locator("#who").innerText(), /o'hara@example\.org/);
  assert.equal(await page.locator("#entry").isVisible(), false);

  await page.route("**/auth/logout", (route) => route.abort());
  await page.locator("#sign-out").press("Enter");
  await page.locator("#sign-out-problem", { hasText: "You are still signed in." }).waitFor();
  assert.ok(await page.locator("#board").isVisible(), "a failed sign-out leaves the session open");
  await page.unroute("**/auth/logout");
  const { name, value } = (await page.context().cookies()).find((cookie) => cookie.name.includes("refresh_token"));
  await page.locator("#sign-out").press("Enter");
  await page.locator("#entry").waitFor();
  assert.equal(await page.locator("#sign-out-problem").isVisible(), false);
  assert.equal((await refresh(`${name}=${value}`)).code, "TOKEN_INVALID", "the old refresh cookie is revoked");
  const left = (await page.context().cookies()).map((cookie) => cookie.name);
  assert.deepEqual(left, ["__Host-device"], "only what marks the browser as known");
  await page.reload();
  await page.locator("#entry").waitFor();
  assert.deepEqual(complaints, [], "the user stays signed out");
});

test("by keyboard, in both languages: the sessions of a user are shown, one is ended, then all", async () => {
  const person = { email: "ann@example.org", password: "correct horse battery" };
  const post = (path, agent) => fetch(`${server.url}${path}`, { method: "POST", headers: { "Content-Type": "application/json", "User-Agent": agent }, body: JSON.stringify(person) });
  const { id } = (await (await post("/users/signup", "Browser one/1.0")).json()).data.user;
  const cookies = [];
  for (const agent of ["Browser two/1.0", "Browser three/1.0"]) cookies.push((await post("/auth/login", agent)).headers.getSetCookie()[0].split(";")[0]);

  const page = await (await newVisitor(browser, { locale: "en-US" })).newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  await signIn(page);
  await page.locator("#tiles .stored").waitFor();
  await page.locator('#find [name="user"]').focus();
  await page.keyboard.type(id);
  await page.keyboard.press("Enter");
  const rows = page.locator("#sessions .rows li");
  await rows.nth(2).waitFor();
  assert.equal(await page.locator("#sessions-title").innerText(), "Sessions");
  assert.match(await rows.first().innerText(), /Browser three\/1\.0[\s\S]*signed in .* · last used /);

  await page.getByRole("button", { name: "End the session of" }).first().focus();
  await page.keyboard.press("Enter");
  await rows.nth(2).waitFor({ state: "detached" });
  assert.match(await page.locator("#announcer").innerText(), /The session of .* has ended\./);
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^End the session of/, "the focus is on the next row");
  assert.equal((await refresh(cookies[1])).code, "TOKEN_INVALID");
  await page.locator("#events .badge.revoke").first().waitFor();

  await page.locator('[data-language="ko"]').press("Enter");
  await page.locator("#sessions-title", { hasText: "세션" }).waitFor();
  assert.equal(await page.locator("#end-sessions").innerText(), "모두 종료");
  await page.locator("#end-sessions").press("Enter");
  await page.locator("#sessions .empty").waitFor();
  assert.equal(await page.locator("#announcer").innerText(), "세션 2개가 종료되었습니다.");
  assert.equal(await page.evaluate(() => document.activeElement.id), "sessions-title");
  assert.equal(await page.locator("#end-sessions").isVisible(), false);
  assert.equal((await refresh(cookies[0])).code, "TOKEN_INVALID");
  assert.deepEqual(complaints, []);
});

test("`make admin` reports an address without an account, and rejects a malformed address", async () => {
  await assert.rejects(makeAdmin("nobody@example.org"), ({ stderr }) => /No account has the address nobody@example\.org/.test(stderr));
  for (const email of ["", "x' OR '1'='1", "a b@example.org"]) {
    await assert.rejects(makeAdmin(email), ({ stderr }) => /EMAIL must be the address of an account/.test(stderr), email);
  }
  assert.equal(server.rows("users").length, 2);
});
