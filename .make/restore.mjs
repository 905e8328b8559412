// Restores the database of a deployment from a backup of `make backup`, into an empty database, and erases again who was erased since.
//
// `node .make/restore.mjs --from folder [--erased newer.sql] [--env staging]`
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { fail, openDatabase, where, wrangler } from "./database.mjs";
import { loadErased } from "./erased.mjs";

const { from, erased, ...place } = parseArgs({ options: { from: { type: "string" }, erased: { type: "string" }, ...where } }).values;
if (!from || !existsSync(join(from, "backup.json"))) fail("Set FROM to a folder that make backup has written.");
const { madeAt, pictures, files } = JSON.parse(readFileSync(join(from, "backup.json"), "utf8"));
for (const { name, sha256 } of files) {
  const digest = createHash("sha256").update(readFileSync(join(from, name))).digest("hex");
  if (digest !== sha256) fail(`${join(from, name)} is damaged: its digest is not the one in backup.json.`);
}

const database = openDatabase(place);
if (place.env) {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const [{ database_name: name }] = readConfig({ config: "wrangler.toml", env: place.env }, { hideWarnings: true }).d1_databases;
  const databases = JSON.parse(wrangler(["d1", "list", "--json"]));
  if (!databases.some((it) => it.name === name)) wrangler(["d1", "create", name, "--update-config=false"]);
}
// So that nothing is overwritten: what is there may be newer.
const tables = database.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'images'");
if (tables.length > 0) fail("The database has tables already. Write the name of a new database into wrangler.toml (database_name), and run the command again.");
database.load(join(from, "database.sql"));
database.migrate();
loadErased(database, erased ?? join(from, "erased.sql"));
const [{ restored }] = database.query("SELECT COUNT(*) AS restored FROM images");
if (restored !== pictures) fail(`The database has ${restored} pictures instead of ${pictures}.`);
console.log(`The database is as it was at ${madeAt}, with ${restored} pictures. Now copy the pictures back with make copy-pictures, deploy, and run make doctor.`);
