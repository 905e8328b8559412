// Pages that show stored pictures: with `srcset()` in Chromium and Firefox at 1x and 3x, and a plain <img> in a mail.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { srcset } from "../../target/browser/index.js";
import { startFirefox } from "../browser/firefox.mjs";
import { animated, animationOf, decoded, drawn, patches } from "../browser/pictures.mjs";
import { openPage, startBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

/** The width of each picture on the page, in CSS pixels. */
const WIDTH = 320;
/** A picture may be up to a sixteenth smaller than asked for. */
const isAbout = (pixels, wanted) => pixels <= wanted && pixels >= wanted * (15 / 16);

let server, pages, pageUrl, photo, drawing;
before(async () => {
  server = await startServer();
  photo = await upload("image/jpeg", await drawn(1600, 1200, { grain: 12 }).jpeg().toBuffer());
  drawing = await upload("image/png", await patches(1600, 1200, { channels: 4 }).png().toBuffer());
  const image = (id, picture) =>
    `<img id="${id}" alt="" width="${picture.width}" height="${picture.height}" sizes="${WIDTH}px" srcset="${srcset(picture).replaceAll("&", "&amp;")}">`;
  const html = `<!doctype html><title>Album</title><style>img { width: ${WIDTH}px; height: auto; display: block }</style>${image("photo", photo)}${image("drawing", drawing)}<p>The text below</p>`;
  pages = createServer((_, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end(html)).listen(0, "127.0.0.1");
  await once(pages, "listening");
  pageUrl = `http://127.0.0.1:${pages.address().port}/`;
});
after(async () => {
  pages?.close();
  await server?.stop();
});

async function upload(type, body) {
  const headers = { "Content-Type": type, Authorization: `Bearer ${server.token()}` };
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body });
  assert.equal(answer.status, 201);
  return (await answer.json()).data;
}

/** Runs in the page: which sources were chosen, their sizes in pixels, and where the text is. */
async function look() {
  const images = [...document.querySelectorAll("img")];
  await Promise.all(images.map((image) => image.decode()));
  const pixels = async (image) => {
    const same = new Image();
    same.src = image.currentSrc;
    await same.decode();
    return { id: image.id, url: image.currentSrc, width: same.naturalWidth, height: same.naturalHeight };
  };
  return { images: await Promise.all(images.map(pixels)), top: document.querySelector("p").offsetTop };
}

function check({ images, top }, scale) {
  assert.deepEqual(images.map(({ id }) => id), ["photo", "drawing"]);
  for (const { url, width, height } of images) {
    assert.equal(new URL(url).searchParams.get("w"), String(WIDTH * scale), "the source that fits the screen");
    assert.ok(isAbout(width, WIDTH * scale), `${width} pixels`);
    assert.ok(Math.abs(height / width - 3 / 4) < 0.01, `${width} x ${height}`);
  }
  // Reserved by `width` and `height`, whatever has arrived: twice 240 pixels, and the margins of body and text.
  assert.ok(top >= 480 && top < 520, `the text is at ${top}`);
}

