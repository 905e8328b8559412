// Sign-in with OpenID Connect in Chromium: the whole flow against `oidc-provider`, another implementation, and its error cases.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Provider from "oidc-provider";

import { newVisitor, startBrowser } from "./browser.mjs";
import { listen, startNaver } from "./providers.mjs";
import { freePort, startServer } from "./server.mjs";

const PASSWORD = "correct horse battery";
/** What the providers say about each person, by subject. */
const PEOPLE = {
  ann: { email: "ann@example.org", email_verified: true },
  bob: { email: "bob@example.org", email_verified: false },
  carol: { email: "carol@example.org", email_verified: true },
  dave: { email: "dave@example.org", email_verified: true },
};

/** Set while the answer of a provider must not reach the Worker by itself. */
let onAnswer;
const hosts = [];
let server;
let browser;
before(async () => {
  const naver = await startNaver("carol");
  hosts.push(naver);
  const [work, post] = [await startProvider("work"), await startProvider("post")];
  const providers = [
    { name: "work", title: "Work", titleKo: "회사", issuer: work.url, clientId: "images" },
    { name: "post", issuer: post.url, clientId: "images", responseMode: "form_post" },
    { name: "naver", type: "naver", issuer: naver.url, clientId: "images" },
  ];
  const port = await freePort();
  server = await startServer({
    port,
    vars: { IP_PER_MINUTE: 100_000, SIGN_UPS_PER_HOUR: 1000 },
    secrets: { OIDC_PROVIDERS: JSON.stringify(providers), OIDC_RETURN_URLS: `http://127.0.0.1:${port}/,http://127.0.0.1:${port}/api/`, OIDC_SECRET_WORK: "secret of work", OIDC_SECRET_POST: "secret of post", OIDC_SECRET_NAVER: "secret of naver" },
  });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await Promise.all(hosts.map((host) => host.stop()));
});

