// The commands of the documents that need an account at Cloudflare use subcommands, options and make targets that exist.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { blocks, commands, documents } from "../e2e/examples.mjs";

test("deploy commands use existing subcommands, options and make targets", () => {
  const marked = documents.flatMap(blocks).filter(({ marker, language }) => marker && language === "sh");
  const checked = marked.flatMap(({ path, line, marker, text }) => {
    assert.match(marker, /^deploy$|^not run: .{20,}/, `${path}:${line}`);
    return commands(text).map((command) => {
      if (command.startsWith("npx wrangler ")) checkWrangler(command, `${path}:${line}`);
      else if (command.startsWith("make ")) execFileSync("bash", ["-c", command.replace(/^make /, "make --dry-run --silent ")], { stdio: "pipe" });
      else if (command.startsWith("cargo run ")) assert.ok(readFileSync(`shared/examples/${/--example (\w+)/.exec(command)[1]}.rs`));
      // rclone is not installed here. The copy must not delete or overwrite anything.
      else if (command.startsWith("rclone ")) assert.match(command, /^rclone copy \S+:\S+ \S+:\S+ --immutable --metadata$/, `${path}:${line}`);
      else assert.fail(`${path}:${line}: no check for "${command}"`);
      return command;
    });
  });
  assert.ok(checked.length > 15, "the guides show how to deploy");
});

/** The help of a wrangler subcommand. wrangler takes seconds to start, so each help is read once. */
const helps = new Map();
function help(names) {
  if (!helps.has(names)) helps.set(names, execFileSync("node_modules/.bin/wrangler", [...names.split(" "), "--help"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }));
  return helps.get(names);
}

function checkWrangler(command, at) {
  const words = command.split(/\s+/).slice(2);
  const end = words.findIndex((word) => word.startsWith("-") || /^[A-Z0-9_]{3,}/.test(word) || word.includes("the-form"));
  const names = (end < 0 ? words : words.slice(0, end)).join(" ");
  assert.ok(help(names).startsWith(`wrangler ${names}`), `${at}: no subcommand ${names}`);
  for (const [option] of command.matchAll(/(?<=\s)--[a-z-]+/g)) assert.match(help(names), new RegExp(`${option}\\b`), `${at}: ${names} has no ${option}`);
}
