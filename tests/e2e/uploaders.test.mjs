// The recipes of docs/uploaders.md in both languages: the code blocks are saved under the names in their first line, bundled with Uppy and FilePond
// from npm, and run in Chromium against the Worker.
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";

import { openPage } from "./browser.mjs";
import { blocks } from "./examples.mjs";
import { gif } from "./pictures.mjs";
import { setUp, until } from "./proxy.mjs";

const NODE_MODULES = resolve("tests/browser/node_modules");
const GUIDES = { en: "docs/uploaders.md", ko: "docs/ko/uploaders.md" };

const { server, proxy, browser, folder, user, fileOf } = await setUp();
/** Each guide as written, and with `TICKETS` set. */
const VARIANTS = [["en", "en", false], ["ko", "ko", false], ["en-tickets", "en", true]];
for (const [variant, language, hasTickets] of VARIANTS) {
  const path = GUIDES[language];
  const names = blocks(path).map(({ text }) => {
    const [, name] = /^\/\/ ([\w-]+\.js)\n/.exec(text);
    fileOf(name, text.replace("https://image.the-form", proxy.url).replace("TICKETS = false", `TICKETS = ${hasTickets}`));
    return name;
  });
  assert.deepEqual(names, ["the-form.js", "uppy.js", "filepond.js"], path);
  for (const name of names.slice(1)) {
    const built = await build({ entryPoints: [join(folder, name)], nodePaths: [NODE_MODULES], bundle: true, format: "esm", write: false, mainFields: ["module", "main"], logLevel: "error" });
    proxy.files.set(`${variant}-${name}`, Buffer.from(built.outputFiles[0].contents));
  }
  const page = (name) =>
    `<!doctype html><html lang="${language}"><meta charset="utf-8"><title>Recipe</title><form><input type="file" name="photo" multiple></form>
     <script type="module">import * as recipe from "/files/${variant}-${name}.js"; window.recipe = recipe;</script>`;
  for (const name of ["uppy", "filepond"]) proxy.pages.set(`/${variant}/${name}`, { html: page(name) });
}

