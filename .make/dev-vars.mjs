// Writes .dev.vars with fresh keys for the local server. It never overwrites one that is there.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const lines = [
  "# Keys of this checkout only, made by `make setup`. Never commit or share them.",
  `AUTH_HS256_SECRET=${randomBytes(32).toString("base64url")}`,
  `METRICS_TOKEN=${randomBytes(32).toString("base64url")}`,
  `SIGNING_JWK='${JSON.stringify(privateKey.export({ format: "jwk" }))}'`,
];

try {
  writeFileSync(".dev.vars", `${lines.join("\n")}\n`, { flag: "wx", mode: 0o600 });
  console.log("Wrote .dev.vars with fresh keys.");
} catch (error) {
  if (error.code !== "EEXIST") throw error;
}
