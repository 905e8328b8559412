// The resume queue: pictures in the outbox survive a reload, a killed tab and the end of the browser, and are sent once, in order, by one tab.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startProfile } from "./browser.mjs";
import { gif, noise } from "./pictures.mjs";
import { setUp, until } from "./proxy.mjs";

const { server, proxy, browser, user } = await setUp();

async function newContext(t) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return context;
}

/** A page with an Uploader with `offline`, which resumes what waits in the outbox. */
async function open(context, owner = user()) {
  const page = await context.newPage();
  await page.exposeFunction("tokenFor", () => server.token({ sub: owner }));
  await prepare(page, owner);
  return page;
}

async function prepare(page, owner = user()) {
  await page.goto(`${proxy.url}/blank`);
  await page.waitForFunction(() => window.kit);
  await page.evaluate(async (owner) => {
    await window.kit.warmUp();
    window.start = (offline = { owner }) => {
      window.uploader = new window.kit.Uploader({ endpoint: "", token: () => window.tokenFor(), offline });
      window.idle = new Promise((resolve) => window.uploader.addEventListener("idle", resolve));
    };
    window.start();
  }, owner);
}

const add = (page, names) =>
  page.evaluate(async (names) => {
    for (const name of names) {
      const file = window.held?.get(name) ?? (await window.fileOf(name, `image/${name.split(".").at(-1)}`));
      window.uploader.add(file);
    }
  }, names);
/** Loads files before the network goes down. */
const hold = (page, names) =>
  page.evaluate(async (names) => {
    window.held = new Map();
    for (const name of names) window.held.set(name, await window.fileOf(name, `image/${name.split(".").at(-1)}`));
  }, names);
const kept = (page, count) => page.waitForFunction((count) => window.uploader.items.filter(({ isKept, state }) => isKept && state === "waiting").length === count, count);
const idle = (page) => page.evaluate(() => window.idle.then(() => {}));
const states = (page) => page.evaluate(() => window.uploader.items.map(({ state }) => state));
/** The file names that the edge has stored, in order. */
const taken = () => proxy.uploads().filter(({ status }) => status === 201).map(({ headers }) => headers["x-filename"]);
/** Uploads break off; pages and scripts are served. */
const down = ({ method, path }) => (method === "POST" || path === "/healthz" ? { reset: true } : undefined);

function gifs(first, names) {
  for (const [at, name] of names.entries()) proxy.files.set(name, gif(first + at));
  return names;
}

const NAMES = ["1.gif", "2.gif", "3.gif", "4.gif"];

test("pictures added offline are sent once and in order, after a reload and back online", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  await hold(page, gifs(100, NAMES));
  await context.setOffline(true);
  await add(page, NAMES);
  await kept(page, 4);
  assert.equal(proxy.uploads().length, 0);

  proxy.fault = down;
  await context.setOffline(false);
  await prepare(page);
  await kept(page, 4);
  proxy.fault = () => undefined;
  await idle(page);
  assert.deepEqual(await states(page), Array(4).fill("uploaded"));
  assert.deepEqual(taken(), NAMES);
  assert.equal(proxy.uploads().filter(({ status }) => status !== undefined).length, 4);

  await prepare(page);
  assert.deepEqual(await page.evaluate(() => window.uploader.items.length), 0);
  assert.deepEqual(await waiting(page), []);
});

/** The rows of the outbox in IndexedDB. */
const waiting = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open("the-form-images");
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const all = request.result.transaction("outbox").objectStore("outbox").getAll();
          all.onsuccess = () => resolve(all.result.map(({ bytes, ...facts }) => ({ ...facts, bytes: bytes.byteLength })));
        };
      }),
  );

test("after an outage during several uploads every picture arrives once", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(200, NAMES);
  proxy.fault = (request) => down(request) && (request.method === "GET" ? { reset: true } : { resetAfter: 1 });
  await add(page, NAMES);
  await kept(page, 4);
  const tried = proxy.uploads().length;
  assert.ok(tried <= 3, "while it is down, no picture is tried again");
  proxy.fault = () => undefined;
  await idle(page);
  assert.deepEqual(taken(), NAMES);
  assert.equal(server.rows().filter(({ owner }) => owner === user()).length, 4);
});

