// Writes .dev.vars with fresh keys for the local server. Of one that is there it changes nothing and adds what is missing.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const FILE = ".dev.vars";
const secret = () => randomBytes(32).toString("base64url");
const signingKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const keys = {
  AUTH_HS256_SECRET: secret,
  METRICS_TOKEN: secret,
  // Here `make token` is the platform, and prints tokens of administrators as well.
  PLATFORM_ADMIN: () => "true",
  SIGNING_JWK: () => `'${JSON.stringify(signingKey())}'`,
};

const there = existsSync(FILE)
  ? readFileSync(FILE, "utf8")
  : "# Keys of this checkout only, made by `make setup`. Never commit or share them.\n";
const missing = Object.keys(keys).filter((name) => !new RegExp(`^${name}=`, "m").test(there));
const added = missing.map((name) => `${name}=${keys[name]()}\n`).join("");
writeFileSync(FILE, `${there.endsWith("\n") ? there : `${there}\n`}${added}`, { mode: 0o600 });
// Not on stdout, where `make -s token` prints a token.
if (missing.length > 0) console.error(`Added to ${FILE}: ${missing.join(", ")}.`);
