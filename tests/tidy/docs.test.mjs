// The documents keep up with what they tell of: every code, every link, every file they name.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const read = (path) => readFileSync(path, "utf8");
const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...globSync("docs/**/*.md")];
const codes = [...read("browser/js/codes.ts").matchAll(/^ {2}([A-Z_]+): \{$/gm)].map(([, code]) => code);
const description = JSON.parse(read("www/openapi.json"));

test("every code has an entry in both languages, and nothing else has", () => {
  assert.ok(codes.length > 20);
  for (const path of ["docs/troubleshoot.md", "docs/ko/troubleshoot.md"]) {
    const entries = read(path).split(/^### /m).slice(1);
    assert.deepEqual(entries.map((entry) => entry.split("\n")[0]).sort(), [...codes].sort(), path);
    // What happened and what to do.
    for (const entry of entries) assert.equal(entry.match(/^\*\*[^*]+\*\* \S.{9,}/gm)?.length, 2, `${path}: ${entry.split("\n")[0]}`);
  }
});

test("the description of the API has every code, and its page every word in both languages", async () => {
  assert.deepEqual(description.components.schemas.Code.enum, codes);
  const words = (texts) => Object.keys(texts).sort();
  const { TEXTS } = await import("../../www/api/texts.js");
  assert.deepEqual(words(TEXTS.en), words(TEXTS.ko));
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const at = `${method} ${path}`;
      for (const name of ["summary", "description"]) assert.match(operation["x-ko"][name], /[가-힣]/, at);
      for (const parameter of operation.parameters ?? []) assert.match(parameter.$ref ? "가" : parameter["x-ko"], /[가-힣]/, `${at}: ${parameter.name}`);
      assert.ok(operation["x-codeSamples"]?.[0].source.startsWith("curl "), at);
    }
  }
});

test("every operation has a name of its own, and every reference leads somewhere", () => {
  const names = Object.values(description.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  assert.equal(new Set(names).size, names.length);
  for (const [, path] of read("www/openapi.json").matchAll(/"\$ref": "#\/([^"]+)"/g)) {
    assert.ok(path.split("/").reduce((at, name) => at?.[name], description), path);
  }
});

test("links and the files that documents name are there", () => {
  const missing = documents.flatMap((path) => {
    // What is in a code block is an example.
    const text = read(path).replaceAll(/^```[\s\S]*?^```/gm, "");
    const links = [...text.matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)].map(([, link]) => link).filter((link) => !/^https?:/.test(link));
    const named = path === "docs/security.md" ? [...text.matchAll(/`((?:edge|shared|browser|tests)\/[\w./-]+)`/g)].map(([, file]) => join("../", file)) : [];
    return [...links, ...named].filter((link) => !existsSync(join(dirname(path), link))).map((link) => `${path}: ${link}`);
  });
  assert.deepEqual(missing, []);
});

test("a page that is there in Korean says so, and the other way round", () => {
  for (const path of globSync("docs/ko/*.md")) {
    const name = path.split("/").at(-1);
    assert.ok(read(path).includes(`[English](../${name})`), path);
    assert.ok(read(`docs/${name}`).includes(`[한국어](ko/${name})`), name);
  }
});

test("what is copied into other people's consoles is well-formed", () => {
  for (const path of globSync("docs/deploy/*.json")) {
    const { Version, Statement, rules } = JSON.parse(read(path));
    assert.ok(rules?.length > 0 || (Version === "2012-10-17" && Statement.length > 0), path);
    for (const { Effect, Action, Resource, Principal, NotPrincipal } of Statement ?? []) {
      assert.match(Effect, /^(Allow|Deny)$/, path);
      for (const action of [Action].flat()) assert.match(action, /^s3:(\*|[A-Z]\w+)$/, path);
      for (const resource of [Resource].flat()) assert.match(resource, /^arn:aws:s3:::the-form-images(\/|$)/, path);
      // A policy of a bucket names whom it is about, one of a user does not.
      assert.equal(Boolean(Principal ?? NotPrincipal), path.includes("bucket-policy"), path);
      if (Effect === "Allow" && Principal === "*") assert.deepEqual([Action, Resource], ["s3:GetObject", "arn:aws:s3:::the-form-images/users/*/images/*"]);
    }
  }
});
