// Mistakes in the set-up: the console names cause and remedy, and the person reads that it is not their network, in English and Korean. And what the
// list says while code is loading.
import assert from "node:assert/strict";
import { test } from "node:test";

import { gif } from "./pictures.mjs";
import { setUp } from "./proxy.mjs";

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const NOWHERE = "http://127.0.0.1:1";
const NOT_THE_NETWORK = { en: /fault on our side, not your network/, ko: /네트워크가 아니라 저희 쪽 문제/ };

const { server, proxy, browser, user } = await setUp();

/** A page with the element; the script `setup` runs after the element is defined. Returns the page and its console messages. */
async function open(t, { attributes = "", policy = POLICY, setup = "field.token = () => window.tokenFor();", lang = "en" } = {}) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  const messages = [];
  page.on("console", (message) => messages.push({ type: message.type(), text: message.text() }));
  proxy.files.set("setup.js", `const field = document.querySelector("image-upload");\n${setup}`);
  const html = `<!doctype html><html lang="${lang}"><meta charset="utf-8"><title>Page</title><image-upload name="photo" ${attributes}></image-upload>
    <script type="module" src="/preflight/element/index.js"></script><script type="module" src="/files/setup.js"></script>`;
  proxy.pages.set("/page", { html, headers: policy && { "Content-Security-Policy": policy } });
  await page.exposeFunction("tokenFor", () => server.token({ sub: user() }));
  await page.goto(`${proxy.url}/page`);
  await page.waitForFunction(() => document.querySelector("image-upload").shadowRoot);
  return { page, messages, context };
}

const add = (page, number) =>
  page.evaluate((base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    document.querySelector("image-upload").add([new File([bytes], "a.gif", { type: "image/gif" })]);
  }, gif(number).toString("base64"));

const state = (page, name) => page.locator(`image-upload li.${name} [part=state]`);

/** The final state text of a picture, and what the package wrote to the console. */
async function outcome(t, options) {
  const { page, messages } = await open(t, options);
  await add(page, 1);
  const failed = state(page, "failed");
  await failed.waitFor();
  return { text: await failed.innerText(), console: messages.filter(({ text }) => text.includes("@the-form/preflight")) };
}

const answer = (path, fault) => (request) => (path.test(request.path) ? fault : undefined);
const html = { headers: { "Content-Type": "text/html" }, body: "<!doctype html><title>Not found</title>" };

for (const [name, { fault, cause, remedy, ...options }] of Object.entries({
  "another server answers 404": { fault: answer(/^\/images$/, { status: 404, ...html }), cause: /\/images answered 404/, remedy: /`endpoint`/ },
  "another server answers a page": { fault: answer(/^\/images$/, { status: 200, ...html }), cause: /\/images answered 200/, remedy: /`endpoint`/ },
  "the endpoint has a path": { attributes: 'endpoint="/images/"', cause: /\/images\/images answered 40[45]/, remedy: /`endpoint`/ },
  "no server at the endpoint": { attributes: `endpoint="${NOWHERE}"`, policy: "", cause: /127\.0\.0\.1:1\/healthz does not answer/, remedy: /`endpoint`.*`connect-src`.*`ALLOWED_ORIGINS`/ },
  "the policy of the page forbids the endpoint": { attributes: `endpoint="${NOWHERE}"`, cause: /healthz is blocked by the Content-Security-Policy/, remedy: /`connect-src`/ },
  "the service itself is not set up": {
    fault: answer(/^\/images$/, { status: 503, headers: { "Content-Type": "application/json" }, body: '{"configuration":[{"variable":"SIGNING_JWK","expected":"a key"}]}' }),
    cause: /not set up/,
    remedy: /SIGNING_JWK/,
  },
  "the wasm is not there": { fault: answer(/\.wasm$/, { status: 404, ...html }), cause: /preflight-\w+\.wasm answered 404/, remedy: /`assets`/ },
  "a page stands in the place of the wasm": { fault: answer(/\.wasm$/, { status: 200, ...html }), cause: /\.wasm: CompileError/, remedy: /`assets`/ },
  // A worker has the policy of its own script, so workers are forbidden, too.
  "the policy of the page forbids wasm": { policy: POLICY.replace("'wasm-unsafe-eval'", "").replace("worker-src 'self'", "worker-src 'none'"), cause: /\.wasm: CompileError/, remedy: /Content-Security-Policy/ },
  "the token source throws": { setup: 'field.token = async () => { throw new Error("/api/image-token answered 401"); };', cause: /answered 401/, remedy: /./ },
  "the token source has a mistake": { setup: "field.token = () => window.nothing.there;", cause: /TypeError/, remedy: /undefined/ },
  "the token source gives a page": { setup: 'field.token = async () => "<!doctype html><title>Log in</title>";', cause: /`token` gave .*doctype/, remedy: /`response\.ok`/ },
  "the token source gives nothing": { setup: "field.token = () => {};", cause: /`token` gave .*undefined/, remedy: /`response\.ok`/ },
})) {
  test(`${name}: the console names the cause, and the person does not read of their network`, async (t) => {
    if (fault) proxy.fault = fault;
    const { text, console } = await outcome(t, options);
    assert.match(text, NOT_THE_NETWORK.en);
    const [{ type, text: message }] = console;
    assert.equal(type, "error");
    assert.match(message, cause);
    assert.match(message, remedy);
  });
}

