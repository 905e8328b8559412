// The tarball that `make browser` packs, installed into a project: its types, the bundle that Vite makes without configuration, and the bundle in
// Chromium under a strict Content-Security-Policy.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser } from "../e2e/browser.mjs";
import { serve } from "./site.mjs";

const TARBALL = resolve("target/the-form-preflight.tgz");
const VITE = resolve("tests/browser/node_modules/.bin/vite");
const TSC = resolve("node_modules/.bin/tsc");

let project;
let browser;
before(async () => {
  project = mkdtempSync(join(tmpdir(), "the-form-project-"));
  const npm = (args, cwd) => execFileSync("npm", [...args, "--silent", "--offline"], { cwd, encoding: "utf8" });
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "theirs", private: true, type: "module" }));
  npm(["install", "--no-audit", "--no-fund", TARBALL], project);
  mkdirSync(join(project, "src"));
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  rmSync(project, { recursive: true, force: true });
});

test("every entry of `exports` exists, with its types", () => {
  const root = join(project, "node_modules/@the-form/preflight");
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.ok(exports["."]);
  for (const [name, entry] of Object.entries(exports)) {
    for (const path of typeof entry === "string" ? [entry] : [entry.types, entry.default]) assert.ok(existsSync(join(root, path)), `${name}: ${path}`);
  }
  const script = `import manifest from "@the-form/preflight/package.json" with { type: "json" }; console.log(manifest.name);`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: project, encoding: "utf8", stdio: "pipe" });
  assert.equal(output, "@the-form/preflight\n");
});

test("srcset names the widths below that of the picture, and nothing for a private picture", async () => {
  const { srcset } = await import(join(project, "node_modules/@the-form/preflight/index.js"));
  const image = { imageUrl: "https://image.example/a.jpeg", width: 500, signedUrl: null };
  assert.equal(
    srcset(image),
    "https://image.example/a.jpeg?w=160&format=auto 160w, https://image.example/a.jpeg?w=320&format=auto 320w, " +
      "https://image.example/a.jpeg?w=480&format=auto 480w, https://image.example/a.jpeg?format=auto 500w",
  );
  assert.equal(srcset(image, { widths: [600, 200], format: "webp" }), "https://image.example/a.jpeg?w=200&format=webp 200w, https://image.example/a.jpeg?format=webp 500w");
  assert.equal(srcset({ ...image, signedUrl: "https://image.example/private/a.jpeg?exp=1&sig=A" }), "");
});

test("the types compile in a strict project, and reject a wrong call", () => {
  const source = `import { type Code, type Prepared, preflight, Refusal, warmUp } from "@the-form/preflight";
export async function send(file: File): Promise<Prepared | Code> {
  await warmUp();
  try {
    return await preflight(file, { language: "ko", effort: "small", signal: AbortSignal.timeout(1000), policy: fetch("/policy").then((answer) => answer.text()) });
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}
`;
  writeFileSync(join(project, "src/types.ts"), source);
  writeFileSync(join(project, "src/wrong.ts"), `import { preflight } from "@the-form/preflight";\nvoid preflight("no file");\n`);
  const check = (file) =>
    execFileSync(TSC, ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2022,dom", "--types", "", file], {
      cwd: project,
      encoding: "utf8",
      stdio: "pipe",
    });
  assert.equal(check("src/types.ts"), "");
  assert.throws(() => check("src/wrong.ts"), ({ stdout }) => /not assignable to parameter of type 'Blob'/.test(stdout));
});

test("Vite bundles it without configuration, and the bundle works under a strict Content-Security-Policy", async (t) => {
  writeFileSync(
    join(project, "index.html"),
    `<!doctype html><title>Theirs</title><input type="file"><pre></pre><script type="module" src="/src/main.js"></script>`,
  );
  writeFileSync(
    join(project, "src/main.js"),
    `import { preflight } from "@the-form/preflight";
document.querySelector("input").onchange = async ({ target }) => {
  const result = await preflight(target.files[0], { policy: { maxEdge: 16 } }).catch((error) => error);
  document.querySelector("pre").textContent = JSON.stringify({ ...result, message: result.message, bytes: result.blob?.size });
};
`,
  );
  execFileSync(VITE, ["build", "--logLevel", "warn"], { cwd: project, stdio: "pipe" });
  const site = await serve({ "/": join(project, "dist") });
  t.after(() => site.stop());
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(site.url);
  const answer = async (file) => {
    await page.locator("pre").evaluate((pre) => (pre.textContent = ""));
    await page.setInputFiles("input", file);
    await page.waitForFunction(() => document.querySelector("pre").textContent);
    return JSON.parse(await page.locator("pre").innerText());
  };
  const made = await answer("tests/fixtures/jpeg/baseline-420.jpg");
  assert.deepEqual([made.width, made.height, made.contentType], [16, 10, "image/jpeg"], made.message);
  assert.equal(page.workers().length, 1, "in its worker");
  const notes = join(project, "notes.png");
  writeFileSync(notes, "This is only text.\n");
  assert.equal((await answer(notes)).code, "INVALID_FILE_SIGNATURE");
  assert.deepEqual(complaints, []);
});
