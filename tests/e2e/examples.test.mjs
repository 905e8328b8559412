// The examples, unchanged: the plain page is served by the edge, the others are bundled by Vite with the package that they name.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

import { openPage } from "./browser.mjs";
import { gif } from "./pictures.mjs";
import { setUp } from "./proxy.mjs";

const PACKAGES = resolve("tests/browser/node_modules");

const { server, proxy, browser, folder, fileOf } = await setUp();

/** Builds an example in its own folder and serves it with the proxy. */
function build(name) {
  const project = join(folder, name);
  cpSync(`www/examples/${name}`, project, { recursive: true });
  const modules = join(project, "node_modules");
  const installed = join(modules, "@the-form/preflight");
  mkdirSync(installed, { recursive: true });
  for (const entry of readdirSync(PACKAGES)) symlinkSync(join(PACKAGES, entry), join(modules, entry));
  // As npm installs the tarball that the example's package.json names.
  const { dependencies } = JSON.parse(readFileSync(`www/examples/${name}/package.json`, "utf8"));
  const tarball = resolve(`www/examples/${name}`, dependencies["@the-form/preflight"].replace("file:", ""));
  execFileSync("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  const env = { ...process.env, VITE_EDGE: "" };
  execFileSync(join(PACKAGES, ".bin/vite"), ["build", "--base", `/files/${name}/`, "--logLevel", "warn"], { cwd: project, env, stdio: "pipe" });
  const files = readdirSync(join(project, "dist"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) {
    const path = join(entry.parentPath, entry.name);
    proxy.files.set(name + path.slice(join(project, "dist").length), readFileSync(path));
  }
  proxy.pages.set(`/${name}`, { html: readFileSync(join(project, "dist/index.html")) });
  return `/${name}`;
}

/** Chooses a picture on a page and waits until the page shows its key. */
async function upload(t, address, number, press = async () => {}) {
  const { page, complaints } = await openPage(t, browser);
  await page.goto(proxy.url + address);
  // A field that is not upgraded yet would ignore it.
  await page.waitForFunction(() => document.querySelector("image-upload")?.shadowRoot || document.querySelector("#app input"));
  await page.locator("image-upload input[multiple], #app > input").first().setInputFiles(fileOf(`${number}.gif`, gif(number)));
  await press(page);
  const output = page.locator("output", { hasText: /^users\/guest-/ });
  await output.waitFor();
  assert.equal(await page.locator("main").count(), 1, "a landmark for screen readers");
  assert.ok(server.objects().has((await output.innerText()).trim()));
  assert.deepEqual(complaints, []);
}

test("plain HTML", (t) =>
  upload(t, "/examples/html/", 1, async (page) => {
    await page.waitForFunction(() => document.querySelector("image-upload").value.length === 1);
    await page.getByRole("button", { name: "Send" }).click();
  }));
for (const [at, name] of ["react", "vue", "svelte"].entries()) test(name, (t) => upload(t, build(name), 2 + at));