test("the general sentence in Korean", async (t) => {
  proxy.fault = answer(/^\/images$/, { status: 404, ...html });
  assert.match((await outcome(t, { lang: "ko" })).text, NOT_THE_NETWORK.ko);
});

test("a broken network is reported as such, and the console names no mistake", async (t) => {
  const { page, messages, context } = await open(t);
  await add(page, 1);
  await state(page, "uploaded").waitFor();
  await context.setOffline(true);
  await page.evaluate(() => (document.querySelector("image-upload").value = []));
  await add(page, 2);
  await state(page, "failed").waitFor();
  assert.match(await state(page, "failed").innerText(), /The connection broke/);
  assert.deepEqual(messages.filter(({ text }) => text.includes("@the-form/preflight")), []);
});

test("without a token source a picture fails after some seconds, and is sent when one is set", async (t) => {
  const { page, messages } = await open(t, { setup: "" });
  await add(page, 3);
  await state(page, "failed").waitFor();
  assert.match(await state(page, "failed").innerText(), NOT_THE_NETWORK.en);
  assert.deepEqual(messages.map(({ type }) => type), ["warning"]);
  assert.match(messages[0].text, /has no `token`.*Set the property/);
  await page.evaluate(() => (document.querySelector("image-upload").token = () => window.tokenFor()));
  await state(page, "uploaded").waitFor();
});

test("properties that were set before the element is defined are kept", async (t) => {
  const { page } = await open(t, { attributes: 'endpoint="/wrong"' });
  const result = await page.evaluate(async () => {
    // An element of a document without a window is upgraded when it is inserted into the page.
    const field = document.implementation.createHTMLDocument().createElement("image-upload");
    const early = { endpoint: "", name: "early", formId: "f-1", offline: "u1", maxFiles: 2, required: true, disabled: false, token: () => window.tokenFor(), assets: {} };
    Object.assign(field, early);
    document.body.append(field);
    const attributes = Object.fromEntries(["endpoint", "name", "form-id", "offline", "max-files"].map((name) => [name, field.getAttribute(name)]));
    const kept = Object.keys(early).filter((name) => Object.hasOwn(field, name) || field[name] !== early[name]);
    return { attributes, kept };
  });
  assert.deepEqual(result, { attributes: { endpoint: "", name: "early", "form-id": "f-1", offline: "u1", "max-files": "2" }, kept: [] });
});

for (const [lang, loading] of [["en", "Getting ready…"], ["ko", "준비 중…"]]) {
  test(`while code is loading the item says so (${lang})`, async (t) => {
    let go;
    const held = new Promise((resolve) => (go = resolve));
    proxy.fault = answer(/\.wasm$/, { hold: held });
    const { page } = await open(t, { lang });
    await add(page, 4);
    await page.locator("image-upload li.preparing", { hasText: loading }).waitFor();
    go();
    await state(page, "uploaded").waitFor();
  });
}

for (const [name, approach] of [["the pointer", (page) => page.hover("image-upload")], ["the focus", (page) => page.focus("image-upload")]]) {
  test(`worker and wasm are loaded when ${name} comes to the element, and not before`, async (t) => {
    const { page } = await open(t);
    const loaded = () => proxy.seen.map(({ path }) => path).filter((path) => /worker-\w+\.js$|\.wasm$/.test(path));
    assert.deepEqual(loaded(), []);
    await approach(page);
    await page.waitForEvent("worker").catch(() => {});
    const deadline = Date.now() + 20_000;
    while (loaded().length < 2 && Date.now() < deadline) await page.waitForTimeout(50);
    assert.equal(loaded().length, 2, `${loaded()}`);
  });
}
