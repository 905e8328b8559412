// The Uploader in Chromium against the built Worker, over a network that breaks and stalls: progress, pausing, Retry-After, tokens, tickets,
// duplicates.
import assert from "node:assert/strict";
import { test } from "node:test";

import { openPage } from "./browser.mjs";
import { gif, noise } from "./pictures.mjs";
import { startServer } from "./server.mjs";
import { setUp, startProxy, until } from "./proxy.mjs";

const RATE_PER_MINUTE = 20;

const { server, proxy, browser, user, serve: put } = await setUp({ vars: { RATE_PER_MINUTE } });

/** A page with the package and a token source. Its first tokens are `tokens`, or have these `lifetimes`; later ones are valid. */
async function open(t, { lifetimes = [], tokens = [], through = proxy, issuer = server } = {}) {
  const { page } = await openPage(t, browser);
  const asked = [];
  await page.exposeFunction("tokenFor", (request) => {
    asked.push(request.refresh);
    return tokens[asked.length - 1] ?? issuer.token({ sub: user() }, lifetimes[asked.length - 1] ?? 300);
  });
  await page.goto(`${through.url}/blank`);
  await page.waitForFunction(() => window.kit);
  await page.evaluate(() => {
    window.token = (request) => window.tokenFor(request);
    window.options = { endpoint: "", token: window.token, retry: { baseMs: 50 } };
    window.log = [];
    /** Logs the events of an Uploader. */
    window.followed = (uploader) => {
      for (const type of ["changed", "uploaded", "refused", "failed"]) {
        uploader.on(type, ({ item }) => window.log.push({ type, name: item.name, state: item.state, atMs: Date.now() }));
      }
      uploader.on("progress", ({ item, sentBytes, totalBytes }) =>
        window.log.push({ type: "progress", name: item.name, sentBytes, totalBytes, atMs: Date.now() }));
      return uploader;
    };
    window.summary = (error) => ({ kind: error.name, code: error.code, status: error.status, message: error.message, requestId: error.requestId, retryAfterS: error.retryAfterS });
  });
  return { page, asked };
}

/** Uploads these files of the proxy with one Uploader; returns the image or the error of each. */
const sendAll = (page, names, options = {}) =>
  page.evaluate(
    async ({ names, options }) => {
      const uploader = window.followed(new window.kit.Uploader({ ...window.options, ...options }));
      window.uploader = uploader;
      const files = await Promise.all(names.map((name) => window.fileOf(name, `image/${name.split(".").at(-1)}`)));
      const ends = await Promise.allSettled(files.map((file) => uploader.add(file)).map((item) => item.done));
      return ends.map(({ value, reason }) => value ?? window.summary(reason));
    },
    { names, options },
  );


test("progress never decreases and never exceeds what has arrived", async (t) => {
  const { page } = await open(t);
  put("noise.png", noise(700, 500));
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 400_000 };
  // Emulated after the file was loaded: only the upload is slow.
  await network.send("Network.emulateNetworkConditions", slow);
  const [image] = await sendAll(page, ["noise.png"]);
  assert.equal(image.contentType, "image/png", JSON.stringify(image));

  const progress = (await page.evaluate(() => window.log)).filter(({ type }) => type === "progress");
  const [upload] = proxy.uploads();
  assert.ok(progress.length >= 4, `${progress.length} steps`);
  for (const [at, { sentBytes, totalBytes }] of progress.entries()) {
    assert.equal(totalBytes, upload.bytes);
    assert.ok(at === 0 || sentBytes >= progress[at - 1].sentBytes);
  }
  assert.equal(progress.at(-1).sentBytes, upload.bytes);
  // At this speed the body takes more than two seconds. Progress may be ahead of what the proxy has read, but only briefly.
  const spanMs = progress.at(-1).atMs - progress[0].atMs;
  assert.ok(spanMs > 1_000, `${spanMs} ms`);
  const middle = progress[Math.floor(progress.length / 2)];
  assert.ok(middle.sentBytes < upload.bytes, "no jump to the end");
  const soon = upload.arrived.filter(({ atMs }) => atMs <= middle.atMs + 3_000).at(-1);
  assert.ok(soon && soon.bytes >= middle.sentBytes, `${soon?.bytes} of ${middle.sentBytes}`);
});

