// The types of <image-upload> in templates of React, Vue and Svelte, each with its own type checker.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

const PACKAGES = resolve("tests/browser/node_modules");
const OPTIONS = { strict: true, noEmit: true, target: "es2022", module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom", "dom.iterable"], types: [], skipLibCheck: false };

let project;
before(() => {
  project = mkdtempSync(join(tmpdir(), "the-form-templates-"));
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, "@the-form"), { recursive: true });
  for (const name of readdirSync(PACKAGES)) symlinkSync(join(PACKAGES, name), join(modules, name));
  // Copied, so that it finds the project's frameworks as an installed package does.
  cpSync("target/browser", join(modules, "@the-form/preflight"), { recursive: true });
});
after(() => rmSync(project, { recursive: true, force: true }));

/** The output of the type checker for a project with one file. */
function check(command, args, file, source, options = {}) {
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: { ...OPTIONS, ...options }, include: [file] }));
  writeFileSync(join(project, file), source);
  try {
    return execFileSync(join(PACKAGES, ".bin", command), args, { cwd: project, encoding: "utf8", stdio: "pipe" });
  } catch ({ stdout }) {
    return stdout;
  } finally {
    rmSync(join(project, file));
  }
}

const react = (attributes) =>
  check(
    "tsc",
    ["-p", "."],
    "field.tsx",
    `import { guestToken } from "@the-form/preflight";
import type { ImageUpload } from "@the-form/preflight/react";
export const Field = ({ take }: { take(keys: readonly string[]): void }) => (
  <image-upload
    ref={(field: ImageUpload | null) => { field?.add([]); }}
    ${attributes}
  >
    <input type="file" />
  </image-upload>
);
void guestToken;
`,
    { jsx: "react-jsx", skipLibCheck: true },
  );

test("React", () => {
  const right = `endpoint="" form-id="f-1" max-files="4" offline="u1" required name="photo" lang="ko" className="wide" token={guestToken("")}
    onchange={({ target }) => take(target.value)} onuploaded={({ detail }) => take([detail.image.key])} onrefused={({ detail }) => detail.error.code}`;
  assert.equal(react(right), "");
  assert.equal(react(`formId="f-1" maxFiles={4} assets={{ worker: "/worker.js" }} token={async ({ refresh }) => String(refresh)}`), "");
  assert.match(react(`token="t"`), /Type 'string' is not assignable to type '?TokenSource/);
  assert.match(react(`onuploaded={({ detail }) => detail.nothing}`), /'nothing' does not exist/);
});

const vue = (attributes) =>
  check(
    "vue-tsc",
    ["-p", "."],
    "Field.vue",
    `<script setup lang="ts">
import "@the-form/preflight/vue";
import { guestToken, type Uploaded } from "@the-form/preflight";
const token = guestToken("");
const stored = (image: Uploaded) => image.key;
</script>
<template><image-upload ${attributes} /></template>
`,
    { skipLibCheck: true },
  );

test("Vue", () => {
  assert.equal(vue(`endpoint="" form-id="f-1" :max-files="4" required name="photo" class="wide" :token="token" @uploaded="({ detail }) => stored(detail.image)"`), "");
  assert.match(vue(`:token="4" @uploaded="({ detail }) => stored(detail.image)"`), /Type 'number' is not assignable to type 'TokenSource/);
  assert.match(vue(`:token="token" @uploaded="({ detail }) => stored(detail.nothing)"`), /'nothing' does not exist/);
});

const svelte = (attributes) =>
  check(
    "svelte-check",
    ["--tsconfig", "tsconfig.json", "--output", "machine"],
    "Field.svelte",
    `<script lang="ts">
  import "@the-form/preflight/svelte";
  import { guestToken } from "@the-form/preflight";
  const token = guestToken("");
  let keys: readonly string[] = $state([]);
</script>
<image-upload ${attributes}></image-upload>
<output>{keys.join() + typeof token}</output>
`,
    { skipLibCheck: true },
  );

test("Svelte", () => {
  assert.match(svelte(`endpoint="" form-id="f-1" max-files="4" required name="photo" class="wide" {token} onchange={({ target }) => (keys = target.value)}`), / 0 ERRORS/);
  assert.match(svelte(`token={4}`), /ERROR .*Type 'number' is not assignable to type 'TokenSource/);
});
