// Uppy and FilePond from npm upload to the edge, without and with the adapters of the package.
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";

import { openPage } from "./browser.mjs";
import { gif, noise, png } from "./pictures.mjs";
import { setUp } from "./proxy.mjs";

const PACKAGES = resolve("tests/browser");

const { server, proxy, browser, user, serve: put } = await setUp();
proxy.files.set("uppy.js", await bundle(`export { default as Uppy, BasePlugin } from "@uppy/core"; export { default as XHRUpload } from "@uppy/xhr-upload";`));
proxy.files.set("filepond.js", await bundle(`export * from "filepond";`));
proxy.pages.set("/page", {
  html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Others</title><form id="form"><input type="file" id="pond" name="photo"></form>
    <script type="module">
      import { BasePlugin, Uppy, XHRUpload } from "/files/uppy.js";
      import * as FilePond from "/files/filepond.js";
      import { preflightPlugin, ticketOptions } from "/preflight/adapters/uppy.js";
      import { filePondRestrictions, filePondServer } from "/preflight/adapters/filepond.js";
      import { loadPolicy } from "/preflight/index.js";
      window.fileOf = async (name, type) => new File([await (await fetch("/files/" + name)).blob()], name, { type });
      Object.assign(window, { Uppy, XHRUpload, FilePond, Preflight: preflightPlugin(BasePlugin), ticketOptions, filePondServer, filePondRestrictions, loadPolicy });
      window.isReady = true;
    </script>`,
});

/** A package as one file that a page can load. */
async function bundle(contents) {
  const stdin = { contents, resolveDir: PACKAGES };
  const built = await build({ stdin, bundle: true, format: "esm", write: false, platform: "browser", mainFields: ["module", "main"], logLevel: "error" });
  return Buffer.from(built.outputFiles[0].contents);
}

async function open(t) {
  const { page, complaints } = await openPage(t, browser);
  await page.exposeFunction("tokenFor", () => server.token({ sub: user() }));
  await page.goto(`${proxy.url}/page`);
  await page.waitForFunction(() => window.isReady);
  return { page, complaints };
}

/** Uploads files with Uppy's XHRUpload, with our plugin if `preflight` has its options. */
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

test("Uppy's XHRUpload uploads to the edge, one by one and as a bundle", async (t) => {
  const { page } = await open(t);
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

test("with the plugin Uppy sends the prepared picture, and shows the reason of a refusal", async (t) => {
  const { page } = await open(t);
  const large = png(2600, 1400);
  const names = [put("large.png", large), put("notes.png", Buffer.from("only text\n"))];
  const { successful, failed } = await withUppy(page, names, { preflight: { language: "ko" } });
  assert.deepEqual(failed.map(({ name }) => name), ["notes.png"]);
  assert.match(failed[0].error, /[가-힣]/);
  assert.equal(successful[0].body.data.width, 2048);
  assert.equal(proxy.uploads().length, 1, "the refused file was not sent");
  assert.ok(proxy.uploads()[0].bytes < large.length);
});

/** Processes files with FilePond; returns ids, errors, and the values that the form would send. */
const withFilePond = (page, names, { ours = false, endpoint = "" } = {}) =>
  page.evaluate(
    async ({ names, ours, endpoint }) => {
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
        server: ours ? window.filePondServer({ endpoint, token, language: "ko" }) : theirs,
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
    { names, ours, endpoint },
  );

test("FilePond uploads to the edge, and its id is the key", async (t) => {
  const { page } = await open(t);
  const { ends, sent } = await withFilePond(page, [put("pond.gif", gif(11)), put("huge.png", noise(1500, 1400))]);
  assert.ok(server.objects().has(ends[0].id), JSON.stringify(ends));
  assert.deepEqual(sent, [ends[0].id]);
  assert.match(ends[1].error, /too (many bytes|large)|MB/i);
  // It sends its own JSON in a field of the same name first.
  const [upload] = proxy.uploads();
  assert.match(upload.headers["content-type"], /^multipart\/form-data/);
});

test("with the server option FilePond prepares pictures, and shows the reason of a refusal", async (t) => {
  const { page } = await open(t);
  const { ends, sent } = await withFilePond(page, [put("large.png", png(2600, 1400)), put("notes.png", Buffer.from("only text\n"))], { ours: true });
  assert.ok(server.objects().has(ends[0].id), JSON.stringify(ends));
  assert.deepEqual(sent, [ends[0].id]);
  assert.match(ends[1].error, /[가-힣]/);
  const shows = (reason) => [...document.querySelectorAll(".filepond--file-status-main")].some(({ textContent }) => textContent === reason);
  await page.waitForFunction(shows, ends[1].error);
  assert.equal(proxy.uploads().length, 1);
  const [row] = server.rows().filter(({ key }) => key === ends[0].id);
  assert.equal(row.width, 2048);
});

const GENERAL = /^네트워크가 아니라 저희 쪽 문제로 사진을 보내지 못했습니다/;

test("FilePond shows a general sentence for a mistake in the set-up; the console has the cause", async (t) => {
  const { page, complaints } = await open(t);
  const { ends } = await withFilePond(page, [put("a.gif", gif(12))], { ours: true, endpoint: "/nowhere" });
  assert.match(ends[0].error, GENERAL);
  assert.match(complaints.join("\n"), /@the-form\/preflight: SetupError: .*Check `endpoint`/);
});

test("Uppy shows the general sentence, too", async (t) => {
  const { page, complaints } = await open(t);
  proxy.fault = ({ path }) => (path.endsWith(".wasm") ? { status: 404, body: "" } : undefined);
  const { failed } = await withUppy(page, [put("b.gif", gif(13))], { preflight: { language: "ko" } });
  assert.match(failed[0].error, GENERAL);
  assert.match(complaints.join("\n"), /@the-form\/preflight: SetupError: .*Check `assets`/);
});

test("Uppy and FilePond send each picture with a ticket, and replace a spent one", async (t) => {
  const { page } = await open(t);
  const asked = [];
  const spent = await ticketFor({});
  await page.exposeFunction("ticketFor", async (picture) => {
    asked.push(picture);
    // The second is spent already.
    return asked.length === 2 ? spent : ticketFor(picture);
  });
  const first = await fetch(`${server.url}/images`, { method: "POST", headers: { Authorization: `Bearer ${spent}`, "Content-Type": "image/gif" }, body: gif(30) });
  assert.equal(first.status, 201);
  put("31.gif", gif(31));
  put("32.gif", gif(32));
  const successful = await page.evaluate(async () => {
    const uppy = new window.Uppy().use(window.XHRUpload, { endpoint: "/images", limit: 1, ...window.ticketOptions((picture) => window.ticketFor(picture)) });
    for (const name of ["31.gif", "32.gif"]) uppy.addFile({ name, type: "image/gif", data: await window.fileOf(name, "image/gif"), meta: { formId: "f-uppy" } });
    return (await uppy.upload()).successful.map(({ response }) => response.body.data.key);
  });
  assert.equal(successful.length, 2);
  assert.ok(successful.every((key) => key.startsWith("users/ticketed/")));
  assert.equal(asked.length, 3);
  assert.deepEqual(asked[0], { formId: "f-uppy", contentType: "image/gif", maxBytes: gif(31).length });

  asked.length = 1;
  put("33.gif", gif(33));
  const id = await page.evaluate(async () => {
    const server = window.filePondServer({ endpoint: "", ticket: (picture) => window.ticketFor(picture) });
    const file = await window.fileOf("33.gif", "image/gif");
    return new Promise((resolve) => server.process("photo", file, {}, resolve, resolve, () => {}, () => {}));
  });
  assert.ok(id.startsWith("users/ticketed/"), id);
  assert.equal(asked.length, 3, "the spent one was replaced");
});

/** A ticket, as the back end of a page gets it. */
async function ticketFor(picture) {
  const headers = { Authorization: `Bearer ${server.token({ sub: "api", role: "SERVICE" })}`, "Content-Type": "application/json" };
  const answer = await fetch(`${server.url}/uploads/tickets`, { method: "POST", headers, body: JSON.stringify({ ...picture, userId: "ticketed" }) });
  return (await answer.json()).data.ticket;
}

test("with a form, Uppy and FilePond take its restrictions, and check pictures with its policy", async (t) => {
  const formId = "adapters";
  const policy = { accept: ["image/jpeg", "image/png"], minWidth: 200, minHeight: 200, aspectRatio: "1:1", maxFilesPerUser: 3 };
  const headers = { Authorization: `Bearer ${server.token({ sub: "api", role: "SERVICE" })}`, "Content-Type": "application/json" };
  const put = (policy) => fetch(`${server.url}/forms/${formId}`, { method: "PUT", headers, body: JSON.stringify(policy) });
  assert.equal((await put(policy)).status, 201);
  proxy.files.set("wide.png", png(400, 300)).set("square.png", png(320, 320));
  const { page } = await open(t);
  const uppy = await page.evaluate(async (formId) => {
    const uppy = new window.Uppy().use(window.Preflight, { endpoint: "", formId, language: "ko" });
    uppy.use(window.XHRUpload, { endpoint: "/images", headers: { Authorization: `Bearer ${await window.tokenFor()}` }, shouldRetry: () => false });
    while (uppy.opts.restrictions.maxNumberOfFiles === null) await new Promise((resolve) => setTimeout(resolve, 20));
    const { allowedFileTypes, maxNumberOfFiles } = uppy.opts.restrictions;
    let refused;
    try {
      uppy.addFile({ name: "moving.gif", type: "image/gif", data: new Blob(["GIF89a"]) });
    } catch (error) {
      refused = error.message;
    }
    for (const name of ["wide.png", "square.png"]) uppy.addFile({ name, type: "image/png", data: await window.fileOf(name, "image/png") });
    const { successful, failed } = await uppy.upload();
    return { allowedFileTypes, maxNumberOfFiles, refused, forms: successful.map(({ response }) => response.body.data.formId), errors: failed.map(({ error }) => error) };
  }, formId);
  assert.deepEqual([uppy.allowedFileTypes.slice(0, 3), uppy.maxNumberOfFiles], [["image/jpeg", "image/png", "image/heic"], 3]);
  assert.match(uppy.refused, /image\/jpeg/);
  assert.deepEqual(uppy.forms, [formId]);
  assert.match(uppy.errors[0], /[가-힣].*400|400.*[가-힣]/);
  assert.equal(proxy.uploads().length, 1);

  const { restrictions, ends } = await page.evaluate(async (formId) => {
    const server = window.filePondServer({ endpoint: "", formId, token: await window.tokenFor(), language: "ko" });
    const restrictions = window.filePondRestrictions(await window.loadPolicy({ endpoint: "", formId }));
    const pond = window.FilePond.create(document.querySelector("#pond"), { allowMultiple: true, instantUpload: false, server, labelFileProcessingError: ({ body }) => body });
    pond.setOptions(restrictions);
    const ends = [];
    for (const name of ["wide.png", "square.png"]) {
      const { id } = await pond.addFile(await window.fileOf(name, "image/png"));
      ends.push(await pond.processFile(id).then(({ serverId }) => serverId, ({ error }) => error.body));
    }
    return { restrictions: [pond.maxFiles, restrictions.acceptedFileTypes.slice(0, 2)], ends };
  }, formId);
  assert.deepEqual(restrictions, [3, ["image/jpeg", "image/png"]]);
  assert.match(ends[0], /[가-힣]/);
  assert.ok(server.objects().has(ends[1]), ends[1]);

  // A form that has closed is explained without sending anything.
  assert.equal((await put({ ...policy, closesAt: "2020-01-01T00:00:00Z" })).status, 200);
  proxy.seen.length = 0;
  const late = await open(t);
  const [closed] = await late.page.evaluate(async (formId) => {
    const uppy = new window.Uppy().use(window.Preflight, { endpoint: "", formId, language: "ko" }).use(window.XHRUpload, { endpoint: "/images" });
    uppy.addFile({ name: "square.png", type: "image/png", data: await window.fileOf("square.png", "image/png") });
    return (await uppy.upload()).failed.map(({ error }) => error);
  }, formId);
  assert.match(closed, /2020년 .*까지 올릴 수 있었습니다/);
  assert.equal(proxy.uploads().length, 0);
});
