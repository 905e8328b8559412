// Writes .dev.vars with new keys for the local server. In an existing file it only adds missing keys.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const FILE = ".dev.vars";
const secret = () => randomBytes(32).toString("base64url");
const signingKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const keys = {
  AUTH_HS256_SECRET: secret,
  METRICS_TOKEN: secret,
  // Locally `make token` acts as the platform and prints tokens of administrators as well.
  PLATFORM_ADMIN: () => "true",
  // Mails are shown at /dev/mail.
  DEV_MAILBOX: () => "true",
  SIGNING_JWK: () => `'${JSON.stringify(signingKey())}'`,
  URL_SIGNING_KEY: secret,
};

const existing = existsSync(FILE)
  ? readFileSync(FILE, "utf8")
  : "# Keys of this checkout only, made by `make setup`. Never commit or share them.\n";
const missing = Object.keys(keys).filter((name) => !new RegExp(`^${name}=`, "m").test(existing));
const added = missing.map((name) => `${name}=${keys[name]()}\n`).join("");
writeFileSync(FILE, `${existing.endsWith("\n") ? existing : `${existing}\n`}${added}`, { mode: 0o600 });
// Not on stdout, where `make -s token` prints a token.
if (missing.length > 0) console.error(`Added to ${FILE}: ${missing.join(", ")}.`);
