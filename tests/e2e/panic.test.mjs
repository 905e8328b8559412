// A panic in one request must not break the next one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";


let server;
before(async () => {
  server = await startServer({ vars: { FAULT_INJECTION: "true" } });
});
after(() => server.stop());

const upload = (body) =>
  fetch(`${server.url}/images`, {
    method: "POST",
    headers: { "Content-Type": "image/gif", Authorization: `Bearer ${server.token()}` },
    body,
  });
const panic = () => fetch(`${server.url}/_fault/panic`, { method: "POST" });

test("an upload after a panic gets 201 and is served, ten times in a row", async () => {
  for (let round = 0; round < 10; round++) {
    assert.equal((await panic()).status, 500);
    const body = gif(round + 1);
    const answer = await upload(body);
    const { url } = await answer.json();
    assert.equal(answer.status, 201);
    const picture = await fetch(url);
    assert.equal(picture.status, 200);
    assert.equal((await picture.arrayBuffer()).byteLength, body.length);
  }
  assert.match(server.log(), /"event":"panic"/, "the panic is in the log");
});
