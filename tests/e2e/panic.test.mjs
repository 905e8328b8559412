// A panic in one request must not break the next one, nor those that are in work.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { startServer } from "./server.mjs";

const jpeg = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));

let server;
before(async () => {
  server = await startServer({ vars: { FAULT_INJECTION: "true" } });
});
after(() => server.stop());

const upload = () =>
  fetch(`${server.url}/images`, {
    method: "POST",
    headers: { "Content-Type": "image/jpeg", Authorization: `Bearer ${server.token()}` },
    body: jpeg,
  });
const panic = () => fetch(`${server.url}/_fault/panic`, { method: "POST" });

test("the request after a panic is served as ever, ten times over", async () => {
  for (let round = 0; round < 10; round++) {
    assert.equal((await panic()).status, 500);
    const answer = await upload();
    const { url } = await answer.json();
    assert.equal(answer.status, 201);
    const picture = await fetch(url);
    assert.equal(picture.status, 200);
    assert.equal((await picture.arrayBuffer()).byteLength, jpeg.length);
  }
  assert.match(server.log(), /"event":"panic"/, "the log says why");
});
