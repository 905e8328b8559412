// The components, hooks and stores for React, Vue and Svelte in a project that installed the tarball: built by Vite and driven in Chromium in the same
// way, and rendered on a server. React runs in StrictMode of its development build, which mounts everything twice.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { openPage } from "./browser.mjs";
import { gif } from "./pictures.mjs";
import { setUp } from "./proxy.mjs";

const PACKAGES = resolve("tests/browser/node_modules");
const TARBALL = resolve("target/the-form-preflight.tgz");
const FRAMEWORKS = ["react", "vue", "svelte"];

/** Each page has the same: a field with its keys and events, buttons that change them, and a list that the page draws itself. */
const SOURCES = {
  "react.jsx": `import { guestToken } from "@the-form/preflight";
import { ImageUpload, useImageUploader } from "@the-form/preflight/react";
import { StrictMode, memo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
const guest = guestToken("");
const token = (request) => (window.asked = (window.asked ?? 0) + 1, guest(request));
function Field() {
  const [keys, setKeys] = useState([]);
  const [stored, setStored] = useState([]);
  const [isRequired, setRequired] = useState(true);
  const [user, setUser] = useState("guest");
  const element = useRef(null);
  return <>
    <ImageUpload ref={element} id="field" className="wide" endpoint="" token={(request) => token(request)} user={user} name="photos" maxFiles={3} required={isRequired}
      value={keys} onChange={setKeys} onUploaded={({ image }) => setStored((all) => [...all, image.key])} />
    <output id="keys">{keys.join()}</output><output id="stored">{stored.join()}</output>
    <button id="clear" onClick={() => setKeys([])}>Clear</button>
    <button id="restore" onClick={() => setKeys(stored)}>Restore</button>
    <button id="optional" onClick={() => setRequired(false)}>Optional</button>
    <button id="user" onClick={() => setUser("7")}>Log in</button>
    <button id="focus" onClick={() => element.current.focus()}>Focus</button>
  </>;
}
// A picture that changes is another object, so this renders again.
const Row = memo(({ picture, onRemove }) => <p className="row">{picture.state} {picture.image?.key} <button onClick={() => onRemove(picture.id)}>Remove</button></p>);
function OwnList() {
  const { pictures, keys, isBusy, add, remove } = useImageUploader({ endpoint: "", token: (request) => guest(request) });
  return <>
    <input id="own" type="file" multiple onChange={({ target }) => add(target.files)} />
    {pictures.map((picture) => <Row key={picture.id} picture={picture} onRemove={remove} />)}
    <output id="own-keys">{isBusy ? "busy" : keys.length}</output>
  </>;
}
function App() {
  const [isShown, setShown] = useState(true);
  return <>{isShown && <><Field /><OwnList /></>}<button id="end" onClick={() => setShown(false)}>End</button></>;
}
createRoot(document.querySelector("#app")).render(<StrictMode><App /></StrictMode>);
`,
  "Vue.vue": `<script setup>
import { guestToken } from "@the-form/preflight";
import { ImageUpload, useImageUploader } from "@the-form/preflight/vue";
import { ref } from "vue";
const guest = guestToken("");
const token = (request) => (window.asked = (window.asked ?? 0) + 1, guest(request));
const [keys, stored, isRequired, user, field] = [ref([]), ref([]), ref(true), ref("guest"), ref(null)];
const { pictures, keys: ownKeys, isBusy, add, remove } = useImageUploader(() => ({ endpoint: "", token: guest }));
</script>
<template>
  <ImageUpload ref="field" id="field" class="wide" endpoint="" :token="(request) => token(request)" :user="user" name="photos" :max-files="3" :required="isRequired"
    v-model="keys" @uploaded="({ image }) => stored.push(image.key)" />
  <output id="keys">{{ keys.join() }}</output><output id="stored">{{ stored.join() }}</output>
  <button id="clear" @click="keys = []">Clear</button>
  <button id="restore" @click="keys = [...stored]">Restore</button>
  <button id="optional" @click="isRequired = false">Optional</button>
  <button id="user" @click="user = '7'">Log in</button>
  <button id="focus" @click="field.element.focus()">Focus</button>
  <input id="own" type="file" multiple @change="({ target }) => add(target.files)" />
  <p v-for="{ id, state, image } in pictures" :key="id" class="row">{{ state }} {{ image?.key }} <button @click="remove(id)">Remove</button></p>
  <output id="own-keys">{{ isBusy ? "busy" : ownKeys.length }}</output>
</template>
`,
  "vue.js": `import { createApp, defineComponent, h, ref } from "vue";
import Vue from "./Vue.vue";
createApp(defineComponent(() => {
  const isShown = ref(true);
  return () => [isShown.value && h(Vue), h("button", { id: "end", onClick: () => (isShown.value = false) }, "End")];
})).mount("#app");
`,
  "Page.svelte": `<script>
  import { guestToken } from "@the-form/preflight";
  import { ImageUpload, imageUploader } from "@the-form/preflight/svelte";
  const guest = guestToken("");
  const token = (request) => (window.asked = (window.asked ?? 0) + 1, guest(request));
  let keys = $state([]);
  let user = $state("guest");
  let stored = $state([]);
  let isRequired = $state(true);
  let element = $state();
  const uploads = imageUploader({ endpoint: "", token: guest });
</script>
<ImageUpload bind:element id="field" class="wide" endpoint="" token={(request) => token(request)} {user} name="photos" maxFiles={3} required={isRequired}
  bind:value={keys} onuploaded={({ image }) => stored.push(image.key)} />
<output id="keys">{keys.join()}</output><output id="stored">{stored.join()}</output>
<button id="clear" onclick={() => (keys = [])}>Clear</button>
<button id="restore" onclick={() => (keys = [...stored])}>Restore</button>
<button id="optional" onclick={() => (isRequired = false)}>Optional</button>
<button id="user" onclick={() => (user = "7")}>Log in</button>
<button id="focus" onclick={() => element.focus()}>Focus</button>
<input id="own" type="file" multiple onchange={({ target }) => uploads.add(target.files)} />
{#each $uploads.pictures as { id, state, image } (id)}<p class="row">{state} {image?.key} <button onclick={() => uploads.remove(id)}>Remove</button></p>{/each}
<output id="own-keys">{$uploads.isBusy ? "busy" : $uploads.keys.length}</output>
`,
  "App.svelte": `<script>
  import Page from "./Page.svelte";
  let isShown = $state(true);
</script>
{#if isShown}<Page />{/if}<button id="end" onclick={() => (isShown = false)}>End</button>
`,
  "svelte.js": `import { mount } from "svelte";
import App from "./App.svelte";
mount(App, { target: document.querySelector("#app") });
`,
  "vite.config.js": `import { svelte } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";
export default { plugins: [svelte(), vue()], base: "/files/", build: { minify: false, rollupOptions: { input: ["react.html", "vue.html", "svelte.html"] } } };
`,
};

