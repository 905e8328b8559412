// Challenges on the built Worker: the browser package solves the proof of work by itself and shows the Turnstile widget, and no solution can be
// used twice, moved or forged.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import { startBrowser } from "./browser.mjs";
import { createDemoForms, startServer } from "./server.mjs";
import { API, startSiteverify, widgetScript } from "./turnstile.mjs";

const PASSWORD = "correct horse 배터리";
let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

let networks = 0;
/** A client IP in a network that no test has used. */
const nextAddress = () => `100.64.${++networks}.7`;

const request = async (server, path, { address, solution, json, language = "en" } = {}) => {
  const headers = { "CF-Connecting-IP": address, "Accept-Language": language, ...(solution !== undefined && { "X-Challenge-Response": solution }), ...(json && { "Content-Type": "application/json" }) };
  const answer = await fetch(server.url + path, { method: json ? "POST" : "GET", headers, body: json && JSON.stringify(json) });
  return { status: answer.status, ...(await answer.json()) };
};

/** Solves a proof of work as docs/integrate.md describes it. */
async function solve(server, address, purpose) {
  const { data } = await request(server, `/auth/challenge?purpose=${purpose}`, { address });
  const salt = Buffer.from(data.challenge, "base64url").subarray(-32);
  const numbers = Buffer.alloc(4 * data.puzzles);
  for (let index = 0; index < data.puzzles; index++) {
    const message = Buffer.concat([salt, Buffer.from([0, 0, 0, 0, index])]);
    for (let number = 0; ; number++) {
      message.writeUInt32BE(number, 32);
      if (Math.clz32(createHash("sha256").update(message).digest().readUInt32BE()) >= data.bits) break;
    }
    message.copy(numbers, 4 * index, 32, 36);
  }
  return `${data.challenge}.${numbers.toString("base64url")}`;
}

/** Opens the demo as this client IP. `states` collects what the field says about its picture, `sent` the requests for tokens, `complaints` errors. */
async function openDemo(t, server, address, locale) {
  const context = await browser.newContext({ locale, extraHTTPHeaders: { "CF-Connecting-IP": address } });
  t.after(() => context.close());
  const page = await context.newPage();
  const [complaints, sent] = [[], []];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !/40[13]/.test(message.text()) && complaints.push(message.text()));
  page.on("request", (request) => /\/auth\/|\/users\/|cloudflare/.test(request.url()) && sent.push(request));
  await page.goto(server.url);
  await page.locator("#portrait [part=types]", { hasText: "200" }).waitFor();
  await page.evaluate(() => {
    window.states = new Set();
    const note = () => {
      for (const state of document.querySelector("#room").shadowRoot.querySelectorAll("[part=state]")) window.states.add(state.textContent);
      window.states.add(document.querySelector("#room").shadowRoot.querySelector("[role=status]").textContent);
      window.states.add(document.querySelector("#entry-state").textContent);
      requestAnimationFrame(note);
    };
    note();
  });
  return { page, complaints, sent, states: () => page.evaluate(() => [...window.states].join("\n")) };
}

const uploaded = (page) => page.locator("#room [part~=item][part~=uploaded]");
const solutions = (sent) => sent.filter((request) => request.headers()["x-challenge-response"]);

