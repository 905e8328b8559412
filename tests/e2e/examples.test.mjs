// The examples run as they stand: the plain page from the edge, the others bundled by Vite with the package that they name.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser } from "./browser.mjs";
import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";
import { startStage } from "./stage.mjs";

const PACKAGES = resolve("tests/browser/node_modules");

let server;
let stage;
let browser;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "the-form-examples-"));
  server = await startServer();
  stage = await startStage(server.url);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await stage?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Builds an example in a folder of its own and puts it on the stage. */
function build(name) {
  const project = join(folder, name);
  cpSync(`www/examples/${name}`, project, { recursive: true });
  const modules = join(project, "node_modules");
  const installed = join(modules, "@the-form/preflight");
  mkdirSync(installed, { recursive: true });
  for (const entry of readdirSync(PACKAGES)) symlinkSync(join(PACKAGES, entry), join(modules, entry));
  // As npm unpacks what the example's package.json names.
  const { dependencies } = JSON.parse(readFileSync(`www/examples/${name}/package.json`, "utf8"));
  const tarball = resolve(`www/examples/${name}`, dependencies["@the-form/preflight"].replace("file:", ""));
  execFileSync("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  const env = { ...process.env, VITE_EDGE: "" };
  execFileSync(join(PACKAGES, ".bin/vite"), ["build", "--base", `/files/${name}/`, "--logLevel", "warn"], { cwd: project, env, stdio: "pipe" });
  const files = readdirSync(join(project, "dist"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) {
    const path = join(entry.parentPath, entry.name);
    stage.files.set(name + path.slice(join(project, "dist").length), readFileSync(path));
  }
  stage.pages.set(`/${name}`, { html: readFileSync(join(project, "dist/index.html")) });
  return `/${name}`;
}

/** Chooses a picture on a page and waits until the page tells its key. */
async function upload(t, address, number, press = async () => {}) {
  const page = await browser.newPage();
  t.after(() => page.close());
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(stage.url + address);
  const picture = join(folder, `${number}.gif`);
  writeFileSync(picture, gif(number));
  // A field that was not yet upgraded would not take it.
  await page.waitForFunction(() => document.querySelector("image-upload")?.shadowRoot || document.querySelector("#app input"));
  await page.locator("image-upload input[multiple], #app > input").first().setInputFiles(picture);
  await press(page);
  const output = page.locator("output", { hasText: /^users\/guest-/ });
  await output.waitFor();
  assert.ok(server.objects().has((await output.innerText()).trim()));
  assert.deepEqual(complaints, []);
}

test("plain HTML", (t) =>
  upload(t, "/examples/html/", 1, async (page) => {
    await page.waitForFunction(() => document.querySelector("image-upload").value.length === 1);
    await page.getByRole("button", { name: "Send" }).click();
  }));
for (const [at, name] of ["react", "vue", "svelte"].entries()) test(name, (t) => upload(t, build(name), 2 + at));
