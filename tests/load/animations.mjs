// Builds animations that are small files and expensive to decode: frames of one colour compress to a thousandth of their
// size.
import { deflateSync } from "node:zlib";

import { chunk } from "../e2e/pictures.mjs";

const word = (...values) => Buffer.from(Uint16Array.from(values).buffer);
const long = (...values) => Buffer.concat(values.map((value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}));

/** The LZW codes (GIF89a appendix F) of `pixels` pixels of index 0. Each code stands for a run one pixel longer than the last. */
function flatCodes(pixels) {
  const [CLEAR, END, MAX_CODE] = [4, 5, 4095];
  const bytes = [];
  let [bits, held, width, free] = [0, 0, 3, END + 1];
  const put = (code) => {
    held |= code << bits;
    for (bits += width; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  put(CLEAR);
  for (let run = 1, left = pixels; left > 0; ) {
    const length = Math.min(run, left);
    put(length === 1 ? 0 : END + length - 1);
    left -= length;
    if (free > MAX_CODE) {
      put(CLEAR);
      [width, free, run] = [3, END + 1, 1];
    } else {
      if (free >= 1 << width && width < 12) width += 1;
      free += 1;
      run += 1;
    }
  }
  put(END);
  if (bits > 0) bytes.push(held & 255);
  return Buffer.from(bytes);
}

/** A GIF whose frames have one colour and the size of the canvas. */
export function flatGif(width, height, frames) {
  const codes = flatCodes(width * height);
  const blocks = [];
  for (let at = 0; at < codes.length; at += 255) {
    const block = codes.subarray(at, at + 255);
    blocks.push(Buffer.from([block.length]), block);
  }
  const image = Buffer.concat([Buffer.from([0x2c, 0, 0, 0, 0]), word(width, height), Buffer.from([0, 2]), ...blocks, Buffer.from([0])]);
  const colors = Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0xff]);
  const screen = Buffer.concat([Buffer.from("GIF89a"), word(width, height), Buffer.from([0x81, 0, 0]), colors]);
  return Buffer.concat([screen, ...Array(frames).fill(image), Buffer.from([0x3b])]);
}

/** An animated PNG (RGBA) whose frames are transparent. */
export function flatPng(width, height, frames, { depth }) {
  const pixels = deflateSync(Buffer.alloc(height * (1 + width * 4 * (depth / 8))), { level: 9 });
  const control = (number) => chunk("fcTL", Buffer.concat([long(number, width, height, 0, 0), Buffer.from([0, 1, 0, 10, 0, 0])]));
  const parts = [Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", Buffer.concat([long(width, height), Buffer.from([depth, 6, 0, 0, 0])]))];
  parts.push(chunk("acTL", long(frames, 0)), control(0), chunk("IDAT", pixels));
  for (let frame = 1; frame < frames; frame += 1) {
    parts.push(control(2 * frame - 1), chunk("fdAT", Buffer.concat([long(2 * frame), pixels])));
  }
  return Buffer.concat([...parts, chunk("IEND", Buffer.alloc(0))]);
}
