// The service never serves a payload that was hidden in an image: each polyglot is rejected, or stored without the payload.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startServer } from "../e2e/server.mjs";
import { writeReport } from "../report.mjs";
import { PAYLOADS, polyglots } from "./polyglots.mjs";

let server;
before(async () => {
  server = await startServer({ vars: { IP_PER_MINUTE: 100_000 } });
});
after(() => server?.stop());

let asked = 0;
const address = () => ({ "CF-Connecting-IP": `198.18.${++asked >> 8}.${asked & 255}` });

async function upload({ type, bytes }) {
  const headers = { Authorization: `Bearer ${server.token({ sub: `user-${asked}` })}`, "Content-Type": type, ...address() };
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body: bytes });
  return { status: answer.status, ...(await answer.json()) };
}

test("an image with a hidden archive, script or document is rejected or served without it", async (t) => {
  const counts = { places: 0, polyglots: 0, cleaned: 0, refused: 0, survived: 0 };
  const survivors = [];
  for (const [kind, { bytes: hidden, marks }] of Object.entries(PAYLOADS)) {
    for (const polyglot of polyglots(hidden)) {
      const where = `${kind} in ${polyglot.type}: ${polyglot.place}`;
      assert.ok(polyglot.bytes.includes(marks[0], 0, "latin1"), `${where}: the payload is missing before the upload`);
      const { status, code, data } = await upload(polyglot);
      counts.polyglots += 1;
      if (status !== 201) {
        assert.ok(status === 400 || status === 415 || status === 422, `${where}: ${status} ${code}`);
        counts.refused += 1;
        t.diagnostic(`refused: ${where}: ${code}`);
        continue;
      }
      const served = await fetch(`${server.url}/${data.key}`, { headers: address() });
      const bytes = Buffer.from(await served.arrayBuffer());
      assert.equal(bytes.length, data.fileSize, where);
      if (marks.some((mark) => bytes.includes(mark, 0, "latin1"))) survivors.push(where);
      else counts.cleaned += 1;
    }
  }
  counts.places = counts.polyglots / Object.keys(PAYLOADS).length;
  counts.survived = survivors.length;
  writeReport("polyglots", counts);
  t.diagnostic(JSON.stringify(counts));
  assert.deepEqual(survivors, []);
});
