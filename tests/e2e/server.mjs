// Starts the real `wrangler dev` with its own port, keys and state folder, looks into its stores,
// and takes it down again.
import { spawn, execFileSync } from "node:child_process";
import { createHmac, generateKeyPairSync, KeyObject, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const START_MS = 120_000;
const LOCKED_MS = 10_000;
const WRANGLER = "node_modules/.bin/wrangler";
// NODE_ENV=test keeps miniflare from asking the internet where we are; the others keep it from writing down
// every step of every request for a page that nobody looks at here.
const QUIET = {
  ...process.env,
  CI: "1",
  NODE_ENV: "test",
  WRANGLER_SEND_METRICS: "false",
  X_LOCAL_OBSERVABILITY: "false",
  X_LOCAL_EXPLORER: "false",
  NO_COLOR: "1",
};

/** A private key as it stands in a variable, whether node or the Web Crypto API made it. */
const jwk = (key) => JSON.stringify((key instanceof KeyObject ? key : KeyObject.from(key)).export({ format: "jwk" }));

/**
 * A running Worker. `vars` are added to those of wrangler.toml, `secrets` to its keys; `signing` and `secret` are its
 * keys, if not fresh ones, and `previous` the signing key before. `backup` is a file of SQL that its database begins with.
 */
export async function startServer({ vars = {}, secrets = {}, signing, previous, secret = randomBytes(32).toString("base64url"), backup } = {}) {
  const state = mkdtempSync(join(tmpdir(), "the-form-"));
  const privateKey = signing ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const keys = join(state, "keys.env");
  const all = { AUTH_HS256_SECRET: secret, PLATFORM_ADMIN: "true", SIGNING_JWK: jwk(privateKey), ...(previous && { SIGNING_JWK_PREVIOUS: jwk(previous) }), ...secrets };
  /** As `wrangler secret bulk` does it: what is not named stays, null removes. */
  const change = (secrets) => {
    Object.assign(all, secrets);
    const lines = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(keys, lines.join(""), { mode: 0o600 });
  };
  change({});

  if (backup) execFileSync(WRANGLER, ["d1", "execute", "REGISTRY", "--local", "--persist-to", state, "--yes", "--file", backup], { env: QUIET, stdio: "pipe" });
  execFileSync(WRANGLER, ["d1", "migrations", "apply", "REGISTRY", "--local", "--persist-to", state], {
    env: QUIET,
    stdio: "pipe",
  });
  const port = await freePort();
  let changed = {};
  const extra = () => Object.entries({ ...vars, ...changed }).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const options = ["--ip", "127.0.0.1", "--port", port, "--persist-to", state, "--env-file", keys];
  const inspectorPort = await freePort();
  const quiet = ["--show-interactive-dev-session=false", "--inspector-port", inspectorPort];
  // Apart, since each comes in pieces.
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
    /** What the Worker itself wrote: one object a line. */
    lines: () => [...server.log().matchAll(/\{.*"event":.*\}/g)].map(([line]) => JSON.parse(line)),
    /** Lets cron ring now. */
    ring: () => fetch(`http://127.0.0.1:${port}/cdn-cgi/handler/scheduled`),
    pid: () => child.pid,
    /** Where the isolate can be looked into. */
    inspector: `ws://127.0.0.1:${inspectorPort}/ws`,
    token: (claims = {}, lifetimeS = 300) => hs256(secret, claims, lifetimeS),
    signing: privateKey,
    secret,
    state,
    objects: () => objects(state),
    /** The keys of what lies in R2, where there is too much of it to read. */
    keys: () => stored(state).map(({ key }) => key),
    rows: (table = "images") => rows(state, table),
    /** What lies beside an object in R2. */
    metadata: (key) => JSON.parse(stored(state).find((object) => object.key === key).custom_metadata),
    /** Changes what R2 has written down of its objects, behind the Worker's back. */
    changeObjects: (sql, ...values) => changeObjects(state, sql, values),
    /** Changes the registry behind the Worker's back. */
    changeRows: (sql, ...values) => writeTo(server.registryFile(), sql, values),
    /** Changes all ledgers; only while nothing runs. */
    changeLedgers: (sql) => ledgers(state).forEach((path) => writeTo(path, sql, [])),
    /** Takes an object out of R2 behind the Worker's back. */
    loseObject: (key) => loseObject(state, key),
    /** The file in which the registry lies. */
    registryFile: () => registries(state).find((path) => hasTable(path, "images")),
    /** The id of the deployment that lies in R2. */
    deploymentId: () => objects(state, "deployment-id").get("deployment-id")?.toString(),
    /**
     * Ends it at once, as a crash would, and starts it again on the same state, with these secrets and variables changed;
     * `meanwhile` is done while nothing runs.
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
  // The whole group: wrangler starts workerd, and workerd must not outlive it.
  process.kill(-child.pid, signal);
  const killer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), 5_000);
  await ended;
  clearTimeout(killer);
}

/** A port that nobody listens on now. */
export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token as a platform's own back end would sign it. */
export function hs256(secret, claims, lifetimeS) {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub: "123", role: "USER", iat: now, exp: now + lifetimeS, ...claims };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(payload)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** The pictures in R2, straight from the state folder: key -> bytes. */
function objects(state, prefix) {
  const found = new Map();
  const bucket = join(state, "v3/r2");
  for (const { key, blob_id } of stored(state, prefix)) {
    const folder = readdirSync(bucket).find((name) => existsSync(join(bucket, name, "blobs", blob_id)));
    // Deleted since it was listed.
    if (folder) found.set(key, readFileSync(join(bucket, folder, "blobs", blob_id)));
  }
  return found;
}

/** What R2 has written down of its objects: of the pictures, unless another prefix is asked for. */
function stored(state, prefix = "users/") {
  const files = databases(join(state, "v3/r2", "miniflare-R2BucketObject")).filter((path) => hasTable(path, "_mf_objects"));
  const found = files.flatMap((path) => query(path, "SELECT key, blob_id, custom_metadata FROM _mf_objects"));
  return found.filter(({ key }) => key.startsWith(prefix));
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

/** The rows of a table of the registry, straight from the state folder. */
function rows(state, table) {
  return registries(state).flatMap((database) =>
    hasTable(database, table) ? query(database, `SELECT * FROM ${table} ORDER BY 1`) : [],
  );
}

function ledgers(state) {
  const folders = readdirSync(join(state, "v3/do")).filter((name) => name.includes("Ledger"));
  const files = folders.flatMap((name) => databases(join(state, "v3/do", name)));
  return files.filter((path) => hasTable(path, "uploads"));
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
  // Right after a crash whoever opens it first mends it, and others wait.
  const database = new DatabaseSync(path, { readOnly: true, timeout: LOCKED_MS });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}