test("formId and file names reach the edge", async (t) => {
  const { page } = await open(t);
  put("사진 1.gif", gif(7));
  const [image] = await sendAll(page, ["사진 1.gif"], { formId: "설문-7" });
  assert.equal(image.formId, "설문-7");
  assert.equal(image.originalFilename, "사진 1.gif");
  assert.ok(server.objects().has(image.key));
  const [plain] = await sendAll(page, [put("사진 2.gif", gif(8))]);
  assert.equal(plain.originalFilename, "사진 2.gif");
});

test("uploads can be paused, resumed and canceled while they are sent", async (t) => {
  const { page } = await open(t);
  let go;
  const held = new Promise((resolve) => (go = resolve));
  proxy.fault = ({ method, path, nth }) => (method === "POST" && path === "/images" && nth <= 2 ? { hold: held } : undefined);
  put("a.gif", gif(11));
  put("b.gif", gif(12));
  put("c.gif", gif(13));
  await page.evaluate(async () => {
    const uploader = (window.uploader = window.followed(new window.kit.Uploader({ ...window.options, concurrency: 2 })));
    for (const name of ["a.gif", "b.gif", "c.gif"]) uploader.add(await window.fileOf(name, "image/gif"));
  });
  const states = () => page.evaluate(() => window.uploader.items.map(({ state }) => state));
  await page.waitForFunction(() => window.uploader.items.map(({ state }) => state).join() === "sending,sending,queued");
  await until(() => proxy.uploads().length === 2);
  await page.evaluate(() => window.uploader.pause());
  assert.deepEqual(await states(), ["paused", "paused", "paused"]);
  go();
  await page.evaluate(() => window.uploader.cancel(window.uploader.items[1]));
  await page.evaluate(() => window.uploader.resume());
  const ends = await page.evaluate(async () => {
    const ends = await Promise.allSettled(window.uploader.items.map((item) => item.done));
    return ends.map(({ status, reason }) => reason?.name ?? status);
  });
  assert.deepEqual(ends, ["fulfilled", "AbortError", "fulfilled"]);
  assert.equal(proxy.uploads().length, 2 + 2, "each once more, and the canceled one not");
  assert.deepEqual(await states(), ["uploaded", "canceled", "uploaded"]);
  await page.evaluate(() => window.uploader.remove(window.uploader.items[1]));
  assert.equal((await states()).length, 2);
});

test("a broken connection is retried with growing delays, and one picture is stored", async (t) => {
  const { page } = await open(t);
  put("noise.png", noise(300, 300));
  proxy.fault = ({ method, nth }) => (method === "POST" && nth <= 3 ? [{ reset: true }, { resetAfter: 40_000 }, { status: 502, body: "<html>" }][nth - 1] : undefined);
  const [image] = await sendAll(page, ["noise.png"], { retry: { baseMs: 200 } });
  assert.ok(image.key, JSON.stringify(image));
  const times = proxy.uploads().map(({ atMs }) => atMs);
  assert.equal(times.length, 4);
  const waits = times.slice(1).map((ms, at) => ms - times[at]);
  // At least half of 200, 400, 800.
  for (const [at, least] of [100, 200, 400].entries()) assert.ok(waits[at] >= least, `${waits}`);
  assert.equal(server.rows().filter(({ owner }) => owner === user()).length, 1);
});

test("a connection that stays broken ends with ConnectionBroken", async (t) => {
  const { page } = await open(t);
  proxy.fault = ({ method }) => (method === "POST" ? { reset: true } : undefined);
  const [end] = await sendAll(page, [put("a.gif", gif(21))], { retry: { attempts: 3, baseMs: 20 } });
  assert.equal(end.kind, "ConnectionBroken");
  assert.equal(proxy.uploads().length, 3);
  proxy.fault = () => undefined;
  const key = await page.evaluate(async () => {
    const [item] = window.uploader.items;
    window.uploader.retry(item);
    return (await item.done).key;
  });
  assert.ok(server.objects().has(key));
});