test("both guides have the same code", () => {
  const code = (path) => blocks(path).map(({ text }) => text.split("\n").filter((line) => !/^\s*(\/\/|\/\*\*)/.test(line)).join("\n").replaceAll(/"[^"]*\.\s*"|`[^`]*\(\$/g, '"…"'));
  assert.deepEqual(code(GUIDES.ko), code(GUIDES.en));
});

/** A page with the recipe. Its back end returns these tokens first, and valid ones afterwards. */
async function open(t, path, tokens = []) {
  const { page } = await openPage(t, browser);
  const asked = { count: 0 };
  await page.route("**/api/image-token", (route) => route.fulfill({ body: tokens[asked.count++] ?? server.token({ sub: user() }) }));
  await page.goto(proxy.url + path);
  await page.waitForFunction(() => window.recipe);
  await page.evaluate(() => {
    window.fileOf = (name, bytes) => new File([Uint8Array.from(bytes)], name, { type: `image/${name.split(".").at(-1)}` });
  });
  return { page, asked };
}

const expired = () => server.token({ sub: user() }, -120);
const TEXT = [...Buffer.from("only text\n")];
const busy = { status: 503, headers: { "Content-Type": "application/problem+json", "Retry-After": "1" }, body: JSON.stringify({ code: "BUSY", detail: "Busy.", status: 503 }) };
const SENTENCE = { en: /^The contents of the file are not what its type says/, ko: /[가-힣]{2}/ };

for (const language of process.env.EVERY_MODE ? ["en", "ko"] : ["ko"]) {
  const seed = language === "en" ? 0 : 50;

  const uppy = (page, files, bundle = false) =>
    page.evaluate(
      async ({ files, bundle }) => {
        const { uppy } = window.recipe;
        uppy.getPlugin("XHRUpload").setOptions({ bundle });
        uppy.setMeta({ formId: "f-recipe" });
        for (const [name, bytes] of files) uppy.addFile({ name, type: "image/gif", data: window.fileOf(name, bytes) });
        const { successful, failed } = await uppy.upload();
        return {
          successful: successful.map(({ name, response }) => [name, [response.body.data].flat().map(({ key, formId }) => ({ key, formId }))]),
          failed: failed.map(({ name, error }) => ({ name, error })),
        };
      },
      { files, bundle },
    );

  test(`Uppy by the guide (${language}): sentences, renewed tokens, Retry-After, and no refused file twice`, async (t) => {
    const { page, asked } = await open(t, `/${language}/uppy`, [expired()]);
    const first = await uppy(page, [["하나.gif", [...gif(seed + 1)]], ["text.gif", TEXT], ["three.gif", [...gif(seed + 3)]]]);
    assert.deepEqual(first.successful.map(([name]) => name).sort(), ["three.gif", "하나.gif"]);
    for (const [, [{ key, formId }]] of first.successful) {
      assert.ok(server.objects().has(key));
      assert.equal(formId, "f-recipe");
    }
    assert.deepEqual(first.failed.map(({ name }) => name), ["text.gif"]);
    assert.match(first.failed[0].error, SENTENCE[language]);
    assert.equal(asked.count, 2, "all three share the renewed token");
    assert.deepEqual(proxy.uploads().map(({ status }) => status).sort(), [201, 201, 400, 401, 401, 401]);

    // With the next upload, Uppy tries all failed files again.
    proxy.fault = ({ method, path, nth }) => (method === "POST" && path === "/images" && nth === 7 ? busy : undefined);
    const second = await uppy(page, [["four.gif", [...gif(seed + 4)]]]);
    assert.deepEqual(second.successful.map(([name]) => name), ["four.gif"]);
    const uploads = proxy.uploads().slice(6);
    assert.deepEqual(uploads.map(({ status }) => status), [503, 201], "the refused file was not sent again");
    assert.ok(uploads[1].atMs - uploads[0].atMs >= 1_000);
    const again = await page.evaluate(async () => {
      const { uppy } = window.recipe;
      const { failed } = await uppy.retryAll();
      return failed.map(({ error }) => error);
    });
    assert.deepEqual(again, [first.failed[0].error]);
    assert.equal(proxy.uploads().length, 8);
  });

  test(`Uppy by the guide (${language}): each file of a bundle has its own result`, async (t) => {
    const { page } = await open(t, `/${language}/uppy`);
    const { successful, failed } = await uppy(page, [["one.gif", [...gif(seed + 11)]], ["text.gif", TEXT], ["two.gif", [...gif(seed + 12)]]], true);
    assert.deepEqual(proxy.uploads().map(({ status }) => status), [207]);
    assert.deepEqual(successful.map(([name]) => name), ["one.gif", "two.gif"]);
    assert.deepEqual(failed.map(({ name }) => name), ["text.gif"]);
    assert.match(failed[0].error, SENTENCE[language]);
    const again = await page.evaluate(() => window.recipe.uppy.retryAll().catch(({ message }) => message));
    assert.equal(again, failed[0].error);
    assert.equal(proxy.uploads().length, 1);
  });

  test(`Uppy by the guide (${language}): a back end without a token is an error, and the next attempt asks again`, async (t) => {
    const { page } = await open(t, `/${language}/uppy`);
    await page.route("**/api/image-token", (route) => route.fulfill({ status: 500, body: "<html>" }), { times: 1 });
    const file = ["one.gif", [...gif(seed + 13)]];
    const first = await uppy(page, [file]).catch(({ message }) => message);
    assert.match(typeof first === "string" ? first : JSON.stringify(first), /\(500\)/);
    assert.equal(proxy.uploads().length, 0);
    const key = await page.evaluate(async () => {
      const [{ id }] = window.recipe.uppy.getFiles();
      await window.recipe.uppy.retryUpload(id);
      return window.recipe.uppy.getFile(id).response.body.data.key;
    });
    assert.ok(server.objects().has(key));
  });

  test(`FilePond by the guide (${language}): sentences, renewed tokens, Retry-After, and no refused file twice`, async (t) => {
    const { page, asked } = await open(t, `/${language}/filepond`, [expired()]);
    proxy.fault = ({ method, path, nth }) => (method === "POST" && path === "/images" && nth === 2 ? busy : undefined);
    const { ends, again, sent } = await page.evaluate(
      async (files) => {
        const { pond } = window.recipe;
        const process = (id) => pond.processFile(id).then(({ serverId }) => ({ key: serverId }), ({ error }) => ({ error: error.body }));
        pond.setOptions({ instantUpload: false });
        const ends = [];
        for (const [name, bytes] of files) {
          const { id } = await pond.addFile(window.fileOf(name, bytes), { metadata: { formId: "f-recipe" } });
          ends.push({ id, ...(await process(id)) });
        }
        const again = await process(ends[1].id);
        return { ends, again, sent: new FormData(document.querySelector("form")).getAll("photo").filter(Boolean) };
      },
      [["하나.gif", [...gif(seed + 21)]], ["text.gif", TEXT], ["three.gif", [...gif(seed + 23)]]],
    );
    assert.ok(server.objects().has(ends[0].key), JSON.stringify(ends));
    assert.ok(server.objects().has(ends[2].key), JSON.stringify(ends));
    assert.match(ends[1].error, SENTENCE[language]);
    assert.equal(again.error, ends[1].error);
    assert.deepEqual(sent.sort(), [ends[0].key, ends[2].key].sort());
    assert.equal(asked.count, 2);
    const uploads = proxy.uploads();
    assert.deepEqual(uploads.map(({ status }) => status), [401, 503, 201, 400, 201]);
    assert.ok(uploads[2].atMs - uploads[1].atMs >= 1_000);
    const row = server.rows().find(({ key }) => key === ends[0].key);
    assert.deepEqual([row.form_id, row.original_name], ["f-recipe", "하나.gif"]);
    // The person sees the sentence.
    await page.locator(".filepond--file-status-main", { hasText: ends[1].error }).first().waitFor();
  });

  test(`FilePond by the guide (${language}): an aborted upload is not sent again`, async (t) => {
    const { page } = await open(t, `/${language}/filepond`);
    proxy.fault = ({ method, path }) => (method === "POST" && path === "/images" ? { hold: new Promise(() => {}) } : undefined);
    await page.evaluate(async (bytes) => {
      const { pond } = window.recipe;
      pond.setOptions({ instantUpload: false });
      window.added = await pond.addFile(window.fileOf("slow.gif", bytes));
      pond.processFile(window.added.id).catch(() => {});
    }, [...gif(seed + 31)]);
    await until(() => proxy.uploads().length > 0);
    await page.evaluate(() => window.added.abortProcessing());
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.equal(proxy.uploads().length, 1);
  });
}

const service = () => ({ Authorization: `Bearer ${server.token({ sub: "api", role: "SERVICE" })}`, "Content-Type": "application/json" });

test("by the guide with tickets: each file has its own, and a spent one is replaced", async (t) => {
  for (const name of ["uppy", "filepond"]) {
    const { page } = await open(t, `/en-tickets/${name}`);
    const sub = user();
    const asked = [];
    const spent = [];
    const ticketFor = async (picture) => {
      const answer = await fetch(`${server.url}/uploads/tickets`, { method: "POST", headers: service(), body: JSON.stringify({ ...picture, userId: sub }) });
      return (await answer.json()).data.ticket;
    };
    await page.route("**/api/image-ticket", async (route) => {
      const picture = route.request().postDataJSON();
      asked.push(picture);
      // The second was used for the first file.
      const body = asked.length === 2 ? spent[0] : await ticketFor(picture);
      spent.push(body);
      return route.fulfill({ body });
    });
    const seed = name === "uppy" ? 101 : 111;
    const keys = await page.evaluate(
      async ({ name, files }) => {
        const keys = [];
        for (const [file, bytes] of files) {
          const data = window.fileOf(file, bytes);
          if (name === "uppy") {
            window.recipe.uppy.setMeta({ formId: "f-recipe" });
            window.recipe.uppy.addFile({ name: file, type: "image/gif", data });
            const { successful } = await window.recipe.uppy.upload();
            keys.push(...successful.map(({ response }) => response.body.data.key));
          } else {
            window.recipe.pond.setOptions({ instantUpload: false });
            const { id } = await window.recipe.pond.addFile(data, { metadata: { formId: "f-recipe" } });
            keys.push((await window.recipe.pond.processFile(id)).serverId);
          }
        }
        return keys;
      },
      { name, files: [["one.gif", [...gif(seed)]], ["two.gif", [...gif(seed + 1)]]] },
    );
    assert.equal(keys.length, 2);
    assert.ok(keys.every((key) => key.startsWith(`users/${sub}/`) && server.objects().has(key)), keys.join());
    assert.deepEqual(asked[0], { formId: "f-recipe", contentType: "image/gif", maxBytes: gif(seed).length });
    assert.equal(asked.length, 3, "the spent one was replaced");
    assert.equal(await page.evaluate(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("image-token"))), false);
  }
});

