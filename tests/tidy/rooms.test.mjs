// The rooms keep to their rules: who may know whom, and what a file owes its reader.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" })
  .split("\n")
  .filter(Boolean);
const read = (path) => readFileSync(path, "utf8");
const rust = tracked.filter((path) => /^(shared|edge|browser)\/src\/.*\.rs$/.test(path));

/** Lines of `paths` that match `pattern`, as `path:line text`. */
function hits(paths, pattern) {
  return paths.flatMap((path) =>
    read(path)
      .split("\n")
      .map((text, index) => ({ text, at: `${path}:${index + 1} ${text.trim()}` }))
      .filter(({ text }) => pattern.test(text))
      .map(({ at }) => at),
  );
}

/** The names of the crates that a Cargo.toml depends on, tests' needs left aside. */
function dependencies(manifest) {
  const sections = read(manifest).split(/^\[/m);
  return sections
    .filter((section) => /^(target\..*\.)?dependencies\]/.test(section))
    .flatMap((section) => [...section.matchAll(/^([\w-]+)\s*=/gm)].map(([, name]) => name));
}

test("the platform is known to edge/src/platform and edge/src/lib.rs only", () => {
  const others = rust.filter((path) => path.startsWith("edge/src/") && !/^edge\/src\/(platform\/|lib\.rs|log\.rs)/.test(path));
  assert.deepEqual(hits(others, /\bworker::|\bjs_sys\b|\bweb_sys\b|\bwasm_bindgen\b/), []);
});

test("no room of the edge reaches into the platform", () => {
  const others = rust.filter((path) => path.startsWith("edge/src/") && !/^edge\/src\/(platform\/|lib\.rs)/.test(path));
  assert.deepEqual(hits(others, /\bplatform::/), []);
});

test("edge and browser depend on shared, and on nothing else of ours", () => {
  const ours = ["image-edge", "image-rules", "preflight"];
  const known = (manifest) => dependencies(manifest).filter((name) => ours.includes(name));
  assert.deepEqual(known("edge/Cargo.toml"), ["image-rules"]);
  assert.deepEqual(known("browser/Cargo.toml"), ["image-rules"]);
  assert.deepEqual(known("shared/Cargo.toml"), []);
});

test("shared knows no HTTP, no clock, no randomness and no JavaScript", () => {
  const banned = ["http", "worker", "wasm-bindgen", "js-sys", "web-sys", "getrandom", "rand", "chrono", "time"];
  assert.deepEqual(dependencies("shared/Cargo.toml").filter((name) => banned.includes(name)), []);
  const paths = rust.filter((path) => path.startsWith("shared/src/"));
  assert.deepEqual(hits(paths, /\bstd::(time|net|fs|thread|env|process)\b/), []);
});

test("resizing and orientation need no feature, so the build without std in make check compiles them", () => {
  assert.match(read("shared/src/lib.rs"), /^pub mod plan;\npub mod raster;$/m);
  assert.deepEqual(hits(rust.filter((path) => path.startsWith("shared/src/raster/")), /cfg\(feature|\bstd::/), []);
});

test("the domain rooms of the edge do not reach into each other's insides", () => {
  const rooms = ["accounts", "auth", "intake", "registry", "storage", "ledger"];
  for (const room of rooms) {
    const paths = rust.filter((path) => path.startsWith(`edge/src/${room}/`));
    const others = rooms.filter((other) => other !== room).join("|");
    assert.deepEqual(hits(paths, new RegExp(`crate::(${others})::[a-z_]+::`)), [], room);
  }
});

test("every Rust file opens by saying what it does", () => {
  assert.deepEqual(rust.filter((path) => !read(path).startsWith("//!")), []);
});

test("every script opens by saying what it does", () => {
  const scripts = tracked.filter((path) => /\.(ts|mjs|js|sh|py)$/.test(path) && path !== "browser/js/codes.ts");
  const opens = (path) => /^(#!.*\n)?(\/\/|#|"""|\/\*)/.test(read(path));
  assert.deepEqual(scripts.filter((path) => !opens(path)), []);
});

test("nothing is left for later, and nothing secret or built is in the tree", () => {
  const text = tracked.filter((path) => /\.(rs|ts|mjs|js|css|html|md|toml|sh|py|yml|json|sql)$|^Makefile$/.test(path));
  const own = "tests/tidy/rooms.test.mjs";
  assert.deepEqual(hits(text.filter((path) => path !== own), /\b(TODO|FIXME|XXX|HACK)\b/), []);
  assert.deepEqual(tracked.filter((path) => /\.wasm$|(^|\/)node_modules\/|^target\/|\.dev\.vars$/.test(path)), []);
});

test("long files are named, as a warning: length follows the subject", (t) => {
  for (const path of rust) {
    const lines = read(path).split("\n").length;
    if (lines > 600) t.diagnostic(`warning: ${path} has ${lines} lines`);
  }
});

test("every fixture is credited", () => {
  // A range such as `orientation-1.jpg … orientation-8.jpg` credits all that lie between.
  const credits = read("tests/fixtures/CREDITS.md").replace(/`(\S+?)(\d)(\.\w+)` … `\1(\d)\3`/g, (_, start, first, end, last) => {
    const between = Array.from({ length: last - first + 1 }, (_, index) => `\`${start}${Number(first) + index}${end}\``);
    return between.join(", ");
  });
  const fixtures = tracked.filter((path) => /^tests\/fixtures\/.*\.(jpe?g|png|gif|webp)$/.test(path));
  assert.ok(fixtures.length > 0);
  assert.deepEqual(fixtures.filter((path) => !credits.includes(`\`${path.split("/").at(-1)}\``)), []);
});