const { server, proxy, browser, folder, fileOf } = await setUp();
let project;
before(() => {
  project = join(folder, "theirs");
  const modules = join(project, "node_modules");
  mkdirSync(modules, { recursive: true });
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "theirs", private: true, type: "module", dependencies: { "@the-form/preflight": `file:${TARBALL}`, svelte: "*", vue: "*" } }));
  for (const name of readdirSync(PACKAGES)) symlinkSync(join(PACKAGES, name), join(modules, name));
  mkdirSync(join(modules, "@the-form/preflight"), { recursive: true });
  execFileSync("tar", ["-xzf", TARBALL, "-C", join(modules, "@the-form/preflight"), "--strip-components=1"]);
  for (const [name, source] of Object.entries(SOURCES)) writeFileSync(join(project, name), source);
  for (const name of FRAMEWORKS) {
    const script = name === "react" ? "react.jsx" : `${name}.js`;
    writeFileSync(join(project, `${name}.html`), `<!doctype html><html lang="en"><meta charset="utf-8"><title>${name}</title><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/${script}"></script>`);
  }
  execFileSync(join(PACKAGES, ".bin/vite"), ["build", "--mode", "development", "--logLevel", "warn"], { cwd: project, env: { ...process.env, NODE_ENV: "development" }, stdio: "pipe" });
});

/** Serves what Vite has built. */
function serve() {
  const dist = join(project, "dist");
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())) {
    const path = join(entry.parentPath, entry.name);
    proxy.files.set(path.slice(dist.length + 1), readFileSync(path));
  }
  for (const name of FRAMEWORKS) proxy.pages.set(`/${name}`, { html: readFileSync(join(dist, `${name}.html`)) });
}

let pictures = 0;
const picture = () => fileOf(`${++pictures}.gif`, gif(pictures));