test("by the guide with a form: people can choose what it takes, and its refusals are shown", async (t) => {
  const answer = await fetch(`${server.url}/forms/recipe`, { method: "PUT", headers: service(), body: JSON.stringify({ accept: ["image/gif"], maxFilesPerUser: 2, minWidth: 10, maxBytes: 2048 }) });
  assert.equal(answer.status, 201, await answer.text());
  const uppy = await open(t, "/ko/uppy");
  const [restrictions, error] = await uppy.page.evaluate(async (bytes) => {
    const { uppy, useForm } = window.recipe;
    await useForm("recipe");
    uppy.addFile({ name: "dot.gif", type: "image/gif", data: window.fileOf("dot.gif", bytes) });
    const { failed } = await uppy.upload();
    const { allowedFileTypes, maxFileSize, maxNumberOfFiles } = uppy.opts.restrictions;
    return [{ allowedFileTypes, maxFileSize, maxNumberOfFiles }, failed[0].error];
  }, [...gif(121)]);
  assert.deepEqual(restrictions, { allowedFileTypes: ["image/gif"], maxFileSize: 2048, maxNumberOfFiles: 2 });
  assert.match(error, /[가-힣].*10|10.*[가-힣]/);

  const pond = await open(t, "/en/filepond");
  const [maxFiles, sentence] = await pond.page.evaluate(async (bytes) => {
    const { pond, useForm } = window.recipe;
    pond.setOptions({ instantUpload: false });
    await useForm("recipe");
    const { id } = await pond.addFile(window.fileOf("dot.gif", bytes));
    const sentence = await pond.processFile(id).catch(({ error }) => error.body);
    return [pond.maxFiles, sentence];
  }, [...gif(122)]);
  assert.equal(maxFiles, 2);
  assert.match(sentence, /10/);
});