describe("proof of work", () => {
  let server;
  before(async () => {
    // Above the default, so that the tests see the state of the field.
    server = await startServer({ vars: { CHALLENGE: "pow", CHALLENGE_BITS: 22, IP_PER_MINUTE: 100_000 } });
    createDemoForms(server);
  });
  after(() => server?.stop());

  /** Takes the guest tokens of the hour. */
  async function exhaust(address) {
    for (let at = 0; at < 40; at++) assert.equal((await request(server, "/auth/guest-token", { address })).status, 200, `the token ${at + 1}`);
    const refused = await request(server, "/auth/guest-token", { address, language: "ko" });
    assert.deepEqual([refused.status, refused.code, refused.backendCode], [403, "CHALLENGE_REQUIRED", "AUTH-011"]);
    assert.match(refused.detail, /[가-힣]/);
  }

  for (const [locale, words] of [["en-US", [/^Checking your browser, \d+\s%$/m, /^Your browser is being checked\./m]], ["ko-KR", [/^브라우저를 확인하는 중 \d+%$/m, /^브라우저를 확인하고 있습니다\./m]]]) {
    test(`the demo gets the 41st guest token of a client IP by itself (${locale})`, async (t) => {
      const address = nextAddress();
      await exhaust(address);
      const { page, complaints, sent, states } = await openDemo(t, server, address, locale);
      await page.locator('[data-try="place"]').click();
      await uploaded(page).waitFor();
      for (const sentence of words) assert.match(await states(), sentence);
      assert.equal(sent.filter((request) => request.url().includes("/auth/challenge")).length, 1);
      assert.equal(solutions(sent).length, 1);
      assert.deepEqual(complaints, []);
    });
  }

  test("the owner logs in from a new browser while strangers guess", async (t) => {
    const email = "ann@example.org";
    assert.equal((await request(server, "/users/signup", { address: nextAddress(), json: { email, password: PASSWORD } })).status, 201);
    const guess = () => request(server, "/auth/login", { address: nextAddress(), json: { email, password: "guess" } });
    for (let at = 0; at < 20; at++) assert.equal((await guess()).code, "CREDENTIALS_INVALID");
    assert.equal((await guess()).code, "CHALLENGE_REQUIRED");
    const { page, complaints, sent, states } = await openDemo(t, server, nextAddress(), "en-US");
    await page.locator("#log-in").click();
    await page.keyboard.type(email);
    await page.locator("#entry [name=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.locator("#who", { hasText: email }).waitFor();
    assert.match(await states(), /Checking your browser, \d+ %/);
    assert.equal(solutions(sent).length, 1);
    assert.deepEqual(complaints, []);
  });

  test("an upload that is canceled ends the wait, and the page can go on", async (t) => {
    const address = nextAddress();
    await exhaust(address);
    const { page } = await openDemo(t, server, address, "en-US");
    const outcome = await page.evaluate(async () => {
      const { withChallenge } = await import("/preflight/index.js");
      const stop = new AbortController();
      const progress = [];
      const fetchToken = async (headers) => {
        const response = await fetch("/auth/guest-token", { headers });
        const { Refusal } = await import("/preflight/index.js");
        if (!response.ok) throw new Refusal("no", (await response.json()).code, { status: response.status });
        return response.status;
      };
      const options = { signal: stop.signal, onProgress: (value) => progress.push(value) > 2 && stop.abort(new Error("enough")) };
      const first = await withChallenge("", "guest_token", fetchToken, options).catch((error) => error.message);
      return [first, progress.length < 16, progress[0], await withChallenge("", "guest_token", fetchToken)];
    });
    assert.deepEqual(outcome, ["enough", true, 0, 200]);
    await page.locator('[data-try="place"]').click();
    await uploaded(page).waitFor();
  });
});

describe("proof of work under attack", () => {
  let server;
  before(async () => {
    server = await startServer({ vars: { CHALLENGE: "pow", CHALLENGE_BITS: 10, GUEST_TOKENS_PER_HOUR: 1, IP_PER_MINUTE: 100_000 } });
  });
  after(() => server?.stop());

  test("of requests that race with one solution one gets a token", async () => {
    const address = nextAddress();
    const neighbour = address.replace(/7$/, "8");
    await request(server, "/auth/guest-token", { address });
    for (let round = 0; round < 5; round++) {
      const solution = await solve(server, address, "guest_token");
      const racing = Array.from({ length: 6 }, (_, at) => request(server, "/auth/guest-token", { address: at % 2 ? address : neighbour, solution }));
      const codes = (await Promise.all(racing)).map(({ code }) => code ?? "issued").sort();
      assert.deepEqual(codes, [...Array(5).fill("CHALLENGE_REQUIRED"), "issued"]);
    }
  });

  test("a solution is refused when it was spent, moved to another network or purpose, or altered, also after a kill", async () => {
    const address = nextAddress();
    await request(server, "/auth/guest-token", { address });
    const code = async (solution, from = address) => (await request(server, "/auth/guest-token", { address: from, solution })).code ?? "issued";
    const spent = await solve(server, address, "guest_token");
    assert.equal(await code(spent), "issued");
    assert.equal(await code(spent), "CHALLENGE_REQUIRED");
    const solution = await solve(server, address, "guest_token");
    assert.equal(await code(solution, nextAddress()), "CHALLENGE_REQUIRED", "another network");
    assert.equal(await code(await solve(server, address, "login")), "CHALLENGE_REQUIRED", "another purpose");
    const [challenge, numbers] = solution.split(".");
    const easy = Buffer.from(challenge, "base64url");
    easy[1] = 0;
    for (const altered of [`${easy.toString("base64url")}.${numbers}`, `${challenge}.${"A".repeat(numbers.length)}`, challenge, "x".repeat(4_000), "%00"]) {
      assert.equal(await code(altered), "CHALLENGE_REQUIRED", altered);
    }
    await server.restart();
    assert.equal(await code(spent), "CHALLENGE_REQUIRED", "spent before the kill");
    assert.equal(await code(await solve(server, address, "guest_token")), "issued");
  });
});

describe("Turnstile", () => {
  const secret = "0x4AAAAAAAsecret";
  let server, siteverify, friend, stranger;
  /** A page of another origin with the widget in a frame. */
  async function startSite() {
    const site = createServer((request, response) => {
      response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html><title>other</title><iframe src="${server.url}${request.url}"></iframe>`);
    });
    await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
    return Object.assign(site, { origin: `http://localhost:${site.address().port}` });
  }
  before(async () => {
    siteverify = await startSiteverify(secret);
    [friend, stranger] = [await startSite(), await startSite()];
    const vars = { CHALLENGE: "turnstile", TURNSTILE_SITE_KEY: "0x4AAAAAAAsite", TURNSTILE_VERIFY_URL: siteverify.url, GUEST_TOKENS_PER_HOUR: 1, IP_PER_MINUTE: 100_000, ALLOWED_ORIGINS: `https://shop.example,${friend.origin}` };
    server = await startServer({ vars, secrets: { TURNSTILE_SECRET: secret } });
    createDemoForms(server);
  });
  after(async () => {
    await server?.stop();
    await siteverify?.stop();
    friend?.close();
    stranger?.close();
  });

  test("a token is accepted once, of this widget, host and purpose, and nobody passes while siteverify is down", async () => {
    const address = nextAddress();
    await request(server, "/auth/guest-token", { address });
    const code = async (solution) => (await request(server, "/auth/guest-token", { address, solution })).code ?? "issued";
    const token = siteverify.issue("shop.example", "guest_token");
    assert.equal(await code(token), "issued");
    assert.equal(await code(token), "CHALLENGE_REQUIRED", "spent");
    const late = Date.now() - 301_000;
    for (const other of [siteverify.issue("evil.example", "guest_token"), siteverify.issue("shop.example", "login"), siteverify.issue("shop.example", "guest_token", late), "made up"]) {
      assert.equal(await code(other), "CHALLENGE_REQUIRED");
    }
    const racing = siteverify.issue("127.0.0.1", "guest_token");
    const codes = await Promise.all([code(racing), code(racing)]);
    assert.deepEqual(codes.sort(), ["CHALLENGE_REQUIRED", "issued"]);
    siteverify.isDown = true;
    const unknown = siteverify.issue("shop.example", "guest_token");
    assert.equal(await code(unknown), "BUSY");
    siteverify.isDown = false;
    assert.equal(await code(unknown), "issued");
    assert.ok(!server.log().includes(secret), "the secret is in no log");
  });

  test("the demo shows the widget in a frame, and its own page never loads the script", async (t) => {
    const address = nextAddress();
    await request(server, "/auth/guest-token", { address });
    const { page, complaints, sent } = await openDemo(t, server, address, "ko-KR");
    await page.route(`${API}*`, (route) => route.fulfill({ contentType: "text/javascript", body: widgetScript(siteverify, "127.0.0.1") }));
    await page.locator('[data-try="place"]').click();
    const dialog = page.locator("dialog[open]");
    await dialog.waitFor();
    assert.equal(await dialog.getAttribute("aria-label"), "브라우저 확인");
    assert.equal(await page.locator("#room [part=state]").innerText(), "브라우저를 확인하는 중");
    const frame = page.frameLocator("dialog iframe");
    await frame.locator("button", { hasText: "0x4AAAAAAAsite guest_token" }).click();
    await uploaded(page).waitFor();
    assert.equal(await dialog.count(), 0);
    const scripts = sent.filter((request) => request.url().startsWith(API));
    assert.deepEqual(scripts.map((request) => request.frame() === page.mainFrame()), [false]);
    assert.deepEqual(complaints, []);
    const policy = (await (await page.goto(server.url)).allHeaders())["content-security-policy"];
    assert.ok(!policy.includes("cloudflare"), policy);
  });

  test("closing the widget refuses the picture, and a script that is not loaded is logged for developers", async (t) => {
    const address = nextAddress();
    await request(server, "/auth/guest-token", { address });
    const { page, complaints } = await openDemo(t, server, address, "en-US");
    await page.route(`${API}*`, (route) => route.fulfill({ contentType: "text/javascript", body: widgetScript(siteverify, "127.0.0.1") }));
    await page.locator('[data-try="place"]').click();
    await page.frameLocator("dialog iframe").locator("button").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("dialog iframe").waitFor({ state: "detached" });
    const refused = page.locator("#room [part~=item][part~=refused]");
    await refused.locator("[part=state]", { hasText: "your browser must be checked" }).waitFor();
    await page.unroute(`${API}*`);
    await page.route(`${API}*`, (route) => route.abort());
    await refused.locator("[part=retry]").click();
    await page.locator("#room [part~=item][part~=failed]").waitFor();
    // The console's messages arrive on their own way, perhaps after the change of the page.
    const isLogged = () => /the script of Turnstile was not loaded/.test(complaints.join("\n"));
    for (let tries = 0; !isLogged() && tries < 50; tries++) await page.waitForTimeout(100);
    assert.ok(isLogged(), complaints.join("\n"));
  });

  test("the widget is shown in a frame of an allowed origin and of no other", async (t) => {
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.route(`${API}*`, (route) => route.fulfill({ contentType: "text/javascript", body: widgetScript(siteverify, "127.0.0.1") }));
    for (const [site, expected] of [[friend, true], [stranger, false]]) {
      await page.goto(`${site.origin}/auth/challenge/widget?purpose=login`);
      const [, frame] = page.frames();
      await frame.waitForLoadState();
      assert.equal((await frame.content()).includes("0x4AAAAAAAsite"), expected, site.origin);
    }
  });
});
