// The package for back ends in projects that installed the tarball, against the built Worker: the start of its README, everything that it does on
// Node, and the same package in a Worker under `wrangler dev`.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { newSecret } from "./back_end.mjs";
import { blocks } from "./examples.mjs";
import { gif } from "./pictures.mjs";
import { until } from "./proxy.mjs";
import { freePort, hs256, startServer } from "./server.mjs";

const README = "server/README.md";
const SHOP = { name: "shop", issuer: "https://login.shop.example/" };
const KEYS = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ed: generateKeyPairSync("ed25519"),
};
const jwkOf = (key, kid) => ({ ...key.export({ format: "jwk" }), kid });

const project = mkdtempSync(join(tmpdir(), "the-form-back-end-"));
const webhookSecret = newSecret();
const events = [];
const forged = [];
let server;
let service;
let kit;
let receiver;
before(async () => {
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "back-end", private: true, type: "module" }));
  execFileSync("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", resolve("target/the-form-server.tgz")], { cwd: project });
  kit = await import(pathToFileURL(join(project, "node_modules/@the-form/server/index.js")));
  receiver = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    try {
      events.push(await kit.verifyWebhook(Buffer.concat(chunks), request.headers, `${newSecret()} ${webhookSecret}`));
      response.writeHead(204).end();
    } catch (error) {
      forged.push(error);
      response.writeHead(401).end();
    }
  });
  await new Promise((listening) => receiver.listen(0, "127.0.0.1", listening));
  const shopSecret = randomBytes(32).toString("base64url");
  const issuers = [{ ...SHOP, audience: "images", hs256Secret: "SHOP_SECRET" }];
  const keys = Object.entries(KEYS).map(([kid, { publicKey }]) => jwkOf(publicKey, kid));
  server = await startServer({
    vars: { PENDING_ROLES: "USER", AUTH_JWKS: JSON.stringify({ keys }), AUTH_ISSUERS: JSON.stringify(issuers), WEBHOOK_URL: `http://127.0.0.1:${receiver.address().port}/webhooks` },
    secrets: { WEBHOOK_SECRET: webhookSecret, SHOP_SECRET: shopSecret },
  });
  server.shopSecret = shopSecret;
  service = new kit.ImageService({ endpoint: server.url, signingKey: server.secret, urlSigningKey: server.urlKey, name: "survey" });
});
after(async () => {
  receiver?.closeAllConnections();
  receiver?.close();
  await server?.stop();
  rmSync(project, { recursive: true, force: true });
});

let shade = 0;
async function upload(token, { formId, body = gif(++shade) } = {}) {
  const data = new FormData();
  if (formId) data.append("formId", formId);
  data.append("image", new File([body], "room.gif", { type: "image/gif" }));
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: data });
  const { data: image, code } = await answer.json();
  assert.equal(answer.status, 201, code);
  return image;
}
const collect = async (iterable) => {
  const all = [];
  for await (const one of iterable) all.push(one);
  return all;
};
const statusOf = async (url) => (await fetch(url)).status;
const refused = (code, status) => (error) => error instanceof kit.ServiceError && assert.deepEqual([error.code, error.status], [code, status]) === undefined;

test("the start of the README runs as written", async () => {
  const [start] = blocks(README).filter(({ language }) => language === "js");
  writeFileSync(join(project, "start.mjs"), start.text.replace("https://image.the-form", server.url));
  const image = await upload(await service.tokenFor("123"), { formId: "stay" });
  await service.claim(image.key, "123");
  const { stdout } = await promisify(execFile)(process.execPath, ["start.mjs"], { cwd: project, env: { ...process.env, AUTH_HS256_SECRET: server.secret } });
  assert.equal(stdout, `123 ${image.key} ${image.imageUrl}\n`);
  assert.equal((await service.getForm("stay")).maxFilesPerUser, 4);
});

