// Gives an account the role ADMIN, in the local database or in that of an environment.
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { email: { type: "string" }, env: { type: "string" }, state: { type: "string" } } });
const { email = "", env, state } = values;
// Rejects characters that could end an SQL string; quotes in the rest are doubled.
if (!/^[^\s@"\\\x00-\x1f]+@[^\s@"\\\x00-\x1f]+$/.test(email)) fail("EMAIL must be the address of an account, such as me@example.com.");
const quoted = `'${email.toLowerCase().replaceAll("'", "''")}'`;
const statement = `UPDATE users SET role = 'ADMIN' WHERE email = ${quoted} RETURNING email`;

const local = ["--local", ...(state ? ["--persist-to", state] : [])];
const where = env ? ["--remote", "--env", env] : local;
// Without a shell, so that only SQL quoting applies.
const output = run("wrangler", ["d1", "execute", "REGISTRY", ...where, "--json", "--command", statement]);
const changed = JSON.parse(output).flatMap(({ results }) => results);
if (changed.length === 0) fail(`No account has the address ${email}. Sign up first.`);
console.log(`${email} is an administrator from the next sign-in on.`);

function run(command, words) {
  try {
    return execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    fail(`${error.stdout ?? ""}${error.stderr ?? ""}`.trim() || String(error));
  }
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
