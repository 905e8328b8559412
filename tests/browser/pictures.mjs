// Large pictures, and pictures of types that the package does not decode itself, made by sharp.
import { randomBytes } from "node:crypto";

import sharp from "sharp";

/** A picture of soft shapes with some grain, as raw pixels for `sharp`. */
export function drawn(width, height, { channels = 3, grain = 0 } = {}) {
  const data = Buffer.alloc(width * height * channels);
  const noise = grain > 0 ? randomBytes(65_537) : undefined;
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const rough = noise ? ((noise[at % noise.length] - 128) * grain) / 128 : 0;
      data[at++] = Math.max(0, Math.min(255, (x * 255) / width + rough));
      data[at++] = Math.max(0, Math.min(255, (y * 255) / height + rough));
      data[at++] = 128 + 90 * Math.sin(x / 40) * Math.cos(y / 30);
      // A transparent hole with a soft edge.
      if (channels === 4) data[at++] = Math.max(0, Math.min(255, 600 * (Math.hypot(x / width - 0.5, y / height - 0.5) - 0.2)));
    }
  }
  return sharp(data, { raw: { width, height, channels } });
}

/** The pixels of a file, four bytes each, as libwebp and others decode them. */
export const decoded = (bytes) => sharp(bytes).ensureAlpha().raw().toBuffer();

/** The size of the frames of an animation, how many there are, and how long each is seen. */
export async function animationOf(bytes) {
  const { width, pageHeight, pages, delay } = await sharp(bytes, { animated: true }).metadata();
  return { width, height: pageHeight, pages, delay };
}

/** A picture of one colour: few bytes, any number of pixels. */
export const flat = (width, height) => sharp({ create: { width, height, channels: 3, background: "#2a6f97" } });

/** Patches with sides of `step` pixels, so that a large picture has few bytes. */
export const patches = (width, height, { step = 16, ...options } = {}) =>
  drawn(Math.ceil(width / step), Math.ceil(height / step), options).resize(width, height, { kernel: "nearest", fit: "fill" });

/** An animation of large patches that change from frame to frame. */
export async function animated(width, height, frames, { channels = 3 } = {}) {
  const pages = [];
  for (let frame = 0; frame < frames; frame++) {
    pages.push(await patches(width, height, { step: 256, channels, grain: 100 }).raw().toBuffer());
  }
  return sharp(Buffer.concat(pages), { raw: { width, height: height * frames, channels, pageHeight: height } });
}

/** An animation of noise, which does not compress. */
export const noisy = (width, height, frames) =>
  sharp(randomBytes(width * height * frames * 3), { raw: { width, height: height * frames, channels: 3, pageHeight: height } });
