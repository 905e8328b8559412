// Executes the examples of the documents: shell blocks run against a server and their responses have the shape that is shown,
// and the page works in a browser. Commands that need a Cloudflare account are checked in tests/ship.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { startBackEnd } from "./back_end.mjs";
import { chooseByKeyboard, startBrowser } from "./browser.mjs";
import { blocks, differs, documents } from "./examples.mjs";
import { startNaver } from "./providers.mjs";
import { startServer } from "./server.mjs";

const LOCAL = "http://127.0.0.1:8787";
const PACKAGE = "target/browser/";
/** So that the addresses of challenges exist; with the keys that Cloudflare gives for tests. */
const TURNSTILE = {
  vars: { CHALLENGE: "turnstile", TURNSTILE_SITE_KEY: "1x00000000000000000000AA" },
  secrets: { TURNSTILE_SECRET: "1x0000000000000000000000000000000AA" },
};
let server;
let backEnd;
let naver;
before(async () => {
  backEnd = await startBackEnd();
  // The secrets of `make dev`, so that the examples run as written.
  const keys = readFileSync(".dev.vars", "utf8");
  const [secret, METRICS_TOKEN] = ["AUTH_HS256_SECRET", "METRICS_TOKEN"].map((name) => new RegExp(`^${name}=(.+)$`, "m").exec(keys)[1]);
  naver = await startNaver("someone");
  const providers = { OIDC_PROVIDERS: JSON.stringify([{ name: "naver", type: "naver", issuer: naver.url, clientId: "images" }]), OIDC_RETURN_URLS: "https://app.example/signed-in", OIDC_SECRET_NAVER: "secret of naver" };
  server = await startServer({ secret, secrets: { METRICS_TOKEN, WEBHOOK_SECRET: backEnd.secret, ...providers, ...TURNSTILE.secrets }, vars: { IP_PER_MINUTE: 10_000, WEBHOOK_URL: backEnd.url, DEV_MAILBOX: "true", ...TURNSTILE.vars } });
});
after(() => Promise.all([server?.stop(), backEnd?.stop(), naver?.stop()]));

/** Runs a script in bash. Each curl request comes from another client IP, and an HTTP error ends the script. */
async function bash(script) {
  const curl = `at=0; curl() { at=$((at + 1)); command curl -sS --fail-with-body -H "CF-Connecting-IP: 198.18.${"$"}{RANDOM: -2}.$((at % 250))" "$@"; }`;
  const child = spawn("bash", ["-c", `set -eo pipefail\n${curl}\n${script}`], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (output[name] += text));
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  return { ...output, code };
}

/** The last response that a block printed. Several may be on one line, because responses end without a line break. */
function lastAnswer(text) {
  const at = Math.max(text.lastIndexOf('{"message"'), text.lastIndexOf('{"type"'), text.startsWith("{") ? 0 : -1);
  return JSON.parse(text.slice(at));
}

for (const path of documents) {
  test(`${path}: the examples run and return what is shown`, async () => {
    const shells = blocks(path).filter(({ language, marker }) => language === "sh" && !marker);
    const mark = (at) => `\n@@@ ${at}\n`;
    const parts = shells.map(({ text, answer }, at) => {
      const here = text.replaceAll(LOCAL, server.url);
      // An expected error: curl exits with 22, and the script continues.
      return `printf '\\n@@@ ${at}\\n'\n${answer?.code ? `{ ${here}\n} && exit 9 || [ $? -eq 22 ]` : here}`;
    });
    const { stdout, stderr, code } = await bash(parts.join("\n"));
    assert.equal(code, 0, `${path}: ${stdout.slice(-800)}${stderr.slice(-800)}`);
    shells.forEach(({ line, answer }, at) => {
      if (!answer) return;
      const begin = stdout.indexOf(mark(at)) + mark(at).length;
      const end = stdout.indexOf("\n@@@ ", begin);
      const actual = lastAnswer(stdout.slice(begin, end < 0 ? undefined : end).trim());
      assert.deepEqual(differs(answer, actual), [], `${path}:${line}`);
      if (answer.code) assert.equal(actual.code, answer.code, `${path}:${line}`);
    });
  });
}

