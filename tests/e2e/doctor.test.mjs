// `make doctor` against a deployment that is well, and against ones that are not: it names what is wrong, and
// nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { freePort, startServer } from "./server.mjs";

const run = promisify(execFile);

/** What the doctor says: its lines by check, and its exit code. */
async function doctor(url, ...options) {
  const words = ["--silent", "--no-print-directory", "doctor", `URL=${url}`, ...options];
  const { code = 0, stdout, stderr } = await run("make", words, { encoding: "utf8" }).catch((error) => error);
  const lines = stdout.split("\n").flatMap((line) => {
    const [, kind, check, sentence] = /^(ok|note|FAIL|skip) +([a-z]+) +(.+)$/.exec(line) ?? [];
    return kind ? [{ kind, check, sentence }] : [];
  });
  const failed = lines.filter(({ kind }) => kind === "FAIL");
  return { code, stdout, stderr, failed, names: [...new Set(failed.map(({ check }) => check))] };
}

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

/** Stands before the server and changes what comes back. */
async function startProxy(t, change) {
  const proxy = createServer((incoming, outgoing) => {
    const { hostname, port } = new URL(server.url);
    const { "accept-encoding": _, ...headers } = incoming.headers;
    const options = { hostname, port, path: incoming.url, method: incoming.method, headers };
    const onward = request(options, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const { "transfer-encoding": __, ...kept } = answer.headers;
      const changed = change({ headers: kept, body: Buffer.concat(chunks), url: incoming.url });
      if (incoming.method !== "HEAD") changed.headers["content-length"] = changed.body.length;
      outgoing.writeHead(answer.statusCode, changed.headers).end(changed.body);
    });
    incoming.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${proxy.address().port}`;
}

test("all is well, and what was uploaded is a guest's and goes away", async () => {
  const { code, stdout, failed } = await doctor(server.url);
  assert.deepEqual(failed, []);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /All is well/);
  assert.match(stdout, /goes away at \d{4}-/);
  const keys = [...server.objects().keys()];
  assert.equal(keys.length, 1);
  assert.match(keys[0], /^users\/guest-/);
  assert.deepEqual(server.rows(), [], "and nothing is registered");
});

test("nobody there, and somebody else there", async (t) => {
  const nobody = await doctor(`http://127.0.0.1:${await freePort()}`);
  assert.deepEqual([nobody.code !== 0, nobody.names], [true, ["reach"]]);
  assert.match(nobody.failed[0].sentence, /nobody listens there/);
  const other = createServer((_, answer) => answer.end("hello"));
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => other.close());
  const wrong = await doctor(`http://127.0.0.1:${other.address().port}`);
  assert.deepEqual(wrong.names, ["reach"]);
  assert.match(wrong.failed[0].sentence, /is this the right address/);
});

test("an address without a scheme is one line that says what to write", async () => {
  for (const words of [["image.the-form"], ["localhost:8787"], [server.url, "ORIGIN=the-form"]]) {
    const { code, stdout, stderr } = await doctor(...words);
    const wrong = words.at(-1).replace(/^ORIGIN=/, "");
    assert.notEqual(code, 0, wrong);
    assert.equal(stdout, "", wrong);
    const lines = stderr.split("\n").filter((line) => line && !/^make/.test(line));
    assert.deepEqual(lines.length, 1, stderr);
    assert.match(lines[0], new RegExp(`=${wrong} has no scheme: write it as https://`));
  }
});

test("with a user's token the upload is that user's, also where uploads need a ticket", async (t) => {
  const strict = await startServer({ vars: { REQUIRE_TICKET: "true" } });
  t.after(strict.stop);
  const without = await doctor(strict.url);
  assert.match(without.stdout, /give TOKEN=/);
  assert.equal(strict.objects().size, 0);
  const { failed, stdout } = await doctor(strict.url, `TOKEN=${strict.token({ sub: "doctor" })}`);
  assert.deepEqual(failed, [], stdout);
  assert.match(stdout, /^ok +removal/m);
  assert.deepEqual([strict.objects().size, strict.rows()], [0, []], "and the picture is deleted again");
  assert.deepEqual(strict.rows("events").map(({ subject }) => subject), ["user:doctor"], "it was the user's");
});

test("pages that may not call", async (t) => {
  const strict = await startServer({ vars: { ALLOWED_ORIGINS: "https://the-form" } });
  t.after(strict.stop);
  const { names, failed } = await doctor(strict.url, "ORIGIN=https://forms.example");
  assert.deepEqual(names, ["cors"]);
  assert.match(failed[0].sentence, /https:\/\/forms\.example may not call.*ALLOWED_ORIGINS/);
  const right = await doctor(strict.url, "ORIGIN=https://the-form");
  assert.deepEqual(right.failed, []);
});

test("a store that is down", async (t) => {
  const vars = { STORAGE: "s3", S3_ENDPOINT: `http://127.0.0.1:${await freePort()}`, S3_REGION: "auto", S3_BUCKET: "b", S3_ACCESS_KEY_ID: "k", S3_SECRET_ACCESS_KEY: "s", STORAGE_TIMEOUT_MS: 1000 };
  const broken = await startServer({ vars });
  t.after(broken.stop);
  const { names, failed } = await doctor(broken.url);
  assert.deepEqual(names, ["ready", "upload"]);
  assert.match(failed[0].sentence, /S3_ENDPOINT/);
  assert.match(failed[1].sentence, /503 STORAGE_UNAVAILABLE/);
});

test("a variable that cannot be used", async (t) => {
  const broken = await startServer({ vars: { MAX_EDGE: "huge" } });
  t.after(broken.stop);
  const { names, failed } = await doctor(broken.url);
  assert.deepEqual(names, ["ready", "policy"]);
  assert.match(failed[0].sentence, /MAX_EDGE/);
});

test("a clock that is wrong", async (t) => {
  const hourAgo = () => new Date(Date.now() - 3_600_000);
  const url = await startProxy(t, ({ headers, body }) => {
    const text = body.toString("latin1").replace(/("timestamp":")[^"]+/, `$1${hourAgo().toISOString()}`);
    return { headers: { ...headers, date: hourAgo().toUTCString() }, body: Buffer.from(text, "latin1") };
  });
  const { names, failed } = await doctor(url);
  assert.ok(names.includes("clock"), names.join());
  for (const { sentence } of failed.filter(({ check }) => check === "clock")) assert.match(sentence, /36\d\d s behind|3599 s behind/);
});

test("something in between that changes pictures, and something that strips headers", async (t) => {
  const isPicture = (url) => url.startsWith("/users/");
  const squeezing = await startProxy(t, ({ headers, body, url }) => ({ headers, body: isPicture(url) ? body.subarray(0, -4) : body }));
  const squeezed = await doctor(squeezing);
  assert.ok(squeezed.failed.some(({ check, sentence }) => check === "delivery" && /changes pictures/.test(sentence)), squeezed.stdout);
  const stripping = await startProxy(t, ({ headers, body }) => {
    const { "x-content-type-options": _, "access-control-allow-origin": __, ...rest } = headers;
    return { headers: rest, body };
  });
  const stripped = await doctor(stripping);
  assert.deepEqual(stripped.names.filter((name) => name === "cors" || name === "delivery"), ["cors", "delivery"], stripped.stdout);
});
