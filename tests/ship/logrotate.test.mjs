// The recipe of docs/monitoring for the rotation of a log, with the real logrotate: a line that is appended after a rotation is in the new file, no line is
// lost, and the oldest files are deleted.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

test("a log is rotated while a program writes to it", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "the-form-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const configuration = join(folder, "logrotate.conf");
  writeFileSync(configuration, readFileSync("docs/monitoring/logrotate.conf", "utf8").replace("/var/log/the-form-images", folder));
  const path = join(folder, "tail.ndjson");
  const log = openSync(path, "a");
  t.after(() => closeSync(log));
  const lines = [];
  for (let round = 0; round < 17; round++) {
    lines.push(JSON.stringify({ round }));
    writeSync(log, `${lines.at(-1)}\n`);
    execFileSync("logrotate", ["--force", "--state", join(folder, "state"), configuration], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: "pipe" });
    assert.equal(readFileSync(path, "utf8"), "", "the file is empty, and still the one that is written to");
  }
  const age = (name) => Number(/\.(\d+)\.gz$/.exec(name)[1]);
  const rotated = readdirSync(folder).filter((name) => name.endsWith(".gz")).sort((a, b) => age(b) - age(a));
  assert.deepEqual(rotated.map((name) => gunzipSync(readFileSync(join(folder, name))).toString().trim()), lines.slice(-14));
});
