// The folders of the browser package import only those before them. Cycles are found by imports.test.mjs.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const ROOT = "browser/js";
/** Each may import itself and those before it. The files beside the folders are the bottom, and the entries `index` and `worker` the top. */
const ORDER = [".", "preflight", "client", "offline", "uploader", "element", "adapters", "frameworks"];
const ENTRIES = ["index.ts", "worker.ts"];

test("the folders of the browser package import only those before them", () => {
  const modules = globSync(`${ROOT}/**/*.ts`).map((path) => path.slice(ROOT.length + 1));
  assert.ok(modules.length > 20);
  const rank = (path) => ORDER.indexOf(dirname(path));
  const wrong = modules.flatMap((path) => {
    const found = readFileSync(join(ROOT, path), "utf8").matchAll(/(?:from |import[ (])"(\.[^"]+)\.js"/g);
    const targets = [...found].map(([, target]) => `${normalize(join(dirname(path), target))}.ts`);
    return targets.filter((target) => !ENTRIES.includes(path) && (rank(target) < 0 || rank(target) > rank(path))).map((target) => `${path} imports ${target}`);
  });
  assert.deepEqual(wrong, []);
});
