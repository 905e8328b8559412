// Makes an account an administrator: in the local database, or in that of an environment.
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { email: { type: "string" }, env: { type: "string" }, state: { type: "string" } } });
const { email = "", env, state } = values;
// Nothing that could end the text of a statement is let through; what is left is quoted as SQL wants it.
if (!/^[^\s@"\\\x00-\x1f]+@[^\s@"\\\x00-\x1f]+$/.test(email)) fail("EMAIL is the address of an account, such as me@example.com.");
const quoted = `'${email.toLowerCase().replaceAll("'", "''")}'`;
const statement = `UPDATE users SET role = 'ADMIN' WHERE email = ${quoted} RETURNING email`;

const local = ["--local", ...(state ? ["--persist-to", state] : [])];
const where = env ? ["--remote", "--env", env] : local;
// No shell in between, so that there is one kind of quoting only.
const told = run("wrangler", ["d1", "execute", "REGISTRY", ...where, "--json", "--command", statement]);
const changed = JSON.parse(told).flatMap(({ results }) => results);
if (changed.length === 0) fail(`There is no account with the address ${email}. Sign up first.`);
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
