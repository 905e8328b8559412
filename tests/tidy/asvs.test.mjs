// docs/asvs.md: each requirement of the chapters in scope has one row, and what its row names exists.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(path, "utf8");
/** How many requirements each section of ASVS 5.0.0 has, in the chapters in scope. */
const SECTIONS = {
  2: [3, 3, 5, 2],
  3: [1, 3, 5, 8, 8, 1, 5],
  5: [1, 6, 3, 3],
  6: [3, 12, 8, 6, 8, 4, 2, 4],
  7: [3, 4, 2, 5, 3, 2],
  8: [4, 4, 3, 2],
  9: [3, 4],
  10: [2, 3, 5, 16, 5, 2, 3],
  11: [4, 5, 5, 4, 2, 2, 2],
  13: [4, 6, 4, 7],
  14: [2, 8, 3],
  15: [5, 5, 7, 4],
};
const STATUSES = ["met", "not met", "not applicable"];
const rows = [...read("docs/asvs.md").matchAll(/^\| (\d+\.\d+\.\d+) \| ([123]) \| ([^|]+) \| ([^|]+) \| (.+) \|$/gm)].map(([, id, level, what, status, why]) => ({ id, level: Number(level), what, status, why }));
/** A path, and after a colon a text that the file has. */
const named = (cell) => [...cell.matchAll(/`((?:\.make|browser|docs|edge|shared|tests|www)\/[^`:]+|Makefile|[\w-]+\.(?:md|toml))(?:: ([^`]+))?`/g)].map(([, path, text]) => ({ path, text }));

test("each requirement of the chapters in scope has one row, in order", () => {
  const wanted = Object.entries(SECTIONS).flatMap(([chapter, sections]) => sections.flatMap((count, at) => Array.from({ length: count }, (_, number) => `${chapter}.${at + 1}.${number + 1}`)));
  assert.equal(wanted.length, 258);
  assert.deepEqual(rows.map(({ id }) => id), wanted);
  for (const { id, status, why } of rows) {
    assert.ok(STATUSES.includes(status), `${id}: ${status}`);
    assert.ok(status !== "met" || named(why).length > 0, `${id} names no file`);
  }
});

test("each file that a row names exists and has the text", () => {
  const wrong = rows.flatMap(({ id, why }) =>
    named(why)
      .filter(({ path, text }) => !existsSync(path) || (text && (statSync(path).isDirectory() || !read(path).includes(text))))
      .map(({ path, text }) => `${id}: ${path}: ${text}`),
  );
  assert.deepEqual(wrong, []);
});

test("the sums at the top are those of the rows", () => {
  for (const status of STATUSES) {
    const counts = [1, 2, 3].map((level) => rows.filter((row) => row.status === status && row.level === level).length);
    assert.ok(read("docs/asvs.md").includes(`| ${status} | ${counts.join(" | ")} |`), `${status}: ${counts}`);
  }
});

test("no script of the pages or the package writes HTML", () => {
  for (const path of [...globSync("www/**/*.js", { exclude: ["**/node_modules/**"] }), ...globSync("browser/js/**/*.ts")]) {
    assert.doesNotMatch(read(path), /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc)\b/, path);
  }
});