test("a 429 is retried after its Retry-After", async (t) => {
  const { page } = await open(t);
  // Uses the limit of one minute up.
  const burst = Array.from({ length: RATE_PER_MINUTE }, (_, at) =>
    fetch(`${server.url}/images`, {
      method: "POST",
      headers: { "Content-Type": "image/gif", Authorization: `Bearer ${server.token({ sub: user() })}`, "CF-Connecting-IP": proxy.address },
      body: gif(1000 + at),
    }),
  );
  for (const { status } of await Promise.all(burst)) assert.equal(status, 201);
  const [image] = await sendAll(page, [put("late.gif", gif(31))]);
  assert.ok(image.key, JSON.stringify(image));
  const uploads = proxy.uploads();
  // On a slow machine some of the limit may have refilled; then nothing was refused.
  const refused = uploads.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 1, "it was refused at first");
  for (const [at, { status, atMs, retryAfterS }] of uploads.entries()) {
    if (status === 429) assert.ok(uploads[at + 1].atMs - atMs >= retryAfterS * 1000, `${uploads[at + 1].atMs - atMs} ms, Retry-After ${retryAfterS} s`);
  }
});

test("while uploads are switched off, pictures wait with the sentence and are sent afterwards", async (t) => {
  const { page } = await open(t);
  let isOff = true;
  const detail = "Uploads are switched off.";
  const off = { status: 503, headers: { "Content-Type": "application/problem+json", "Retry-After": "1" }, body: JSON.stringify({ code: "UPLOADS_OFF", detail }) };
  proxy.fault = ({ method, path }) => (isOff && method === "POST" && path === "/images" ? off : undefined);
  const names = [171, 172, 173, 174].map((number) => put(`${number}.gif`, gif(number)));
  // A single attempt: the waiting counts as none.
  const sending = sendAll(page, names, { retry: { attempts: 1 } });
  await page.waitForFunction(() => window.uploader?.items.length === 4 && window.uploader.items.every(({ state, error }) => state === "waiting" && error?.code === "UPLOADS_OFF"));
  assert.equal(await page.evaluate(() => window.uploader.items[3].error.message), detail);
  await until(() => proxy.uploads().length > 4);
  isOff = false;
  const ends = await sending;
  assert.ok(ends.every(({ key }) => server.objects().has(key)), JSON.stringify(ends));
  assert.ok(await page.evaluate(() => window.uploader.items.every(({ state, error }) => state === "uploaded" && error === undefined)));
  assert.ok(!(await page.evaluate(() => window.log)).some(({ type }) => type === "refused" || type === "failed"));
});

test("all uploads wait for the Retry-After of a 503; one that is too long fails at once", async (t) => {
  const { page } = await open(t);
  const busy = (seconds) => ({
    status: 503,
    headers: { "Content-Type": "application/problem+json", "Retry-After": String(seconds) },
    body: JSON.stringify({ code: "BUSY", detail: "Busy.", status: 503, requestId: "r-1" }),
  });
  proxy.fault = ({ method, nth }) => (method === "POST" && nth === 1 ? busy(2) : undefined);
  const ends = await sendAll(page, [put("a.gif", gif(41)), put("b.gif", gif(42))], { concurrency: 1 });
  assert.ok(ends.every(({ key }) => key), JSON.stringify(ends));
  const [first, second] = proxy.uploads();
  assert.ok(second.atMs - first.atMs >= 2_000, "the other picture waited, too");

  proxy.fresh();
  proxy.fault = ({ method }) => (method === "POST" ? busy(3_600) : undefined);
  const [end] = await sendAll(page, [put("c.gif", gif(43))]);
  assert.deepEqual(end, { kind: "Refusal", code: "BUSY", status: 503, message: "Busy.", requestId: "r-1", retryAfterS: 3_600 });
  assert.equal(proxy.uploads().length, 1);
});

test("a refusal is never retried and has a sentence in the user's language", async (t) => {
  const { page } = await open(t);
  // A policy that is wider than the edge's, so that the edge refuses.
  const lax = { limits: { maxBytes: 50_000_000 }, targetBytes: null };
  put("huge.png", noise(1500, 1400));
  const [end] = await sendAll(page, ["huge.png"], { policy: lax, language: "ko" });
  assert.equal(end.code, "FILE_TOO_LARGE", JSON.stringify(end));
  assert.equal(end.status, 413);
  assert.match(end.message, /[가-힣]/);
  assert.match(end.requestId, /^[0-9a-f-]{36}$/);
  assert.equal(proxy.uploads().length, 1);

  // What the browser refuses is not sent.
  proxy.fresh();
  const [own] = await sendAll(page, [put("notes.png", Buffer.from("only text\n"))], { language: "ko" });
  assert.equal(own.code, "INVALID_FILE_SIGNATURE");
  assert.match(own.message, /[가-힣]/);
  assert.equal(proxy.uploads().length, 0);
});

