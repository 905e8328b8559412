// Private and held pictures on the built Worker: what only signed URLs read, in R2 and through the real HTTP stack.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { startServer } from "./server.mjs";

const BYTES = readFileSync("tests/fixtures/jpeg/baseline-420.jpg");
const json = { "Content-Type": "application/json" };
let server;
before(async () => {
  server = await startServer();
  await putForm("secret", { visibility: "private" });
  await putForm("held", { review: "held" });
});
after(() => server?.stop());

const asService = () => ({ ...json, Authorization: `Bearer ${server.token({ sub: "back-end", role: "SERVICE" })}` });
const putForm = (name, policy) => fetch(`${server.url}/forms/${name}`, { method: "PUT", headers: asService(), body: JSON.stringify(policy) });

async function upload(form, sub) {
  const body = new FormData();
  body.append("formId", form);
  body.append("file", new Blob([BYTES], { type: "image/jpeg" }), "room.jpg");
  const answer = await fetch(`${server.url}/images`, { method: "POST", body, headers: { Authorization: `Bearer ${server.token({ sub })}` } });
  assert.equal(answer.status, 201);
  return (await answer.json()).data;
}

async function decide(id, action, body) {
  const answer = await fetch(`${server.url}/images/${id}/${action}`, { method: "POST", headers: asService(), body: body && JSON.stringify(body) });
  const { data, code } = await answer.json();
  return { status: answer.status, code, ...data };
}

const statusOf = async (url, options) => (await fetch(url, options)).status;

/** The function `signedUrl` of a guide, as a reader copies it. */
async function recipe(path) {
  const blocks = readFileSync(path, "utf8").split("```js\n").map((rest) => rest.split("```")[0]);
  const source = blocks.find((block) => block.includes("export function signedUrl"));
  return (await import(`data:text/javascript,${encodeURIComponent(source)}`)).signedUrl;
}

test("a back end signs URLs with the recipes of both guides", async () => {
  const { key } = await upload("secret", "1");
  assert.deepEqual(server.keys().filter((stored) => stored === key), [key]);
  for (const path of ["docs/integrate.md", "docs/ko/integrate.md"]) {
    const signedUrl = await recipe(path);
    const by = { origin: server.url, urlSigningKey: server.urlKey };
    for (const size of [undefined, "v=thumb", "w=20&h=20&fit=cover"]) {
      const url = signedUrl(by, key, 60, size);
      const answer = await fetch(url);
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "image/jpeg"], path);
      assert.match(answer.headers.get("cache-control"), /^private, max-age=(60|59)$/);
      assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
      await answer.arrayBuffer();
      assert.equal(await statusOf(url, { method: "HEAD" }), 200);
      assert.equal(await statusOf(url, { headers: { Range: "bytes=0-9" } }), 206);
      // It was read just now, and no cache of the platform has it for others.
      for (const other of [url.split("?")[0], url.replace("/private", ""), url.replace(/exp=./, "exp=9"), `${url}&v=medium`]) {
        assert.ok([403, 404].includes(await statusOf(other)), other);
        assert.ok([403, 404].includes(await statusOf(other, { method: "HEAD" })), other);
        assert.ok([403, 404].includes(await statusOf(other, { headers: { Range: "bytes=0-9" } })), other);
      }
    }
    assert.equal(await statusOf(signedUrl({ ...by, urlSigningKey: "another key of signed URLs, 32 characters" }, key, 60)), 403);
    assert.equal(await statusOf(signedUrl(by, key, 0)), 403);
  }
  assert.doesNotMatch(server.log(), /sig=|exp=\d/);
});

test("a held picture is read by signature only, until it is released", async () => {
  const { imageId, imageUrl, key, review, signedUrl } = await upload("held", "2");
  assert.equal(review, "held");
  assert.deepEqual([await statusOf(imageUrl), await statusOf(signedUrl)], [404, 200]);
  assert.ok(server.keys().includes(`private/${key}`) && !server.keys().includes(key));
  const queue = await (await fetch(`${server.url}/images?review=held`, { headers: asService() })).json();
  assert.deepEqual(queue.data.images.map((image) => image.key), [key]);
  assert.deepEqual(await decide(imageId, "release"), { status: 200, code: undefined, imageId, key, review: "released", reviewReason: null });
  assert.deepEqual(Buffer.from(await (await fetch(imageUrl)).arrayBuffer()), BYTES);
  assert.equal(await statusOf(signedUrl), 200, "pages that show it go on");
  assert.ok(!server.keys().includes(`private/${key}`));
  assert.equal(server.metadata(key).held, undefined);
  assert.equal((await decide(imageId, "refuse", { reason: "late" })).code, "REVIEW_DECIDED");
});

test("a refused picture is gone, and its uploader reads why", async () => {
  const { imageId, key, signedUrl } = await upload("held", "3");
  assert.equal((await decide(imageId, "refuse", {})).code, "MALFORMED_REQUEST");
  assert.equal((await decide(imageId, "refuse", { reason: " Too dark " })).reviewReason, "Too dark");
  assert.equal(await statusOf(signedUrl), 404);
  assert.ok(!server.keys().some((stored) => stored.endsWith(key)));
  const headers = { Authorization: `Bearer ${server.token({ sub: "3" })}` };
  const { data } = await (await fetch(`${server.url}/images/${imageId}`, { headers })).json();
  assert.deepEqual([data.review, data.reviewReason, data.signedUrl], ["refused", "Too dark", null]);
  // The sweep neither misses its object nor counts it as lost.
  await server.runCron();
  assert.equal(server.rows("images").find(({ id }) => id === imageId).review, "refused");
});
