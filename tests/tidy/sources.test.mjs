// Rules of the source tree: which crate may depend on which, and what every file has.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" })
  .split("\n")
  .filter((path) => path && existsSync(path));
const read = (path) => readFileSync(path, "utf8");
const rust = tracked.filter((path) => /^(shared|browser|edge\/\w+)\/src\/.*\.rs$/.test(path));

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

/** The names of the crates that a Cargo.toml depends on, without dev-dependencies. */
function dependencies(manifest) {
  const sections = read(manifest).split(/^\[/m);
  return sections
    .filter((section) => /^(target\..*\.)?dependencies\]/.test(section))
    .flatMap((section) => [...section.matchAll(/^([\w-]+)\s*=/gm)].map(([, name]) => name));
}

/** The crates of the edge in order: each may use those before it, and only the last uses Workers. */
const LAYERS = ["heap", "types", "auth", "storage", "registry", "ledger", "api", "worker"];
const PACKAGES = { ...Object.fromEntries(LAYERS.map((name) => [`edge/${name}`, name === "worker" ? "image-edge" : `edge-${name}`])), shared: "image-rules", browser: "preflight" };

test("crates depend on the layers below them only", () => {
  const members = [...read("Cargo.toml").matchAll(/^ {4}"((?:edge\/)?\w+)",$/gm)].map(([, member]) => member);
  assert.deepEqual(members.sort(), Object.keys(PACKAGES).sort());
  for (const [folder, name] of Object.entries(PACKAGES)) {
    assert.match(read(`${folder}/Cargo.toml`), new RegExp(`^name = "${name}"$`, "m"));
    const own = LAYERS.indexOf(folder.replace("edge/", ""));
    const below = LAYERS.slice(0, Math.max(own, 0)).map((layer) => PACKAGES[`edge/${layer}`]);
    const allowed = folder === "shared" ? [] : [PACKAGES.shared, ...below];
    const ours = dependencies(`${folder}/Cargo.toml`).filter((it) => Object.values(PACKAGES).includes(it));
    assert.deepEqual(ours.filter((it) => !allowed.includes(it)), [], folder);
  }
});

test("only edge/worker uses Workers and JavaScript bindings", () => {
  const others = LAYERS.slice(0, -1).map((layer) => `edge/${layer}`);
  const foreign = ["worker", "worker-macros", "js-sys", "web-sys", "wasm-bindgen", "wasm-bindgen-futures"];
  for (const folder of others) assert.deepEqual(dependencies(`${folder}/Cargo.toml`).filter((it) => foreign.includes(it)), [], folder);
  const sources = rust.filter((path) => others.some((folder) => path.startsWith(`${folder}/`)));
  assert.ok(sources.length > 50);
  assert.deepEqual(hits(sources, /\bworker::|\bjs_sys\b|\bweb_sys\b|\bwasm_bindgen\b/), []);
});

test("only the dispatcher authenticates and authorizes", () => {
  const others = rust.filter((path) => path.startsWith("edge/api/src/") && !/^edge\/api\/src\/(dispatch\/|admission\b)/.test(path));
  assert.ok(others.length > 30);
  assert.deepEqual(hits(others, /\bauthorize(_upload)?\(|\bendpoint::rights\b/), []);
});

test("shared uses no HTTP, clock, randomness or JavaScript", () => {
  const banned = ["http", "worker", "wasm-bindgen", "js-sys", "web-sys", "getrandom", "rand", "chrono", "time"];
  assert.deepEqual(dependencies("shared/Cargo.toml").filter((name) => banned.includes(name)), []);
  const paths = rust.filter((path) => path.startsWith("shared/src/"));
  assert.deepEqual(hits(paths, /\bstd::(time|net|fs|thread|env|process)\b/), []);
});

test("resizing and orientation need no feature, so the build without std in make check compiles them", () => {
  assert.match(read("shared/src/lib.rs"), /^pub mod plan;\npub mod raster;$/m);
  assert.deepEqual(hits(rust.filter((path) => path.startsWith("shared/src/raster/")), /cfg\(feature|\bstd::/), []);
});

test("every Rust file begins with a description", () => {
  assert.deepEqual(rust.filter((path) => !read(path).startsWith("//!")), []);
});

test("every script begins with a description", () => {
  const scripts = tracked.filter((path) => /\.(ts|mjs|js|sh|py)$/.test(path) && path !== "browser/js/codes.ts");
  const opens = (path) => /^(#!.*\n)?(\/\/|#|"""|\/\*)/.test(read(path));
  assert.deepEqual(scripts.filter((path) => !opens(path)), []);
});

test("no file has a TODO, and no secret or build product is tracked", () => {
  const text = tracked.filter((path) => /\.(rs|ts|mjs|js|css|html|md|toml|sh|py|yml|json|sql|mk)$|^Makefile$/.test(path));
  const own = "tests/tidy/sources.test.mjs";
  assert.deepEqual(hits(text.filter((path) => path !== own), /\b(TODO|FIXME|XXX|HACK)\b/), []);
  assert.deepEqual(tracked.filter((path) => /\.wasm$|(^|\/)node_modules\/|^target\/|\.dev\.vars$/.test(path)), []);
});

test("long files are reported", (t) => {
  const LONG_LINES = 600;
  // Tables of a specification are data.
  for (const path of rust.filter((path) => !path.endsWith("/tables.rs"))) {
    const lines = read(path).split("\n").length;
    if (lines > LONG_LINES) t.diagnostic(`warning: ${path} has ${lines} lines`);
  }
});

test("every fixture is credited", () => {
  // A range such as `orientation-1.jpg … orientation-8.jpg` credits all files between.
  const credits = read("tests/fixtures/CREDITS.md").replace(/`(\S+?)(\d)(\.\w+)` … `\1(\d)\3`/g, (_, start, first, end, last) => {
    const between = Array.from({ length: last - first + 1 }, (_, index) => `\`${start}${Number(first) + index}${end}\``);
    return between.join(", ");
  });
  const fixtures = tracked.filter((path) => /^tests\/fixtures\/.*\.(jpe?g|png|gif|webp)$/.test(path));
  assert.ok(fixtures.length > 0);
  assert.deepEqual(fixtures.filter((path) => !credits.includes(`\`${path.split("/").at(-1)}\``)), []);
});