test("an expired token is renewed once for all uploads, without an event", async (t) => {
  const { page, asked } = await open(t, { lifetimes: [-120] });
  const names = [51, 52, 53].map((number) => put(`${number}.gif`, gif(number)));
  const ends = await sendAll(page, names);
  assert.ok(ends.every(({ key }) => key), JSON.stringify(ends));
  assert.deepEqual(asked, [false, true]);
  assert.ok(!(await page.evaluate(() => window.log)).some(({ type }) => type === "refused" || type === "failed"));
});

test("a token that stays expired is renewed once and then refused", async (t) => {
  const { page, asked } = await open(t, { lifetimes: [-120, -130, -140] });
  const [end] = await sendAll(page, [put("a.gif", gif(61))]);
  assert.equal(end.code, "TOKEN_EXPIRED");
  assert.deepEqual(asked, [false, true]);
  assert.equal(proxy.uploads().length, 2);
});

test("an invalid token is renewed once, and again on each retry()", async (t) => {
  const { page, asked } = await open(t, { tokens: ["bad", "worse"] });
  const [end] = await sendAll(page, [put("a.gif", gif(62))]);
  assert.equal(end.code, "TOKEN_INVALID");
  assert.deepEqual(asked, [false, true]);
  assert.equal(proxy.uploads().length, 2);
  const key = await page.evaluate(async () => {
    const [item] = window.uploader.items;
    window.uploader.retry(item);
    return (await item.done).key;
  });
  assert.ok(server.objects().has(key));
  assert.deepEqual(asked, [false, true, true]);
  assert.equal(proxy.uploads().length, 3, "the refused token is not sent again");

  // One bad token is renewed without an error.
  proxy.fresh();
  asked.length = 0;
  const [image] = await sendAll(page, [put("b.gif", gif(63))]);
  assert.equal(image.code, "TOKEN_INVALID", "both bad tokens again");
  asked.length = 1;
  const [second] = await sendAll(page, [put("c.gif", gif(64))]);
  assert.ok(second.key, JSON.stringify(second));
  assert.deepEqual(asked.slice(1), [false, true]);
});

test("a renewed token that is the same is not sent again", async (t) => {
  const { page, asked } = await open(t, { tokens: ["bad", "bad"] });
  const [end] = await sendAll(page, [put("a.gif", gif(65))]);
  assert.equal(end.code, "TOKEN_INVALID");
  assert.deepEqual(asked, [false, true]);
  assert.equal(proxy.uploads().length, 1);
});

test("close() settles every promise in every state", async (t) => {
  const { page } = await open(t);
  proxy.fault = ({ method }) => (method === "POST" ? { hold: new Promise(() => {}) } : undefined);
  for (const number of [66, 67, 68]) put(`${number}.gif`, gif(number));
  await page.evaluate(async () => {
    const files = await Promise.all([66, 67, 68].map((number) => window.fileOf(`${number}.gif`, "image/gif")));
    const uploader = (window.uploader = new window.kit.Uploader({ ...window.options, concurrency: 1 }));
    const tokenless = (window.tokenless = new window.kit.Uploader({ ...window.options, token: () => new Promise(() => {}) }));
    window.items = [...files, files[0]].map((file) => uploader.add(file));
    window.items.push(tokenless.add(files[0]));
    uploader.pause(window.items[2]);
    uploader.resume(window.items[2]);
    uploader.pause(window.items[2]);
  });
  await page.waitForFunction(() => window.items.map(({ state }) => state).join() === "sending,queued,paused,waiting,sending");
  const names = await page.evaluate(async () => {
    window.uploader.close();
    window.tokenless.close();
    return (await Promise.allSettled(window.items.map(({ done }) => done))).map(({ reason }) => reason?.name);
  });
  assert.deepEqual(names, Array(5).fill("AbortError"));
});

