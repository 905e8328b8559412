// No import cycles: neither between sibling modules of a crate nor between files and folders of the browser package. The
// check itself is tested on small trees first.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { crateRoots, workspaceCycles } from "./import_cycles.mjs";

/** The cycles of a workspace of one crate, `edge/api`, with these files; `browser/js` may be among them. */
function cyclesOf(t, files) {
  const folder = mkdtempSync(join(tmpdir(), "the-form-imports-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const all = { "Cargo.toml": '[workspace]\nmembers = [\n    "edge/*",\n]\nresolver = "3"\n', "edge/api/src/lib.rs": "", ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return workspaceCycles(folder);
}

/** Two modules at the top of the crate: their sources. */
const pair = (a, b, lib = "mod a;\nmod b;\n") => ({ "edge/api/src/lib.rs": lib, "edge/api/src/a.rs": a, "edge/api/src/b.rs": b });

const CYCLE = {
  "a use of each other": pair("use crate::b::B;\npub struct A;", "use crate::a::A;\npub struct B;"),
  "paths without use": pair("pub fn a() { crate::b::b() }", "pub fn b() { super::a::a() }"),
  "nested braces over many lines, and a rename": pair("use crate::{\n    b::{\n        B as Other,\n    },\n};\npub struct A;", "use super::{a::{self, A}};\npub struct B;"),
  "a glob": pair("use crate::b::*;\npub struct A;", "use crate::a::A;\npub struct B;"),
  "re-exports of the crate": pair("use crate::B;\npub struct A;", "use crate::A;\npub struct B;", "mod a;\nmod b;\npub use a::A;\npub use b::*;\n"),
  "a path in an attribute": pair('#[serde(with = "crate::b")]\npub struct A;', "use crate::a::A;"),
  "what stands behind strings, characters, lifetimes and comments": pair(
    '/* /* nested */ " */\nconst R: &str = r#"a"b"c"#;\nuse crate::b::B;\npub struct A;\nconst Z: &str = "";',
    "const Q: char = '\"';\nfn f<'a>(it: &'a str) -> &'a str { it }\nuse crate::a::A;\npub struct B;\nconst T: &str = \"\\\"/*\"; // \" \nfn g() { super::a::a() }",
  ),
  "code after test code": pair("#[cfg(test)]\nuse std::fmt;\nuse crate::b::B;\npub struct A;", "#[cfg(not(test))]\nuse crate::a::A;\npub struct B;"),
  "inline modules": { "edge/api/src/lib.rs": "mod a {\n  pub struct A(super::b::B);\n}\nmod b {\n  pub struct B;\n  use super::a::A;\n}\n" },
  "files of a folder": {
    "edge/api/src/lib.rs": "mod folder;",
    "edge/api/src/folder/mod.rs": "mod one;\nmod two;",
    "edge/api/src/folder/one.rs": "use super::two::Two;\npub struct One;",
    "edge/api/src/folder/two.rs": "use crate::folder::one::One;\npub struct Two;",
  },
  "folders, by different files": {
    "edge/api/src/lib.rs": "mod one;\nmod two;",
    "edge/api/src/one.rs": "mod x;\npub mod y;",
    "edge/api/src/one/x.rs": "use crate::two::Two;",
    "edge/api/src/one/y.rs": "pub struct Y;",
    "edge/api/src/two.rs": "use crate::one::y::Y;\npub struct Two;",
  },
  "three files of TypeScript": {
    "browser/js/a.ts": 'import {\n  b,\n} from "./b.js";',
    "browser/js/b.ts": 'export * from "./c.ts";',
    "browser/js/c.ts": 'export const c = await import("./a.ts");',
  },
  "types of TypeScript": { "browser/js/a.ts": 'import type { B } from "./b.ts";', "browser/js/b.ts": "const it = /[\"/]/;\nimport './a.ts';" },
  "folders of TypeScript": {
    "browser/js/x/one.ts": 'import { two } from "../two.ts";',
    "browser/js/x/other.ts": "export const other = 1;",
    "browser/js/two.ts": 'import { other } from "./x/other.ts";',
  },
};

for (const [name, files] of Object.entries(CYCLE)) {
  test(`a cycle is found: ${name}`, (t) => {
    const found = cyclesOf(t, files);
    assert.equal(found.length, 1, found.join("\n"));
  });
}

const NO_CYCLE = {
  "one direction": pair("use crate::b::B;\npub struct A;", "pub struct B;"),
  "parent and child": { "edge/api/src/lib.rs": "mod a;\npub struct Root;\npub use a::A;", "edge/api/src/a.rs": "use crate::Root;\npub struct A;" },
  "test code": pair(
    "use crate::b::B;\npub struct A;",
    '#[cfg(any(test, feature = "testing"))]\nuse crate::a::A as Fake;\npub struct B;\n#[test]\nfn f() { crate::a::A; }\n#[cfg(test)]\nmod tests {\n  use crate::a::A;\n}\nfn g() {\n  #[cfg(test)]\n  crate::a::call();\n}',
  ),
  "a module of tests and one of fakes": {
    ...pair("use crate::b::B;\npub struct A;", "pub struct B;", 'mod a;\nmod b;\n#[cfg(test)]\nmod tests;\n#[cfg(any(test, feature = "testing"))]\npub mod testing;\n'),
    "edge/api/src/tests.rs": "use crate::a::A;",
    "edge/api/src/testing.rs": "use crate::a::A;",
  },
  "comments and strings": pair("use crate::b::B;\npub struct A;", '//! [`crate::a`]\n/// See crate::a::A.\n/* use crate::a::A; */\nconst T: &str = "use crate::a::A;";\npub struct B;'),
  "crates of the same name as a method": pair("use crate::b::B;\npub struct A;", "use a_crate::a;\nfn f(it: X) { it.a::<u8>(); other::a::b(); }\npub struct B;"),
  "comments and strings of TypeScript": {
    "browser/js/a.ts": 'import { b } from "./b.ts";',
    "browser/js/b.ts": '// import { a } from "./a.ts";\n/* import "./a.ts"; */\nconst it = `import "./a.ts"`;\nimport outside from "a";\nconst text = "from \'./a.ts\'";',
  },
};

for (const [name, files] of Object.entries(NO_CYCLE)) test(`no cycle is found: ${name}`, (t) => assert.deepEqual(cyclesOf(t, files), []));

test("a cycle is described by its modules, files and lines", (t) => {
  const [text] = cyclesOf(t, pair("\nuse crate::b::{\n    B,\n};\npub struct A;", "use crate::a::A;\npub struct B;"));
  assert.equal(text, "a → b → a (in edge/api/src)\n  a → b: edge/api/src/a.rs:3\n  b → a: edge/api/src/b.rs:1");
});

test("the crates and the browser package have no import cycle", () => {
  assert.ok(crateRoots(".").length >= 3);
  assert.equal(workspaceCycles(".").join("\n"), "");
});
