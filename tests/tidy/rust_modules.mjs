// Reads the module tree of a Rust crate and the paths by which its modules use each other. Test code is left out.
//
// This is a scanner, not a compiler: it follows `use`, `mod` and written paths, and does not see methods or inferred types.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const CLOSING = { "(": ")", "[": "]", "{": "}" };
/** Strings (raw ones, too), characters beside lifetimes, identifiers, `::`, and single characters of all else. */
const TOKEN =
  /(?<space>\s+)|(?<line>\/\/[^\n]*)|(?<block>\/\*)|(?<raw>b?c?r(?<hashes>#*)")|(?<text>[bc]?"(?:[^"\\]|\\[^])*")|(?<character>b?'(?:[^'\\\n]|\\(?:u\{[^}]*\}|x..|.))')|(?<lifetime>'\w+)|(?<name>(?:r#)?[A-Za-z_]\w*)|(?<path>::)|(?<other>[^])/gyu;

/** The tokens of a source without comments, each with its line. */
export function tokens(source) {
  const found = [];
  let [line, at] = [1, 0];
  while (at < source.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    const { block, raw, hashes, text, name, path, other } = match.groups;
    let end = TOKEN.lastIndex;
    if (block) end = endOfComment(source, at);
    if (raw) end = endOf(source, `"${hashes}`, end);
    if (text || raw) found.push({ kind: "text", value: source.slice(source.indexOf('"', at) + 1, end - 1 - (hashes?.length ?? 0)), line });
    if (name) found.push({ kind: "name", value: name.replace("r#", ""), line });
    if (path || other) found.push({ kind: path ?? other, line });
    line += source.slice(at, end).split("\n").length - 1;
    at = end;
  }
  return found;
}

function endOf(source, mark, from) {
  const at = source.indexOf(mark, from);
  return at < 0 ? source.length : at + mark.length;
}

/** Block comments nest. */
function endOfComment(source, from) {
  let depth = 0;
  for (const { 0: mark, index } of source.slice(from).matchAll(/\/\*|\*\//g)) {
    depth += mark === "/*" ? 1 : -1;
    if (depth === 0) return from + index + 2;
  }
  return source.length;
}

/** The index after the bracket that closes the one at `at`. */
function afterGroup(list, at) {
  let depth = 0;
  for (let index = at; index < list.length; index += 1) {
    if (list[index].kind in CLOSING) depth += 1;
    if (Object.values(CLOSING).includes(list[index].kind)) depth -= 1;
    if (depth === 0) return index + 1;
  }
  return list.length;
}

/** Whether a `cfg` holds in tests only, such as `test` and `any(test, feature = "testing")`. */
function isTestOnly(list) {
  const [first, second] = list;
  if (first?.value === "test" && list.length === 1) return true;
  if (first?.value === "feature" && second?.kind === "=") return list[2]?.value === "testing";
  const parts = () => split(list.slice(2, -1)).map(isTestOnly);
  if (first?.value === "any" && second?.kind === "(") return parts().every(Boolean);
  if (first?.value === "all" && second?.kind === "(") return parts().some(Boolean);
  return false;
}

function split(list) {
  const parts = [[]];
  for (let at = 0; at < list.length; ) {
    const end = list[at].kind in CLOSING ? afterGroup(list, at) : at + 1;
    if (list[at].kind === ",") parts.push([]);
    else parts.at(-1).push(...list.slice(at, end));
    at = end;
  }
  return parts.filter((part) => part.length > 0);
}

/** What stands between the brackets of an attribute marks test code. */
function marksTest(inside) {
  if (inside[0]?.value === "cfg") return isTestOnly(inside.slice(2, -1));
  return inside.length === 1 && /^(test|bench|wasm_bindgen_test)$/.test(inside[0].value ?? "");
}

const ITEM = /^(fn|impl|struct|enum|union|trait|mod|use|const|static|type|unsafe|async|extern|macro_rules|let)$/;

/** The index after the item, statement, field, variant or arm that begins at `at`. */
function afterItem(list, at) {
  let index = at;
  while (list[index]?.kind === "#") index = afterGroup(list, index + 1);
  if (list[index]?.value === "pub") index = list[index + 1]?.kind === "(" ? afterGroup(list, index + 1) : index + 1;
  const isItem = ITEM.test(list[index]?.value ?? "");
  while (index < list.length) {
    const { kind } = list[index];
    if (Object.values(CLOSING).includes(kind)) return index;
    if (kind === ";" || (kind === "," && !isItem)) return index + 1;
    const next = kind in CLOSING ? afterGroup(list, index) : index + 1;
    const goesOn = list[next]?.value === "else" || [".", "?"].includes(list[next]?.kind);
    if (kind === "{" && !goesOn) return next;
    index = next;
  }
  return index;
}

/** The tokens without test code; nothing when the whole file is test code. */
export function withoutTests(list) {
  const kept = [];
  for (let at = 0; at < list.length; ) {
    const isInner = list[at + 1]?.kind === "!";
    const open = at + (isInner ? 2 : 1);
    if (list[at].kind === "#" && list[open]?.kind === "[") {
      const end = afterGroup(list, open);
      if (marksTest(list.slice(open + 1, end - 1))) {
        if (isInner) return [];
        at = afterItem(list, end);
        continue;
      }
    }
    kept.push(list[at]);
    at += 1;
  }
  return kept;
}

/** The paths of a use tree, each as `{ segments, name, line }`; `name` is `*` for all. */
function useTree(list, at, before, paths) {
  const segments = [...before];
  let index = at;
  let line = list[at]?.line;
  while (index < list.length) {
    const { kind, value } = list[index];
    if (kind === "{") {
      const end = afterGroup(list, index);
      for (const part of split(list.slice(index + 1, end - 1))) useTree(part, 0, segments, paths);
      return end;
    }
    if (kind === "*") {
      paths.push({ segments, name: "*", line: list[index].line });
      return index + 1;
    }
    if (kind === "name" && value === "as") {
      paths.push({ segments, name: list[index + 1]?.value, line });
      return index + 2;
    }
    if (kind === "name") {
      segments.push(value);
      line = list[index].line;
    } else if (kind !== "::") break;
    index += 1;
  }
  // `use a::b::{self}` names `b`.
  if (segments.at(-1) === "self" && segments.length > 1) segments.pop();
  if (segments.length > 0) paths.push({ segments, name: segments.at(-1), line });
  return index;
}

const NAMES_ITEM = /^(fn|struct|enum|union|trait|const|static|type)$/;
const IN_TEXT = /^(crate|super|self)(::\w+)+$/;

/**
 * The modules of the crate with this root file, by their path joined with `::` (the root is `crate`): each with its file, the
 * names of its children and items, what it imports, and the paths that it writes.
 */
export function modules(root) {
  const tree = new Map();
  const visit = (path, file, folder, list) => {
    const module = { path, file, children: new Set(), items: new Set(), imports: new Map(), globs: [], paths: [] };
    tree.set(path, module);
    scan(module, folder, list);
  };
  const scan = (module, folder, list) => {
    for (let at = 0; at < list.length; ) {
      const { kind, value, line } = list[at];
      const next = list[at + 1];
      if (value === "mod" && kind === "name" && next?.kind === "name" && [";", "{"].includes(list[at + 2]?.kind)) {
        module.children.add(next.value);
        const path = `${module.path}::${next.value}`;
        if (list[at + 2].kind === "{") {
          const end = afterGroup(list, at + 2);
          visit(path, module.file, join(folder, next.value), list.slice(at + 3, end - 1));
          at = end;
        } else {
          const file = moduleFile(module, folder, next.value, pathAttribute(list, at));
          const isFolder = /(^|\/)mod\.rs$/.test(file);
          visit(path, file, isFolder ? dirname(file) : file.replace(/\.rs$/, ""), read(file));
          at += 3;
        }
      } else if (value === "use" && kind === "name") {
        const found = [];
        at = useTree(list, at + 1, [], found);
        for (const one of found) {
          if (one.name === "*") module.globs.push(one.segments);
          else module.imports.set(one.name, one.segments);
          module.paths.push({ segments: one.segments, line: one.line });
        }
      } else if (kind === "name" && NAMES_ITEM.test(value) && next?.kind === "name" && !ITEM.test(next.value)) {
        module.items.add(next.value);
        at += 2;
      } else if (kind === "name" && list[at - 1]?.kind !== ".") {
        const segments = [value];
        while (list[at + 1]?.kind === "::" && list[at + 2]?.kind === "name") {
          segments.push(list[at + 2].value);
          at += 2;
        }
        if (segments.length > 1) module.paths.push({ segments, line });
        at += 1;
      } else {
        if (kind === "text" && IN_TEXT.test(value)) module.paths.push({ segments: value.split("::"), line });
        at += 1;
      }
    }
  };
  const read = (file) => withoutTests(tokens(readFileSync(file, "utf8")));
  visit("crate", root, dirname(root), read(root));
  return tree;
}

/** The value of `#[path = "…"]` before the `mod` at `at`. */
function pathAttribute(list, at) {
  const before = list.slice(Math.max(0, at - 10), at);
  const from = before.findLastIndex(({ value }) => value === "path");
  const isNear = from >= 0 && before.slice(from).every(({ kind, value }) => !["{", "}", ";"].includes(kind) && value !== "mod");
  return isNear && before[from + 1]?.kind === "=" ? before[from + 2]?.value : undefined;
}

function moduleFile(module, folder, name, attribute) {
  const candidates = attribute ? [join(dirname(module.file), attribute)] : [join(folder, `${name}.rs`), join(folder, name, "mod.rs")];
  const file = candidates.find(existsSync);
  if (!file) throw new Error(`${module.file}: no file for mod ${name}; looked for ${candidates.join(", ")}`);
  return file;
}

/**
 * The modules that a path leads through to what it names. Re-exports are followed, so that `crate::Problem` leads to the
 * module that defines it.
 */
export function resolve(tree, from, segments, seen = new Set(), isGlob = false) {
  const [first, ...rest] = segments;
  const key = `${from} ${segments.join("::")}`;
  if (seen.has(key) || !tree.has(from)) return [];
  seen.add(key);
  const module = tree.get(from);
  if (first === undefined) return [from];
  if (first === "crate" || first === "$crate") return resolve(tree, "crate", rest, seen);
  if (first === "self") return resolve(tree, from, rest, seen);
  if (first === "super") return resolve(tree, from.replace(/::\w+$/, ""), rest, seen);
  if (module.children.has(first)) return [from, ...resolve(tree, `${from}::${first}`, rest, seen)];
  if (module.items.has(first)) return [from];
  const imported = module.imports.get(first);
  // What `use worker::worker` names is in another crate.
  if (imported && imported[0] !== first) {
    const target = resolve(tree, from, [...imported, ...rest], seen);
    return target.length > 0 ? [from, ...target] : [];
  }
  for (const glob of isGlob ? [] : module.globs) {
    const target = resolve(tree, from, [...glob, ...segments], seen, true);
    if (target.length > 0) return [from, ...target];
  }
  return [];
}

/** Which module uses which: `{ from, to, file, line }`. */
export function moduleEdges(root) {
  const tree = modules(root);
  return [...tree.values()].flatMap(({ path, file, paths }) =>
    paths.flatMap(({ segments, line }) => {
      const targets = new Set(resolve(tree, path, segments).filter((to) => to !== path));
      return [...targets].map((to) => ({ from: path.split("::"), to: to.split("::"), file, line }));
    }),
  );
}
