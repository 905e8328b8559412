// Rotates the key that signs what is issued here. A secret cannot be read back, so the old key goes on as what the deployment
// publishes of it, which is enough to verify; both secrets change in one `wrangler secret bulk`, which is one deployment.
//
// `node .make/rotate.mjs --env production [--url https://…] [--leaked] [--first] [--dry-run]`. No private key is printed or written.
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";

const TIMEOUT_MS = 15_000;

/**
 * The secrets to set, and what to tell. `published` are the keys at /.well-known/jwks.json: the first signs, a second one is the
 * key before it.
 */
export function planRotation(published, { leaked = false, first = false } = {}) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const secrets = { SIGNING_JWK: JSON.stringify(privateKey.export({ format: "jwk" })) };
  const [current, previous] = published;
  if (first) {
    if (current) throw new Error(`This deployment has a key already (${current.kid}): leave FIRST=1 out.`);
    return { secrets, says: ["The first signing key is made."] };
  }
  if (!current) throw new Error("This deployment publishes no key. For its first one: FIRST=1.");
  if (leaked) {
    // Removing a secret that is not there is left out.
    if (previous) secrets.SIGNING_JWK_PREVIOUS = null;
    return { secrets, says: [`The key ${current.kid} is removed, and with it ends now: guest tokens, access tokens of accounts, upload tickets.`, PSEUDONYMS, ...LEAKED] };
  }
  // Only the public members: whatever else a server may answer has no place in a secret of ours.
  const key = createPublicKey({ format: "jwk", key: current });
  secrets.SIGNING_JWK_PREVIOUS = JSON.stringify(key.export({ format: "jwk" }));
  const dropped = previous ? [`The key before it (${previous.kid}) is removed: what it signed ends now.`] : [];
  return { secrets, says: [`The key ${current.kid} signs no more and goes on verifying, until the next rotation.`, ...dropped, PSEUDONYMS] };
}

const PSEUDONYMS = "Users get other pseudonyms in the log: a look-up shows the new one, lines of before have the old one.";
const LEAKED = [
  "Guests cannot claim what they uploaded with a token of before: those pictures expire (PENDING_S).",
  "Refresh tokens are not signed and go on: clients of accounts get a new access token with theirs, others ask for a new guest token or ticket.",
  "A rollback to a version from before brings the leaked key back: deploy the older commit instead.",
  "Look at /admin/ for uploads and sign-ups since it leaked.",
];

async function read(url) {
  const answer = await fetch(new URL("/.well-known/jwks.json", url), { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "error" });
  if (answer.status === 503) return [];
  if (!answer.ok) throw new Error(`it answers ${answer.status}`);
  return (await answer.json()).keys;
}

/** Where an environment is served, by its own configuration. */
async function publicUrl(env) {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  return readConfig({ config: "wrangler.toml", env }, { hideWarnings: true }).vars.PUBLIC_BASE_URL;
}

async function main() {
  const options = { env: { type: "string" }, url: { type: "string" }, leaked: { type: "boolean" }, first: { type: "boolean" }, "dry-run": { type: "boolean" } };
  const { env, url: given, leaked, first, "dry-run": isDry } = parseArgs({ options }).values;
  const url = given || (await publicUrl(env));
  if (!URL.canParse(url ?? "") || !/^https?:/.test(url)) throw new Error(`Say where ${env} is served: URL=https://… (or set PUBLIC_BASE_URL in wrangler.toml).`);
  const published = await read(url).catch((error) => {
    if (first) return [];
    throw new Error(`The published key cannot be read at ${url}: ${error.cause?.message ?? error.message}. Is it deployed? For its first key: FIRST=1.`);
  });
  const { secrets, says } = planRotation(published, { leaked, first });
  for (const sentence of says) console.log(sentence);
  const changes = Object.entries(secrets).map(([name, value]) => (value === null ? `removes ${name}` : `sets ${name}`));
  console.log(`wrangler secret bulk --env ${env}: ${changes.join(", ")}, in one deployment.`);
  if (isDry) return console.log("DRY_RUN: nothing was changed.");
  // By its input: neither an argument nor a file would keep the key to itself.
  const { status } = spawnSync("wrangler", ["secret", "bulk", "--env", env], { input: JSON.stringify(secrets), stdio: ["pipe", "inherit", "inherit"] });
  if (status !== 0) throw new Error("wrangler could not set the secrets: nothing was changed.");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
