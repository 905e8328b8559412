// Checks of a deployment that need no Cloudflare account: both environments build, and the IAM policy of the guide grants
// exactly the S3 actions that the Worker uses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { test } from "node:test";

import { startS3 } from "./s3.mjs";
import { startServer } from "./server.mjs";

for (const environment of ["staging", "production"]) {
  test(`${environment} builds with every binding and fits the free plan`, () => {
    const output = execFileSync("node_modules/.bin/wrangler", ["deploy", "--dry-run", "--env", environment, "--outdir", `target/dry-run/${environment}`], {
      encoding: "utf8",
      env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const binding of ["LEDGER", "REGISTRY", "IMAGES", "ADDRESS_LIMIT", "SITE_LIMIT", "READ_LIMIT", "VERSION"]) assert.match(output, new RegExp(`env\\.${binding}\\b`), output);
    // The paid plan allows 10 MB, the free plan 3 MB; a smaller Worker starts sooner.
    const [, kib] = /gzip: ([\d.]+) KiB/.exec(output) ?? [];
    assert.ok(Number(kib) < 3072, output);
    assert.match(output, /dry-run: exiting/);
  });
}

test("the environments have different Worker names, and none writes the platform's invocation logs", async () => {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const of = (env) => readConfig({ config: "wrangler.toml", env }, { hideWarnings: true });
  const names = [undefined, "staging", "production"].map((env) => of(env).name);
  assert.equal(new Set(names).size, 3, names.join());
  for (const env of [undefined, "staging", "production"]) {
    const { enabled, logs } = of(env).observability;
    assert.deepEqual([enabled, logs.enabled, logs.invocation_logs], [true, true, false], env);
  }
});

test("every environment limits the CPU time of a request to 30 s", async () => {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  for (const env of [undefined, "staging", "production"]) {
    assert.equal(readConfig({ config: "wrangler.toml", env }).limits?.cpu_ms, 30_000, env);
  }
});

test("no environment has an id of a database, and each names the secrets without which it is not deployed", async () => {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  for (const env of ["staging", "production"]) {
    const { d1_databases: [database], secrets } = readConfig({ config: "wrangler.toml", env }, { hideWarnings: true });
    assert.deepEqual([database.database_id, secrets.required], [undefined, ["SIGNING_JWK", "URL_SIGNING_KEY", "METRICS_TOKEN"]], env);
  }
});

/** The S3 action that a request needs, and its key. */
function neededAction({ method, url }) {
  const { pathname, searchParams } = new URL(url, "http://s3");
  const [, , ...key] = pathname.split("/");
  if (key.join("/") === "") return { action: searchParams.get("list-type") === "2" ? "s3:ListBucket" : `unknown ${url}`, prefix: searchParams.get("prefix") };
  const actions = { GET: "s3:GetObject", HEAD: "s3:GetObject", PUT: "s3:PutObject", DELETE: "s3:DeleteObject" };
  return { action: actions[method], key: key.join("/") };
}

test("docs/deploy/iam-policy.json grants exactly the actions that the Worker uses", async (t) => {
  const s3 = await startS3();
  t.after(s3.stop);
  const used = [];
  const proxy = createServer((incoming, outgoing) => {
    used.push(neededAction(incoming));
    const onward = request(new URL(incoming.url, s3.url), { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const server = await startServer({ vars: { ...s3.vars(`http://127.0.0.1:${proxy.address().port}`), VARIANT_WIDTHS: "16" } });
  t.after(server.stop);

  const headers = { Authorization: `Bearer ${server.token()}`, "Content-Type": "image/jpeg" };
  const body = readFileSync("tests/fixtures/jpeg/baseline-420.jpg");
  const { data } = await (await fetch(`${server.url}/images`, { method: "POST", headers, body })).json();
  const ask = async (path, options) => assert.ok((await fetch(server.url + path, options)).ok, path);
  await ask(`/${data.key}`);
  await ask(`/${data.key}?w=16`);
  await ask(`/${data.key}`, { method: "HEAD" });
  await ask(`/${data.key}`, { headers: { Range: "bytes=0-9" } });
  const service = { Authorization: `Bearer ${server.token({ sub: "back-end", role: "SERVICE" })}`, "Content-Type": "application/json" };
  await ask("/forms/held", { method: "PUT", headers: service, body: JSON.stringify({ review: "held" }) });
  const form = new FormData();
  form.append("formId", "held");
  form.append("file", new Blob([body], { type: "image/jpeg" }), "a.jpg");
  const held = await (await fetch(`${server.url}/images`, { method: "POST", headers: { Authorization: headers.Authorization }, body: form })).json();
  await ask(new URL(held.data.signedUrl).pathname + new URL(held.data.signedUrl).search);
  await ask(`/images/${held.data.imageId}/release`, { method: "POST", headers: service });
  assert.ok(used.some(({ key }) => key?.startsWith("private/users/")));
  await ask("/readyz");
  await ask("/cdn-cgi/handler/scheduled");
  await ask(`/images/${data.imageId}`, { method: "DELETE", headers });

  const { Statement } = JSON.parse(readFileSync("docs/deploy/iam-policy.json", "utf8"));
  const given = new Set(Statement.flatMap(({ Action }) => Action));
  assert.deepEqual([...new Set(used.map(({ action }) => action))].sort(), [...given].sort());
  const listing = Statement.find(({ Action }) => Action === "s3:ListBucket");
  const covers = ({ Resource }, key) => [Resource].flat().some((resource) => new RegExp(`^${resource.replace("arn:aws:s3:::the-form-images/", "").replaceAll("*", ".+")}$`).test(key));
  for (const { action, key, prefix } of used) {
    if (action === "s3:ListBucket") assert.equal(prefix, null, "the whole bucket is listed");
    else assert.ok(Statement.some((it) => it !== listing && it.Action.includes(action) && covers(it, key)), `${action} ${key}`);
  }
  assert.ok(used.some(({ action, key }) => action === "s3:PutObject" && key === "deployment-id"));
});
