// `make doctor` against a deployment without problems and against broken ones: it names each problem and nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { startBackEnd } from "./back_end.mjs";
import { freePort, startServer } from "./server.mjs";

const run = promisify(execFile);

/** Runs `make doctor`; returns its lines by check and its exit code. */
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

/** Starts a proxy that changes the responses of the server. */
async function startProxy(t, change) {
  const proxy = createServer((incoming, outgoing) => {
    const { hostname, port } = new URL(server.url);
    const { "accept-encoding": _, ...headers } = incoming.headers;
    const options = { hostname, port, path: incoming.url, method: incoming.method, headers };
    const onward = request(options, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const { "transfer-encoding": __, ...others } = answer.headers;
      const changed = change({ headers: others, body: Buffer.concat(chunks), url: incoming.url });
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

test("without problems it exits with 0, and its guest image expires", async () => {
  const { code, stdout, failed } = await doctor(server.url);
  assert.deepEqual(failed, []);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /No problems found/);
  assert.match(stdout, /expires at \d{4}-/);
  const keys = [...server.objects().keys()];
  assert.equal(keys.length, 1);
  assert.match(keys[0], /^users\/guest-/);
  assert.deepEqual(server.rows(), [], "a guest image has no row");
});

test("without a server, or with another server at the URL, only `reach` fails", async (t) => {
  const closed = await doctor(`http://127.0.0.1:${await freePort()}`);
  assert.deepEqual([closed.code !== 0, closed.names], [true, ["reach"]]);
  assert.match(closed.failed[0].sentence, /connection is refused/);
  const other = createServer((_, answer) => answer.end("hello"));
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => other.close());
  const wrong = await doctor(`http://127.0.0.1:${other.address().port}`);
  assert.deepEqual(wrong.names, ["reach"]);
  assert.match(wrong.failed[0].sentence, /Check that URL is the address/);
});

test("a URL without a scheme prints one line with the correct form", async () => {
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

test("with a back end's token it uploads as that back end, also where uploads need a ticket, and deletes the image", async (t) => {
  const strict = await startServer({ vars: { REQUIRE_TICKET: "true" } });
  t.after(strict.stop);
  const without = await doctor(strict.url);
  assert.match(without.stdout, /Set TOKEN=/);
  assert.equal(strict.objects().size, 0);
  const { failed, stdout } = await doctor(strict.url, `TOKEN=${strict.token({ sub: "doctor", role: "SERVICE" })}`);
  assert.deepEqual(failed, [], stdout);
  assert.match(stdout, /^ok +removal/m);
  assert.deepEqual([strict.objects().size, strict.rows()], [0, []], "the image is deleted");
  assert.deepEqual(strict.rows("events").map(({ subject }) => subject), ["user:doctor"], "the upload was the user's");
});

test("it uploads to a form, with a picture that the form accepts, also without guests", async (t) => {
  const strict = await startServer({ vars: { REQUIRE_FORM: "true", GUESTS: "false" } });
  t.after(strict.stop);
  const unnamed = await doctor(strict.url);
  assert.deepEqual(unnamed.failed, [], unnamed.stdout);
  assert.match(unnamed.stdout, /set TOKEN=/);
  const words = [`TOKEN=${strict.token({ sub: "doctor" })}`, "FORM=room"];
  assert.match((await doctor(strict.url, words[0])).stdout, /Set FORM=/);
  const unknown = await doctor(strict.url, ...words);
  assert.deepEqual(unknown.names, ["policy"]);
  assert.match(unknown.failed[0].sentence, /There is no form room/);
  const ask = (method, body) => fetch(`${strict.url}/forms/room`, { method, body, headers: { Authorization: `Bearer ${strict.token({ sub: "api", role: "SERVICE" })}`, "Content-Type": "application/json" } });
  await ask("PUT", JSON.stringify({ minWidth: 200, aspectRatio: "4:3" }));
  const { failed, stdout } = await doctor(strict.url, ...words);
  assert.deepEqual(failed, [], stdout);
  assert.match(stdout, /^ok +removal/m);
  assert.deepEqual([strict.objects().size, strict.rows()], [0, []]);
  await ask("DELETE");
  const closed = await doctor(strict.url, ...words);
  assert.deepEqual(closed.names, ["policy"]);
  assert.match(closed.failed[0].sentence, /takes no pictures now: it is closed/);
});

test("an origin that is not allowed fails `cors` with the remedy", async (t) => {
  const strict = await startServer({ vars: { ALLOWED_ORIGINS: "https://the-form" } });
  t.after(strict.stop);
  const { names, failed } = await doctor(strict.url, "ORIGIN=https://forms.example");
  assert.deepEqual(names, ["cors"]);
  assert.match(failed[0].sentence, /https:\/\/forms\.example are not allowed.*ALLOWED_ORIGINS/);
  const right = await doctor(strict.url, "ORIGIN=https://the-form");
  assert.deepEqual(right.failed, []);
});

test("a store that is down fails `ready` and `upload`", async (t) => {
  const vars = { STORAGE: "s3", S3_ENDPOINT: `http://127.0.0.1:${await freePort()}`, S3_REGION: "auto", S3_BUCKET: "b", S3_ACCESS_KEY_ID: "k", S3_SECRET_ACCESS_KEY: "s", STORAGE_TIMEOUT_MS: 1000 };
  const broken = await startServer({ vars });
  t.after(broken.stop);
  const { names, failed } = await doctor(broken.url);
  assert.deepEqual(names, ["ready", "upload"]);
  assert.match(failed[0].sentence, /S3_ENDPOINT/);
  assert.match(failed[1].sentence, /503 STORAGE_UNAVAILABLE/);
});

test("a test event reaches the back end, and one that is refused fails `events` with the remedy", async (t) => {
  const backEnd = await startBackEnd();
  const withBackEnd = await startServer({ vars: { WEBHOOK_URL: backEnd.url }, secrets: { WEBHOOK_SECRET: backEnd.secret } });
  t.after(() => Promise.all([withBackEnd.stop(), backEnd.stop()]));
  const admin = `ADMIN_TOKEN=${withBackEnd.token({ sub: "root", role: "ADMIN" })}`;
  const healthy = await doctor(withBackEnd.url, admin);
  assert.deepEqual(healthy.failed, []);
  assert.match(healthy.stdout, /took a test event in \d+ ms/);
  assert.equal(backEnd.taken().at(-1).type, "test.ping");
  backEnd.answer = () => 401;
  const { names, failed } = await doctor(withBackEnd.url, admin);
  assert.deepEqual(names, ["events"]);
  assert.match(failed[0].sentence, /same WEBHOOK_SECRET/);
});

test("with an administrator's token it says when the last sweep ran, and a sweep that is late fails `sweep`", async (t) => {
  const admin = `ADMIN_TOKEN=${server.token({ sub: "root", role: "ADMIN" })}`;
  assert.ok((await server.runCron()).ok);
  const { failed, stdout } = await doctor(server.url, admin);
  assert.deepEqual(failed, []);
  assert.match(stdout, /^ok +sweep +The last sweep ended \d+ s ago/m);
  assert.match(stdout, /^ok +limits +A file above the announced size is refused/m);
  const hourAgo = Math.round(Date.now() / 1000) - 3600;
  const late = await startProxy(t, ({ headers, body, url }) => ({ headers, body: url === "/metrics" ? Buffer.from(body.toString().replace(/^(image_edge_swept_timestamp_seconds) \d+/m, `$1 ${hourAgo}`)) : body }));
  const { names, failed: found } = await doctor(late, admin);
  assert.ok(names.includes("sweep"), names.join());
  assert.match(found.find(({ check }) => check === "sweep").sentence, /36\d\d s ago.*cron/);
});

test("an announced size that is not the enforced one fails `limits`", async (t) => {
  const announcing = await startProxy(t, ({ headers, body, url }) => ({ headers, body: url.startsWith("/policy") ? Buffer.from(body.toString().replace(/"maxBytes":\d+/, '"maxBytes":1000000')) : body }));
  const { names, failed } = await doctor(announcing);
  assert.ok(names.includes("limits"), names.join());
  assert.match(failed.find(({ check }) => check === "limits").sentence, /one byte above the 1000000.*not FILE_TOO_LARGE/);
});

test("over https, requests without TLS must be redirected, and the page must have Strict-Transport-Security", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "the-form-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert]);
  let hsts = "max-age=31536000";
  let status = 301;
  const answer = (incoming, outgoing) => {
    const onward = request(new URL(incoming.url, server.url), { method: incoming.method, headers: { ...incoming.headers, host: new URL(server.url).host } }, (response) => {
      const { "strict-transport-security": _, ...headers } = response.headers;
      outgoing.writeHead(response.statusCode, { ...headers, ...(hsts ? { "strict-transport-security": hsts } : {}) });
      response.pipe(outgoing);
    });
    incoming.pipe(onward);
  };
  const secure = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer);
  const plain = createServer((_, response) => response.writeHead(status, status === 301 ? { Location: "https://localhost/" } : {}).end());
  for (const it of [secure, plain]) {
    await new Promise((resolve) => it.listen(0, "127.0.0.1", resolve));
    t.after(() => (it.closeAllConnections(), it.close()));
  }
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert, DOCTOR_HTTP_PORT: String(plain.address().port) };
  const tls = async () => {
    const { stdout } = await run("node", [".make/doctor.mjs", "--url", `https://localhost:${secure.address().port}`], { encoding: "utf8", env }).catch((error) => error);
    return stdout.split("\n").filter((line) => / tls /.test(line)).join("\n");
  };
  assert.match(await tls(), /^ok +tls +TLSv1\.[23]; the certificate is valid for (89|90) more days, and browsers are kept on https/);
  hsts = undefined;
  assert.match(await tls(), /^FAIL +tls +Strict-Transport-Security is ""/);
  [hsts, status] = ["max-age=31536000", 200];
  assert.match(await tls(), /^FAIL +tls +http:\/\/localhost:\d+\/healthz answers 200 and does not redirect.*Always Use HTTPS/);
});

test("an invalid variable fails `ready` and is named", async (t) => {
  const broken = await startServer({ vars: { MAX_EDGE: "huge" } });
  t.after(broken.stop);
  const { names, failed } = await doctor(broken.url);
  assert.deepEqual(names, ["ready", "policy"]);
  assert.match(failed[0].sentence, /MAX_EDGE/);
});

test("a wrong clock fails `clock` with the difference", async (t) => {
  const hourAgo = () => new Date(Date.now() - 3_600_000);
  const url = await startProxy(t, ({ headers, body }) => {
    const text = body.toString("latin1").replace(/("timestamp":")[^"]+/, `$1${hourAgo().toISOString()}`);
    return { headers: { ...headers, date: hourAgo().toUTCString() }, body: Buffer.from(text, "latin1") };
  });
  const { names, failed } = await doctor(url);
  assert.ok(names.includes("clock"), names.join());
  for (const { sentence } of failed.filter(({ check }) => check === "clock")) assert.match(sentence, /36\d\d s behind|3599 s behind/);
});

test("a proxy that changes images fails `delivery`, and one that removes headers fails `cors` as well", async (t) => {
  const isPicture = (url) => url.startsWith("/users/");
  const changing = await startProxy(t, ({ headers, body, url }) => ({ headers, body: isPicture(url) ? body.subarray(0, -4) : body }));
  const changed = await doctor(changing);
  assert.ok(changed.failed.some(({ check, sentence }) => check === "delivery" && /changes images/.test(sentence)), changed.stdout);
  const stripping = await startProxy(t, ({ headers, body }) => {
    const { "x-content-type-options": _, "access-control-allow-origin": __, ...rest } = headers;
    return { headers: rest, body };
  });
  const stripped = await doctor(stripping);
  assert.deepEqual(stripped.names.filter((name) => name === "cors" || name === "delivery"), ["cors", "delivery"], stripped.stdout);
});
