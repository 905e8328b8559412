// Saves the list of the erased users from a database to a file, or loads it into a restored database, which then erases them
// again. Locally, or in an environment.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { save: { type: "string" }, load: { type: "string" }, env: { type: "string" }, state: { type: "string" } } });
const { save, load, env, state } = values;
if (Boolean(save) === Boolean(load)) fail("Set either SAVE=file or LOAD=file.");

const local = ["--local", ...(state ? ["--persist-to", state] : [])];
const where = ["d1", "execute", "REGISTRY", ...(env ? ["--remote", "--env", env] : local), "--yes"];
// A pseudonym, or the key of a picture; nothing in them ends an SQL string.
const NAME = /^[A-Za-z0-9:_./-]+$/;

if (save) {
  const entries = query("SELECT name, erased_ms, banned_until_ms FROM erased ORDER BY name");
  const lines = entries.map(({ name, erased_ms: erasedMs, banned_until_ms: bannedUntilMs }) => {
    if (!NAME.test(name) || !Number.isSafeInteger(erasedMs) || !(bannedUntilMs === null || Number.isSafeInteger(bannedUntilMs))) fail(`Entry ${name} is invalid.`);
    return `INSERT INTO erased (name, erased_ms, banned_until_ms) VALUES ('${name}', ${erasedMs}, ${bannedUntilMs}) ON CONFLICT (name) DO UPDATE SET erased_ms = MAX(erased_ms, excluded.erased_ms), banned_until_ms = excluded.banned_until_ms;\n`;
  });
  writeFileSync(save, lines.join(""));
  console.log(`${entries.length} entries are in ${save}.`);
} else {
  const lines = readFileSync(load, "utf8");
  const id = randomBytes(16).toString("hex");
  const replay = `INSERT INTO removals (id, kind, last_image_id, total, protects_ms, created_ms, taken_until_ms, cursor) VALUES ('${id}', 'replay', 0, 0, 0, ${Date.now()}, 0, '');\n`;
  const file = `${load}.replay`;
  writeFileSync(file, lines + replay);
  run([...where, "--file", file]);
  console.log(`The list is loaded. The next scheduled runs erase what the database has again; the progress is /removals/${id}.`);
}

function query(statement) {
  return JSON.parse(run([...where, "--json", "--command", statement])).flatMap(({ results }) => results);
}

function run(words) {
  try {
    // Without a shell, so that only SQL quoting applies.
    return execFileSync("wrangler", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 2 ** 30 });
  } catch (error) {
    fail(`${error.stdout ?? ""}${error.stderr ?? ""}`.trim() || String(error));
  }
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