for (const scale of [1, 3]) {
  test(`Chromium at ${scale}x shows the size that fits, and WebP where it is smaller`, async (t) => {
    const browser = await startBrowser();
    t.after(() => browser.close());
    const { page, complaints } = await openPage(t, browser, { deviceScaleFactor: scale });
    const types = new Map();
    page.on("response", (response) => types.set(new URL(response.url()).pathname, response.headers()["content-type"]));
    await page.goto(pageUrl);
    check(await page.evaluate(look), scale);
    assert.equal(types.get(`/${photo.key}`), "image/jpeg");
    assert.equal(types.get(`/${drawing.key}`), "image/webp");
    assert.deepEqual(complaints, []);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/pages-${scale}x.png` });
  });

  test(`Firefox at ${scale}x shows the size that fits`, async (t) => {
    const firefox = await startFirefox({ "layout.css.devPixelsPerPx": scale.toFixed(1) });
    t.after(() => firefox.stop());
    await firefox.goto(pageUrl);
    check(await firefox.evaluate(look), scale);
  });
}

test("a mail program that does not name WebP gets JPEG or PNG from the same <img>", async () => {
  for (const [picture, type, signature] of [[photo, "image/jpeg", "ffd8ff"], [drawing, "image/png", "89504e47"]]) {
    for (const accept of ["*/*", "image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"]) {
      const answer = await fetch(`${picture.imageUrl}?w=640&format=auto`, { headers: { Accept: accept } });
      assert.equal(answer.headers.get("content-type"), type, accept);
      assert.match(answer.headers.get("vary"), /Accept/);
      const bytes = Buffer.from(await answer.arrayBuffer());
      assert.ok(bytes.toString("hex").startsWith(signature));
    }
  }
});

test("a photo is WebP only where it is small", async () => {
  for (const [width, type] of [[160, "image/webp"], [320, "image/jpeg"]]) {
    const answer = await fetch(`${photo.imageUrl}?w=${width}&format=webp`);
    assert.equal(answer.headers.get("content-type"), type);
    assert.equal((await decoded(Buffer.from(await answer.arrayBuffer()))).length, width * ((width * 3) / 4) * 4);
  }
});

test("a picture with transparent pixels is lossy WebP of at most half the bytes, and its transparency is exact", async () => {
  const { imageUrl } = await upload("image/png", await drawn(1000, 700, { channels: 4, grain: 12 }).png().toBuffer());
  const [webp, exact] = await Promise.all(["webp", "png"].map(async (format) => {
    const answer = await fetch(`${imageUrl}?w=320&format=${format}`);
    assert.equal(answer.headers.get("content-type"), `image/${format}`);
    return Buffer.from(await answer.arrayBuffer());
  }));
  for (const chunk of ["ALPH", "VP8 "]) assert.ok(webp.includes(chunk), chunk);
  assert.ok(webp.length <= exact.length / 2, `${webp.length} of ${exact.length} bytes`);
  const [lossy, pixels] = await Promise.all([decoded(webp), decoded(exact)]);
  assert.equal(lossy.length, pixels.length);
  let [lost, seen] = [0, 0];
  for (let at = 0; at < pixels.length; at += 4) {
    assert.equal(lossy[at + 3], pixels[at + 3]);
    if (pixels[at + 3] === 0) continue;
    seen += 3;
    for (let channel = at; channel < at + 3; channel += 1) lost += Math.abs(lossy[channel] - pixels[channel]);
  }
  assert.ok(lost / seen < 8, `${lost / seen} a channel`);
  if (process.env.SCREENSHOTS) writeFileSync(`${process.env.SCREENSHOTS}/cut-out.webp`, webp);
});

test("a GIF is an animated WebP where the caller takes it, with the same frames and fewer bytes", async () => {
  const { imageUrl } = await upload("image/gif", await (await animated(640, 480, 6)).gif({ delay: [50, 60, 70, 80, 90, 100] }).toBuffer());
  const [webp, gif] = await Promise.all(["image/webp", "*/*"].map(async (accept) => {
    const answer = await fetch(`${imageUrl}?w=160&format=auto`, { headers: { Accept: accept } });
    assert.equal(answer.headers.get("content-type"), accept === "*/*" ? "image/gif" : accept);
    return Buffer.from(await answer.arrayBuffer());
  }));
  const expected = { width: 160, height: 120, pages: 6, delay: [50, 60, 70, 80, 90, 100] };
  assert.deepEqual(await animationOf(webp), expected);
  assert.deepEqual(await animationOf(gif), expected);
  assert.ok(webp.length < gif.length, `${webp.length} bytes, ${gif.length} as GIF`);
  if (process.env.SCREENSHOTS) writeFileSync(`${process.env.SCREENSHOTS}/animation.webp`, webp);
});