test("a tab that is killed while it sends loses nothing", async (t) => {
  const profile = mkdtempSync(join(tmpdir(), "the-form-profile-"));
  t.after(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  let context = await startProfile(profile);
  t.after(() => context.close());
  const page = await open(context);
  proxy.files.set("noise.png", noise(400, 400));
  proxy.fault = ({ method }) => (method === "POST" ? { hold: new Promise(() => {}) } : undefined);
  await add(page, ["noise.png"]);
  await page.waitForFunction(() => window.uploader.items[0]?.state === "sending" && window.uploader.items[0].isKept);
  const crashed = new Promise((resolve) => page.once("crash", resolve));
  page.goto("chrome://crash").catch(() => {});
  await crashed;
  await context.close();

  proxy.fault = () => undefined;
  context = await startProfile(profile);
  const next = await open(context);
  await idle(next);
  assert.deepEqual(await states(next), ["uploaded"]);
  const size = proxy.uploads().at(-1).bytes;
  assert.deepEqual(taken(), ["noise.png"]);
  const [row] = server.rows().filter(({ owner }) => owner === user());
  assert.equal(row.original_name, "noise.png");
  assert.ok(size > 100_000 && server.objects().get(row.key).length > 100_000);
});

test("two tabs that open at once send each picture once", async (t) => {
  const context = await newContext(t);
  const first = await open(context);
  gifs(300, NAMES);
  proxy.fault = down;
  await add(first, NAMES);
  await kept(first, 4);
  await first.close();

  const [one, other] = await Promise.all([open(context), open(context)]);
  const counts = () => Promise.all([one, other].map((page) => page.evaluate(() => window.uploader.items.length)));
  await until(async () => (await counts()).reduce((sum, count) => sum + count) === 4);
  assert.deepEqual((await counts()).sort(), [0, 4], "one of them has them all");
  proxy.fault = () => undefined;
  const owner = (await counts())[0] === 4 ? one : other;
  await idle(owner);
  assert.deepEqual(taken(), NAMES);
  assert.equal(proxy.uploads().filter(({ status }) => status !== undefined).length, 4);
});

test("another tab sends a picture only after its tab has ended", async (t) => {
  const context = await newContext(t);
  const sender = await open(context);
  gifs(400, NAMES);
  proxy.fault = down;
  await add(sender, NAMES.slice(0, 2));
  await kept(sender, 2);
  const heir = await open(context);
  await heir.waitForFunction(async () => (await navigator.locks.query()).pending.length === 2);
  assert.equal(await heir.evaluate(() => window.uploader.items.length), 0);
  await sender.close();
  await heir.waitForFunction(() => window.uploader.items.length === 2);
  proxy.fault = () => undefined;
  await idle(heir);
  assert.deepEqual(taken(), NAMES.slice(0, 2));
});

test("the outbox is limited, entries expire, users are kept apart, and it contains no token", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(500, NAMES);
  proxy.fault = down;
  await page.evaluate((owner) => (window.uploader.close(), window.start({ owner, maxItems: 2 })), user());
  await add(page, NAMES.slice(0, 3));
  await page.waitForFunction(() => window.uploader.items.every(({ state }) => state === "waiting"));
  assert.equal(await page.evaluate(() => window.uploader.items.filter(({ isKept }) => isKept).length), 2);
  const rows = await waiting(page);
  assert.deepEqual(Object.keys(rows[0]).sort(), ["addedMs", "bytes", "contentType", "fileName", "id", "scope", "sizeBytes"]);
  assert.doesNotMatch(JSON.stringify(rows), /eyJ|Bearer/);
  await page.close();

  const other = await open(context, "another-user");
  assert.equal((await waiting(other)).length, 2);
  await other.evaluate(() => window.uploader.pause());
  assert.equal(await other.evaluate(() => window.uploader.items.length), 0);
  await other.evaluate((owner) => (window.uploader.close(), window.start({ owner, maxAgeMs: 1 })), user());
  await other.waitForFunction(
    () =>
      new Promise((resolve) => {
        const request = indexedDB.open("the-form-images");
        request.onsuccess = () => {
          const count = request.result.transaction("outbox").objectStore("outbox").count();
          count.onsuccess = () => resolve(count.result === 0);
        };
      }),
  );
  assert.equal(taken().length, 0);
});

