// The pictures of the work benchmark: each kind as large as its maker is asked for.
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { chunk } from '../e2e/pictures.mjs';
import { photoLike, screenshot } from './pictures.mjs';

sharp.concurrency(1);

const TILE = [1024, 768];
let tile;

/** A photo's pixels, mirrored where it is larger than its tile; `shift` moves it from frame to frame. */
function photoPixels(width, height, shift = 0) {
  const [across, down] = TILE;
  tile ??= photoLike(across, down);
  const data = Buffer.alloc(width * height * 3);
  const place = (at, length) => (Math.floor(at / length) % 2 ? length - 1 - (at % length) : at % length);
  const columns = Uint32Array.from({ length: width }, (_, x) => place(x + shift, across) * 3);
  for (let y = 0, to = 0; y < height; y += 1) {
    const row = place(y + (shift >> 1), down) * across * 3;
    for (let x = 0; x < width; x += 1, to += 3) {
      const from = row + columns[x];
      data[to] = tile[from];
      data[to + 1] = tile[from + 1];
      data[to + 2] = tile[from + 2];
    }
  }
  return data;
}

/** Soft shapes and, with alpha, a hole with a soft edge. */
function drawingPixels(width, height, channels) {
  const data = Buffer.alloc(width * height * channels);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      data[at++] = (x * 255) / width;
      data[at++] = (y * 255) / height;
      data[at++] = 128 + 90 * Math.sin(x / 40) * Math.cos(y / 30);
      if (channels === 4) data[at++] = Math.max(0, Math.min(255, 600 * (Math.hypot(x / width - 0.5, y / height - 0.5) - 0.2)));
    }
  }
  return data;
}

/** The colour, of 64, of the patch of 24 pixels at this place; it changes from frame to frame. */
const patch = (x, y, frame) =>
  (Math.imul(Math.floor(x / 24) * 7919 + Math.floor(y / 24) * 104_729 + frame * 31, 0x9e3779b1) >>> 26) & 63;

function patchPixels(width, height, channels, frame) {
  const data = Buffer.alloc(width * height * channels, 255);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += channels) {
      const color = patch(x, y, frame);
      data[at] = (color & 3) * 85;
      data[at + 1] = ((color >> 2) & 3) * 85;
      data[at + 2] = (color >> 4) * 85;
      if (channels === 4) data[at + 3] = color & 1 ? 255 : 128;
    }
  }
  return data;
}

const raw = (data, width, height, channels) => sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
export const photo = (width, height) => raw(photoPixels(width, height), width, height, 3);
export const drawing = (width, height, channels = 3) => raw(drawingPixels(width, height, channels), width, height, channels);
export const screen = async (width, height) => sharp(await screenshot(width, height));

/** The LZW codes (GIF89a appendix F) of indices below 64, in sub-blocks. */
function lzw(indices) {
  const [CLEAR, END, BITS] = [64, 65, 6];
  const bytes = [BITS];
  let [held, count, block] = [0, 0, []];
  const put = (code, width) => {
    held |= code << count;
    for (count += width; count >= 8; count -= 8, held >>>= 8) {
      block.push(held & 255);
      if (block.length === 255) bytes.push(255, ...block.splice(0));
    }
  };
  let [next, width] = [END + 1, BITS + 1];
  const table = new Int16Array(4096 * 64);
  put(CLEAR, width);
  let prefix = indices[0];
  for (let at = 1; at < indices.length; at += 1) {
    const slot = prefix * 64 + indices[at];
    if (table[slot] > 0) {
      prefix = table[slot];
      continue;
    }
    put(prefix, width);
    if (next === 4096) {
      put(CLEAR, width);
      table.fill(0);
      [next, width] = [END + 1, BITS + 1];
    } else {
      if (next === 1 << width) width += 1;
      table[slot] = next;
      next += 1;
    }
    prefix = indices[at];
  }
  put(prefix, width);
  put(END, width);
  if (count > 0) block.push(held & 255);
  if (block.length > 0) bytes.push(block.length, ...block);
  return Buffer.from([...bytes, 0]);
}

/** A GIF of patches in 64 colours, of which four frames repeat. */
export function patchesGif(width, height, frames) {
  const colors = Buffer.from(Array.from({ length: 64 }, (_, color) => [(color & 3) * 85, ((color >> 2) & 3) * 85, (color >> 4) * 85]).flat());
  const size = Buffer.from(Uint16Array.of(width, height).buffer);
  const parts = Array.from({ length: Math.min(4, frames) }, (_, frame) => {
    const indices = new Uint8Array(width * height);
    for (let y = 0, at = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) indices[at++] = patch(x, y, frame);
    return Buffer.concat([Buffer.from([0x2c, 0, 0, 0, 0]), size, Buffer.from([0]), lzw(indices)]);
  });
  const images = Array.from({ length: frames }, (_, frame) => parts[frame % parts.length]);
  return Buffer.concat([Buffer.from('GIF89a'), size, Buffer.from([0x85, 0, 0]), colors, ...images, Buffer.from([0x3b])]);
}

/** Frames below each other, as `sharp` takes them. */
function animation(width, height, frames, channels, pixels) {
  const data = Buffer.concat(Array.from({ length: frames }, (_, frame) => pixels(frame)));
  return sharp(data, { raw: { width, height: height * frames, channels, pageHeight: height }, limitInputPixels: false });
}
export const photos = (width, height, frames) => animation(width, height, frames, 3, (frame) => photoPixels(width, height, frame * 16));
export const patches = (width, height, frames, channels = 3) =>
  animation(width, height, frames, channels, (frame) => patchPixels(width, height, channels, frame));

/** An animated PNG of patches, with 8 or 16 bits a sample; the filter of each row is Sub. */
export function patchesApng(width, height, frames, depth) {
  const long = (...values) => {
    const bytes = Buffer.alloc(4 * values.length);
    values.forEach((value, at) => bytes.writeUInt32BE(value, 4 * at));
    return bytes;
  };
  const wide = depth / 8;
  const pixels = (frame) => {
    const data = patchPixels(width, height, 4, frame);
    const rows = Buffer.alloc(height * (1 + width * 4 * wide));
    for (let y = 0, at = 0; y < height; y += 1) {
      rows[at++] = 1;
      for (let x = 0; x < width * 4; x += 1) {
        const from = y * width * 4 + x;
        const difference = data[from] - (x < 4 ? 0 : data[from - 4]);
        for (let byte = 0; byte < wide; byte += 1) rows[at++] = difference;
      }
    }
    return deflateSync(rows, { level: 6 });
  };
  const control = (number) => chunk('fcTL', Buffer.concat([long(number, width, height, 0, 0), Buffer.from([0, 1, 0, 10, 0, 0])]));
  const header = chunk('IHDR', Buffer.concat([long(width, height), Buffer.from([depth, 6, 0, 0, 0])]));
  const parts = [Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), header, chunk('acTL', long(frames, 0)), control(0), chunk('IDAT', pixels(0))];
  for (let frame = 1; frame < frames; frame += 1) {
    parts.push(control(2 * frame - 1), chunk('fdAT', Buffer.concat([long(2 * frame), pixels(frame)])));
  }
  return Buffer.concat([...parts, chunk('IEND', Buffer.alloc(0))]);
}
