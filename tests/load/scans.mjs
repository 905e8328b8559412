// A progressive JPEG with many scans: a few bytes make a scan, and each visits every block once more.

const word = (value) => Buffer.from([value >> 8, value & 255]);
const segment = (marker, ...parts) => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([0xff, marker]), word(content.length + 2), content]);
};

/** A grey picture of one colour in so many scans. Its codes are single zero bits. */
export function scansJpeg(width, height, scans) {
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  // One code of one bit in each table: for the DC coefficient "no difference", for AC coefficients "the band ends here for
  // 16,384 blocks", which 14 more bits follow.
  const table = (name, symbol) => segment(0xc4, [name, 1, ...Array(15).fill(0), symbol]);
  const scan = (first, low) => segment(0xda, [1, 1, 0, first, first, low]);
  const ends = Buffer.alloc(Math.ceil((Math.ceil(blocks / 16_384) * 15) / 8));
  const parts = [
    Buffer.from([0xff, 0xd8]),
    segment(0xdb, [0, ...Array(64).fill(1)]),
    segment(0xc2, [8], word(height), word(width), [1, 1, 0x11, 0]),
    table(0x00, 0), table(0x10, 0xe0),
    scan(0, 0), Buffer.alloc(Math.ceil(blocks / 8)),
  ];
  for (let number = 1; number < scans; number += 1) parts.push(scan(1 + (number % 63), 0), ends);
  return Buffer.concat([...parts, Buffer.from([0xff, 0xd9])]);
}
