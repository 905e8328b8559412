// The decisions of `make deploy`: what it creates, sets, deploys and rolls back in accounts of different states. wrangler is replaced here;
// tests/ship/deploy.test.mjs runs the real one.
import assert from "node:assert/strict";
import { test } from "node:test";

import { currentVersion, deploy, missingSecrets, neededSecrets, parseSteps } from "../../.make/deploy.mjs";

const config = (vars = {}) => ({ name: "images", vars, d1_databases: [{ database_name: "images-db" }] });
const ALL = ["SIGNING_JWK", "URL_SIGNING_KEY", "METRICS_TOKEN", "AUTH_HS256_SECRET"];

/** An account, and the commands that were run on it. `healthy` has the verdicts of the doctor, one after another. */
function account({ secrets, versions = [], databases = [], healthy = [true], ask, broken } = {}) {
  const [ran, set, kept, asked] = [[], {}, {}, []];
  const verdicts = [...healthy];
  const doctored = [];
  const io = {
    say: () => {},
    keep: (shared) => Object.assign(kept, shared),
    wait: async (ms) => ran.push(`wait ${ms}`),
    answers: async () => {},
    doctor: async (url, version) => {
      doctored.push([url, version]);
      return verdicts.shift();
    },
    ask: ask === undefined ? undefined : async (question) => (asked.push(question), ask),
    read: async ([first, second]) => {
      if (broken) throw new Error(broken);
      if (first === "secret" && !secrets) throw new Error('\u2718 [ERROR] Worker "images" (env: staging) not found.');
      if (first === "secret") return JSON.stringify(secrets.map((name) => ({ name, type: "secret_text" })));
      if (first === "d1") return JSON.stringify(databases.map((name) => ({ name })));
      assert.equal(`${first} ${second}`, "deployments status");
      return JSON.stringify({ versions });
    },
    run: async (words, values = {}) => {
      ran.push(words.join(" "));
      Object.assign(set, values);
      return { version: "new", targets: ["https://images.people.workers.dev", "schedule: */5 * * * *"] };
    },
  };
  return { io, ran, set, kept, asked, doctored };
}

const existing = { secrets: ALL, versions: [{ version_id: "old", percentage: 100 }], databases: ["images-db"] };
const migrate = "d1 migrations apply REGISTRY --remote --env staging";

test("in an empty account it creates the database, makes the secrets, deploys, and asks the doctor at the new address", async () => {
  const { io, ran, set, kept, asked, doctored } = account({ ask: "" });
  const { url } = await deploy({ env: "staging", config: config() }, io);
  assert.deepEqual(ran, ["d1 create images-db --update-config=false", migrate, "deploy --env staging"]);
  assert.deepEqual(Object.keys(set).sort(), [...ALL].sort());
  assert.ok(JSON.parse(set.SIGNING_JWK).d && Object.values(set).every((value) => value.length >= 40));
  assert.deepEqual(Object.keys(kept).sort(), ["AUTH_HS256_SECRET", "METRICS_TOKEN"], "others need these");
  assert.equal(kept.METRICS_TOKEN.value, set.METRICS_TOKEN);
  assert.equal(asked.length, 1);
  assert.match(asked[0], /^ALERT_WEBHOOK_URL: /);
  assert.deepEqual([url, doctored], ["https://images.people.workers.dev", [[url, undefined]]]);
});

test("a second run changes nothing that exists", async () => {
  const { io, ran, set, kept } = account({ ...existing, ask: "never needed" });
  await deploy({ env: "staging", config: config({ PUBLIC_BASE_URL: "https://images.example" }) }, io);
  assert.deepEqual([ran, set, kept], [[migrate, "deploy --env staging"], {}, {}]);
});

test("when the doctor finds a problem, the version before serves again; without one, nothing is rolled back", async () => {
  const second = account({ ...existing, healthy: [false] });
  await assert.rejects(deploy({ env: "staging", config: config() }, second.io), /the version before \(old\) serves again/);
  assert.equal(second.ran.at(-1), "rollback old --env staging --yes --message the doctor found problems");
  const first = account({ ask: "", healthy: [false] });
  await assert.rejects(deploy({ env: "staging", config: config() }, first.io), /no version before this one/);
  assert.ok(!first.ran.some((words) => words.startsWith("rollback")));
});

