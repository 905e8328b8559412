// Deletes a deployment with its database and its bucket, after two questions: `node .make/destroy.mjs --env staging`. What does not exist any longer
// is passed over, so that an interrupted run can be repeated.
import { spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { parseArgs, stripVTControlCharacters } from "node:util";

const GONE = /\[code: (10007|10090|7404|10006)\]|Couldn't find a D1 DB/;

const { env } = parseArgs({ options: { env: { type: "string" } } }).values;
const { unstable_readConfig: readConfig } = await import("wrangler");
const config = readConfig({ config: "wrangler.toml", env }, { hideWarnings: true });
if (!env || config.targetEnvironment !== env) fail(`ENV=${env} is not an environment of wrangler.toml.`);
const worker = config.name;
const [{ database_name: database }] = config.d1_databases;
const [{ bucket_name: bucket }] = config.r2_buckets;

console.log(`Deletes the Worker ${worker} with its ledgers and secrets, the database ${database}, and the bucket ${bucket}. None of them can be restored.`);
const questions = [
  [`Type the name of the Worker: `, worker],
  [`Accounts, pictures and limits of ${env} are lost. Type "delete ${database}": `, `delete ${database}`],
];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (const [question, expected] of questions) {
  process.stdout.write(question);
  const { value, done } = await lines.next();
  if (done || value.trim() !== expected) fail("\nNothing was deleted.");
}

const steps = [
  { what: `The Worker ${worker}`, words: ["delete", worker, "--force"] },
  { what: `The database ${database}`, words: ["d1", "delete", database, "--skip-confirmation"] },
  { what: `The bucket ${bucket}`, words: ["r2", "bucket", "delete", bucket] },
];
let remain = false;
for (const { what, words } of steps) {
  const { status, stdout, stderr } = spawnSync("wrangler", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1", CI: "1" } });
  const text = stripVTControlCharacters(stdout + stderr);
  if (status === 0) console.log(`${what} is deleted.`);
  else if (GONE.test(text)) console.log(`${what} does not exist.`);
  else {
    remain = true;
    console.error(/not empty/i.test(text) ? `${what} still has pictures. Empty it in the dashboard (R2, the bucket, Settings, Empty bucket), and run this command again.` : `${what} remains:\n${text}`);
  }
}
process.exit(remain ? 1 : 0);

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
