// The types of the Uploader, the element and the adapters in a strict project, beside those of Uppy and FilePond.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

const PACKAGES = resolve("tests/browser/node_modules");
const TSC = resolve("node_modules/.bin/tsc");

let project;
before(() => {
  project = mkdtempSync(join(tmpdir(), "the-form-types-"));
  mkdirSync(join(project, "node_modules/@the-form"), { recursive: true });
  for (const name of readdirSync(PACKAGES)) symlinkSync(join(PACKAGES, name), join(project, "node_modules", name));
  symlinkSync(resolve("target/browser"), join(project, "node_modules/@the-form/preflight"));
});
after(() => rmSync(project, { recursive: true, force: true }));

function check(source) {
  writeFileSync(join(project, "source.ts"), source);
  const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "esnext,dom,dom.iterable", "--types", ""];
  try {
    return execFileSync(TSC, [...options, "source.ts"], { cwd: project, encoding: "utf8", stdio: "pipe" });
  } catch ({ stdout }) {
    return stdout;
  }
}

test("the documented calls compile", () => {
  const output = check(`
import { cropTo, describePolicy, type Edit, guestToken, loadPolicy, type Refusal, upload, type Uploaded, Uploader, withChallenge } from "@the-form/preflight";
import "@the-form/preflight/element";
import { filePondRestrictions, filePondServer } from "@the-form/preflight/filepond";
import { preflightPlugin, uppyRestrictions } from "@the-form/preflight/uppy";
import Uppy, { BasePlugin } from "@uppy/core";
import { create } from "filepond";

const uploader = new Uploader({ endpoint: "", token: async ({ refresh }) => (refresh ? "new" : "old"), offline: { owner: "7" } });
export const end: () => void = uploader.on("uploaded", ({ image }) => image.key.length);
const edit: Edit = { rotate: 90, crop: cropTo({ width: 4, height: 3 }, 1) };
export const part: number = uploader.add(new Blob(), "a.png", { edit }).edit?.rotate ?? uploader.progress.part;
uploader.addEventListener("progress", ({ detail }) => detail.sentBytes / detail.totalBytes);
const field = document.querySelector("image-upload")!;
field.token = guestToken("", "ko", { onProgress: (solved) => solved / 2 });
export const status: Promise<number> = withChallenge("", "login", async (headers) => (await fetch("/auth/login", { headers })).status);
field.addEventListener("refused", ({ detail }) => { const why: Refusal = detail.error; return why; });
field.texts = { choose: "Bilder wählen", apply: "Anwenden", count: (most) => String(most), refusals: { FORM_FULL: "Voll." } };
export const keys: string[] = field.value;
export const image: Promise<Uploaded> = upload(new Blob(), { endpoint: "", token: "t" });
new Uppy().use(preflightPlugin(BasePlugin), { language: "ko" }).use(preflightPlugin(BasePlugin), { endpoint: "", formId: "stay" });
const policy = await loadPolicy({ endpoint: "", formId: "stay" });
export const hint: string = describePolicy(policy, "ko");
export const closesAt: string | null | undefined = policy.form?.closesAt;
new Uppy().setOptions({ restrictions: uppyRestrictions(policy) });
create(document.createElement("input")).setOptions(filePondRestrictions(policy));
create(document.createElement("input"), { server: filePondServer({ endpoint: "", token: "t" }) });
`);
  assert.equal(output, "");
});

test("wrong calls do not compile", () => {
  assert.match(check(`import { Uploader } from "@the-form/preflight";\nnew Uploader({ endpoint: "" });\n`), /'(token|ticket)' is missing/);
  const event = `import { Uploader } from "@the-form/preflight";\nnew Uploader({ endpoint: "", token: "t" }).on("stored", () => {});\n`;
  assert.match(check(event), /"stored"' is not assignable/);
});
