// Generates images for tests: of any size, and with unique bytes.
import { randomBytes } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

/** A PNG with smooth colour gradients. */
export function png(width, height) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  let at = 0;
  for (let y = 0; y < height; y++) {
    at++; // filter: none
    for (let x = 0; x < width; x++) {
      rows[at++] = (x * 255) / width;
      rows[at++] = (y * 255) / height;
      rows[at++] = 128 + 90 * Math.sin(x / 40) * Math.cos(y / 30);
    }
  }
  return encode(width, height, rows);
}

/** A PNG with large areas of one colour, as in a drawing. */
export function flat(width, height) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const color = [0x2a6f97, 0xffffff, 0xf4f4f6, 0xd62828][((x >> 8) + (y >> 8)) % 4];
      rows.writeUIntBE(color, (width * 3 + 1) * y + 1 + x * 3, 3);
    }
  }
  return encode(width, height, rows);
}

function encode(width, height, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // eight bits, colours
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows, { level: 1 })), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...chunks]);
}

/** A PNG chunk with its length and CRC. */
export function chunk(name, content) {
  const named = Buffer.concat([Buffer.from(name, "latin1"), content]);
  const framed = Buffer.alloc(8 + named.length);
  framed.writeUInt32BE(content.length, 0);
  framed.set(named, 4);
  framed.writeUInt32BE(crc32(named), 4 + named.length);
  return framed;
}

/** A GIF of one pixel, with different bytes for each number. */
export function gif(number) {
  const bytes = Buffer.from("GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b", "latin1");
  bytes.writeUIntBE(number, 13, 6);
  return bytes;
}

/** A PNG of random noise, which cannot be compressed. */
export function noise(width, height) {
  const rows = randomBytes((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) rows[y * (width * 3 + 1)] = 0; // filter: none
  return encode(width, height, rows);
}