test("the examples of the API description succeed", async () => {
  const { paths } = JSON.parse(readFileSync("www/openapi.json", "utf8"));
  const ask = async (path, token, options = {}) => {
    const answer = await fetch(server.url + path, { ...options, headers: { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) } });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return (await answer.json()).data;
  };
  const send = (token, file) => ask("/images", token, { method: "POST", headers: { "Content-Type": "image/jpeg" }, body: readFileSync(`tests/fixtures/jpeg/${file}`) });
  const guest = (await ask("/auth/guest-token")).token;
  const user = server.token({ sub: "900" });
  const picture = await send(user, "gray.jpg");
  const service = server.token({ sub: "platform", role: "SERVICE" });
  const removal = await ask("/images/delete", service, { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"formId":"none"}' });
  const account = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ email: "owner@example.org", password: "correct horse battery" }) };
  const session = await ask("/users/signup", undefined, account);
  const sessionId = async () => {
    const { accessToken } = await ask("/auth/login", undefined, account);
    return JSON.parse(Buffer.from(accessToken.split(".")[1], "base64url")).sid;
  };
  const json = { "Content-Type": "application/json" };
  await ask("/forms/reviewed", service, { method: "PUT", headers: json, body: '{"review":"held","visibility":"private"}' });
  const hold = (file) => {
    const body = new FormData();
    body.append("formId", "reviewed");
    body.append("file", new Blob([readFileSync(`tests/fixtures/jpeg/${file}`)], { type: "image/jpeg" }), file);
    return ask("/images", user, { method: "POST", body });
  };
  const held = await hold("gray.jpg");
  /** The token of the newest link of this kind in the mailbox of development; the mail is written after the response. */
  const mailed = async (kind) => {
    for (;;) {
      const token = new RegExp(`#${kind}=([0-9a-f]{64})`).exec(await (await fetch(`${server.url}/dev/mail`)).text());
      if (token) return token[1];
    }
  };
  await ask(`/users/${session.user.id}/verification`, session.accessToken, { method: "POST" });
  const forgetful = { method: "POST", headers: json, body: JSON.stringify({ email: "forgetful@example.org", password: "correct horse battery" }) };
  await ask("/users/signup", undefined, forgetful);
  await ask("/auth/password-reset", undefined, { method: "POST", headers: json, body: '{"email":"forgetful@example.org"}' });
  /** A sign-in at the provider that has begun. */
  const beginSignIn = async (cookie = "") => {
    const { headers } = await fetch(`${server.url}/auth/sign-in/naver`, { redirect: "manual", headers: { cookie } });
    return { state: new URL(headers.get("location")).searchParams.get("state"), cookie: headers.get("set-cookie").split(";")[0] };
  };
  const { state, cookie } = await beginSignIn();
  const ofAccount = await fetch(`${server.url}/auth/sign-in/naver/callback?code=forgetful&state=${(await beginSignIn(cookie)).state}`, { redirect: "manual", headers: { cookie } });
  const environment = {
    EDGE: server.url,
    SIGN_IN_COOKIE: cookie,
    CODE: "someone",
    STATE: state,
    OTHER_STATE: (await beginSignIn(cookie)).state,
    LINK_TOKEN: ofAccount.headers.get("location").split("#link=")[1],
    HELD_ID: held.imageId,
    SIGNED_URL: held.signedUrl,
    OTHER_HELD_ID: (await hold("rgb.jpg")).imageId,
    TOKEN: user,
    ADMIN_TOKEN: server.token({ sub: "boss", role: "ADMIN" }),
    GUEST_TOKEN: guest,
    GUEST_KEY: (await send(guest, "rgb.jpg")).key,
    IMAGE_ID: picture.imageId,
    KEY: (await send(user, "rgb.jpg")).key,
    SERVICE_TOKEN: service,
    REMOVAL_ID: removal.id,
    USER_ID: session.user.id,
    ACCESS_TOKEN: session.accessToken,
    VERIFY_TOKEN: await mailed("verify"),
    RESET_TOKEN: await mailed("reset"),
    SESSION_ID: await sessionId(),
    OTHER_SESSION_ID: await sessionId(),
  };
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'`);
  const samples = Object.values(paths).flatMap((methods) => Object.values(methods).flatMap((operation) => operation["x-codeSamples"]));
  // Examples that delete a picture or a user run after those that read them.
  const lasts = ['DELETE "$EDGE/images', '$USER_ID/password', '$USER_ID/withdraw', 'DELETE "$EDGE/users'];
  const order = ({ source }) => lasts.findIndex((last) => source.includes(last));
  samples.sort((one, other) => order(one) - order(other));
  const script = samples.map(({ source }) => `echo ${JSON.stringify(`## ${source.split("\n")[0].replaceAll(/["$\\]/g, "")}`)}\n${source.replace("-o picture.jpeg", "-o target/picture.jpeg")}\necho`);
  const { code, stdout, stderr } = await bash([...exports, ...script].join("\n"));
  assert.equal(code, 0, stdout.slice(-1200) + stderr);
});

test("the table in docs/scale.md is the output of the simulation", () => {
  const table = execFileSync(process.execPath, ["tests/bench/scale.mjs"], { encoding: "utf8" });
  assert.ok(readFileSync("docs/scale.md", "utf8").includes(table), table);
});

test("the page of the integration guide works in a browser as written", async (t) => {
  const [block] = blocks("docs/integrate.md").filter(({ language }) => language === "html");
  const saved = [];
  // The site of a product: the page, the browser package, and two endpoints of its back end.
  const site = createServer(async (request, answer) => {
    const csp = `default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' ${server.url}`;
    if (request.url === "/") return answer.writeHead(200, { "Content-Type": "text/html", "Content-Security-Policy": csp }).end(`<!doctype html><meta charset="utf-8">${block.text.replaceAll("https://image.the-form", server.url)}`);
    if (request.url === "/api/image-token") return answer.end(server.token({ sub: "page" }));
    if (request.url === "/api/answers") {
      const chunks = await request.toArray();
      saved.push(JSON.parse(Buffer.concat(chunks).toString()));
      return answer.writeHead(204).end();
    }
    if (!request.url.startsWith("/preflight/")) return answer.writeHead(404).end();
    const types = { js: "text/javascript", wasm: "application/wasm", map: "application/json" };
    const file = request.url.slice("/preflight/".length);
    answer.writeHead(200, { "Content-Type": types[file.split(".").at(-1)] }).end(readFileSync(PACKAGE + file));
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  const browser = await startBrowser();
  t.after(async () => {
    await browser.close();
    site.closeAllConnections();
    site.close();
  });
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const field = page.locator("image-upload");
  await chooseByKeyboard(page, field, "tests/fixtures/jpeg/private.jpg");
  await field.locator("[part~=item][part~=uploaded]").waitFor().catch((error) => assert.fail(`${error.message}: ${complaints}`));
  await page.locator("button", { hasText: "Send" }).click();
  await page.locator("output", { hasText: "Saved." }).waitFor();
  assert.equal(saved.length, 1);
  assert.ok(server.objects().has(saved[0].keys[0]), "the saved key is that of the stored object");
  await chooseByKeyboard(page, field, { name: "x.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await page.locator("image-upload", { hasText: "not what its type says" }).waitFor();
  assert.deepEqual(complaints, []);
});
