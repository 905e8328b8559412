// The first example of the README of each npm package, as written, against the Worker. Only the origin of the service is replaced.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { openPage } from "./browser.mjs";
import { blocks } from "./examples.mjs";
import { gif } from "./pictures.mjs";
import { setUp } from "./proxy.mjs";

const secret = "a secret of at least thirty-two bytes";
const { server, proxy, browser, folder, fileOf } = await setUp({ secret });
const firstExample = (path) => blocks(path)[0].text.replace("https://image.the-form", proxy.url);

test("@the-form/preflight: the field of the README uploads a picture", async (t) => {
  const imports = { "@the-form/preflight/element": "/preflight/element/index.js" };
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>README</title><script type="importmap">${JSON.stringify({ imports })}</script><form>${firstExample("browser/README.md")}</form>`;
  proxy.pages.set("/readme", { html });
  proxy.pages.set("/api/image-token", { html: server.token({ sub: "123" }) });
  const { page, complaints } = await openPage(t, browser);
  await page.goto(`${proxy.url}/readme`);
  await page.waitForFunction(() => document.querySelector("image-upload").token);
  await page.locator("image-upload .drop input[type=file]").first().setInputFiles(fileOf("readme.gif", gif(900)));
  await page.waitForFunction(() => document.querySelector("image-upload").value.length === 1);
  const [[name, key]] = await page.evaluate(() => [...new FormData(document.querySelector("form"))]);
  assert.equal(name, "photo");
  assert.ok(server.objects().has(key));
  assert.deepEqual(complaints, []);
});

test("@the-form/server: the program of the README makes a form, signs a token and lists pictures", async () => {
  const project = join(folder, "back-end");
  mkdirSync(join(project, "node_modules/@the-form"), { recursive: true });
  symlinkSync(resolve("target/server"), join(project, "node_modules/@the-form/server"));
  writeFileSync(join(project, "start.mjs"), `${firstExample("server/README.md")}\nconsole.log(token);\n`);
  const run = async () => (await promisify(execFile)(process.execPath, ["start.mjs"], { cwd: project, env: { ...process.env, AUTH_HS256_SECRET: secret } })).stdout.trim().split("\n");
  const [token] = await run();
  const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  const body = new FormData();
  body.append("formId", "stay");
  body.append("file", new Blob([picture], { type: "image/png" }), "a.png");
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body });
  const text = await answer.text();
  assert.equal(answer.status, 201, text);
  const { key, imageUrl } = [JSON.parse(text).data].flat()[0];
  assert.deepEqual((await run())[0], ["123", key, imageUrl].join(" "));
});
