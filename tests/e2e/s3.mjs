// Starts a real S3 server (s3s-fs, which verifies signatures) in a temporary folder, reads that folder, and stops the server.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { freePort } from "./server.mjs";

const START_MS = 20_000;
const SERVER = "target/tools/bin/s3s-fs";

/** Starts an S3 server with an empty bucket. */
export async function startS3({ bucket = "pictures" } = {}) {
  const root = mkdtempSync(join(tmpdir(), "the-form-s3-"));
  mkdirSync(join(root, bucket));
  const keys = { id: `AK${randomBytes(8).toString("hex")}`, secret: randomBytes(30).toString("base64") };
  const port = await freePort();
  const options = ["--host", "127.0.0.1", "--port", port, "--access-key", keys.id, "--secret-key", keys.secret, root];
  const child = spawn(SERVER, options.map(String), { stdio: "ignore" });
  const failed = new Promise((_, reject) => child.once("error", reject));
  const url = `http://127.0.0.1:${port}`;
  const s3 = {
    url,
    /** The variables of a Worker that uses this store, directly or through a proxy at `endpoint`. */
    vars: (endpoint = url) => ({
      STORAGE: "s3",
      S3_ENDPOINT: endpoint,
      S3_REGION: "us-east-1",
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: keys.id,
      S3_SECRET_ACCESS_KEY: keys.secret,
    }),
    objects: () => objects(join(root, bucket)),
    /** The deployment id in the bucket. */
    deploymentId: () => read(join(root, bucket, "deployment-id")),
    /** Deletes an object from the bucket, or its attributes. */
    lose: (key) => rmSync(join(root, bucket, key)),
    loseAttributes: (key) => rmSync(attributesFile(root, bucket, key)),
    attributes: (key) => attributes(root, bucket, key),
    plant: (key, bytes) => plant(join(root, bucket, key), bytes),
    stop: () => stop(child, root),
  };
  try {
    await Promise.race([ready(url, child), failed]);
  } catch (error) {
    await s3.stop();
    throw error;
  }
  return s3;
}

async function ready(url, child) {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    if (await fetch(url).catch(() => undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("s3s-fs did not answer");
}

async function stop(child, root) {
  if (child.exitCode === null && child.signalCode === null && child.pid) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}

/** The images in the bucket: key -> bytes. */
function objects(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  const pictures = paths.filter((path) => relative(folder, path).startsWith("users/"));
  return new Map(pictures.map((path) => [relative(folder, path), readFileSync(path)]));
}

/** The attributes of an object, such as its content type. */
const attributes = (root, bucket, key) => JSON.parse(readFileSync(attributesFile(root, bucket, key), "utf8"));

function attributesFile(root, bucket, key) {
  const encoded = (text) => Buffer.from(text).toString("base64url");
  return join(root, `.bucket-${encoded(bucket)}.object-${encoded(key)}.metadata.json`);
}

const read = (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);

function plant(path, bytes) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