test("delete() deletes only a picture that this upload stored", async (t) => {
  const { page } = await open(t);
  const drop = (name) =>
    page.evaluate(async (name) => {
      const uploader = new window.kit.Uploader(window.options);
      const item = uploader.add(await window.fileOf(name, "image/gif"));
      const { key, isNew } = await item.done;
      window.again = () => uploader.delete(item).then(() => ({ key, isNew, left: uploader.items.length }));
      return window.again();
    }, name);
  proxy.fault = ({ method, nth }) => (method === "DELETE" && nth === 1 ? { reset: true } : undefined);
  const first = await drop(put("gone.gif", gif(69)));
  assert.deepEqual([first.isNew, first.left], [true, 0]);
  await until(() => !server.objects().has(first.key));
  assert.equal(server.rows().filter(({ key }) => key === first.key).length, 0);
  assert.equal(proxy.seen.filter(({ method }) => method === "DELETE").length, 2, "tried again after the broken connection");
  // Deleting it again is no error, and the same bytes are a new picture.
  await page.evaluate(() => window.again());
  const [again] = await sendAll(page, ["gone.gif"]);
  assert.ok(again.isNew && again.key !== first.key && server.objects().has(again.key));

  const kept = (await sendAll(page, [put("kept.gif", gif(70))]))[0];
  proxy.fresh();
  const second = await drop("kept.gif");
  assert.deepEqual(second, { key: kept.key, isNew: false, left: 0 });
  assert.equal(proxy.seen.filter(({ method }) => method === "DELETE").length, 0);
  assert.ok(server.objects().has(kept.key));
});

test("duplicates are sent once, and both items end", async (t) => {
  const { page } = await open(t);
  put("one.gif", gif(71));
  put("again.gif", gif(71));
  const [one, again] = await sendAll(page, ["one.gif", "again.gif"]);
  assert.equal(one.key, again.key);
  assert.equal(proxy.uploads().length, 1);

  // When the first is canceled, the second is sent.
  proxy.fresh();
  proxy.fault = ({ method, nth }) => (method === "POST" && nth === 1 ? { hold: new Promise(() => {}) } : undefined);
  put("third.gif", gif(72));
  await page.evaluate(async () => {
    const file = await window.fileOf("third.gif", "image/gif");
    window.uploader = new window.kit.Uploader(window.options);
    window.uploader.add(file);
    window.uploader.add(file);
  });
  await until(() => proxy.uploads().length === 1);
  const ends = await page.evaluate(async () => {
    const [first, second] = window.uploader.items;
    window.uploader.cancel(first);
    return [await first.done.catch(({ name }) => name), (await second.done).key];
  });
  assert.equal(ends[0], "AbortError");
  assert.ok(server.objects().has(ends[1]));
});

test("upload() sends one file with a guest's token to another origin", async (t) => {
  const { page } = await open(t);
  put("guest.gif", gif(81));
  const image = await page.evaluate(async (edge) => {
    const { guestToken, preflight, upload } = window.kit;
    const { blob, fileName } = await preflight(await window.fileOf("guest.gif", "image/gif"));
    return upload(blob, { endpoint: `${edge}/`, token: guestToken(edge, "ko"), fileName, language: "ko" });
  }, server.url);
  assert.match(image.key, /^users\/guest-/);
  assert.equal(typeof image.imageId, "number");

  // A page of another origin gets the reasons, too.
  const error = await page.evaluate(async (edge) => {
    const { blob } = await window.kit.preflight(await window.fileOf("guest.gif", "image/gif"));
    return window.kit.upload(blob, { endpoint: edge, token: "not.a.token", language: "ko" }).catch(window.summary);
  }, server.url);
  assert.equal(error.code, "TOKEN_INVALID");
  assert.match(error.message, /[가-힣]/);
});

