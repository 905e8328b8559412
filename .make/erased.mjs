// Saves the list of the erased users from a database to a file, or loads it into a restored database, which then erases them
// again. Locally, or in an environment.
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";

import { fail, openDatabase, where } from "./database.mjs";

// A pseudonym, or the key of a picture; nothing in them ends an SQL string.
const NAME = /^[A-Za-z0-9:_./-]+$/;

export function saveErased(database, file) {
  const entries = database.query("SELECT name, erased_ms, banned_until_ms FROM erased ORDER BY name");
  const lines = entries.map(({ name, erased_ms: erasedMs, banned_until_ms: bannedUntilMs }) => {
    if (!NAME.test(name) || !Number.isSafeInteger(erasedMs) || !(bannedUntilMs === null || Number.isSafeInteger(bannedUntilMs))) fail(`Entry ${name} is invalid.`);
    return `INSERT INTO erased (name, erased_ms, banned_until_ms) VALUES ('${name}', ${erasedMs}, ${bannedUntilMs}) ON CONFLICT (name) DO UPDATE SET erased_ms = MAX(erased_ms, excluded.erased_ms), banned_until_ms = excluded.banned_until_ms;\n`;
  });
  writeFileSync(file, lines.join(""));
  console.log(`${entries.length} erased users are in ${file}.`);
}

export function loadErased(database, file) {
  const id = randomBytes(16).toString("hex");
  const replay = `INSERT INTO removals (id, kind, last_image_id, total, protects_ms, created_ms, taken_until_ms, cursor) VALUES ('${id}', 'replay', 0, 0, 0, ${Date.now()}, 0, '');\n`;
  const both = `${file}.replay`;
  writeFileSync(both, readFileSync(file, "utf8") + replay);
  database.load(both);
  rmSync(both);
  console.log(`The list of the erased is loaded. The next scheduled runs erase what the database has again; the progress is /removals/${id}.`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { save, load, ...place } = parseArgs({ options: { save: { type: "string" }, load: { type: "string" }, ...where } }).values;
  if (Boolean(save) === Boolean(load)) fail("Set either SAVE=file or LOAD=file.");
  const database = openDatabase(place);
  if (save) saveErased(database, save);
  else loadErased(database, load);
}
