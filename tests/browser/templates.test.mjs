// The types of <image-upload> and of the components in templates of React, Vue and Svelte, each with its own type checker.
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

/** A form with react-hook-form, and a list that the page draws itself. */
const reactComponent = (attributes) =>
  check(
    "tsc",
    ["-p", "."],
    "form.tsx",
    `import { guestToken } from "@the-form/preflight";
import { ImageUpload, useImageUploader } from "@the-form/preflight/react";
import { useRef } from "react";
import { Controller, useForm } from "react-hook-form";
export function Form() {
  const { control } = useForm<{ photos: string[] }>();
  const element = useRef<ImageUpload>(null);
  const { pictures, keys, add, remove } = useImageUploader({ endpoint: "", token: "t", offline: { owner: "7" } });
  keys satisfies readonly string[];
  return (
    <>
      <Controller name="photos" control={control} render={({ field }) => <ImageUpload {...field} endpoint="" token={guestToken("")} maxFiles={3} />} />
      <ImageUpload ref={element} ${attributes} />
      <input type="file" onChange={({ target }) => add(target.files)} onClick={() => element.current?.markSent()} />
      {pictures.map(({ id, image, error }) => <p key={id} onClick={() => remove(id)}>{image?.key ?? error?.message}</p>)}
    </>
  );
}
`,
    { jsx: "react-jsx", skipLibCheck: true },
  );

test("the component of React", () => {
  assert.equal(reactComponent(`endpoint="" className="wide" defaultValue={["k"]} onChange={(keys: string[]) => keys} onRefused={({ error }) => error.code} deleteOnRemove sortable directory edit="round" texts={{ remove: (name) => name }} lang="ko"`), "");
  const wrong = reactComponent(`endPoint="" /><ImageUpload onUploaded={({ nothing }) => nothing}`);
  for (const expected of [/'endPoint' does not exist/, /'nothing' does not exist/]) assert.match(wrong, expected);
});

const vueFile = (script, template) =>
  check("vue-tsc", ["-p", "."], "Field.vue", `<script setup lang="ts">\n${script}\n</script>\n<template>${template}</template>\n`, { skipLibCheck: true });

const vue = (attributes) =>
  vueFile(
    `import "@the-form/preflight/vue";
import { guestToken, type Uploaded } from "@the-form/preflight";
const token = guestToken("");
const stored = (image: Uploaded) => image.key;`,
    `<image-upload ${attributes} />`,
  );

const vueComponent = (attributes) =>
  vueFile(
    `import { guestToken, type Uploaded } from "@the-form/preflight";
import { ImageUpload, useImageUploader } from "@the-form/preflight/vue";
import { ref } from "vue";
const token = guestToken("");
const stored = (image: Uploaded) => image.key;
const keys = ref<string[]>([]);
const { pictures, keys: ownKeys, add } = useImageUploader(() => ({ endpoint: "", token }));
ownKeys.value satisfies string[];`,
    `<ImageUpload v-model="keys" endpoint="" :token="token" class="wide" ${attributes} /><p v-for="{ id, image } in pictures" :key="id" @click="add([])">{{ image?.key }}</p>`,
  );

test("Vue", () => {
  assert.equal(vue(`endpoint="" form-id="f-1" :max-files="4" required name="photo" class="wide" :token="token" @uploaded="({ detail }) => stored(detail.image)"`), "");
  assert.equal(vueComponent(`:max-files="3" sortable edit="round" @uploaded="({ image }) => stored(image)"`), "");
  assert.match(vueComponent(`:max-files="true" @uploaded="({ image }) => stored(image.nothing)"`), /Type 'boolean' is not assignable to type 'number[\s\S]*'nothing' does not exist/);
  assert.match(vue(`:token="4" @uploaded="({ detail }) => stored(detail.image)"`), /Type 'number' is not assignable to type 'TokenSource/);
  assert.match(vue(`:token="token" @uploaded="({ detail }) => stored(detail.nothing)"`), /'nothing' does not exist/);
});

const svelte = (attributes, component = "") =>
  check(
    "svelte-check",
    ["--tsconfig", "tsconfig.json", "--output", "machine"],
    "Field.svelte",
    `<script lang="ts">
  import "@the-form/preflight/svelte";
  import { guestToken } from "@the-form/preflight";
  import { ImageUpload, imageUpload, imageUploader } from "@the-form/preflight/svelte";
  const token = guestToken("");
  let keys: readonly string[] = $state([]);
  const uploads = imageUploader({ endpoint: "", token });
</script>
<image-upload ${attributes}></image-upload>
<image-upload use:imageUpload={{ token, onkeys: (now) => (keys = now) }}></image-upload>
<ImageUpload bind:value={keys} endpoint="" {token} class="wide" ${component} />
<output>{keys.join() + typeof token + $uploads.pictures[0]?.image?.key}</output>
`,
    { skipLibCheck: true },
  );

test("Svelte", () => {
  assert.match(svelte(`endpoint="" form-id="f-1" max-files="4" required name="photo" class="wide" {token} edit="round" sortable onchange={({ target }) => (keys = target.value)}`, `edit directory`), / 0 ERRORS/);
  const wrong = svelte(`token={4}`, `maxFiles="many" onuploaded={({ image }) => image.key}`);
  for (const expected of [/ERROR .*Type 'number' is not assignable to type 'TokenSource/, /ERROR .*Type 'string' is not assignable to type 'number/]) assert.match(wrong, expected);
});
