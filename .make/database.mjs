// The database of a deployment, through wrangler: locally (of another folder with `state`), or in an environment.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const where = { env: { type: "string" }, state: { type: "string" } };

export function openDatabase({ env, state }) {
  const place = env ? ["--remote", "--env", env] : ["--local", ...(state ? ["--persist-to", state] : [])];
  const execute = (...words) => wrangler(["d1", "execute", "REGISTRY", ...place, "--yes", ...words]);
  return {
    env,
    place,
    query: (statement) => JSON.parse(execute("--json", "--command", statement)).flatMap(({ results }) => results),
    load: (file) => execute("--file", file),
    migrate: () => wrangler(["d1", "migrations", "apply", "REGISTRY", ...place]),
    /** Writes tables, rows and the list of applied migrations as SQL. */
    export: (file) => (state ? exportFrom(state, file) : wrangler(["d1", "export", "REGISTRY", ...place, "--output", file])),
  };
}

/** wrangler exports only from the state beside its configuration, so this makes a folder with both. */
function exportFrom(state, file) {
  const folder = mkdtempSync(join(tmpdir(), "the-form-export-"));
  try {
    mkdirSync(join(folder, ".wrangler"));
    symlinkSync(resolve(state), join(folder, ".wrangler/state"));
    const [database] = /\[\[d1_databases\]\][^[]+/.exec(readFileSync("wrangler.toml", "utf8"));
    writeFileSync(join(folder, "wrangler.toml"), `name = "backup"\ncompatibility_date = "2026-11-01"\n${database}`);
    wrangler(["d1", "export", "REGISTRY", "--local", "--output", resolve(file)], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs wrangler without a shell, so that only SQL quoting applies. */
export function wrangler(words, options = {}) {
  try {
    return execFileSync("wrangler", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 2 ** 30, ...options });
  } catch (error) {
    fail(`${error.stdout ?? ""}${error.stderr ?? ""}`.trim() || String(error));
  }
}

export function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
