// The imports of the browser package: folders import only those before them, and no two modules import each other, also by way of others.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const ROOT = "browser/js";
/** Each may import itself and those before it. The files beside the folders are the bottom, and the entries `index` and `worker` the top. */
const ORDER = [".", "preflight", "client", "offline", "uploader", "element", "adapters"];
const ENTRIES = ["index.ts", "worker.ts"];

const modules = globSync(`${ROOT}/**/*.ts`).map((path) => path.slice(ROOT.length + 1));
const imports = new Map(
  modules.map((path) => {
    const found = readFileSync(join(ROOT, path), "utf8").matchAll(/(?:from |import[ (])"(\.[^"]+)\.js"/g);
    return [path, [...found].map(([, target]) => `${normalize(join(dirname(path), target))}.ts`)];
  }),
);

/** The first path from a module back to itself. */
function cycle(path, trail = []) {
  if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
  for (const next of imports.get(path)) {
    const found = cycle(next, [...trail, path]);
    if (found) return found;
  }
  return undefined;
}

test("the folders of the browser package import only those before them", () => {
  assert.ok(modules.length > 20);
  const place = (path) => ORDER.indexOf(dirname(path));
  const wrong = [...imports].flatMap(([path, targets]) =>
    targets.filter((target) => !ENTRIES.includes(path) && (place(target) < 0 || place(target) > place(path))).map((target) => `${path} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test("no module of the browser package imports itself by way of others", () => {
  for (const path of modules) assert.equal(cycle(path)?.join(" → "), undefined);
});