test("an account that cannot be read is not taken for an empty one", async () => {
  const { io, ran, set } = account({ broken: "A request to the Cloudflare API failed. Authentication error [code: 10000]", ask: "" });
  await assert.rejects(deploy({ env: "staging", config: config() }, io), /Authentication error/);
  assert.deepEqual([ran, set], [[], {}]);
});

test("in steps, the doctor tries the new version before people do, and after each step", async () => {
  const vars = { PUBLIC_BASE_URL: "https://images.example" };
  const { io, ran, doctored } = account({ ...existing, healthy: [true, true, true] });
  await deploy({ env: "staging", config: config(vars), steps: [10, 100], pauseMs: 5 }, io);
  const split = (specs) => `versions deploy ${specs} --env staging --yes`;
  assert.deepEqual(ran, [migrate, "versions upload --env staging", split("new@0 old@100"), split("new@10 old@90"), "wait 5", split("new@100"), "triggers deploy --env staging"]);
  assert.deepEqual(doctored, Array(3).fill([vars.PUBLIC_BASE_URL, 'images="new"']));
  for (const [healthy, percentage] of [[[false], 0], [[true, false], 10], [[true, true, false], 100]]) {
    const failing = account({ ...existing, healthy });
    await assert.rejects(deploy({ env: "staging", config: config(vars), steps: [10, 100] }, failing.io), new RegExp(`problems at ${percentage} %`));
    assert.equal(failing.ran.at(-1), split("old@100"));
  }
});

test("the first deployment in steps gets all traffic at once, because there is nothing to share it with", async () => {
  const { io, ran } = account({ ask: "" });
  await deploy({ env: "staging", config: config(), steps: [10, 100] }, io);
  assert.equal(ran.at(-1), "deploy --env staging");
});

test("secrets depend on the variables; without a terminal, those that others need are not made", async () => {
  const names = (vars) => neededSecrets(vars).map(({ name }) => name);
  assert.ok(!names({ AUTH_JWKS_URL: "https://a.example/keys" }).includes("AUTH_HS256_SECRET"));
  assert.ok(names({ WEBHOOK_URL: "https://a.example" }).includes("WEBHOOK_SECRET"));
  assert.ok(names({ CHALLENGE: "turnstile" }).includes("TURNSTILE_SECRET"));
  assert.ok(names({ AUTH_ISSUERS: '[{"name":"shop","hs256Secret":"SHOP_SECRET"}]' }).includes("SHOP_SECRET"));
  assert.deepEqual(names({ STORAGE: "s3" }).filter((name) => name.startsWith("S3")), ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]);
  const alone = { vars: {}, present: [], isNew: true };
  await assert.rejects(missingSecrets(alone), /METRICS_TOKEN is missing.*environment variable/);
  const given = { METRICS_TOKEN: "m", AUTH_HS256_SECRET: "h", ALERT_WEBHOOK_URL: "https://hooks.example", PATH: "/bin" };
  const { secrets, shared } = await missingSecrets({ ...alone, given });
  assert.deepEqual(Object.keys(secrets).sort(), ["ALERT_WEBHOOK_URL", ...ALL].sort());
  assert.deepEqual([secrets.METRICS_TOKEN, shared], ["m", {}]);
});

test("the version before is the one with the most traffic, and percentages increase to 100", () => {
  assert.equal(currentVersion({ versions: [{ version_id: "a", percentage: 10 }, { version_id: "b", percentage: 90 }] }), "b");
  assert.equal(currentVersion({ versions: [] }), undefined);
  assert.deepEqual(parseSteps("10,50,100"), [10, 50, 100]);
  for (const wrong of ["10,50", "50,10,100", "a,100", "0,100", "10,100,200"]) assert.throws(() => parseSteps(wrong), /STEPS=/);
});
