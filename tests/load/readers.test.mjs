// Readers: a page of 50 thumbnails, cold and warm, for 200 readers at the same time; and a scraper that asks for every size of every
// picture and for pictures that do not exist. The scraper is limited, and nobody else notices it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { png } from "../e2e/pictures.mjs";
import { report } from "../faults/trial.mjs";
import { startOpen, times, upload, wasmBytes, withoutProxy } from "./traffic.mjs";

const PICTURES = 50;
const READERS = 200;
/** Thumbnails that each reader of the crowd loads. */
const EACH = 10;
/** `READ_LIMIT` in wrangler.toml. */
const READ_LIMIT = 3_000;
/** Pictures of which the scraper asks for every size. */
const SCRAPED = 10;
const WIDTHS = [160, 320, 480, 640, 960, 1280];
const FORMATS = ["auto", "jpeg", "png", "webp"];

let server;
let urls;
before(async () => {
  server = await withoutProxy(await startOpen());
  const body = png(1400, 1050);
  urls = [];
  for (let user = 0; user < PICTURES; user += 1) {
    const { status, data } = await upload(server, { user: `gallery-${user}`, type: "image/png", body });
    assert.equal(status, 201);
    urls.push(`${server.url}/${data.key}`);
  }
});
after(() => server?.stop());

/** Reads a picture as a browser does; `{ status, ms, retryAfter }`. */
async function read(url, address, headers = {}) {
  const began = performance.now();
  const answer = await fetch(url, { headers: { Accept: "image/avif,image/webp,*/*;q=0.8", "CF-Connecting-IP": address, ...headers } });
  await answer.arrayBuffer();
  return { status: answer.status, retryAfter: answer.headers.get("retry-after"), ms: performance.now() - began };
}

const thumbnail = (url) => `${url}?w=320&format=auto`;
const derived = () => server.derivedKeys().length;
const rounded = Math.round;

/** The page of one reader: when it is complete. */
async function page(address) {
  const began = performance.now();
  const answers = await Promise.all(urls.map((url) => read(thumbnail(url), address)));
  assert.ok(answers.every(({ status }) => status === 200), JSON.stringify(answers.map(({ status }) => status)));
  return performance.now() - began;
}

test("a page of 50 thumbnails is made once, and 200 readers get it", { timeout: 300_000 }, async (t) => {
  const cold = await page("203.0.113.1");
  // A reader who waited for too long got the original, and later ones make the rest.
  let pages = 1;
  for (; derived() < PICTURES && pages < 10; pages += 1) await page("203.0.113.2");
  assert.equal(derived(), PICTURES);
  const warm = await page("203.0.113.3");
  const began = performance.now();
  const crowd = Array.from({ length: READERS }, async (_, reader) => {
    const took = [];
    for (let at = 0; at < EACH; at += 1) {
      const { status, ms } = await read(thumbnail(urls[(reader + at) % PICTURES]), `198.51.100.${reader}`);
      assert.equal(status, 200);
      took.push(ms);
    }
    return took;
  });
  const reads = times((await Promise.all(crowd)).flat());
  const seconds = (performance.now() - began) / 1000;
  assert.equal(derived(), PICTURES, "nothing is made twice");
  report(t, "readers", {
    coldPageMs: rounded(cold),
    pagesUntilAllAreMade: pages,
    warmPageMs: rounded(warm),
    readers: READERS,
    readsPerSecond: rounded(reads.count / seconds),
    reads,
    wasmBytes: await wasmBytes(server),
  });
});

test("a scraper is limited, and others are not affected", { timeout: 300_000 }, async (t) => {
  const scraper = "192.0.2.66";
  const sizes = urls.slice(0, SCRAPED).flatMap((url) => WIDTHS.flatMap((width) => FORMATS.map((format) => `${url}?w=${width}&format=${format}`)));
  // Pictures that do not exist count as well, also those that are remembered for a moment.
  const missing = Array.from({ length: 3 * READ_LIMIT }, (_, at) => `${server.url}/users/nobody/images/${1e12 + (at % 100)}-00000000-0000-4000-8000-000000000000.jpeg`);
  const wanted = [...sizes, ...missing];
  const codes = new Map();
  const others = [];
  let limited;
  const ask = async () => {
    for (let url = wanted.shift(); url && !limited; url = wanted.shift()) {
      const answer = await read(url, scraper);
      codes.set(answer.status, (codes.get(answer.status) ?? 0) + 1);
      if (answer.status === 429) limited = answer;
    }
  };
  const watch = async () => {
    for (let at = 0; !limited && wanted.length > 0; at += 1) {
      others.push(await read(thumbnail(urls[at % PICTURES]), "198.51.100.7"));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await Promise.all([...Array.from({ length: 16 }, ask), watch()]);
  assert.ok(limited, JSON.stringify([...codes]));
  assert.equal(limited.retryAfter, "60");
  assert.ok(others.every(({ status }) => status === 200), "a reader with another client IP");
  // At most 24 of each picture were made, and with a token of a back end there is no limit.
  assert.ok(derived() <= PICTURES + SCRAPED * 24, `${derived()}`);
  const absent = (at) => `${server.url}/users/nobody/images/${2e12 + at}-00000000-0000-4000-8000-000000000000.jpeg`;
  assert.equal((await read(absent(1), scraper, { Authorization: `Bearer ${server.token({ sub: "back-end", role: "SERVICE" })}` })).status, 404);
  report(t, "scraper", { answers: Object.fromEntries(codes), derived: derived(), others: times(others.map(({ ms }) => ms)) });
});
