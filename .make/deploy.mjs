// Deploys an environment, also into an account in which nothing exists: creates the database, sets missing secrets, migrates, deploys (wrangler
// creates the bucket) and runs the doctor. If the doctor finds a problem, the previous version gets all traffic again. A second run changes nothing
// that exists.
//
// `node .make/deploy.mjs --env staging [--url https://…] [--steps 10,50,100 --pause 300]`. With steps, a new version first gets no traffic but the
// doctor's, and then these percentages. Secrets that others need are written to `.secrets.staging`.
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { pathToFileURL } from "node:url";

/** What wrangler says of a Worker that does not exist. */
const NO_WORKER = /Worker "[^"]+"[^\n]* not found/;
/** A new workers.dev address or custom domain answers after a while. */
const NEW_ADDRESS_MS = 180_000;
const ASK_EVERY_MS = 3_000;

const random = () => randomBytes(32).toString("base64url");
/**
 * The secrets of a deployment. A missing one is taken from the environment variable of the same name, asked for (`ask`) or made (`make`).
 * `shared` says who else needs it.
 */
const SECRETS = [
  { name: "SIGNING_JWK", make: () => JSON.stringify(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" })) },
  { name: "URL_SIGNING_KEY", make: random },
  { name: "METRICS_TOKEN", make: random, shared: "Prometheus reads /metrics with it" },
  { name: "AUTH_HS256_SECRET", isNeeded: (vars) => !vars.AUTH_JWKS && !vars.AUTH_JWKS_URL && !vars.AUTH_ISSUERS, make: random, shared: "your back end signs tokens with it" },
  { name: "WEBHOOK_SECRET", isNeeded: (vars) => vars.WEBHOOK_URL, make: () => `whsec_${randomBytes(32).toString("base64")}`, shared: "your back end verifies events with it" },
  { name: "ALERT_WEBHOOK_URL", ask: "URL of a Slack or Discord webhook for alerts (empty: none)", isOptional: true },
  { name: "S3_ACCESS_KEY_ID", isNeeded: (vars) => vars.STORAGE === "s3", ask: "Access key of the object store" },
  { name: "S3_SECRET_ACCESS_KEY", isNeeded: (vars) => vars.STORAGE === "s3", ask: "Its secret" },
  { name: "TURNSTILE_SECRET", isNeeded: (vars) => vars.CHALLENGE === "turnstile", ask: "Secret key of the Turnstile widget" },
];

/** The secrets that `vars` need, with those that AUTH_ISSUERS names. */
export function neededSecrets(vars) {
  const issuers = JSON.parse(vars.AUTH_ISSUERS ?? "[]").flatMap(({ name, hs256Secret }) => (hs256Secret ? [{ name: hs256Secret, ask: `Secret of the issuer ${name}` }] : []));
  return [...SECRETS.filter(({ isNeeded }) => !isNeeded || isNeeded(vars)), ...issuers];
}

/**
 * The missing secrets by name, and those of them that others need. Without `ask`, nobody can be asked, and secrets that others need are not made,
 * because nobody would get to know them.
 */
export async function missingSecrets({ vars, present, isNew, given = {}, ask }) {
  const [secrets, shared] = [{}, {}];
  for (const { name, make, ask: question, isOptional, shared: reason } of neededSecrets(vars)) {
    if (present.includes(name)) continue;
    let value = given[name];
    if (!value && question && ask && (!isOptional || isNew)) value = (await ask(`${name}: ${question}`)).trim();
    if (!value && make && (!reason || ask)) {
      value = make();
      if (reason) shared[name] = { value, reason };
    }
    if (value) secrets[name] = value;
    else if (!isOptional) throw new Error(`The secret ${name} is missing. Set it as an environment variable of this command, or run the command at a terminal.`);
  }
  return { secrets, shared };
}

/** The version with the most traffic. */
export const currentVersion = (deployment) => [...(deployment?.versions ?? [])].sort((a, b) => b.percentage - a.percentage)[0]?.version_id;

/** Percentages that increase and end with 100. */
export function parseSteps(text) {
  const steps = text.split(",").map(Number);
  const isRight = steps.every((step, at) => Number.isInteger(step) && step > (steps[at - 1] ?? 0)) && steps.at(-1) === 100;
  if (!isRight) throw new Error(`STEPS=${text} is not a list of increasing percentages that ends with 100, such as 10,50,100.`);
  return steps;
}

/**
 * Deploys. `io` runs wrangler and the doctor: `read(words)` returns the output of a command or throws it, `run(words, secrets)` returns what it has
 * deployed or throws, `doctor(url, version)` returns whether it found no problem.
 */
export async function deploy({ env, config, steps, pauseMs = 0, url: givenUrl, given }, io) {
  const { name, vars } = config;
  const target = ["--env", env];
  const { database_name: database } = config.d1_databases[0];
  const listed = await unlessNew(() => io.read(["secret", "list", ...target, "--format", "json"]));
  const isNew = listed === undefined;
  const present = isNew ? [] : JSON.parse(listed).map((secret) => secret.name);
  const status = isNew ? undefined : await io.read(["deployments", "status", ...target, "--json"]);
  const before = status && currentVersion(JSON.parse(status));
  // Before anything is created, because a secret may be missing.
  const { secrets, shared } = await missingSecrets({ vars, present, isNew, given, ask: io.ask });
  // Before they are set, because they cannot be read back.
  if (Object.keys(shared).length > 0) io.keep(shared);
  if (Object.keys(secrets).length > 0) io.say(`Sets ${Object.keys(secrets).join(", ")}.`);

  const databases = JSON.parse(await io.read(["d1", "list", "--json"]));
  if (!databases.some((it) => it.name === database)) await io.run(["d1", "create", database, "--update-config=false"]);
  await io.run(["d1", "migrations", "apply", "REGISTRY", "--remote", ...target]);

  const address = (targets = []) => givenUrl || vars.PUBLIC_BASE_URL || targets.find((it) => it.startsWith("https://"));
  if (!before || !steps) {
    const { targets } = await io.run(["deploy", ...target], secrets);
    const url = address(targets);
    if (!url) throw new Error(`The URL of ${env} is unknown, so the doctor did not run. Add URL=https://… or set PUBLIC_BASE_URL in wrangler.toml.`);
    await io.answers(url, isNew ? NEW_ADDRESS_MS : 0);
    if (await io.doctor(url)) return { url };
    if (!before) throw new Error(`The doctor found problems, and there is no version before this one to return to. Correct them and run make deploy ENV=${env} again.`);
    await io.run(["rollback", before, ...target, "--yes", "--message", "the doctor found problems"]);
    throw new Error(`The doctor found problems, so the version before (${before}) serves again. Migrations remain; it works with them.`);
  }

  const url = address();
  if (!url) throw new Error(`The URL of ${env} is unknown. Add URL=https://… or set PUBLIC_BASE_URL in wrangler.toml.`);
  const { version } = await io.run(["versions", "upload", ...target], secrets);
  const split = (percentage) => io.run(["versions", "deploy", `${version}@${percentage}`, ...(percentage < 100 ? [`${before}@${100 - percentage}`] : []), ...target, "--yes"]);
  for (const percentage of [0, ...steps]) {
    await split(percentage);
    io.say(`${version} gets ${percentage} % of the traffic.`);
    if (percentage > 0 && percentage < 100) await io.wait(pauseMs);
    if (await io.doctor(url, `${name}="${version}"`)) continue;
    await io.run(["versions", "deploy", `${before}@100`, ...target, "--yes"]);
    throw new Error(`The doctor found problems at ${percentage} %, so the version before (${before}) gets all traffic again. Migrations remain; it works with them.`);
  }
  await io.run(["triggers", "deploy", ...target]);
  return { url };
}

/** The result, or undefined if the Worker does not exist. Any other error is thrown: a secret that only seems missing must not be replaced. */
async function unlessNew(read) {
  try {
    return await read();
  } catch (error) {
    if (NO_WORKER.test(stripVTControlCharacters(error.message))) return undefined;
    throw error;
  }
}

/** Asks at the terminal; undefined if there is none, or in CI. */
export function terminal({ stdin = process.stdin, env = process.env } = {}) {
  if (!stdin.isTTY || env.CI) return undefined;
  return async (question) => {
    const lines = createInterface({ input: stdin, output: process.stdout });
    try {
      return await lines.question(`${question}: `);
    } finally {
      lines.close();
    }
  };
}

/** The file for new secrets that others need. */
const fileOf = (env) => `.secrets.${env}`;

/** Runs the real commands. */
function commands(env) {
  const folder = mkdtempSync(join(tmpdir(), "the-form-deploy-"));
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  return {
    say: (sentence) => console.log(`==> ${sentence}`),
    ask: terminal(),
    wait,
    close: () => rmSync(folder, { recursive: true, force: true }),
    read(words) {
      const { status, stdout, stderr } = spawnSync("wrangler", words, { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
      if (status !== 0) throw new Error(`wrangler ${words.join(" ")} failed:\n${stdout}${stderr}`);
      return stdout;
    },
    run(words, secrets = {}) {
      console.log(`==> wrangler ${words.join(" ")}`);
      const output = join(folder, "output.ndjson");
      rmSync(output, { force: true });
      // In a file that only this user can read, because every process can read arguments.
      const file = join(folder, "secrets.json");
      const withSecrets = Object.keys(secrets).length > 0 ? ["--secrets-file", file] : [];
      if (withSecrets.length > 0) writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 });
      const { status } = spawnSync("wrangler", [...words, ...withSecrets], { stdio: "inherit", env: { ...process.env, WRANGLER_OUTPUT_FILE_PATH: output } });
      rmSync(file, { force: true });
      if (status !== 0) throw new Error(`wrangler ${words.join(" ")} failed; its message is above. Nothing was rolled back.`);
      const lines = existsSync(output) ? readFileSync(output, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
      const made = lines.find(({ type }) => ["deploy", "version-upload"].includes(type)) ?? {};
      return { version: made.version_id, targets: made.targets };
    },
    keep(shared) {
      const file = fileOf(env);
      for (const [name, { value, reason }] of Object.entries(shared)) appendFileSync(file, `# ${reason}\n${name}=${value}\n`, { mode: 0o600 });
      console.log(`==> New secrets that others need are in ${file}: ${Object.keys(shared).join(", ")}. They cannot be read back: keep them in your password store and delete the file.`);
    },
    async answers(url, patienceMs) {
      const deadline = Date.now() + patienceMs;
      for (;;) {
        const isThere = await fetch(new URL("/healthz", url), { signal: AbortSignal.timeout(10_000) }).then((answer) => answer.ok, () => false);
        if (isThere || Date.now() >= deadline) return;
        await wait(ASK_EVERY_MS);
      }
    },
    doctor(url, version) {
      const { ORIGIN: origin, FORM: form } = process.env;
      const words = [".make/doctor.mjs", "--url", url, ...(origin ? ["--origin", origin] : []), ...(form ? ["--form", form] : [])];
      const { status } = spawnSync(process.execPath, words, { stdio: "inherit", env: { ...process.env, ...(version ? { DOCTOR_VERSION: version } : {}) } });
      return status === 0;
    },
  };
}

/** The values of a file that an earlier run wrote, for one that did not get as far as setting them. */
function kept(path) {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return Object.fromEntries(lines.filter((line) => /^[A-Z]/.test(line)).map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

async function main() {
  const options = { env: { type: "string" }, url: { type: "string" }, steps: { type: "string" }, pause: { type: "string", default: "300" } };
  const { env, url, steps, pause } = parseArgs({ options }).values;
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const config = readConfig({ config: "wrangler.toml", env }, { hideWarnings: true });
  if (config.targetEnvironment !== env || !env) throw new Error(`ENV=${env} is not an environment of wrangler.toml.`);
  // Pages call the API from the first origin that is allowed.
  const [first] = (config.vars.ALLOWED_ORIGINS ?? "*").split(",");
  process.env.ORIGIN ||= first === "*" ? "" : first.trim();
  const io = commands(env);
  try {
    const { url: at } = await deploy({ env, config, url, given: { ...kept(fileOf(env)), ...process.env }, steps: steps ? parseSteps(steps) : undefined, pauseMs: Number(pause) * 1000 }, io);
    console.log(`==> ${env} is deployed at ${at}`);
  } finally {
    io.close();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
