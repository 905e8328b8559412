// `make dev` on the local state of an older version prints the remedy.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";

const DATABASES = ".wrangler/state/v3/d1/miniflare-D1DatabaseObject";

/** Runs the check in a folder whose local database has these migrations, or without a database. */
function check(t, migrations) {
  const folder = mkdtempSync(join(tmpdir(), "local-state-"));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync(resolve("edge"), join(folder, "edge"));
  if (migrations) {
    mkdirSync(join(folder, DATABASES), { recursive: true });
    const database = new DatabaseSync(join(folder, DATABASES, "a.sqlite"));
    database.exec("CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY, name TEXT)");
    for (const name of migrations) database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").run(name);
    database.close();
  }
  return spawnSync(process.execPath, [resolve(".make/local-state.mjs")], { cwd: folder, encoding: "utf8" });
}

test("without a database, or with one of this version, the check passes", (t) => {
  for (const migrations of [undefined, [], readdirSync("edge/migrations")]) assert.equal(check(t, migrations).status, 0);
});

test("for a database of an older version the check prints the command that deletes it", (t) => {
  const { status, stderr } = check(t, ["0000_older.sql"]);
  assert.equal(status, 1);
  assert.match(stderr, /older version.*`rm -rf \.wrangler`.*`make dev`/);
});
