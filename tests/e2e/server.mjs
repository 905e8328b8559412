// Starts the real `wrangler dev` with its own port, keys and state folder, reads its stores, and stops it.
import { execFile, execFileSync, spawn } from "node:child_process";
import { createHash, createHmac, generateKeyPairSync, KeyObject, randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";

const START_MS = 120_000;
const LOCKED_MS = 10_000;
/** The database of a namespace in which the runtime keeps the alarms of its Durable Objects. */
const ALARMS = "metadata.sqlite";
const WRANGLER = "node_modules/.bin/wrangler";
const MIGRATIONS = "edge/migrations";
// NODE_ENV=test disables miniflare's request for the location; X_LOCAL_… disable its record of every request, which only its
// own page shows. With the cache, node need not compile wrangler again for each server.
const QUIET = {
  ...process.env,
  CI: "1",
  NODE_ENV: "test",
  WRANGLER_SEND_METRICS: "false",
  X_LOCAL_OBSERVABILITY: "false",
  X_LOCAL_EXPLORER: "false",
  NODE_COMPILE_CACHE: resolve("target/tmp/compiled"),
  NO_COLOR: "1",
};

/** A private key of node or of the Web Crypto API as the text of a variable. */
const jwk = (key) => JSON.stringify((key instanceof KeyObject ? key : KeyObject.from(key)).export({ format: "jwk" }));

/**
 * Starts a Worker. `vars` are added to those of wrangler.toml, `secrets` to its secrets; `signing` and `secret` replace the
 * generated keys, `previous` is the previous signing key. `restore` makes the database in the state folder that it gets; without it the database is new.
 * `port` is for tests that configure the URL of the server.
 */
export async function startServer({ vars = {}, secrets = {}, signing, previous, secret = randomBytes(32).toString("base64url"), restore, port: given } = {}) {
  const state = mkdtempSync(join(tmpdir(), "the-form-"));
  const urlKey = randomBytes(32).toString("base64url");
  const privateKey = signing ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const keys = join(state, "keys.env");
  const all = { AUTH_HS256_SECRET: secret, PLATFORM_ADMIN: "true", SIGNING_JWK: jwk(privateKey), URL_SIGNING_KEY: urlKey, ...(previous && { SIGNING_JWK_PREVIOUS: jwk(previous) }), ...secrets };
  /** Changes secrets as `wrangler secret bulk` does: null removes one, others stay. */
  const change = (secrets) => {
    Object.assign(all, secrets);
    const lines = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(keys, lines.join(""), { mode: 0o600 });
  };
  change({});

  if (restore) await restore(state);
  else cpSync(await migratedState(), state, { recursive: true });
  const port = given ?? (await freePort());
  let changed = {};
  const extra = () => Object.entries({ ...vars, ...changed }).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const options = ["--ip", "127.0.0.1", "--port", port, "--persist-to", state, "--env-file", keys];
  const inspectorPort = await freePort();
  const quiet = ["--show-interactive-dev-session=false", "--inspector-port", inspectorPort];
  // Separate, because each arrives in chunks.
  let [out, err] = ["", ""];
  let child;
  const launch = async () => {
    child = spawn(WRANGLER, ["dev", ...options, ...quiet, ...extra()].map(String), {
      env: QUIET,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.on("data", (text) => (out += text));
    child.stderr.on("data", (text) => (err += text));
    await ready(server, child);
  };

  const server = {
    url: `http://127.0.0.1:${port}`,
    log: () => `${out}\n${err}`,
    /** The log lines of the Worker: one object per line. */
    lines: () => [...server.log().matchAll(/\{.*"event":.*\}/g)].map(([line]) => JSON.parse(line)),
    /** Runs the cron handler. */
    runCron: () => fetch(`http://127.0.0.1:${port}/cdn-cgi/handler/scheduled`),
    pid: () => child.pid,
    /** The URL of the isolate's inspector. */
    inspector: `ws://127.0.0.1:${inspectorPort}/ws`,
    token: (claims = {}, lifetimeS = 300) => hs256(secret, claims, lifetimeS),
    signing: privateKey,
    secret,
    urlKey,
    state,
    objects: () => objects(state),
    /** The keys in R2, without reading the objects. */
    keys: () => stored(state).map(({ key }) => key),
    /** The keys of derived pictures in R2. */
    derivedKeys: () => stored(state, /^(private\/)?derived\//).map(({ key }) => key),
    rows: (table = "images") => rows(state, table),
    /** The custom metadata of an object in R2. */
    metadata: (key) => JSON.parse(stored(state).find((object) => object.key === key).custom_metadata),
    /** Changes R2's records of its objects, bypassing the Worker. */
    changeObjects: (sql, ...values) => changeObjects(state, sql, values),
    /** Changes the registry, bypassing the Worker. */
    changeRows: (sql, ...values) => writeTo(server.registryFile(), sql, values),
    /** Changes this table in all ledgers that have it; only while the server is stopped. */
    changeLedgers: (table, sql) => ledgers(state).filter((path) => hasTable(path, table)).forEach((path) => writeTo(path, sql, [])),
    /** The rows of this table of all ledgers. */
    ledgerRows: (table) => ledgers(state).filter((path) => hasTable(path, table)).flatMap((path) => query(path, `SELECT * FROM ${table}`)),
    /** The tables of each ledger, without those of the runtime, and its alarms. */
    ledgers: () => ledgers(state).map((path) => ({ tables: tables(path), alarms: alarms(path) })),
    /** Deletes an object from R2, bypassing the Worker. */
    loseObject: (key) => loseObject(state, key),
    /** The database file of the registry. */
    registryFile: () => registries(state).find((path) => hasTable(path, "images")),
    /** The deployment id in R2. */
    deploymentId: () => objects(state, "deployment-id").get("deployment-id")?.toString(),
    /**
     * Kills the server and starts it again on the same state, with these secrets and variables changed. `meanwhile` runs
     * while the server is stopped.
     */
    restart: async (secrets = {}, { vars: more = {}, meanwhile = () => {} } = {}) => {
      await end(child, "SIGKILL");
      change(secrets);
      changed = { ...changed, ...more };
      meanwhile();
      await launch();
    },
    stop: async () => {
      await end(child, "SIGTERM");
      rmSync(state, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await launch();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

const migrate = (state) => promisify(execFile)(WRANGLER, ["d1", "migrations", "apply", "REGISTRY", "--local", "--persist-to", state], { env: QUIET });

/** A state folder with an empty, migrated database. It is made once for these migrations and copied by each server, because wrangler needs seconds. */
async function migratedState() {
  const hash = createHash("sha256").update(readFileSync("package-lock.json"));
  for (const name of readdirSync(MIGRATIONS).sort()) hash.update(name).update(readFileSync(join(MIGRATIONS, name)));
  const folder = join("target/tmp", `migrated-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  mkdirSync("target/tmp", { recursive: true });
  const made = mkdtempSync(`${folder}-`);
  await migrate(made);
  try {
    renameSync(made, folder);
  } catch (error) {
    // Another test file was faster.
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    rmSync(made, { recursive: true, force: true });
  }
  return folder;
}

async function ready(server, child) {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`${server.url}/healthz`).catch(() => undefined);
    if (answer) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`wrangler dev did not answer:\n${server.log()}`);
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  // Signals the whole process group, because workerd must not outlive wrangler.
  process.kill(-child.pid, signal);
  const killer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), 5_000);
  await ended;
  clearTimeout(killer);
}

/** A free port. */
export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token signed with HS256, as a platform's back end signs it. */
export function hs256(secret, claims, lifetimeS) {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub: "123", role: "USER", iat: now, exp: now + lifetimeS, ...claims };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(payload)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** The images in R2, read from the state folder: key -> bytes. */
function objects(state, prefix) {
  const found = new Map();
  const bucket = join(state, "v3/r2");
  for (const { key, blob_id } of stored(state, prefix)) {
    const folder = readdirSync(bucket).find((name) => existsSync(join(bucket, name, "blobs", blob_id)));
    // The object may have been deleted since it was listed.
    if (folder) found.set(key, readFileSync(join(bucket, folder, "blobs", blob_id)));
  }
  return found;
}

/** R2's records of the objects whose key matches; by default those of images. */
function stored(state, prefix = /^(private\/)?users\//) {
  const files = databases(join(state, "v3/r2", "miniflare-R2BucketObject")).filter((path) => hasTable(path, "_mf_objects"));
  const found = files.flatMap((path) => query(path, "SELECT key, blob_id, custom_metadata FROM _mf_objects"));
  return found.filter(({ key }) => (typeof prefix === "string" ? key.startsWith(prefix) : prefix.test(key)));
}

const loseObject = (state, key) => changeObjects(state, "DELETE FROM _mf_objects WHERE key = ?", [key]);

function changeObjects(state, sql, values) {
  for (const path of databases(join(state, "v3/r2", "miniflare-R2BucketObject"))) {
    if (hasTable(path, "_mf_objects")) writeTo(path, sql, values);
  }
}

function writeTo(path, sql, values) {
  const database = new DatabaseSync(path, { timeout: LOCKED_MS });
  database.prepare(sql).run(...values);
  database.close();
}

/** The rows of a table of the registry, read from the state folder. */
function rows(state, table) {
  return registries(state).flatMap((database) =>
    hasTable(database, table) ? query(database, `SELECT * FROM ${table} ORDER BY 1`) : [],
  );
}

function ledgers(state) {
  const folders = readdirSync(join(state, "v3/do")).filter((name) => name.includes("Ledger"));
  const files = folders.flatMap((name) => databases(join(state, "v3/do", name)));
  return files.filter((path) => basename(path) !== ALARMS);
}

const tables = (path) => query(path, "SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => name).filter((name) => !/^(_cf_|sqlite_|__miniflare_)/.test(name));

/** How many alarms the runtime has for the Durable Object of this file. */
function alarms(path) {
  const id = basename(path, ".sqlite");
  return query(join(dirname(path), ALARMS), "SELECT actor_id FROM _cf_ALARM").filter(({ actor_id }) => actor_id === id).length;
}

const registries = (state) => databases(join(state, "v3/d1/miniflare-D1DatabaseObject"));

function databases(folder) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite"));
  return files.map((name) => join(folder, name));
}

function hasTable(path, name) {
  return query(path, `SELECT name FROM sqlite_master WHERE name = '${name}'`).length > 0;
}

function query(path, sql) {
  // After a kill the first connection recovers the database, and others wait for the lock.
  const database = new DatabaseSync(path, { readOnly: true, timeout: LOCKED_MS });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** Creates the forms of the demo page, as `make dev` does. */
export function createDemoForms(server) {
  const env = { ...process.env, TOKEN: server.token({ sub: "demo", role: "SERVICE" }) };
  execFileSync(process.execPath, [".make/demo-forms.mjs", "--url", server.url], { env });
}
