// Builds decompression bombs: images whose headers announce far more than their bytes can hold. Too many pixels in each
// format, and too many frames in each animated format. They are built byte by byte, because no encoder writes them.
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";

import { chunk } from "../e2e/pictures.mjs";

const SIDE = 50_000;
const FRAMES = 5_000;

const word = (...values) => Buffer.from(Uint16Array.from(values).buffer);
const long = (...values) => Buffer.concat(values.map((value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}));

/** A real photo with another size written into its frame header. */
function jpeg() {
  const bytes = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  bytes.writeUInt16BE(SIDE, frame + 5);
  bytes.writeUInt16BE(SIDE, frame + 7);
  return bytes;
}

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
const header = (side) => chunk("IHDR", Buffer.concat([long(side, side), Buffer.from([8, 2, 0, 0, 0])]));

/** The image data is a megabyte of zeros, which deflate compresses to a thousandth. */
function png() {
  const content = chunk("IDAT", deflateSync(Buffer.alloc(1 << 20)));
  return Buffer.concat([SIGNATURE, header(SIDE), content, chunk("IEND", Buffer.alloc(0))]);
}

function animatedPng() {
  const pixel = deflateSync(Buffer.alloc(4));
  const control = (number) => chunk("fcTL", Buffer.concat([long(number, 1, 1, 0, 0), Buffer.from([0, 1, 0, 10, 0, 0])]));
  const parts = [SIGNATURE, header(1), chunk("acTL", long(FRAMES, 0)), control(0), chunk("IDAT", pixel)];
  for (let frame = 1; frame < FRAMES; frame += 1) {
    parts.push(control(2 * frame - 1), chunk("fdAT", Buffer.concat([long(2 * frame), pixel])));
  }
  return Buffer.concat([...parts, chunk("IEND", Buffer.alloc(0))]);
}

function gif(side, frames) {
  const colors = Buffer.from([0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]);
  const image = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
  return Buffer.concat([Buffer.from("GIF89a"), word(side, side), colors, ...Array(frames).fill(image), Buffer.from([0x3b])]);
}

function riff(...chunks) {
  const content = Buffer.concat([Buffer.from("WEBP"), ...chunks]);
  return Buffer.concat([Buffer.from("RIFF"), sized(content)]);
}
const named = (name, content) => Buffer.concat([Buffer.from(name), sized(content), Buffer.alloc(content.length % 2)]);
const sized = (content) => Buffer.concat([long(content.length).reverse(), content]);
/** A 24-bit integer, little-endian. */
const uint24 = (value) => Buffer.from([value & 255, (value >> 8) & 255, (value >> 16) & 255]);
/** The signature, 14 bits for each side minus one, and truncated image data. */
const lossless = (side) => named("VP8L", Buffer.concat([Buffer.from([0x2f]), long((((side - 1) << 14) | (side - 1)) >>> 0).reverse(), Buffer.alloc(64)]));
const extended = (side, flags) => named("VP8X", Buffer.concat([Buffer.from([flags, 0, 0, 0]), uint24(side - 1), uint24(side - 1)]));

function animatedWebp() {
  const frame = named("ANMF", Buffer.concat([Buffer.alloc(12), uint24(100), Buffer.from([0]), lossless(1)]));
  return riff(extended(1, 2), named("ANIM", Buffer.alloc(6)), ...Array(FRAMES).fill(frame));
}

/** All bombs: `{ name, type, body }`. */
export const bombs = () => [
  { name: "JPEG of 2500 MP", type: "image/jpeg", body: jpeg() },
  { name: "PNG of 2500 MP", type: "image/png", body: png() },
  { name: "GIF of 2500 MP", type: "image/gif", body: gif(SIDE, 1) },
  { name: "WebP of 2500 MP", type: "image/webp", body: riff(extended(SIDE, 0), lossless(16_384)) },
  { name: "WebP of 268 MP, lossless", type: "image/webp", body: riff(lossless(16_384)) },
  { name: "GIF of 5000 frames", type: "image/gif", body: gif(1, FRAMES) },
  { name: "PNG of 5000 frames", type: "image/png", body: animatedPng() },
  { name: "WebP of 5000 frames", type: "image/webp", body: animatedWebp() },
];
