// `make copy-pictures` with the real rclone between two real S3 servers: a backup, its restore, and a move to another store and back, without a lost
// picture. R2 has the same S3 interface, but does not run here. Part of the long tests, because it needs rclone.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { gif } from "../e2e/pictures.mjs";
import { startS3 } from "../e2e/s3.mjs";
import { startServer } from "../e2e/server.mjs";

const run = promisify(execFile);
const stops = [];
let [ours, theirs, server] = [];
before(async () => {
  [ours, theirs] = await Promise.all([startS3(), startS3()]);
  stops.push(ours.stop, theirs.stop);
  server = await startServer({ vars: ours.vars() });
  stops.push(server.stop);
});
after(async () => {
  for (const stop of stops.reverse()) await stop();
});

/** The remotes of rclone as environment variables. */
function remotes() {
  const entries = Object.entries({ OURS: ours, THEIRS: theirs }).flatMap(([name, store]) => {
    const { S3_ACCESS_KEY_ID: id, S3_SECRET_ACCESS_KEY: secret, S3_ENDPOINT: endpoint, S3_REGION: region } = store.vars();
    return Object.entries({ TYPE: "s3", PROVIDER: "Other", ACCESS_KEY_ID: id, SECRET_ACCESS_KEY: secret, ENDPOINT: endpoint, REGION: region }).map(([key, value]) => [`RCLONE_CONFIG_${name}_${key}`, value]);
  });
  // rclone 1.60 refuses to start with the certificates of this variable, and the servers have none.
  const { AWS_CA_BUNDLE: _, ...env } = process.env;
  return { ...env, RCLONE_CONFIG: "/dev/null", ...Object.fromEntries(entries) };
}
const copy = (from, to, ...words) =>
  run("make", ["--silent", "--no-print-directory", "copy-pictures", `FROM=${from}:pictures`, `TO=${to}:pictures`, ...words], { env: remotes() }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    ({ code, stdout, stderr }) => ({ code, output: stdout + stderr }),
  );
async function upload(number) {
  const headers = { Authorization: `Bearer ${server.token({ sub: `u-${number % 3}` })}`, "Content-Type": "image/gif", "X-Filename": `${number}.gif` };
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body: gif(number) });
  assert.equal(answer.status, 201);
  return (await answer.json()).data;
}
const everything = async (keys) => {
  for (const { key } of keys) {
    const answer = await fetch(`${server.url}/${key}?fresh=${Math.random()}`);
    assert.equal(answer.status, 200, key);
  }
};

test("a backup has every picture with its metadata and not the deployment id, and a lost picture comes back from it", async () => {
  const pictures = [];
  for (let number = 1; number <= 12; number++) pictures.push(await upload(number));
  const first = await copy("ours", "theirs");
  assert.equal(first.code, 0, first.output);
  assert.deepEqual([...theirs.objects().keys()].sort(), [...ours.objects().keys()].sort());
  assert.equal(theirs.deploymentId(), undefined);
  const [{ key }] = pictures;
  const { user_metadata: metadata, ...attributes } = ours.attributes(key);
  const { user_metadata: copied, ...others } = theirs.attributes(key);
  assert.deepEqual(others, attributes);
  assert.equal(attributes.content_type, "image/gif");
  // rclone adds times.
  const { mtime, btime, ...ofOurs } = copied;
  assert.ok(Object.keys(metadata).includes("file-name"));
  assert.deepEqual(ofOurs, metadata);

  ours.lose(key);
  assert.equal((await copy("theirs", "ours")).code, 0);
  assert.deepEqual(ours.objects().get(key), theirs.objects().get(key));
  await everything(pictures);
});

test("a copy that differs fails, and nothing is overwritten", async () => {
  const { key } = await upload(50);
  theirs.plant(key, "something else");
  const { code, output } = await copy("ours", "theirs");
  assert.notEqual(code, 0, output);
  assert.equal(theirs.objects().get(key).toString(), "something else");
  theirs.lose(key);
  assert.equal((await copy("ours", "theirs")).code, 0);
});

test("a service moves to another store and back, also with uploads in between, without a lost picture", async () => {
  const pictures = [await upload(60), await upload(61)];
  const id = ours.deploymentId();
  const ready = async () => (await (await fetch(`${server.url}/readyz`)).json()).bucket;
  for (const [from, to, names] of [[ours, theirs, ["ours", "theirs"]], [theirs, ours, ["theirs", "ours"]]]) {
    assert.equal((await copy(...names)).code, 0);
    pictures.push(await upload(70 + pictures.length));
    const { S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, ...vars } = to.vars();
    await server.restart({ S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY }, { vars: { ...vars, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } });
    const { code, output } = await copy(...names, "WITH_ID=1");
    assert.equal(code, 0, output);
    assert.match(output, /with the deployment id/);
    assert.equal(to.deploymentId(), id);
    assert.equal(await ready(), "bound");
    await everything(pictures);
    assert.ok([...from.objects().keys()].every((key) => to.objects().has(key)));
  }
});

test("a remote without a bucket, or twice the same, is refused", async () => {
  for (const words of [["copy-pictures", "FROM=ours", "TO=theirs:pictures"], ["copy-pictures", "FROM=ours:pictures", "TO=ours:pictures"]]) {
    await assert.rejects(run("make", ["--silent", ...words], { env: remotes() }), /is not a remote|are the same bucket/);
  }
});