test("fields are kept apart, and stored pictures come back only with untilSent", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(700, NAMES);
  proxy.fault = down;
  const start = (field, untilSent) =>
    page.evaluate(({ owner, field, untilSent }) => (window.uploader.close(), window.start({ owner, field, untilSent })), { owner: user(), field, untilSent });
  await start("one", true);
  await add(page, NAMES.slice(0, 1));
  await kept(page, 1);
  await start("two", false);
  await add(page, NAMES.slice(1, 2));
  await kept(page, 1);
  proxy.fault = () => undefined;
  for (const [field, untilSent, name] of [["two", false, "2.gif"], ["one", true, "1.gif"]]) {
    await start(field, untilSent);
    await idle(page);
    assert.deepEqual(await page.evaluate(() => window.uploader.items.map(({ name, state }) => [name, state])), [[name, "uploaded"]]);
  }
  assert.deepEqual(taken(), ["2.gif", "1.gif"]);

  await prepare(page);
  await start("one", true);
  await page.waitForFunction(() => window.uploader.items.length === 1);
  const back = await page.evaluate(async () => {
    const [{ name, state, done, isKept }] = window.uploader.items;
    return { name, state, isKept, key: (await done).key };
  });
  assert.deepEqual(back, { name: "1.gif", state: "uploaded", isKept: true, key: server.rows().filter(({ owner }) => owner === user()).at(-1).key });
  assert.equal(taken().length, 2, "it was not sent again");
  await page.evaluate(() => window.uploader.markSent());
  await until(async () => (await waiting(page)).length === 0);
});

test("a guest's stored picture is sent again after a reload, by the new guest", async (t) => {
  const context = await newContext(t);
  const page = await context.newPage();
  proxy.files.set("guest.gif", gif(710));
  const keys = [];
  for (const isFirst of [true, false]) {
    await page.goto(`${proxy.url}/blank`);
    await page.waitForFunction(() => window.kit);
    keys.push(
      await page.evaluate(async (isFirst) => {
        const uploader = new window.kit.Uploader({ endpoint: "", token: window.kit.guestToken(""), offline: { owner: "guest", untilSent: true } });
        const uploaded = new Promise((resolve) => uploader.on("uploaded", ({ image }) => resolve(image.key)));
        if (isFirst) uploader.add(await window.fileOf("guest.gif", "image/gif"));
        return uploaded;
      }, isFirst),
    );
  }
  const [before, after] = keys.map((key) => key.split("/")[1]);
  assert.match(after, /^guest-/);
  assert.notEqual(before, after);
});

test("without an owner nothing is kept, and the console logs what to do", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  gifs(720, NAMES);
  proxy.fault = ({ method }) => (method === "POST" ? { hold: new Promise(() => {}) } : undefined);
  for (const [at, offline] of [true, { owner: "" }].entries()) {
    await page.evaluate((offline) => (window.uploader.close(), window.start(offline)), offline);
    await add(page, [NAMES[at]]);
    await page.waitForFunction(() => window.uploader.items[0]?.state === "sending");
    assert.equal(await page.evaluate(() => window.uploader.items[0].isKept), false);
    assert.deepEqual(await waiting(page), []);
    assert.match(errors[at], /`offline` needs an owner.+offline: \{ owner: userId \}/);
  }
});

test("close() during an upload hands its picture to the next Uploader of the page", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(730, NAMES);
  proxy.fault = down;
  await add(page, NAMES.slice(0, 1));
  await kept(page, 1);
  const { name, message } = await page.evaluate((owner) => {
    const { done } = window.uploader.items[0];
    window.uploader.close();
    window.start({ owner });
    return done.catch(({ name, message }) => ({ name, message }));
  }, user());
  assert.deepEqual([name, message], ["AbortError", "The Uploader was closed."]);
  proxy.fault = () => undefined;
  await page.waitForFunction(() => window.uploader.items.length === 1);
  await idle(page);
  assert.deepEqual(taken(), NAMES.slice(0, 1));
});

