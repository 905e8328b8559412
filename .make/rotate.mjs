// Rotates the signing key, with `--urls` the key of signed URLs, or with `--webhook` the secret that signs events. A secret cannot
// be read back, so the previous key is stored as its published public members, which suffice to verify. Both secrets change in one
// `wrangler secret bulk`, which is one deployment.
//
// `node .make/rotate.mjs --env production [--url https://…] [--urls] [--leaked] [--first] [--webhook [--drop]] [--dry-run]`. Never
// prints or writes a private key. A new webhook secret is printed once, because the back end needs it.
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";

const TIMEOUT_MS = 15_000;

/**
 * The secrets to set, and the sentences to print. `published` are the keys at /.well-known/jwks.json: the first one signs, the
 * second is the previous key.
 */
export function planRotation(published, { leaked = false, first = false } = {}) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const secrets = { SIGNING_JWK: JSON.stringify(privateKey.export({ format: "jwk" })) };
  const [current, previous] = published;
  if (first) {
    if (current) throw new Error(`This deployment has a key already (${current.kid}). Run without FIRST=1.`);
    return { secrets, says: ["Creates the first signing key."] };
  }
  if (!current) throw new Error("This deployment publishes no key. Create its first one with FIRST=1.");
  if (leaked) {
    // wrangler cannot remove a secret that does not exist.
    if (previous) secrets.SIGNING_JWK_PREVIOUS = null;
    return { secrets, says: [`The key ${current.kid} is removed. Tokens that it signed become invalid now: guest tokens, access tokens of accounts, upload tickets.`, PSEUDONYMS, ...LEAKED] };
  }
  // Only the public members, so that no other member of the response gets into a secret.
  const key = createPublicKey({ format: "jwk", key: current });
  secrets.SIGNING_JWK_PREVIOUS = JSON.stringify(key.export({ format: "jwk" }));
  const dropped = previous ? [`The previous key (${previous.kid}) is removed. Tokens that it signed become invalid now.`] : [];
  return { secrets, says: [`The key ${current.kid} stops signing and verifies until the next rotation.`, ...dropped, PSEUDONYMS] };
}

/**
 * The same for the key of signed URLs. It is symmetric, so what it is now must be known: a back end that signs URLs has it. `next`
 * is the key that the back end uses from now on; without one, only the deployment signs.
 */
export function planUrlRotation({ current, next, leaked = false, first = false } = {}) {
  const secret = () => randomBytes(32).toString("base64url");
  for (const key of [current, next]) if (key !== undefined && [...key].length < 32) throw new Error("A key of signed URLs has at least 32 characters.");
  const secrets = { URL_SIGNING_KEY: next ?? secret() };
  if (first) return { secrets, says: ["Creates the first key of signed URLs."] };
  // wrangler cannot remove a secret that does not exist, so that a random one takes its place.
  const stays = current !== undefined && !leaked;
  secrets.URL_SIGNING_KEY_PREVIOUS = stays ? current : secret();
  const ends = "Signed URLs that were made before end now. Pages get new ones when they are loaded again; those in e-mails are lost.";
  return { secrets, says: [stays ? "The key of signed URLs stops signing and verifies until the next rotation." : ends] };
}

const WEBHOOK_SECRET = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/;

/**
 * The same for the secrets of webhooks. `current` are those that are set now, separated by spaces. A new one is added in front
 * of the newest; with `drop` only the newest is left.
 */
export function planWebhookRotation(current = "", { drop = false, first = false } = {}) {
  const secrets = current.split(/\s+/).filter(Boolean);
  if (!secrets.every((secret) => WEBHOOK_SECRET.test(secret))) throw new Error("WEBHOOK_SECRET in the environment is not whsec_ and base64.");
  if (secrets.length === 0 && !first) throw new Error("Set the environment variable WEBHOOK_SECRET to the secret that your back end has now. Create the first one with FIRST=1.");
  if (drop) return { secrets: { WEBHOOK_SECRET: secrets[0] }, says: ["Only the first secret of WEBHOOK_SECRET signs from now on."] };
  const added = `whsec_${randomBytes(32).toString("base64")}`;
  const both = [added, ...secrets.slice(0, 1)];
  const next = first ? [] : ["Give it to your back end, then run the command again with both secrets in WEBHOOK_SECRET, the new one first, and DROP=1."];
  return { secrets: { WEBHOOK_SECRET: both.join(" ") }, says: [`The new secret is ${added}`, ...next] };
}

const PSEUDONYMS = "Users get new pseudonyms in the log. A lookup shows the new one; older lines have the old one.";
const LEAKED = [
  "Guests cannot claim images that they uploaded with an older token. These images expire (PENDING_S).",
  "Refresh tokens are not signed and stay valid: clients of accounts get a new access token with them. Other clients need a new guest token or ticket.",
  "A rollback to an older version restores the leaked key. Deploy the older commit instead.",
  "Check /admin/ for uploads and sign-ups since the leak.",
];

async function read(url) {
  const answer = await fetch(new URL("/.well-known/jwks.json", url), { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "error" });
  if (answer.status === 503) return [];
  if (!answer.ok) throw new Error(`it answers ${answer.status}`);
  return (await answer.json()).keys;
}

/** The PUBLIC_BASE_URL of an environment in wrangler.toml. */
async function publicUrl(env) {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  return readConfig({ config: "wrangler.toml", env }, { hideWarnings: true }).vars.PUBLIC_BASE_URL;
}

async function main() {
  const options = { env: { type: "string" }, url: { type: "string" }, urls: { type: "boolean" }, webhook: { type: "boolean" }, drop: { type: "boolean" }, leaked: { type: "boolean" }, first: { type: "boolean" }, "dry-run": { type: "boolean" } };
  const { env, url: given, urls, webhook, drop, leaked, first, "dry-run": isDry } = parseArgs({ options }).values;
  if (urls) {
    const { URL_SIGNING_KEY: next, URL_SIGNING_KEY_PREVIOUS: current } = process.env;
    return change(env, planUrlRotation({ current, next, leaked, first }), isDry);
  }
  if (webhook) return change(env, planWebhookRotation(process.env.WEBHOOK_SECRET, { drop, first }), isDry);
  const url = given || (await publicUrl(env));
  if (!URL.canParse(url ?? "") || !/^https?:/.test(url)) throw new Error(`The URL of ${env} is unknown. Add URL=https://… or set PUBLIC_BASE_URL in wrangler.toml.`);
  const published = await read(url).catch((error) => {
    if (first) return [];
    throw new Error(`The published key cannot be read at ${url}: ${error.cause?.message ?? error.message}. Check that it is deployed. Create its first key with FIRST=1.`);
  });
  change(env, planRotation(published, { leaked, first }), isDry);
}

function change(env, { secrets, says }, isDry) {
  for (const sentence of says) console.log(sentence);
  const changes = Object.entries(secrets).map(([name, value]) => (value === null ? `removes ${name}` : `sets ${name}`));
  console.log(`wrangler secret bulk --env ${env}: ${changes.join(", ")}, in one deployment.`);
  if (isDry) return console.log("DRY_RUN: no secret was changed.");
  // On stdin, because other processes can read arguments and files.
  const { status } = spawnSync("wrangler", ["secret", "bulk", "--env", env], { input: JSON.stringify(secrets), stdio: ["pipe", "inherit", "inherit"] });
  if (status !== 0) throw new Error("wrangler could not set the secrets. No secret was changed.");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
