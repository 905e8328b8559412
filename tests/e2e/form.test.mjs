// POST /images with multipart/form-data on the built Worker, as browsers, curl, Uppy and FilePond send it, and malformed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startServer } from "./server.mjs";

const fixture = (path) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url));
const JPEG = fixture("jpeg/baseline-420.jpg");
const PNG = fixture("png/rgba8.png");

let server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const file = (bytes, name, type = "image/jpeg") => new File([bytes], name, { type });

async function send(fields, headers = {}) {
  const body = new FormData();
  for (const [name, value] of fields) body.append(name, value);
  const authorization = { Authorization: `Bearer ${server.token()}` };
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers: { ...authorization, ...headers }, body });
  return { status: answer.status, json: await answer.json() };
}

/** Sends bytes over a socket, without an HTTP library. */
function sendRaw(body, contentType, length = body.length, sub = "123") {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(port, hostname);
    let answer = "";
    socket.on("data", (text) => (answer += text));
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
    socket.write(
      `POST /images HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${server.token({ sub })}\r\n` +
        `Content-Type: ${contentType}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`,
    );
    socket.write(body);
  });
}

test("fields may come before or after the file, and its field may have any name", async () => {
  const fields = [["formId", "설문-7"], ["userId", "123"]];
  for (const name of ["image", "file", "files[]"]) {
    for (const order of [[...fields, [name, file(JPEG, "프로필 사진.jpg")]], [[name, file(JPEG, "프로필 사진.jpg")], ...fields]]) {
      const { status, json } = await send(order);
      assert.ok(status === 201 || status === 200, JSON.stringify(json));
      assert.equal(json.data.formId, "설문-7");
      assert.equal(json.data.originalFilename, "프로필 사진.jpg");
      assert.equal(json.url, json.data.imageUrl);
      assert.ok(server.objects().has(json.data.key));
    }
  }
  assert.equal(server.rows()[0].form_id, "설문-7");
});

test("one picture sent to two forms is two records with their own objects, and deleting one leaves the other", async () => {
  const to = (formId, sub = "two-forms") =>
    send([["formId", formId], ["image", file(JPEG, "a.jpg")]], { Authorization: `Bearer ${server.token({ sub })}` });
  const asUser = { headers: { Authorization: `Bearer ${server.token({ sub: "two-forms" })}` } };
  const listed = async (formId) => {
    const answer = await fetch(`${server.url}/images?formId=${formId}`, asUser);
    return (await answer.json()).data.images.map(({ key }) => key);
  };
  const [first, second] = [await to("first"), await to("second")];
  assert.deepEqual([first.status, second.status], [201, 201]);
  assert.deepEqual([first.json.data.formId, second.json.data.formId], ["first", "second"]);
  assert.equal((await to("second")).status, 200, "a repeat within the form");
  assert.deepEqual(await listed("first"), [first.json.data.key]);
  assert.deepEqual(await listed("second"), [second.json.data.key]);
  const deleted = await fetch(`${server.url}/images/${first.json.data.imageId}`, { method: "DELETE", ...asUser });
  assert.equal(deleted.status, 200);
  assert.deepEqual([await listed("first"), await listed("second")], [[], [second.json.data.key]]);
  assert.equal(server.objects().has(first.json.data.key), false);
  assert.ok(server.objects().has(second.json.data.key));
  assert.equal((await fetch(second.json.data.imageUrl)).status, 200);
});

test("FilePond's field with metadata before the file is ignored", async () => {
  const { status, json } = await send([["filepond", "{}"], ["filepond", file(PNG, "a.png", "image/png")]]);
  assert.equal(status, 201, JSON.stringify(json));
  assert.equal(json.data.contentType, "image/png");
});

test("several files have one result each, in their order", async () => {
  const before = server.objects().size;
  const { status, json } = await send([
    ["files[]", file(fixture("gif/animated.gif"), "moving.gif", "image/gif")],
    ["files[]", file("just text", "disguised.jpg")],
    ["files[]", file(new Uint8Array(5_300_000), "large.jpg")],
    ["files[]", file(fixture("webp/lossy.webp"), "b.webp", "image/webp")],
  ]);
  assert.equal(status, 207);
  assert.deepEqual(json.data.map(({ code }) => code), [undefined, "INVALID_FILE_SIGNATURE", "FILE_TOO_LARGE", undefined]);
  assert.deepEqual(json.data.map(({ originalFilename }) => originalFilename), ["moving.gif", "disguised.jpg", "large.jpg", "b.webp"]);
  assert.ok(json.data[1].detail.length > 10);
  assert.equal(json.url, json.data[0].imageUrl);
  assert.equal(server.objects().size, before + 2);
});

