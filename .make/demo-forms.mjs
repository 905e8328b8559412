// Creates the forms of the demo page (www/demo/forms.json) at the service at `--url`, with the token of a back end or an administrator in TOKEN.
// It waits for a server that is starting.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const START_MS = 120_000;

const { url } = parseArgs({ options: { url: { type: "string" } } }).values;
const { TOKEN } = process.env;
if (!url || !TOKEN) fail("URL and TOKEN are needed, such as: make demo-forms URL=https://image.the-form TOKEN=…");

const deadline = Date.now() + START_MS;
while (!(await fetch(new URL("/healthz", url)).catch(() => undefined))) {
  if (Date.now() > deadline) fail(`${url} does not answer.`);
  await new Promise((resolve) => setTimeout(resolve, 500));
}
for (const [formId, policy] of Object.entries(JSON.parse(readFileSync("www/demo/forms.json", "utf8")))) {
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
  const answer = await fetch(new URL(`/forms/${formId}`, url), { method: "PUT", headers, body: JSON.stringify(policy) });
  if (!answer.ok) fail(`${formId}: ${answer.status} ${await answer.text()}`);
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