for (const name of FRAMEWORKS) {
  test(`${name}: a field with a controlled value, and a list that the page draws itself`, async (t) => {
    serve();
    const { page, complaints } = await openPage(t, browser, { levels: ["error", "warning"] });
    await page.goto(`${proxy.url}/${name}`);
    const text = (id) => page.locator(`#${id}`).innerText();
    const value = () => page.evaluate(() => document.querySelector("image-upload").value);
    const field = page.locator("image-upload");
    await page.waitForFunction(() => document.querySelector("image-upload")?.token);
    assert.deepEqual(await field.evaluate(({ id, className, name, maxFiles, required }) => ({ id, className, name, maxFiles, required })), { id: "field", className: "wide", name: "photos", maxFiles: 3, required: true });

    for (const count of [1, 2]) {
      await page.locator("image-upload input[type=file]").first().setInputFiles(picture());
      await page.waitForFunction((count) => document.querySelector("#keys").textContent.split(",").filter(Boolean).length === count, count);
    }
    const keys = (await text("keys")).split(",");
    assert.ok(keys.every((key) => server.objects().has(key)));
    assert.equal(await text("stored"), keys.join(), "each event once");
    assert.deepEqual(await value(), keys);
    await page.locator("#clear").click();
    await page.waitForFunction(() => document.querySelector("image-upload").value.length === 0);
    assert.equal(await text("keys"), "");
    await page.locator("#restore").click();
    await page.waitForFunction(() => document.querySelector("image-upload").value.length === 2);
    assert.deepEqual(await value(), keys);
    assert.equal(await page.evaluate(() => window.asked), 1, "another function in each rendering is no other user");
    await page.locator("#user").click();
    await page.locator("image-upload input[type=file]").first().setInputFiles(picture());
    await page.waitForFunction(() => document.querySelector("image-upload").value.length === 3);
    assert.equal(await page.evaluate(() => window.asked), 2);
    await page.locator("#optional").click();
    await page.waitForFunction(() => !document.querySelector("image-upload").required);
    await page.locator("#focus").click();
    assert.equal(await page.evaluate(() => document.activeElement.localName), "image-upload", "the ref is the element");

    await page.locator("#own").setInputFiles([picture(), picture()]);
    await page.waitForFunction(() => document.querySelector("#own-keys").textContent === "2");
    const rows = page.locator(".row", { hasText: "uploaded users/guest-" });
    assert.equal(await rows.count(), 2);
    await rows.first().locator("button").click();
    await page.waitForFunction(() => document.querySelectorAll(".row").length === 1);
    assert.equal(await text("own-keys"), "1");

    // The list ends with its component, also while a picture is on its way.
    await page.locator("#own").setInputFiles([picture()]);
    await page.locator("#end").click();
    await page.waitForFunction(() => !document.querySelector("image-upload") && !document.querySelector(".row"));
    assert.deepEqual(complaints, []);
  });
}

test("a server renders the components with their attributes", async () => {
  const imported = (name) => import(pathToFileURL(createRequire(join(project, "package.json")).resolve(name)));
  const props = { endpoint: "https://image.the-form", name: "photos", formId: "stay", maxFiles: 4, token: () => "t" };
  const expected = { endpoint: "https://image.the-form", name: "photos", "form-id": "stay", "max-files": "4" };
  const root = join(project, "node_modules/@the-form/preflight/frameworks");
  const component = async (file) => (await import(pathToFileURL(join(root, file)))).ImageUpload;

  const [{ createElement }, { renderToString }] = await Promise.all([imported("react"), imported("react-dom/server")]);
  const html = { react: renderToString(createElement(await component("react.js"), { ...props, value: ["k"] })) };
  const [{ createSSRApp }, { renderToString: renderVue }] = await Promise.all([imported("vue"), imported("vue/server-renderer")]);
  html.vue = await renderVue(createSSRApp(await component("vue.js"), props));
  const ofSvelte = (path) => import(pathToFileURL(join(PACKAGES, "svelte/src", path)));
  const [{ compile }, { render }] = await Promise.all([ofSvelte("compiler/index.js"), ofSvelte("server/index.js")]);
  const { js } = compile(readFileSync(join(root, "ImageUpload.svelte"), "utf8"), { generate: "server", filename: "ImageUpload.svelte" });
  writeFileSync(join(root, "compiled.js"), js.code);
  html.svelte = render((await import(pathToFileURL(join(root, "compiled.js")))).default, { props }).body;
  for (const [name, text] of Object.entries(html)) {
    const [, attributes] = /<image-upload ([^>]*)>/.exec(text) ?? assert.fail(`${name}: ${text}`);
    const found = Object.fromEntries([...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]));
    assert.deepEqual(found, expected, name);
  }
});
