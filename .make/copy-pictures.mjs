// Copies the pictures of a bucket to another one with rclone, for a backup, for a restore, and for a move between R2 and S3, and then compares all of
// them. Objects never change, so a second run copies only new ones.
//
// `node .make/copy-pictures.mjs --from r2:bucket --to backup:bucket [--with-id]`. The deployment id is copied only with `--with-id` and only after all
// pictures, because it says that the bucket is complete.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const REMOTE = /^[\w.+@ -]+:[a-z0-9][a-z0-9.-]+$/;
const ID = "deployment-id";

const { from = "", to = "", "with-id": withId } = parseArgs({ options: { from: { type: "string" }, to: { type: "string" }, "with-id": { type: "boolean" } } }).values;
for (const [name, value] of Object.entries({ FROM: from, TO: to })) if (!REMOTE.test(value)) fail(`${name} is not a remote of rclone with a bucket, such as r2:the-form-images.`);
if (from === to) fail("FROM and TO are the same bucket.");

// The keys of pictures begin with one of these. With their metadata, which SWEEP_REPAIR=register reads.
const pictures = ["--filter", "+ /users/**", "--filter", "+ /private/**", "--filter", "- *"];
rclone(["copy", from, to, "--immutable", "--metadata", "--s3-no-check-bucket", ...pictures], "Not all pictures were copied. Run the command again: it copies what is missing.");
rclone(["check", from, to, "--one-way", ...pictures], "The copy differs from the original. Read the keys above. An object of a picture never changes, so another program has written to one of the buckets.");
if (withId) rclone(["copyto", `${from}/${ID}`, `${to}/${ID}`, "--s3-no-check-bucket"], "The deployment id was not copied. Run the command again.");
console.log(`Every picture of ${from} is in ${to}${withId ? ", with the deployment id" : ""}.`);

function rclone(words, problem) {
  const { status, error } = spawnSync("rclone", words, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) fail(error ? `rclone cannot be run: ${error.message}.` : problem);
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
