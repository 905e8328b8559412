// The survey back end of docs/integrate.md, unchanged, against the built Worker: it creates a form, takes the pictures of two respondents and a guest
// through the element, keeps them when the answers are sent, lists them, erases one respondent and closes the form. And the recipes for pictures of
// answers that are never sent.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

import { openPage } from "./browser.mjs";
import { blocks } from "./examples.mjs";
import { png } from "./pictures.mjs";
import { setUp, until } from "./proxy.mjs";

const GUIDES = ["docs/integrate.md", "docs/ko/integrate.md"];
const FILES = ["survey.js", "answers.js"];
const POLICY = { accept: ["image/jpeg", "image/png"], minWidth: 200, minHeight: 200, aspectRatio: "1:1", maxFilesPerUser: 2 };

const { server, proxy, browser, fileOf } = await setUp({ vars: { PENDING_ROLES: "USER,GUEST" } });
const folder = mkdtempSync(join(tmpdir(), "the-form-survey-"));
mkdirSync(join(folder, "node_modules/@the-form"), { recursive: true });
symlinkSync(resolve("target/server"), join(folder, "node_modules/@the-form/server"));
after(() => rmSync(folder, { recursive: true, force: true }));
const code = (path, name) => blocks(path).find(({ text }) => text.startsWith(`// ${name}\n`)).text;
for (const name of FILES) writeFileSync(join(folder, name), code(GUIDES[0], name));
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
Object.assign(process.env, { EDGE: server.url, AUTH_HS256_SECRET: server.secret });
const survey = await import(pathToFileURL(join(folder, "survey.js")));
const answers = await import(pathToFileURL(join(folder, "answers.js")));

test("both guides have the same code", () => {
  const bare = (text) => text.replaceAll(/^\/\*\*.*\*\/$/gm, "").replaceAll(/"[^"\n]*\."/g, '"…"');
  for (const name of FILES) assert.equal(bare(code(GUIDES[1], name)), bare(code(GUIDES[0], name)), name);
});

/** A person opens the page of the survey, adds a square picture and does not send the answer yet. */
async function fill(t, formId, { user, number }) {
  const { page } = await openPage(t, browser, { locale: "en-US" });
  await page.exposeFunction("tokenFor", () => survey.tokenFor(user));
  proxy.pages.set("/survey", {
    html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Survey</title><form><label for="photos">You</label>
      <image-upload id="photos" name="photos" form-id="${formId}" required></image-upload><button>Send</button></form><script type="module">
      import "/preflight/element/index.js";
      import { guestToken } from "/preflight/index.js";
      document.querySelector("image-upload").token = ${user ? "() => window.tokenFor()" : 'guestToken("")'};
      document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());</script>`,
  });
  await page.goto(`${proxy.url}/survey`);
  await page.locator("image-upload [part=types]", { hasText: "square" }).waitFor();
  await page.locator("image-upload input[type=file]").first().setInputFiles(fileOf(`${number}.png`, png(300 + number, 300 + number)));
  await page.waitForFunction(() => document.querySelector("image-upload").value.length === 1);
  return page;
}

/** The keys that the page sends with the answer. */
async function send(page) {
  await page.locator("button", { hasText: "Send" }).click();
  return page.evaluate(() => new FormData(document.querySelector("form")).getAll("photos"));
}

const keysOf = (images) => images.map(({ key }) => key).sort();

test("a survey: a form, two respondents and a guest, a list, an erasure, and the end", async (t) => {
  const formId = "stay";
  await survey.openForm(formId, POLICY);
  const kept = { ann: [], ben: [], "answer-1": [] };
  kept.ann = await send(await fill(t, formId, { user: "ann", number: 1 }));
  await answers.userAnswered("ann", kept.ann);
  kept.ben = await send(await fill(t, formId, { user: "ben", number: 2 }));
  await answers.userAnswered("ben", kept.ben);
  kept["answer-1"] = await send(await fill(t, formId, { number: 3 }));
  assert.match(kept["answer-1"][0], /^users\/guest-/);
  await answers.guestAnswered("answer-1", kept["answer-1"]);

  const listed = await survey.pictures(formId);
  assert.deepEqual(keysOf(listed), Object.values(kept).flat().sort());
  assert.deepEqual(listed.map(({ userId }) => userId).sort(), ["ann", "answer-1", "ben"]);

  await survey.erase("ann");
  assert.deepEqual(keysOf(await survey.pictures(formId)), [...kept.ben, ...kept["answer-1"]].sort());
  assert.ok(!server.objects().has(kept.ann[0]), "the object is gone");
  // The answer of the guest can be erased by its id, although its key has the name of the guest.
  await survey.erase("answer-1");
  assert.deepEqual(keysOf(await survey.pictures(formId)), kept.ben);

  const { closesAt } = await survey.closeForm(formId);
  assert.ok(Date.parse(closesAt) <= Date.now() + 1_000, closesAt);
  assert.deepEqual(keysOf(await survey.pictures(formId)), kept.ben, "a closed form keeps its pictures");
  const headers = { Authorization: `Bearer ${await survey.tokenFor("cat")}` };
  const body = new FormData();
  body.append("formId", formId);
  body.append("image", new File([png(310, 310)], "late.png", { type: "image/png" }));
  assert.equal((await (await fetch(`${server.url}/images`, { method: "POST", headers, body })).json()).code, "FORM_CLOSED");
});

test("pictures of an answer that is never sent expire; those of one that is sent stay", async (t) => {
  const formId = "diary";
  await survey.openForm(formId, { ...POLICY, pendingSeconds: 8 });
  const sent = { dan: await fill(t, formId, { user: "dan", number: 11 }), guest: await fill(t, formId, { number: 12 }) };
  const never = await fill(t, formId, { user: "eve", number: 13 });
  const [lost] = await never.evaluate(() => document.querySelector("image-upload").value);
  // The tab is closed without sending.
  await never.close();
  const dans = await send(sent.dan);
  const guests = await send(sent.guest);
  await answers.userAnswered("dan", dans);
  await answers.guestAnswered("answer-2", guests);
  await until(() => !server.objects().has(lost));
  assert.ok([...dans, ...guests].every((key) => server.objects().has(key)));
  assert.deepEqual(keysOf(await survey.pictures(formId)), [...dans, ...guests].sort());
  await assert.rejects(answers.userAnswered("eve", [lost]), /IMAGE_NOT_FOUND/);
  assert.throws(() => answers.userAnswered("eve", dans), /another person/);
});