test("entries of an older version of the outbox are deleted", async (t) => {
  const context = await newContext(t);
  const page = await context.newPage();
  await page.goto(`${proxy.url}/blank`);
  await page.waitForFunction(() => window.kit);
  await page.evaluate(
    (owner) =>
      new Promise((resolve) => {
        const request = indexedDB.open("the-form-images", 1);
        request.onupgradeneeded = () => {
          const store = request.result.createObjectStore("outbox", { keyPath: "id" });
          for (const name of ["place", "addedMs", "sizeBytes"]) store.createIndex(name, name);
          store.add({ id: "old", place: `${owner}  `, bytes: new ArrayBuffer(1), contentType: "image/gif", fileName: "old.gif", sizeBytes: 1, addedMs: Date.now() });
        };
        request.onsuccess = () => resolve(request.result.close());
      }),
    user(),
  );
  await page.close();
  const next = await open(context);
  await add(next, gifs(740, ["new.gif"]));
  await idle(next);
  assert.deepEqual(taken(), ["new.gif"]);
  assert.deepEqual(await waiting(next), []);
});

test("a picture that a quota refuses is not retried, and is sent after a reload", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  proxy.files.set("late.gif", gif(550));
  const body = JSON.stringify({ code: "QUOTA_EXCEEDED", detail: "Tomorrow.", status: 429 });
  proxy.fault = ({ method }) => (method === "POST" ? { status: 429, headers: { "Retry-After": "36000" }, body } : undefined);
  await add(page, ["late.gif"]);
  await page.waitForFunction(() => window.uploader.items[0]?.state === "refused");
  assert.equal(proxy.uploads().length, 1);
  proxy.fault = () => undefined;
  await prepare(page);
  await idle(page);
  assert.deepEqual(taken(), ["late.gif"]);
});

test("a canceled or removed picture leaves the outbox; without IndexedDB pictures are sent from memory", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(600, NAMES);
  proxy.fault = down;
  await add(page, NAMES.slice(0, 2));
  await kept(page, 2);
  await page.evaluate(() => {
    const [one, other] = window.uploader.items;
    window.uploader.cancel(one);
    window.uploader.remove(other);
  });
  await until(async () => (await waiting(page)).length === 0);

  proxy.fault = () => undefined;
  const bare = await context.newPage();
  await bare.addInitScript(() => Object.defineProperty(globalThis, "indexedDB", { value: undefined }));
  await bare.exposeFunction("tokenFor", () => server.token({ sub: user() }));
  await prepare(bare);
  await add(bare, NAMES.slice(2, 3));
  await idle(bare);
  assert.deepEqual(await states(bare), ["uploaded"]);
  assert.equal(await bare.evaluate(() => window.uploader.items[0].isKept), false);
});

/** What IndexedDB has of the outbox, as one text in which any plain byte or name is found. */
const rawOutbox = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open("the-form-images");
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const all = request.result.transaction("outbox").objectStore("outbox").getAll();
          all.onsuccess = () => {
            const text = (value) => (value instanceof ArrayBuffer || ArrayBuffer.isView(value) ? new TextDecoder("latin1").decode(value) : JSON.stringify(value));
            resolve(all.result.map((row) => Object.entries(row).map(([name, value]) => `${name}=${text(value)}`).join("\n")));
          };
        };
      }),
  );

/** Starts an Uploader whose pictures are sealed with the key of this name; of an unknown name there is none. */
const startSealed = (page, owner, keyName, options = {}) =>
  page.evaluate(
    async ({ owner, keyName, options }) => {
      window.uploader?.close();
      const raw = new Uint8Array(32).fill({ anna: 1, bora: 2 }[keyName] ?? 0);
      const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
      window.start({ owner, ...options, key: async () => (keyName ? key : undefined) });
    },
    { owner, keyName, options },
  );

