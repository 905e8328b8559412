// Somebody signs up, `make admin` makes them an administrator, and they sign in on the administrators' page with
// e-mail and password: the way in that a system without a platform of its own has.
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

/** Signs in on the page by keyboard. */
async function signIn(page) {
  await page.goto(`${server.url}/admin/`);
  await page.locator('#login [name="email"]').focus();
  await page.keyboard.type(account.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(account.password);
  await page.keyboard.press("Enter");
}

test("an account becomes an administrator's, and sees the panels after signing in", async () => {
  const signedUp = await fetch(`${server.url}/users/signup`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(account) });
  assert.equal(signedUp.status, 201);

  const page = await (await newVisitor(browser, { locale: "en-US" })).newPage();
  await signIn(page);
  await page.locator("#entry-problem", { hasText: "Your role may not do this" }).waitFor();
  assert.equal(await page.locator("#board").isVisible(), false);

  const { stdout } = await makeAdmin(account.email);
  assert.match(stdout, /is an administrator from the next sign-in on/);
  assert.deepEqual(server.rows("users").map(({ email, role }) => [email, role]), [[account.email, "ADMIN"]]);

  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  await signIn(page);
  await page.locator("#tiles .stored").waitFor();
  assert.equal(await page.locator("#parts .works").count(), 3);
  assert.match(await page.locator("#who").innerText(), /o'hara@example\.org/);
  assert.equal(await page.locator("#entry").isVisible(), false);

  await page.locator("#sign-out").press("Enter");
  await page.locator("#entry").waitFor();
  await page.reload();
  await page.locator("#entry").waitFor();
  assert.deepEqual(complaints, [], "and signing out lasts");
});

test("whoever has no account is named, and nothing that is no address gets into a statement", async () => {
  await assert.rejects(makeAdmin("nobody@example.org"), ({ stderr }) => /no account with the address nobody@example\.org/.test(stderr));
  for (const email of ["", "x' OR '1'='1", "a b@example.org"]) {
    await assert.rejects(makeAdmin(email), ({ stderr }) => /EMAIL is the address of an account/.test(stderr), email);
  }
  assert.equal(server.rows("users").length, 1);
});
