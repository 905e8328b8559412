// Generates an image with unique bytes that a form accepts: a PNG whose first row is random.
import { randomBytes } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

const LEAST = 8;

/** The smallest size that a policy accepts. */
function size({ minWidth, minHeight, aspectRatio } = {}) {
  const [width, height] = (aspectRatio ?? "1:1").split(":").map(Number);
  const scale = Math.ceil(Math.max(LEAST / Math.min(width, height), (minWidth ?? 0) / width, (minHeight ?? 0) / height));
  return [width * scale, height * scale];
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const bytes = Buffer.alloc(body.length + 8);
  bytes.writeUInt32BE(data.length, 0);
  body.copy(bytes, 4);
  bytes.writeUInt32BE(crc32(body), body.length + 4);
  return bytes;
}

export function newPicture(policy) {
  const [width, height] = size(policy);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  // Eight bits, RGB, default compression and filter, not interlaced.
  head.set([8, 2, 0, 0, 0], 8);
  // Each row begins with its filter type, 0.
  const rows = Buffer.alloc(height * (1 + width * 3));
  randomBytes(width * 3).copy(rows, 1);
  const parts = [chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), ...parts]);
}