test("the service accepts tokens of every kind of key, and tickets", async () => {
  for (const [kid, { privateKey }] of Object.entries(KEYS)) {
    const other = new kit.ImageService({ endpoint: server.url, signingKey: jwkOf(privateKey, kid) });
    assert.ok((await other.listForms()).forms.length >= 0, kid);
    assert.match((await upload(await other.tokenFor(`user-${kid}`))).key, new RegExp(`^users/user-${kid}/`));
  }
  const stranger = new kit.ImageService({ endpoint: server.url, signingKey: randomBytes(32).toString("base64url") });
  await assert.rejects(stranger.listForms(), refused("TOKEN_INVALID", 401));
  const ticket = await service.ticketFor("8", { formId: "f-1", contentType: "image/gif", maxBytes: 100_000 });
  assert.match((await upload(ticket, { formId: "f-1" })).key, /^users\/8\//);
  await assert.rejects(service.ticketFor("8", { contentType: "text/plain" }), ({ status }) => status === 400 || status === 415);
});

test("the user id of a person of an identity provider is that in the key", async () => {
  for (const sub of ["5f7c", "auth0|5f7c", "0123456789012345678901"]) {
    const token = hs256(server.shopSecret, { sub, iss: SHOP.issuer, aud: "images", role: "USER" }, 300);
    assert.equal((await upload(token)).key.split("/")[1], await kit.userIdOf(SHOP, sub), sub);
  }
});

test("forms, claims, lists and look-ups", async () => {
  const form = await service.putForm("diary", { accept: ["image/gif"], maxFiles: 5, closesAt: "2099-12-31T15:00:00Z" });
  assert.deepEqual([form.formId, form.state, form.maxFiles], ["diary", "open", 5]);
  await assert.rejects(service.putForm("diary", { maxFiles: -1 }), (error) => refused("MALFORMED_REQUEST", 400)(error) && /maxFiles/.test(error.detail));
  await assert.rejects(service.getForm("unknown"), refused("FORM_NOT_FOUND", 404));
  const korean = new kit.ImageService({ endpoint: server.url, signingKey: server.secret, language: "ko" });
  await assert.rejects(korean.getForm("unknown"), ({ detail }) => /[가-힣]/.test(detail));

  const keys = [];
  for (const user of ["ann", "ann", "ben"]) keys.push((await upload(await service.tokenFor(user), { formId: "diary" })).key);
  assert.deepEqual(await collect(service.images({ formId: "diary" })), [], "nobody has sent the form");
  const claimed = await service.claimAll(keys.slice(0, 2), "ann");
  assert.deepEqual(claimed.map(({ key }) => key), keys.slice(0, 2));
  await service.claim(keys[2], "ben");
  await service.claim(keys[2], "ben");
  const lost = keys[0].replace(/[0-9a-f]{12}(?=\.)/, "0".repeat(12));
  await assert.rejects(service.claimAll([lost, keys[1]], "ann"), refused("IMAGE_NOT_FOUND", 404));

  assert.deepEqual((await collect(service.images({ formId: "diary" }))).map(({ key }) => key).sort(), [...keys].sort());
  const { images: [newest], nextCursor } = await service.listImages({ formId: "diary", limit: 1 });
  const { images: rest } = await service.listImages({ formId: "diary", limit: 2, cursor: nextCursor });
  assert.deepEqual([newest, ...rest].map(({ key }) => key).sort(), [...keys].sort());
  assert.deepEqual((await collect(service.images({ userId: "ben" }))).map(({ key }) => key), [keys[2]]);
  const found = await service.imagesByKey([...keys, lost]);
  assert.deepEqual([...found.keys()].sort(), [...keys].sort());
  const { imageId } = found.get(keys[0]);
  assert.equal((await service.getImage(imageId)).key, keys[0]);
  const listed = (await collect(service.forms())).find(({ formId }) => formId === "diary");
  assert.equal(listed.imageCount, 3);

  assert.equal((await service.deleteImage(imageId)).key, keys[0]);
  assert.equal((await service.deleteImage(keys[1])).key, keys[1]);
  assert.ok(!server.objects().has(keys[0]) && !server.objects().has(keys[1]));
  assert.equal((await service.closeForm("diary")).state, "closed");
  const progress = [];
  const removal = await service.finished(await service.closeForm("diary", { pictures: "delete" }), { onProgress: (one) => progress.push(one) });
  assert.deepEqual([removal.state, removal.total, removal.removed], ["done", 1, 1]);
  assert.deepEqual(progress.at(-1), removal);
  assert.ok(!server.objects().has(keys[2]));
});

test("private pictures and reviews", async () => {
  await service.putForm("passport", { visibility: "private" });
  await service.putForm("wall", { review: "held" });
  const secret = await upload(await service.tokenFor("cat"), { formId: "passport" });
  await service.claim(secret.key, "cat");
  assert.equal(await statusOf(`${server.url}/${secret.key}`), 403);
  for (const size of [undefined, "thumb"]) assert.equal(await statusOf(await service.signedUrl(secret.key, { expiresInS: 60, size })), 200);
  const [record] = await collect(service.images({ formId: "passport" }));
  const signed = await service.requestSignedUrl(record.imageId, { expiresInS: 60 });
  assert.equal(await statusOf(signed.url), 200);
  const changed = (await service.signedUrl(secret.key)).replace("private/users/cat", "private/users/ben");
  assert.equal(await statusOf(changed), 403);

  const held = [];
  for (const user of ["dan", "eve"]) held.push((await service.claim((await upload(await service.tokenFor(user), { formId: "wall" })).key, user)).key);
  assert.equal(await statusOf(await service.signedUrl(held[0])), 200, "before the decision");
  const waiting = await collect(service.images({ review: "held", formId: "wall" }));
  assert.deepEqual(waiting.map(({ key }) => key).sort(), [...held].sort());
  const idOf = (key) => waiting.find((image) => image.key === key).imageId;
  assert.equal((await service.releaseImage(idOf(held[0]))).review, "released");
  assert.equal(await statusOf(`${server.url}/${held[0]}`), 200);
  assert.equal((await service.refuseImage(idOf(held[1]), "A logo.")).reviewReason, "A logo.");
  await assert.rejects(service.releaseImage(idOf(held[1])), refused("REVIEW_DECIDED", 409));
});

test("deletions, exports and erasures", async () => {
  const keys = [];
  for (const _ of [1, 2, 3]) keys.push((await upload(await service.tokenFor("fay"))).key);
  await service.claimAll(keys, "fay");
  const deleted = await service.finished(await service.deleteImages({ keys: keys.slice(0, 1) }));
  assert.deepEqual([deleted.kind, deleted.removed], ["pictures", 1]);
  const everything = await service.exportUser("fay");
  assert.deepEqual(everything.images.map(({ key }) => key).sort(), keys.slice(1).sort());
  assert.equal(everything.imageCount, 2);
  const erased = await service.finished(await service.eraseUser("fay"));
  assert.deepEqual([erased.kind, erased.state, erased.removed], ["user", "done", 2]);
  assert.ok(keys.every((key) => !server.objects().has(key)));
  await until(() => events.some(({ type, data }) => type === "user.erased" && data.userId === "fay"));
});

test("events of the service verify", async () => {
  const { key } = await upload(await service.tokenFor("gus"));
  await until(() => events.some(({ type, data }) => type === "image.stored" && data.key === key));
  const event = events.find(({ data }) => data.key === key);
  assert.ok(event.id && Date.parse(event.timestamp));
  assert.deepEqual([event.data.userId, event.data.contentType, event.data.originalFilename], ["gus", "image/gif", "room.gif"]);
  assert.deepEqual(forged, []);
});

test("in a Worker it does the same", async (t) => {
  const folder = join(project, "worker");
  mkdirSync(folder);
  writeFileSync(
    join(folder, "index.js"),
    `import { ImageService, userIdOf, verifyWebhook } from "@the-form/server";
export default {
  async fetch(request, env) {
    const service = new ImageService({ endpoint: env.EDGE, signingKey: JSON.parse(env.KEY), urlSigningKey: env.URL_KEY });
    if (new URL(request.url).pathname === "/webhooks") {
      const event = await verifyWebhook(await request.text(), request.headers, env.WEBHOOK_SECRET).catch(({ code }) => ({ code }));
      return Response.json(event);
    }
    await service.putForm("from-a-worker", { visibility: "private" });
    const forms = [];
    for await (const { formId } of service.forms()) forms.push(formId);
    const missing = await service.getForm("unknown").catch(({ name, code, status }) => ({ name, code, status }));
    const [token, ticket] = [await service.tokenFor("hal"), await service.ticketFor("hal")];
    return Response.json({ forms, missing, token, ticket, url: await service.signedUrl("private/users/hal/images/1-00000000-0000-4000-8000-000000000000.gif"), id: await userIdOf({ name: "shop", issuer: "i" }, "a|b") });
  },
};
`,
  );
  const vars = { EDGE: server.url, KEY: JSON.stringify(jwkOf(KEYS.ed.privateKey, "ed")), URL_KEY: server.urlKey, WEBHOOK_SECRET: webhookSecret };
  const { compatibility_date: date } = Object.fromEntries([...readFileSync("wrangler.toml", "utf8").matchAll(/^(compatibility_date) = "(.*)"$/gm)].map(([, name, value]) => [name, value]));
  writeFileSync(join(folder, "wrangler.json"), JSON.stringify({ name: "back-end", main: "index.js", compatibility_date: date, vars }));
  const port = await freePort();
  const options = ["--ip", "127.0.0.1", "--port", port, "--inspector-port", await freePort(), "--show-interactive-dev-session=false"].map(String);
  const env = { ...process.env, CI: "1", NODE_ENV: "test", WRANGLER_SEND_METRICS: "false" };
  const child = spawn(resolve("node_modules/.bin/wrangler"), ["dev", "--config", join(folder, "wrangler.json"), ...options], { cwd: folder, env, detached: true });
  t.after(() => {
    // wrangler and workerd.
    if (child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const origin = `http://127.0.0.1:${port}`;
  let answer;
  await until(async () => {
    answer = await fetch(origin).catch(() => undefined);
    return answer;
  }).catch(() => assert.fail(output));
  const done = await answer.json().catch(() => assert.fail(output));
  assert.ok(done.forms.includes("from-a-worker"), done.forms);
  assert.deepEqual(done.missing, { name: "ServiceError", code: "FORM_NOT_FOUND", status: 404 });
  assert.match((await upload(done.token)).key, /^users\/hal\//);
  assert.match((await upload(done.ticket)).key, /^users\/hal\//);
  assert.equal(done.id, await kit.userIdOf({ name: "shop", issuer: "i" }, "a|b"));
  // The signature is right, and there is no such picture.
  assert.equal(await statusOf(done.url.replace("0.gif", "1.gif")), 403);
  assert.equal(await statusOf(done.url), 404);
  const { Webhook } = createRequire(resolve("tests/browser/package.json"))("standardwebhooks");
  const body = JSON.stringify({ type: "test.ping", timestamp: new Date().toISOString(), data: {} });
  const headers = { "webhook-id": "m-1", "webhook-timestamp": String(Math.floor(Date.now() / 1000)), "webhook-signature": new Webhook(webhookSecret).sign("m-1", new Date(), body) };
  const post = async (text) => (await fetch(`${origin}/webhooks`, { method: "POST", headers, body: text })).json();
  assert.equal((await post(body)).id, "m-1");
  assert.deepEqual(await post(`${body} `), { code: "WEBHOOK_INVALID" });
});
