// Nothing that hides in a picture comes out of the service: each hybrid is refused, or served without what hid.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startServer } from "../e2e/server.mjs";
import { writeReport } from "../report.mjs";
import { hybrids, PAYLOADS } from "./hybrids.mjs";

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

test("archives, scripts and documents that hide in pictures do not survive", async (t) => {
  const counts = { places: 0, hybrids: 0, cleaned: 0, refused: 0, survived: 0 };
  const survivors = [];
  for (const [kind, { bytes: hidden, marks }] of Object.entries(PAYLOADS)) {
    for (const hybrid of hybrids(hidden)) {
      const where = `${kind} in ${hybrid.type}: ${hybrid.place}`;
      assert.ok(hybrid.bytes.includes(marks[0], 0, "latin1"), `${where}: it is not in it to begin with`);
      const { status, code, data } = await upload(hybrid);
      counts.hybrids += 1;
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
  counts.places = counts.hybrids / Object.keys(PAYLOADS).length;
  counts.survived = survivors.length;
  writeReport("hybrids", counts);
  t.diagnostic(JSON.stringify(counts));
  assert.deepEqual(survivors, []);
});
