// Reads the examples of the documents: code blocks, their markers, and the responses shown after them.
import { readFileSync } from "node:fs";
import { globSync } from "node:fs";

export const documents = ["README.md", ...globSync("docs/**/*.md")].sort();

/**
 * The fenced blocks of a document in order: language, text, first line, the marker in the comment before it
 * (`deploy`, `not run: why`), and for a `sh` block the response shown after it.
 */
export function blocks(path) {
  const found = [];
  const lines = readFileSync(path, "utf8").split("\n");
  let open;
  lines.forEach((line, at) => {
    const [, fence] = /^```(\w*)$/.exec(line) ?? [];
    if (fence === undefined) return void open?.text.push(line);
    if (open) {
      found.push({ ...open, text: open.text.join("\n") });
      open = undefined;
    } else {
      const [, marker] = /^<!-- (.+) -->$/.exec(lines[at - 1] ?? "") ?? [];
      open = { path, line: at + 1, language: fence, marker, text: [] };
    }
  });
  if (open) throw new Error(`${path}: the block at line ${open.line} does not end`);
  found.forEach((block, at) => {
    const next = found[at + 1];
    if (block.language === "sh" && next?.language === "json" && !block.marker) block.answer = JSON.parse(next.text);
  });
  return found;
}

/** Commands of a block, each on one line. */
export function commands(text) {
  return text
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter(Boolean);
}

/**
 * Differences in the shape of two JSON values: names and kinds, not values. Of a list only the first entry counts.
 * `null` fits every kind, because an example cannot show both.
 */
export function differs(shown, real, at = "") {
  const kind = (value) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);
  if (shown === null || real === null) return [];
  if (kind(shown) !== kind(real)) return [`${at}: ${kind(real)}, not ${kind(shown)}`];
  if (kind(shown) === "list") return shown.length && real.length ? differs(shown[0], real[0], `${at}[0]`) : [];
  if (kind(shown) !== "object") return [];
  const names = new Set([...Object.keys(shown), ...Object.keys(real)]);
  return [...names].flatMap((name) => {
    if (!(name in real)) return [`${at}.${name} is not in the answer`];
    if (!(name in shown)) return [`${at}.${name} is not in the example`];
    return differs(shown[name], real[name], `${at}.${name}`);
  });
}