test("each picture is sent with a ticket of the page, and a spent or expired one is replaced once", async (t) => {
  const strict = await startServer({ vars: { REQUIRE_TICKET: "true", TICKET_S: 6 } });
  t.after(() => strict.stop());
  const way = await startProxy(strict.url);
  t.after(() => way.stop());
  const { page, asked: tokens } = await open(t, { through: way, issuer: strict });
  const asked = [];
  let stale;
  // The back end of the page.
  await page.exposeFunction("ticketFor", async (picture) => {
    asked.push(picture);
    if (stale) return stale;
    const headers = { Authorization: `Bearer ${strict.token({ sub: "api", role: "SERVICE" })}`, "Content-Type": "application/json" };
    const answer = await fetch(`${strict.url}/uploads/tickets`, { method: "POST", headers, body: JSON.stringify({ ...picture, userId: "7" }) });
    return (await answer.json()).data.ticket;
  });
  await page.evaluate(() => (window.options.ticket = (picture) => window.ticketFor(picture)));
  const send = (name, bytes, options) => (way.files.set(name, bytes), sendAll(page, [name], options));
  const statuses = () => way.uploads().map(({ status }) => status);

  const [image] = await send("a.gif", gif(91), { formId: "f-1" });
  assert.match(image.key, /^users\/7\//, JSON.stringify(image));
  assert.deepEqual(asked, [{ formId: "f-1", contentType: "image/gif", maxBytes: gif(91).length }]);
  assert.deepEqual(tokens, [], "no token is needed");

  // The connection of one attempt breaks after its ticket was spent. Each attempt needs another ticket.
  way.fresh();
  way.fault = ({ path, nth }) => (path === "/images" && nth === 1 ? { resetAfter: 1 } : undefined);
  const [second] = await send("b.gif", gif(92));
  assert.ok(second.key, JSON.stringify(second));
  assert.deepEqual([statuses(), asked.length], [[undefined, 201], 3]);

  // After a lost response the browser repeats the request with its spent ticket.
  way.fresh();
  way.fault = ({ path, nth }) => (path === "/images" && nth === 1 ? { twice: true } : undefined);
  const [third] = await send("c.gif", gif(93));
  assert.ok(third.key, JSON.stringify(third));
  assert.deepEqual([statuses(), asked.length], [[403, 200], 5]);

  // A ticket that stays spent, or expired, is replaced once.
  const answer = await fetch(`${strict.url}/uploads/tickets`, { method: "POST", headers: { Authorization: `Bearer ${strict.token({ sub: "8", role: "SERVICE" })}`, "Content-Type": "application/json" }, body: "{}" });
  stale = (await answer.json()).data.ticket;
  assert.ok((await send("d.gif", gif(94)))[0].key);
  for (const code of ["TICKET_SPENT", "TOKEN_EXPIRED"]) {
    way.fresh();
    asked.length = 0;
    const [end] = await send(`${code}.gif`, gif(95 + code.length));
    assert.equal(end.code, code);
    assert.deepEqual([statuses().length, asked.length], [2, 2]);
    await new Promise((resolve) => setTimeout(resolve, 6_500));
  }
});

test("a service that requires tickets says so to the developer of a page without them", async (t) => {
  const strict = await startServer({ vars: { REQUIRE_TICKET: "true" } });
  t.after(() => strict.stop());
  const way = await startProxy(strict.url);
  t.after(() => way.stop());
  const { page } = await open(t, { through: way, issuer: strict });
  way.files.set("a.gif", gif(99));
  const [end] = await sendAll(page, ["a.gif"]);
  assert.deepEqual([end.kind, /Set `ticket`/.test(end.message)], ["SetupError", true], JSON.stringify(end));
});

test("guests whose tokens allow one upload each send several pictures", async (t) => {
  const once = await startServer({ vars: { GUEST_SINGLE_USE: "true" } });
  t.after(() => once.stop());
  const way = await startProxy(once.url);
  t.after(() => way.stop());
  const { page } = await open(t, { through: way, issuer: once });
  await page.evaluate(() => (window.options.token = window.kit.guestToken("")));
  const names = [1, 2, 3, 4, 5].map((number) => (way.files.set(`${number}.gif`, gif(100 + number)), `${number}.gif`));
  const ends = await sendAll(page, names);
  assert.ok(ends.every(({ key }) => key), JSON.stringify(ends));
  const guests = ends.map(({ key }) => key.split("/")[1]);
  assert.equal(new Set(guests).size, 5, "each upload has another guest");
});
