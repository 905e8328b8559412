// `make release` writes the same bytes when everything is built again, and its archive of the Worker deploys without Rust. Part of the long tests, because
// it builds twice.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

const DIST = "target/dist";
const make = () => execFileSync("make", ["--silent", "release"], { stdio: ["ignore", "ignore", "inherit"] });
const sums = () => readFileSync(join(DIST, "SHA256SUMS"), "utf8");

test("a release has the same bytes when it is built again", () => {
  make();
  const first = sums();
  assert.equal(first.trim().split("\n").length, 6);
  execFileSync("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: DIST });
  for (const path of ["target/edge", "target/browser", "target/browser-module", "target/www", "target/sbom", "target/stamps/www", "target/the-form-preflight.tgz", "target/the-form-server.tgz"]) rmSync(path, { recursive: true, force: true });
  execFileSync("cargo", ["clean", "--quiet", "--workspace", "--target", "wasm32-unknown-unknown"]);
  make();
  assert.equal(sums(), first);
});

test("the archive of the Worker has all that wrangler deploys, and asks for its secrets", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "the-form-archive-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [, archive] = /(the-form-images-worker-.+\.tgz)/.exec(sums());
  execFileSync("tar", ["-xzf", resolve(DIST, archive), "-C", folder]);
  const at = join(folder, "package");
  const output = execFileSync(resolve("node_modules/.bin/wrangler"), ["deploy", "--dry-run"], { cwd: at, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" } });
  for (const binding of ["LEDGER", "REGISTRY", "IMAGES", "ADDRESS_LIMIT", "VERSION"]) assert.match(output, new RegExp(`env\\.${binding}\\b`), output);
  assert.match(output, /Read \d{2,} files from the assets directory/);
  const configuration = readFileSync(join(at, "wrangler.toml"), "utf8");
  assert.doesNotMatch(configuration, /database_id|\[build\]|-dev|env\./);
  const asked = readFileSync(join(at, ".dev.vars.example"), "utf8").match(/^\w+(?==)/gm);
  const { cloudflare } = JSON.parse(readFileSync(join(at, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(cloudflare.bindings), asked);
});