test("another's userId is refused although it comes last, and nothing is stored", async () => {
  const before = server.objects().size;
  const { status, json } = await send([["image", file(fixture("jpeg/gray.jpg"), "a.jpg")], ["userId", "124"]]);
  assert.equal(json.code, "USER_MISMATCH");
  assert.equal(status, 403);
  assert.equal(server.objects().size, before);
});

test("forms without a picture and malformed forms are refused with their codes", async () => {
  const empty = await send([["image", file("", "", "application/octet-stream")], ["formId", "f"]]);
  assert.equal(empty.json.code, "FILE_MISSING");
  assert.equal((await send([["formId", "f"]])).json.code, "FILE_MISSING");
  assert.equal((await send([["image", file("", "a.jpg")]])).json.code, "FILE_MISSING");
  for (const [type, body] of [
    ["multipart/form-data", "--x\r\n"],
    ["multipart/form-data; boundary=x", "no form"],
    ["multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\ncut'],
  ]) {
    assert.match(await sendRaw(body, type), /MALFORMED_REQUEST/, body);
  }
});

test("a form that is too large is refused by its length, or while it is read", async () => {
  const began = Date.now();
  const announced = await sendRaw("--x\r\n", "multipart/form-data; boundary=x", 40_000_000).catch(() => "");
  assert.ok(announced === "" || announced.includes("FILE_TOO_LARGE"), announced);
  assert.ok(Date.now() - began < 30_000);
  const { status, json } = await send(Array.from({ length: 5 }, (_, n) => ["image", file(new Uint8Array(4_800_000), `${n}.jpg`)]));
  assert.equal(json.code, "FILE_TOO_LARGE");
  assert.equal(status, 413);
});

test("the headers of a part are limited while they are read", async () => {
  const part = (name) => Buffer.from(`--x\r\nContent-Disposition: form-data; name="a"; filename="${name}"\r\nContent-Type: image/jpeg\r\n\r\n`);
  const body = (name) => Buffer.concat([part(name), JPEG, Buffer.from("\r\n--x--\r\n")]);
  const fits = await sendRaw(body("n".repeat(15_000)), "multipart/form-data; boundary=x", undefined, "headers-1");
  assert.match(fits, /^HTTP\/1.1 201/);
  const refused = await sendRaw(body("n".repeat(20_000_000)), "multipart/form-data; boundary=x", undefined, "headers-2");
  assert.match(refused, /^HTTP\/1.1 400/);
  assert.match(refused, /"code":"MALFORMED_REQUEST"/);
  assert.match(refused, /more than 16 KB/);
});

test("curl uploads with a name in RFC 8187's form and one in plain UTF-8", () => {
  const folder = mkdtempSync(join(tmpdir(), "the-form-curl-"));
  const path = join(folder, "가나다.png");
  writeFileSync(path, PNG);
  const form = ["-F", "formId=f-1", "-F", `image=@${path};type=image/png`];
  const json = JSON.parse(
    execFileSync("curl", ["-s", "-H", `Authorization: Bearer ${server.token({ sub: "curl" })}`, ...form, `${server.url}/images`]),
  );
  rmSync(folder, { recursive: true });
  assert.equal(json.data.originalFilename, "가나다.png");
  assert.equal(json.data.formId, "f-1");
});

test("filename* is read, and names change neither keys nor headers", async () => {
  const part = (disposition) =>
    Buffer.concat([
      Buffer.from(`--x\r\nContent-Disposition: form-data; name="image"; ${disposition}\r\nContent-Type: image/png\r\n\r\n`),
      PNG,
      Buffer.from("\r\n--x--\r\n"),
    ]);
  const answer = await sendRaw(part("filename=\"x.png\"; filename*=UTF-8''%ED%95%9C%EA%B8%80.png"), "multipart/form-data; boundary=x", undefined, "a");
  assert.match(answer, /"originalFilename":"한글.png"/);
  const hostile = await sendRaw(part('filename="../../a\\"b%0d%0aX-Evil: 1.png"'), "multipart/form-data; boundary=x", undefined, "b");
  assert.doesNotMatch(hostile.split("\r\n\r\n", 1)[0], /evil/i);
  assert.match(hostile, /"key":"users\/b\/images\/\d+-[0-9a-f-]{36}\.png"/);
});
