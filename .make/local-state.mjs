// Fails when the local database has migrations that no longer exist: `make dev` cannot migrate it.
import { existsSync, readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const FOLDER = ".wrangler/state/v3/d1/miniflare-D1DatabaseObject";
const migrations = new Set(readdirSync("edge/migrations"));
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith(".sqlite")) : [];

/** The names of the migrations that were applied to a database. */
function applied(path) {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const isMigrated = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'd1_migrations'").get();
    return isMigrated ? database.prepare("SELECT name FROM d1_migrations").all().map(({ name }) => name) : [];
  } finally {
    database.close();
  }
}

if (files.some((file) => applied(`${FOLDER}/${file}`).some((name) => !migrations.has(name)))) {
  console.error("The local database in .wrangler was made by an older version and cannot be migrated: delete it, with all local images and accounts, by `rm -rf .wrangler`, and run `make dev` again.");
  process.exit(1);
}
