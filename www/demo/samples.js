// Files to try, made in the browser: nothing is downloaded.

/** A landscape as large as a phone's photo. */
export async function photo() {
  return new File([await draw(4032, 3024)], "photo-12mp.jpg", { type: "image/jpeg" });
}

/** A small photo whose EXIF has a location (37.5665° N, 126.978° E). */
export async function place() {
  const jpeg = new Uint8Array(await (await draw(1200, 900)).arrayBuffer());
  const [start, rest] = [jpeg.subarray(0, 2), jpeg.subarray(2)];
  return new File([start, placeSegment(), rest], "seoul.jpg", { type: "image/jpeg" });
}

/** A photo that is wider than high. */
export async function wide() {
  return new File([await draw(1600, 900)], "wide.jpg", { type: "image/jpeg" });
}

export function text() {
  return new File(["This is only text, whatever its name says.\n"], "notes.jpg", { type: "image/jpeg" });
}

/** A PNG whose header says 30,000 by 30,000 pixels: decoding it would take four gigabytes. */
export async function bomb() {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, 30_000);
  view.setUint32(4, 30_000);
  header.set([8, 6, 0, 0, 0], 8);
  const nothing = new Blob([new Uint8Array(4096)]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(nothing).arrayBuffer());
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const parts = [signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))];
  return new File(parts, "huge.png", { type: "image/png" });
}

async function draw(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const sky = context.createLinearGradient(0, 0, 0, height);
  for (const [at, colour] of [[0, "#0b1f4b"], [0.45, "#e8795a"], [0.6, "#ffd59a"], [0.61, "#24513d"], [1, "#0c2018"]]) {
    sky.addColorStop(at, colour);
  }
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  for (let star = 0; star < width * 8; star += 1) {
    const [x, y, r] = [Math.random() * width, Math.random() * height, Math.random() * width * 0.004];
    context.fillStyle = `hsl(${y < height * 0.6 ? 45 : 120} 60% ${40 + Math.random() * 50}% / ${Math.random() * 0.6})`;
    context.fillRect(x, y, r, r * (y < height * 0.6 ? 1 : 4));
  }
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.97 });
}

/** An APP1 segment: a TIFF with one directory that points to the GPS directory. */
function placeSegment() {
  const tiff = new DataView(new ArrayBuffer(128));
  const entry = (at, tag, type, count, value) => {
    tiff.setUint16(at, tag);
    tiff.setUint16(at + 2, type);
    tiff.setUint32(at + 4, count);
    tiff.setUint32(at + 8, value);
  };
  const [ASCII, LONG, RATIONAL, GPS] = [2, 4, 5, 0x8825];
  tiff.setUint32(0, 0x4d4d002a);
  tiff.setUint32(4, 8);
  tiff.setUint16(8, 1);
  entry(10, GPS, LONG, 1, 26);
  tiff.setUint16(26, 4);
  entry(28, 1, ASCII, 2, 0x4e000000);
  entry(40, 2, RATIONAL, 3, 80);
  entry(52, 3, ASCII, 2, 0x45000000);
  entry(64, 4, RATIONAL, 3, 104);
  for (const [at, parts] of [[80, [37, 33, 59]], [104, [126, 58, 41]]]) {
    parts.forEach((part, index) => {
      tiff.setUint32(at + index * 8, part);
      tiff.setUint32(at + index * 8 + 4, 1);
    });
  }
  const body = [...new TextEncoder().encode("Exif\0\0"), ...new Uint8Array(tiff.buffer)];
  return Uint8Array.of(0xff, 0xe1, (body.length + 2) >> 8, (body.length + 2) & 255, ...body);
}

function chunk(name, data) {
  const named = Uint8Array.of(...new TextEncoder().encode(name), ...data);
  const whole = new Uint8Array(named.length + 8);
  const view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  whole.set(named, 4);
  view.setUint32(named.length + 4, crc(named));
  return whole;
}

function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
