// Generates a small image with unique bytes: a PNG of eight by eight random pixels.
import { randomBytes } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

const EDGE = 8;

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const bytes = Buffer.alloc(body.length + 8);
  bytes.writeUInt32BE(data.length, 0);
  body.copy(bytes, 4);
  bytes.writeUInt32BE(crc32(body), body.length + 4);
  return bytes;
}

export function newPicture() {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(EDGE, 0);
  head.writeUInt32BE(EDGE, 4);
  // Eight bits, RGB, default compression and filter, not interlaced.
  head.set([8, 2, 0, 0, 0], 8);
  // Each row begins with its filter type, 0.
  const rows = Array.from({ length: EDGE }, () => [Buffer.from([0]), randomBytes(EDGE * 3)]).flat();
  const parts = [chunk("IHDR", head), chunk("IDAT", deflateSync(Buffer.concat(rows))), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), ...parts]);
}
