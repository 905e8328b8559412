// Backs up a deployment to a new folder: the database, the list of the erased users, and their digests. `make copy-pictures` copies the pictures.
//
// `node .make/backup.mjs --to folder [--env staging]`
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { fail, openDatabase, where } from "./database.mjs";
import { saveErased } from "./erased.mjs";

const { to, ...place } = parseArgs({ options: { to: { type: "string" }, ...where } }).values;
if (!to) fail("Set TO to a new folder.");
if (existsSync(to)) fail(`${to} exists already. A backup needs a new folder.`);
// It has the addresses of people.
mkdirSync(to, { recursive: true, mode: 0o700 });
process.once("exit", (code) => code !== 0 && rmSync(to, { recursive: true, force: true }));

const database = openDatabase(place);
database.export(join(to, "database.sql"));
saveErased(database, join(to, "erased.sql"));
const files = ["database.sql", "erased.sql"].map((name) => {
  const bytes = readFileSync(join(to, name));
  return { name, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
});
const [{ pictures }] = database.query("SELECT COUNT(*) AS pictures FROM images");
writeFileSync(join(to, "backup.json"), `${JSON.stringify({ madeAt: new Date().toISOString(), pictures, files }, null, 2)}\n`);
console.log(`The database is in ${to}: ${files[0].bytes} bytes, ${pictures} pictures. Copy the pictures themselves with make copy-pictures.`);
