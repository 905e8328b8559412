// The images of the benchmarks: real photos if available, otherwise generated images.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

export async function pictures(root) {
  const folder = process.env.PHOTOS ?? join(root, '../shared/photos');
  const [photo, preflighted] = ['phone12mp.jpg', 'preflighted1600.jpg'].map((name) => join(folder, name));
  const real = existsSync(photo) && existsSync(preflighted);
  const big = real ? readFileSync(photo) : await jpeg(4032, 3024, 92);
  const small = real ? readFileSync(preflighted)
    : await sharp(big).resize(1600, 1600, { fit: 'inside' }).jpeg({ quality: 80 }).toBuffer();
  return { source: real ? folder : 'generated', big, small, drawing: await png(2048, 1536) };
}

async function jpeg(width, height, quality) {
  const data = photoLike(width, height);
  return sharp(data, { raw: { width, height, channels: 3 } }).jpeg({ quality }).toBuffer();
}

// A photo-like image with an oval alpha mask that fades out.
async function png(width, height) {
  const rgb = photoLike(width, height);
  const data = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const distance = Math.hypot((x / width - 0.5) * 2, (y / height - 0.5) * 2);
      rgb.copy(data, at * 4, at * 3, at * 3 + 3);
      data[at * 4 + 3] = Math.max(0, Math.min(255, Math.round((1.1 - distance) * 600)));
    }
  }
  return sharp(data, { raw: { width, height, channels: 4 } }).png().toBuffer();
}

// Noise in octaves of decreasing strength, which has a spectrum like that of photos.
export function photoLike(width, height) {
  const data = Buffer.alloc(width * height * 3);
  const octaves = [512, 256, 128, 64, 32, 16, 8, 4, 2].map((size, index) => ({
    size, strength: 70 / 1.6 ** index, grid: grid(Math.ceil(width / size) + 2, Math.ceil(height / size) + 2, index),
  }));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const sums = [128, 124, 116];
      for (const { size, strength, grid: { values, across } } of octaves) {
        const column = Math.floor(x / size);
        const row = Math.floor(y / size);
        const right = x / size - column;
        const down = y / size - row;
        for (let channel = 0; channel < 3; channel += 1) {
          // Fine detail varies mostly in brightness.
          const plane = size < 32 ? 0 : channel;
          const value = (dx, dy) => values[((row + dy) * across + column + dx) * 3 + plane];
          const top = value(0, 0) * (1 - right) + value(1, 0) * right;
          const bottom = value(0, 1) * (1 - right) + value(1, 1) * right;
          sums[channel] += strength * (top * (1 - down) + bottom * down);
        }
      }
      for (let channel = 0; channel < 3; channel += 1) {
        data[(y * width + x) * 3 + channel] = Math.max(0, Math.min(255, Math.round(sums[channel])));
      }
    }
  }
  return data;
}

function grid(across, down, seed) {
  // Mulberry32 with a fixed seed, so that the image is always the same.
  let state = seed + 1;
  const values = Float32Array.from({ length: across * down * 3 }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
  return { values, across };
}

/** A generated screenshot with panels, lines and strokes that look like text. */
export async function screenshot(width, height) {
  const data = Buffer.alloc(width * height * 3, 255);
  const fill = (left, top, right, bottom, color) => {
    for (let y = Math.max(0, top); y < Math.min(height, bottom); y += 1) {
      for (let x = Math.max(0, left); x < Math.min(width, right); x += 1) data.set(color, (y * width + x) * 3);
    }
  };
  let state = 7;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  fill(0, 0, width, 90, [32, 33, 36]);
  fill(0, 90, 420, height, [243, 244, 246]);
  for (let y = 130; y < height - 40; y += 44) {
    const paragraph = y % 352 > 300;
    for (let x = paragraph ? 460 : 40; x < width - 60; ) {
      const long = 20 + random(110);
      const color = x < 420 ? [75, 85, 99] : random(14) === 0 ? [37, 99, 235] : [17, 24, 39];
      // A word: strokes of two pixels at irregular distances.
      for (let stroke = x; stroke < x + long; stroke += 4 + random(7)) {
        fill(stroke, y + random(6), stroke + 2, y + 20 + random(6), color);
        if (random(2)) fill(stroke, y + 8 + random(8), stroke + 7, y + 10 + random(8), color);
      }
      x += long + 14;
    }
  }
  for (let tile = 0; tile < 3; tile += 1) fill(500 + tile * 780, 900, 1240 + tile * 780, 1240, [[219, 234, 254], [254, 243, 199], [220, 252, 231]][tile]);
  return sharp(data, { raw: { width, height, channels: 3 } }).png().toBuffer();
}
