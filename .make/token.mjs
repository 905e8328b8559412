// Prints a token for the local server, signed with the secret in .dev.vars.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const ROLES = ["USER", "GUEST", "SERVICE", "ADMIN"];
const { values } = parseArgs({
  options: { role: { type: "string" }, sub: { type: "string" }, ttl: { type: "string" } },
});
const { role = "USER", sub = "123", ttl = "3600" } = values;
if (!ROLES.includes(role)) fail(`ROLE must be one of ${ROLES.join(", ")}.`);
if (!/^[A-Za-z0-9_-]{1,64}$/.test(sub)) fail("SUB must have 1 to 64 characters of A-Z a-z 0-9 _ -.");
if (!/^-?\d+$/.test(ttl)) fail("TTL must be a number of seconds.");

const secret = /^AUTH_HS256_SECRET=(.+)$/m.exec(readFileSync(".dev.vars", "utf8"))?.[1];
if (!secret) fail(".dev.vars has no AUTH_HS256_SECRET. Remove the file and run make setup.");

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = Math.floor(Date.now() / 1000);
const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub, role, iat: now, exp: now + Number(ttl) })}`;
console.log(`${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`);

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