/** An OpenID provider whose only page asks who the person is. */
async function startProvider(name) {
  let handle;
  const host = await listen((...call) => handle(...call));
  hosts.push(host);
  const { url } = host;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(url, {
    clients: [
      {
        client_id: "images",
        client_secret: `secret of ${name}`,
        redirect_uris: ["http://127.0.0.1/callback"],
        token_endpoint_auth_method: name === "work" ? "client_secret_basic" : "client_secret_post",
      },
    ],
    clientAuthMethods: name === "work" ? ["client_secret_basic"] : ["client_secret_post"],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "1", alg: "RS256", use: "sig" }] },
    cookies: { keys: ["a key of this test"] },
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    conformIdTokenClaims: false,
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...PEOPLE[sub] }) }),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/who/${interaction.uid}` },
  });
  // The port of the Worker is not known yet.
  provider.Client.prototype.redirectUriAllowed = (uri) => new URL(uri).pathname === `/auth/sign-in/${name}/callback`;
  const callback = provider.callback();
  handle = async (request, answer) => {
    if (request.url === "/held") return answer.writeHead(200, { "content-type": "text/html" }).end("stopped");
    const setHeader = answer.setHeader.bind(answer);
    answer.setHeader = (name, value) => {
      if (name.toLowerCase() !== "location" || !onAnswer || !String(value).includes("/callback")) return setHeader(name, value);
      onAnswer(value);
      return setHeader(name, "/held");
    };
    if (!request.url.startsWith("/who/")) return callback(request, answer);
    const who = new URL(request.url, url).searchParams.get("as");
    if (!who) return answer.writeHead(200, { "content-type": "text/html" }).end([...Object.keys(PEOPLE), "nobody"].map((it) => `<a href="?as=${it}">${it}</a> `).join(""));
    if (who === "nobody") return provider.interactionFinished(request, answer, { error: "access_denied" });
    const grant = new provider.Grant({ accountId: who, clientId: "images" });
    grant.addOIDCScope("openid email");
    return provider.interactionFinished(request, answer, { login: { accountId: who }, consent: { grantId: await grant.save() } });
  };
  return { url };
}

async function visit(t, options = {}) {
  const context = await newVisitor(browser, { locale: "en-US", ...options });
  t.after(() => context.close());
  return { context, page: await context.newPage() };
}

/** Goes to a provider and says who the person is there. */
async function signIn(page, provider, who) {
  await page.goto(`${server.url}/auth/sign-in/${provider}`);
  await page.getByText(who, { exact: true }).click();
}

/** The user of the session that the browser has. */
const user = (page) =>
  page.evaluate(async () => {
    const answer = await fetch("/auth/refresh_token", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    return (await answer.json()).data?.user;
  });
const atHome = (page) => page.waitForURL(`${server.url}/`);

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const post = (path, body) => fetch(server.url + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

async function signUp(email) {
  const answer = await post("/users/signup", { email, password: PASSWORD });
  assert.equal(answer.status, 201);
  return (await answer.json()).data.user.id;
}
const identities = () => server.rows("identities");
/** Waits until the log names this reason. */
async function logged(wanted) {
  while (server.lines().findLast(({ event }) => event === "sign_in_failed")?.reason !== wanted) await sleep(50);
}

for (const [locale, button, leave] of [["en-US", "Continue with Work", "Log out"], ["ko-KR", "회사로 계속하기", "로그아웃"]]) {
  test(`people sign in at a provider by keyboard, on a phone (${locale})`, async (t) => {
    const { page } = await visit(t, { locale, viewport: { width: 390, height: 800 } });
    await page.goto(server.url);
    await page.locator("#log-in").press("Enter");
    await page.getByRole("button", { name: button }).press("Enter");
    await page.getByText("ann", { exact: true }).press("Enter");
    await atHome(page);
    await page.getByRole("button", { name: leave }).waitFor();
    const { email, emailVerified } = await user(page);
    assert.deepEqual([email, emailVerified], ["ann@example.org", true]);
    assert.equal(identities().filter(({ subject }) => subject === "ann").length, 1, "the second time it is the same account");
    assert.equal(server.rows("sign_ins").length, 0);
  });
}

test("a form that the provider posts across sites finishes a sign-in, and its state is kept as a digest", async (t) => {
  const { page } = await visit(t);
  await page.goto(`${server.url}/auth/sign-in/post?return=${encodeURIComponent(`${server.url}/api/`)}`);
  const [kept] = server.rows("sign_ins");
  assert.match(kept.digest, /^[0-9a-f]{64}$/);
  const sent = page.waitForRequest((request) => request.url().endsWith("/post/callback"));
  await page.getByText("bob", { exact: true }).click();
  const posted = await sent;
  assert.equal(posted.method(), "POST");
  const state = new URLSearchParams(posted.postData()).get("state");
  assert.equal(kept.digest, sha256(state));
  assert.ok(!kept.content.includes(state));
  await page.waitForURL(`${server.url}/api/`);
  // The address is not verified, so it is not kept.
  assert.equal((await user(page)).email, "");
});

test("a person with an account at the address proves it before it is linked", async (t) => {
  const id = await signUp("carol@example.org");
  const { page } = await visit(t, { viewport: { width: 390, height: 800 } });
  await page.goto(`${server.url}/auth/sign-in/naver`);
  await page.getByRole("heading", { name: "You already have an account" }).waitFor();
  assert.ok(!page.url().includes("="));
  assert.ok(await page.locator("#without").isHidden(), "the address of Naver counts as unverified");
  await page.locator("[name=password]").fill("wrong password");
  await page.keyboard.press("Enter");
  await page.locator("#problem:not([hidden])").waitFor();
  await page.locator("[name=password]").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await atHome(page);
  assert.equal((await user(page)).id, id);
  await page.context().clearCookies();
  await page.goto(`${server.url}/auth/sign-in/naver`);
  await atHome(page);
  assert.equal((await user(page)).id, id);
  // The address was never verified, so the identity may be a stranger's.
  const token = "0".repeat(64);
  server.changeRows(`INSERT INTO mail_links (digest, kind, email, user_id, expires_ms) VALUES ('${sha256(token)}', 'reset', 'carol@example.org', '${id}', 9000000000000)`);
  assert.equal((await post("/auth/password-reset/confirm", { token, password: `${PASSWORD} 2` })).status, 200);
  assert.deepEqual(identities().filter((row) => row.user_id === id), []);
});

test("an unverified account that is taken over loses its password and sessions; a verified one is linked", async (t) => {
  const id = await signUp("dave@example.org");
  const { page } = await visit(t);
  await signIn(page, "work", "dave");
  await page.locator("#without").click();
  await atHome(page);
  const now = await user(page);
  assert.deepEqual([now.id, now.emailVerified], [id, true]);
  assert.equal(server.rows("users").find((row) => row.id === id).password_hash, null);
  assert.deepEqual(server.rows("refresh_families").filter((row) => row.user_id === id).map((row) => row.revoked_ms !== null).sort(), [false, true]);
  await page.context().clearCookies();
  await signIn(page, "post", "dave");
  await atHome(page);
  assert.equal((await user(page)).id, id, "both sides have verified the address");
});

/** Begins a sign-in, and stops at the answer of the provider. */
async function answerOf(page) {
  let answer;
  onAnswer = (url) => (answer = url);
  await signIn(page, "work", "ann");
  await page.getByText("stopped").waitFor();
  onAnswer = undefined;
  return answer;
}

test("a page helps people who decline or come back with an answer a second time, and an answer works in one browser", async (t) => {
  const { page } = await visit(t, { locale: "ko-KR" });
  const answer = await answerOf(page);
  const plain = await fetch(answer);
  assert.deepEqual([plain.status, (await plain.json()).backendCode], [401, "AUTH-015"], "a program gets JSON");
  await logged("another_browser");
  await page.goto(answer);
  await page.getByRole("heading", { name: "로그인하지 못했습니다" }).waitFor();
  await logged("state_unknown_or_expired");
  await page.getByRole("link", { name: "돌아가서 다시 시작하기" }).press("Enter");
  await atHome(page);
  assert.equal(await user(page), undefined);
  // The provider forgets the person.
  await page.context().clearCookies();
  await signIn(page, "work", "nobody");
  await page.getByText("취소했거나").waitFor();
  await logged("denied");
});

test("a code that the provider refuses opens no session", async (t) => {
  const { page } = await visit(t);
  await page.goto((await answerOf(page)).replace(/code=[^&]*/, "code=x"));
  await page.getByRole("heading", { name: "Sign-in did not work" }).waitFor();
  await logged("provider_refuses");
  assert.equal(await user(page), undefined);
});