test("with a key nothing of a picture is readable on the device, and only this key sends it", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(800, ["holiday-800.gif"]);
  proxy.fault = down;
  await startSealed(page, user(), "anna", { untilSent: true });
  await add(page, ["holiday-800.gif"]);
  await kept(page, 1);
  const [row] = await rawOutbox(page);
  assert.match(row, /^id=.*\nscope=.*\n(.*\n)*iv=/, "a sealed row");
  for (const plain of ["GIF8", "holiday", "image/gif"]) assert.ok(!row.includes(plain), `${plain} is readable`);

  // Another session without a key leaves it alone; no session sends it without the key.
  proxy.fault = () => undefined;
  await page.evaluate((owner) => (window.uploader.close(), window.start({ owner })), user());
  await startSealed(page, user(), undefined);
  await page.evaluate(() => window.uploader.add(new File(["text"], "a.gif", { type: "image/gif" })).done.catch(() => {}));
  assert.deepEqual(await rawOutbox(page), [row]);
  assert.deepEqual(taken(), []);

  // After a reload the same key sends it, and what the edge has answered is sealed, too.
  await page.evaluate(() => window.uploader.close());
  await prepare(page);
  await startSealed(page, user(), "anna", { untilSent: true });
  await idle(page);
  assert.deepEqual(taken(), ["holiday-800.gif"]);
  await until(async () => (await rawOutbox(page))[0] !== row);
  const [stored] = await rawOutbox(page);
  const key = server.rows().find(({ owner }) => owner === user()).key;
  for (const plain of ["GIF8", "holiday", "image/gif", "imageUrl", key]) assert.ok(!stored.includes(plain), `${plain} is readable`);
  await startSealed(page, user(), "anna", { untilSent: true });
  await page.waitForFunction(() => window.uploader.items.length === 1);
  assert.equal(await page.evaluate(async () => (await window.uploader.items[0].done).key), key);
  assert.equal(taken().length, 1, "it was not sent again");

  // What another key finds cannot be sent any more.
  await startSealed(page, user(), "bora");
  await until(async () => (await rawOutbox(page)).length === 0);
  assert.equal(await page.evaluate(() => window.uploader.items.length), 0);
});

test("a sealed picture that was moved to another owner, or planted without a key, is not sent", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(810, ["one.gif", "two.gif"]);
  proxy.fault = down;
  // The worst case: both owners have the same key.
  await startSealed(page, "someone", "anna");
  await add(page, ["one.gif"]);
  await kept(page, 1);
  await page.evaluate((owner) => (window.uploader.close(), window.start({ owner })), user());
  await add(page, ["two.gif"]);
  await kept(page, 1);
  await page.evaluate(
    (owner) =>
      new Promise((resolve) => {
        window.uploader.close();
        const request = indexedDB.open("the-form-images");
        request.onsuccess = () => {
          const store = request.result.transaction("outbox", "readwrite").objectStore("outbox");
          store.getAll().onsuccess = ({ target }) => {
            for (const row of target.result) store.put({ ...row, scope: row.scope.replace("someone", owner) });
          };
          store.transaction.oncomplete = resolve;
        };
      }),
    user(),
  );
  assert.deepEqual((await waiting(page)).map(({ scope }) => JSON.parse(scope)[0]), [user(), user()]);
  proxy.fault = () => undefined;
  await startSealed(page, user(), "anna");
  await until(async () => (await rawOutbox(page)).length === 0);
  assert.equal(await page.evaluate(() => window.uploader.items.length), 0);
  assert.deepEqual(taken(), []);
});

test("without the key of the session nothing is written, and the picture is sent from memory", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  gifs(820, ["memory.gif"]);
  await startSealed(page, user(), undefined);
  await add(page, ["memory.gif"]);
  await idle(page);
  assert.deepEqual(taken(), ["memory.gif"]);
  assert.deepEqual(await page.evaluate(() => [window.uploader.items[0].isKept, window.uploader.items[0].state]), [false, "uploaded"]);
  assert.deepEqual(await rawOutbox(page), []);
});

test("clearQueue deletes the pictures of one owner in all fields, and of nobody else", async (t) => {
  const context = await newContext(t);
  const page = await open(context);
  proxy.fault = down;
  // Owners whose ids begin alike.
  const owners = [user(), `${user()}0`, `${user()}","`, `["${user()}`];
  for (const [at, owner] of owners.entries()) {
    for (const field of ["", "second"]) {
      const name = `${at}-${field}.gif`;
      gifs(830 + 2 * at + field.length, [name]);
      await page.evaluate((offline) => (window.uploader.close(), window.start(offline)), { owner, field });
      await add(page, [name]);
      await kept(page, 1);
    }
  }
  await page.evaluate(() => window.uploader.close());
  const left = async () => (await waiting(page)).map(({ scope }) => JSON.parse(scope)[0]).sort();
  assert.deepEqual(await left(), [...owners, ...owners].sort());
  await page.evaluate((owner) => window.kit.clearQueue({ owner }), owners[0]);
  assert.deepEqual(await left(), [...owners.slice(1), ...owners.slice(1)].sort());
  for (const owner of owners.slice(1)) await page.evaluate((owner) => window.kit.clearQueue({ owner }), owner);
  assert.deepEqual(await left(), []);
});
