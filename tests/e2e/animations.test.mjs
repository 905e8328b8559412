// Animations that are small files and expensive to decode: which are rejected, which variants are stills, and ranges of
// variants.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { flat, noisy } from "../browser/pictures.mjs";
import { flatGif, flatPng } from "../load/animations.mjs";
import { scansJpeg } from "../load/scans.mjs";
import { startOpen, wasmBytes } from "../load/traffic.mjs";

/** Sending 4 MB to a busy machine takes a second; decoding the GIF took 27 s. */
const MOST_REFUSAL_MS = 4_000;
const MB = 1024 * 1024;

let server;
before(async () => {
  server = await startOpen();
});
after(() => server?.stop());

let sent = 0;
async function upload(type, body, headers = {}) {
  const began = performance.now();
  const authorization = `Bearer ${server.token({ sub: `animator-${(sent += 1)}` })}`;
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers: { Authorization: authorization, "Content-Type": type, ...headers }, body });
  return { status: answer.status, json: await answer.json(), ms: performance.now() - began };
}

async function get(url, headers = {}) {
  const began = performance.now();
  const answer = await fetch(url, { headers });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()), ms: performance.now() - began };
}

/** Width, height and number of frames of a GIF. */
function gif(bytes) {
  const table = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let frames = 0;
  for (let at = 13 + table(bytes[10]); bytes[at] !== 0x3b; ) {
    if (bytes[at] === 0x2c) frames += 1;
    at += bytes[at] === 0x2c ? 11 + table(bytes[at + 9]) : 2;
    while (bytes[at] !== 0) at += 1 + bytes[at];
    at += 1;
  }
  return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8), frames };
}

test("a picture that takes too much CPU time gets IMAGE_TOO_LARGE without being decoded", async (t) => {
  const animation = [/animation takes too long.*fewer or smaller frames/, /애니메이션.*프레임 수나 크기를 줄여/];
  const still = [/picture takes too long.*smaller/, /사진.*크기를 줄인/];
  const all = [
    ["image/gif", flatGif(2052, 1218, 200), animation],
    ["image/gif", flatGif(2052, 1218, 40), animation],
    ["image/webp", await flat(4096, 3072).webp({ effort: 0 }).toBuffer(), still],
  ];
  for (const [type, body, [english, korean]] of all) {
    for (const [language, sentence] of [["en", english], ["ko", korean]]) {
      const { status, json, ms } = await upload(type, body, { "Accept-Language": language });
      t.diagnostic(`${type} of ${body.length} bytes: ${status} ${json.code} after ${Math.round(ms)} ms`);
      assert.deepEqual([status, json.code], [422, "IMAGE_TOO_LARGE"]);
      assert.match(json.detail, sentence);
      assert.ok(ms < MOST_REFUSAL_MS, `${ms} ms`);
    }
  }
});

test("pictures just within the limit of CPU time are decoded", async (t) => {
  for (const [type, body] of [["image/png", flatPng(2048, 1220, 200, { depth: 16 })], ["image/jpeg", scansJpeg(8000, 6000, 100)]]) {
    const { status, json, ms } = await upload(type, body);
    t.diagnostic(`${type} of ${body.length} bytes: ${status} after ${Math.round(ms)} ms`);
    assert.equal(status, 201, JSON.stringify(json));
  }
});

test("variants of the largest stored animation are stills, and those of a small one are animated", async (t) => {
  const largest = await upload("image/gif", flatGif(2048, 1218, 60));
  assert.equal(largest.status, 201, JSON.stringify(largest.json));
  for (const [variant, width] of [["thumb", 200], ["small", 480], ["medium", 1024]]) {
    const { headers, bytes, ms } = await get(`${largest.json.url}?v=${variant}`);
    t.diagnostic(`${variant} after ${Math.round(ms)} ms`);
    assert.equal(headers.get("content-type"), "image/gif");
    assert.deepEqual(gif(bytes), { width, height: Math.round((width * 1218) / 2048), frames: 1 });
  }
  const small = await upload("image/gif", flatGif(600, 400, 10));
  // Frames without a change are encoded as one pixel each.
  assert.equal(gif((await get(`${small.json.url}?v=small`)).bytes).frames, 10);
});

test("a range of a variant gets 206 with the right bytes, and forty concurrent ranges take little memory", async (t) => {
  // Animated WebP is not resized, so its variant has the bytes of the original.
  const bytes = await noisy(640, 600, 4).webp({ lossless: true, effort: 0 }).toBuffer();
  t.diagnostic(`${bytes.length} bytes`);
  assert.ok(bytes.length > 3 * MB && bytes.length <= 5 * MB);
  const { status, json } = await upload("image/webp", bytes);
  assert.equal(status, 201, JSON.stringify(json));
  const url = `${json.url}?v=small`;
  const whole = (await get(url)).bytes;
  assert.deepEqual(whole, (await get(json.url)).bytes);
  for (const [from, to] of [[0, 0], [0, 99], [1_000_000, 1_999_999], [whole.length - 7, whole.length - 1], [0, whole.length - 1]]) {
    const part = await get(url, { Range: `bytes=${from}-${to}` });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), `bytes ${from}-${to}/${whole.length}`);
    assert.ok(part.bytes.equals(whole.subarray(from, to + 1)), `${from}-${to}`);
  }
  const before = await wasmBytes(server);
  const parts = await Promise.all(Array.from({ length: 40 }, (_, at) => get(url, { Range: `bytes=${at}-` })));
  for (const [at, part] of parts.entries()) assert.ok(part.bytes.equals(whole.subarray(at)), `reader ${at}`);
  const grown = (await wasmBytes(server)) - before;
  t.diagnostic(`${(grown / MB).toFixed(1)} MB more`);
  assert.ok(grown < 8 * MB, `${grown} bytes`);
});
