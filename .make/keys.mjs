// Prints a fresh signing key and a fresh shared secret, and how to put them in the place of the old.
import { generateKeyPairSync, randomBytes } from "node:crypto";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
console.log(`SIGNING_JWK='${JSON.stringify(privateKey.export({ format: "jwk" }))}'`);
console.log(`AUTH_HS256_SECRET=${randomBytes(32).toString("base64url")}`);
console.error("To rotate: put the SIGNING_JWK of now into SIGNING_JWK_PREVIOUS and the one above into SIGNING_JWK, in one deployment.");
console.error("Once the longest token of before has expired (15 minutes by default), remove SIGNING_JWK_PREVIOUS. A shared secret has no second place.");
