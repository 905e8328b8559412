// Other people's uploaders: Uppy and FilePond as npm has them send straight to the edge, and the same with our adapters in
// front of them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { build } from "esbuild";

import { startBrowser } from "./browser.mjs";
import { gif, noise, png } from "./pictures.mjs";
import { startServer } from "./server.mjs";
import { startStage } from "./stage.mjs";

const PACKAGES = resolve("tests/browser");

let server;
let stage;
let browser;
let sub = 0;
before(async () => {
  server = await startServer();
  stage = await startStage(server.url);
  browser = await startBrowser();
  stage.files.set("uppy.js", await bundle(`export { default as Uppy, BasePlugin } from "@uppy/core"; export { default as XHRUpload } from "@uppy/xhr-upload";`));
  stage.files.set("filepond.js", await bundle(`export * from "filepond";`));
  stage.pages.set("/page", {
    html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Others</title><form id="form"><input type="file" id="pond" name="photo"></form>
      <script type="module">
        import { BasePlugin, Uppy, XHRUpload } from "/files/uppy.js";
        import * as FilePond from "/files/filepond.js";
        import { preflightPlugin } from "/preflight/adapters/uppy.js";
        import { filePondServer } from "/preflight/adapters/filepond.js";
        window.fileOf = async (name, type) => new File([await (await fetch("/files/" + name)).blob()], name, { type });
        Object.assign(window, { Uppy, XHRUpload, FilePond, Preflight: preflightPlugin(BasePlugin), filePondServer });
        window.isReady = true;
      </script>`,
  });
});
after(async () => {
  await browser?.close();
  await stage?.stop();
  await server?.stop();
});
beforeEach(() => {
  stage.fresh();
  sub++;
});

/** A package as a page can load it, untouched but for being in one file. */
async function bundle(contents) {
  const stdin = { contents, resolveDir: PACKAGES };
  const built = await build({ stdin, bundle: true, format: "esm", write: false, platform: "browser", mainFields: ["module", "main"], logLevel: "error" });
  return Buffer.from(built.outputFiles[0].contents);
}

async function open(t) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.exposeFunction("tokenFor", () => server.token({ sub: `u${sub}` }));
  await page.goto(`${stage.url}/page`);
  await page.waitForFunction(() => window.isReady);
  return page;
}

const put = (name, bytes) => (stage.files.set(name, bytes), name);

/** Uploads files with Uppy's XHRUpload; `extra` runs on the Uppy first. */
const withUppy = (page, names, { bundle = false, preflight } = {}) =>
  page.evaluate(
    async ({ names, bundle, preflight }) => {
      const uppy = new window.Uppy();
      if (preflight) uppy.use(window.Preflight, preflight);
      const headers = { Authorization: `Bearer ${await window.tokenFor()}` };
      uppy.use(window.XHRUpload, { endpoint: "/images", headers, bundle, shouldRetry: () => false });
      for (const name of names) {
        const data = await window.fileOf(name, `image/${name.split(".").at(-1)}`);
        uppy.addFile({ name, type: data.type, data, meta: { formId: "f-uppy" } });
      }
      const { successful, failed } = await uppy.upload();
      return {
        successful: successful.map(({ name, uploadURL, response }) => ({ name, uploadURL, body: response.body })),
        failed: failed.map(({ name, error, response }) => ({ name, error, response })),
      };
    },
    { names, bundle, preflight },
  );

test("Uppy's XHRUpload, as it is, uploads to the edge, one by one and as a bundle", async (t) => {
  const page = await open(t);
  const { successful, failed } = await withUppy(page, [put("하나.gif", gif(1)), put("two.gif", gif(2))]);
  assert.deepEqual(failed, []);
  for (const { name, uploadURL, body } of successful) {
    assert.equal(uploadURL, body.data.imageUrl);
    assert.equal(body.data.originalFilename, name);
    assert.equal(body.data.formId, "f-uppy");
    assert.ok(server.objects().has(body.data.key));
  }
  assert.equal(successful.length, 2);

  const both = await withUppy(page, [put("3.gif", gif(3)), put("4.gif", gif(4))], { bundle: true });
  assert.deepEqual(both.failed, []);
  const { data } = both.successful[0].body;
  assert.deepEqual(data.map(({ originalFilename }) => originalFilename), ["3.gif", "4.gif"]);
});

test("with our plugin Uppy sends what the check made, and tells the reason of a refusal", async (t) => {
  const page = await open(t);
  const large = png(2600, 1400);
  const names = [put("large.png", large), put("notes.png", Buffer.from("only text\n"))];
  const { successful, failed } = await withUppy(page, names, { preflight: { language: "ko" } });
  assert.deepEqual(failed.map(({ name }) => name), ["notes.png"]);
  assert.match(failed[0].error, /[가-힣]/);
  assert.equal(successful[0].body.data.width, 2048);
  assert.equal(stage.uploads().length, 1, "the refused file was not sent");
  assert.ok(stage.uploads()[0].bytes < large.length);
});

/** Processes files with a FilePond on the page's input; answers with ids, errors, and what the form would send. */
const withFilePond = (page, names, { ours = false } = {}) =>
  page.evaluate(
    async ({ names, ours }) => {
      const token = await window.tokenFor();
      const headers = { Authorization: `Bearer ${token}` };
      const theirs = {
        process: { url: "/images", headers, onload: (body) => JSON.parse(body).data.key, onerror: (body) => JSON.parse(body).detail },
        revert: null,
      };
      const options = {
        allowMultiple: true,
        instantUpload: false,
        itemInsertLocation: "after",
        server: ours ? window.filePondServer({ endpoint: "", token, language: "ko" }) : theirs,
        labelFileProcessingError: ({ body }) => body,
      };
      const pond = window.FilePond.create(document.querySelector("#pond"), options);
      const ends = [];
      for (const name of names) {
        await pond.addFile(await window.fileOf(name, `image/${name.split(".").at(-1)}`));
      }
      for (const file of pond.getFiles()) {
        ends.push(await pond.processFile(file.id).then(({ serverId }) => ({ id: serverId }), ({ error }) => ({ error: error.body })));
      }
      // A file that failed leaves an empty field.
      const sent = new FormData(document.querySelector("#form")).getAll("photo").filter(Boolean);
      return { ends, sent };
    },
    { names, ours },
  );

test("FilePond, as it is, uploads to the edge; its id is the key", async (t) => {
  const page = await open(t);
  const { ends, sent } = await withFilePond(page, [put("pond.gif", gif(11)), put("huge.png", noise(1500, 1400))]);
  assert.ok(server.objects().has(ends[0].id), JSON.stringify(ends));
  assert.deepEqual(sent, [ends[0].id]);
  assert.match(ends[1].error, /too (many bytes|large)|MB/i);
  // It sends its own JSON in a field of the same name first.
  const [upload] = stage.uploads();
  assert.match(upload.headers["content-type"], /^multipart\/form-data/);
});

test("with our server option FilePond checks, shrinks and tells reasons", async (t) => {
  const page = await open(t);
  const { ends, sent } = await withFilePond(page, [put("large.png", png(2600, 1400)), put("notes.png", Buffer.from("only text\n"))], { ours: true });
  assert.ok(server.objects().has(ends[0].id), JSON.stringify(ends));
  assert.deepEqual(sent, [ends[0].id]);
  assert.match(ends[1].error, /[가-힣]/);
  const shows = (reason) => [...document.querySelectorAll(".filepond--file-status-main")].some(({ textContent }) => textContent === reason);
  await page.waitForFunction(shows, ends[1].error);
  assert.equal(stage.uploads().length, 1);
  const [row] = server.rows().filter(({ key }) => key === ends[0].id);
  assert.equal(row.width, 2048);
});
