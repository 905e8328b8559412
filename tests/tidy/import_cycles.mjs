// Finds import cycles: siblings (the modules of a crate, of a folder, or files and folders beside each other) that import
// each other in a circle. Parent and child may: a folder's `mod.rs` re-exports its files, and these use its types.
//
// `node tests/tidy/import_cycles.mjs [FOLDER]` prints those of the workspace in a folder and exits with 1 when there are any.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { moduleEdges } from "./rust_modules.mjs";

/** Places that a message names of each import. */
const MOST_PLACES = 3;

/** The root files of the crates of the workspace in `folder`. */
export function crateRoots(folder) {
  const manifest = readFileSync(join(folder, "Cargo.toml"), "utf8");
  const list = /^\[workspace\][^[]*?^members\s*=\s*\[([^\]]*)\]/ms.exec(manifest)?.[1] ?? "";
  const members = [...list.matchAll(/"([^"]+)"/g)].flatMap(([, member]) => globSync(member, { cwd: folder })).sort();
  return members.flatMap((member) => ["src/lib.rs", "src/main.rs"].map((file) => join(folder, member, file)).filter(existsSync));
}

/** What a TypeScript or JavaScript file imports from other files: `{ specifier, line }`. Types count as well. */
export function specifiers(source) {
  const found = [];
  const code = codeOf(source);
  for (const match of code.matchAll(/\b(?:from|import)\s*\(?\s*(["'])(\d+)\1/g)) {
    const { value, line } = code.texts[match[2]];
    if (/^\.\.?\//.test(value)) found.push({ specifier: value, line });
  }
  return found;
}

const SCRIPT_TOKEN =
  /(?<line>\/\/[^\n]*)|(?<block>\/\*[^]*?(?:\*\/|$))|(?<text>"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*')|(?<template>`(?:[^`\\]|\\[^])*`)|(?<regex>(?<=(?:^|[=(,:;!&|?{}[+]|\breturn|=>)\s*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/)/g;

/** The source without comments, templates and regular expressions; a string is the number of its value in `texts`. */
function codeOf(source) {
  const texts = [];
  const code = source.replace(SCRIPT_TOKEN, (match, ...rest) => {
    const { text } = rest.at(-1);
    if (text === undefined) return " ";
    texts.push({ value: text.slice(1, -1), line: source.slice(0, rest.at(-3)).split("\n").length });
    return `"${texts.length - 1}"`;
  });
  return Object.assign(new String(code), { texts });
}

/** Which file imports which: `{ from, to, file, line }`, with paths in parts. */
export function scriptEdges(folder) {
  const files = new Set(globSync("**/*.{ts,js,mjs}", { cwd: folder, exclude: (path) => path === "node_modules" }).sort());
  const parts = (path) => path.replace(/\.(d\.)?\w+$/, "").split("/");
  return [...files].flatMap((path) => {
    const file = join(folder, path);
    return specifiers(readFileSync(file, "utf8")).flatMap(({ specifier, line }) => {
      const wanted = join(dirname(path), specifier);
      // TypeScript names what will be there: `./a.js` is `a.ts`.
      const to = [wanted, wanted.replace(/\.js$/, ".ts"), wanted.replace(/\.js$/, ".d.ts"), `${wanted}.ts`, `${wanted}/index.ts`].find((it) => files.has(it));
      return to && to !== path ? [{ from: parts(path), to: parts(to), file, line }] : [];
    });
  });
}

/** Cycles among siblings: each a list of `{ from, to, places }` that leads back to its start. */
export function cycles(edges) {
  const levels = new Map();
  for (const { from, to, file, line } of edges) {
    const at = from.findIndex((part, index) => part !== to[index]);
    // Parent and child.
    if (at < 0 || at >= to.length) continue;
    const level = from.slice(0, at).join("/");
    if (!levels.has(level)) levels.set(level, new Map());
    const graph = levels.get(level);
    for (const node of [from[at], to[at]]) if (!graph.has(node)) graph.set(node, new Map());
    const targets = graph.get(from[at]);
    targets.set(to[at], [...(targets.get(to[at]) ?? []), { file, line }]);
  }
  return [...levels].sort().flatMap(([level, graph]) => cyclesOf(graph).map((cycle) => ({ level, ...cycle })));
}

/** The shortest cycle of each set of nodes that reach each other, with the set. */
function cyclesOf(graph) {
  const reach = (start) => {
    const before = new Map();
    for (const queue = [start]; queue.length > 0; ) {
      const node = queue.shift();
      for (const next of [...(graph.get(node)?.keys() ?? [])].sort()) {
        if (before.has(next)) continue;
        before.set(next, node);
        queue.push(next);
      }
    }
    return before;
  };
  const all = new Map([...graph.keys()].sort().map((node) => [node, reach(node)]));
  const done = new Set();
  const found = [];
  for (const [node, before] of all) {
    if (done.has(node) || !before.has(node)) continue;
    const members = [...before.keys()].filter((other) => all.get(other).has(node)).sort();
    for (const member of members) done.add(member);
    const shortest = members.map((member) => wayBack(all.get(member), member)).sort((one, other) => one.length - other.length)[0];
    found.push({ members, steps: shortest.map(([from, to]) => ({ from, to, places: graph.get(from).get(to) })) });
  }
  return found;
}

function wayBack(before, start) {
  const steps = [];
  for (let node = start; steps.length === 0 || node !== start; node = before.get(node)) steps.unshift([before.get(node), node]);
  return steps;
}

/** A cycle as lines for people. */
export function describe({ level, members, steps }, folder) {
  const where = level === "" ? "." : level;
  const places = ({ places: all }) => {
    const lines = [...new Set(all.map(({ file, line }) => `${relative(folder, file)}:${line}`))];
    return [...lines.slice(0, MOST_PLACES), ...(lines.length > MOST_PLACES ? [`${lines.length - MOST_PLACES} more`] : [])].join(", ");
  };
  const head = `${[...steps.map(({ from }) => from), steps[0].from].join(" → ")} (in ${where})`;
  const others = members.length > steps.length ? [`  all in this cycle: ${members.join(", ")}`] : [];
  return [head, ...steps.map((step) => `  ${step.from} → ${step.to}: ${places(step)}`), ...others].join("\n");
}

/** All cycles of the workspace in `folder`, as text. */
export function workspaceCycles(folder) {
  const crates = crateRoots(folder).flatMap((root) => {
    const name = relative(folder, dirname(root));
    return cycles(moduleEdges(root)).map((cycle) => ({ ...cycle, level: cycle.level.replace(/^crate/, name) }));
  });
  const scripts = existsSync(join(folder, "browser/js")) ? cycles(scriptEdges(join(folder, "browser/js"))) : [];
  const named = scripts.map((cycle) => ({ ...cycle, level: join("browser/js", cycle.level) }));
  return [...crates, ...named].map((cycle) => describe(cycle, folder));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = workspaceCycles(resolve(process.argv[2] ?? "."));
  console.log(found.length === 0 ? "No import cycles." : found.join("\n"));
  process.exitCode = found.length === 0 ? 0 : 1;
}
