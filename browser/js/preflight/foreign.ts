// Files that the browser decodes: those of types that only it decodes, such as AVIF, or HEIC in Safari, and those that a person has edited. It
// decodes some rows at a time, and the image rules resize and encode them.
import { PixelBuffer, undecoded } from "preflight-wasm";
import { clamped, type Edit, matrixOf, turnedSize } from "./edit.js";
import type { ForeignType, PreflightJob, PreflightResult, Report } from "./messages.js";

/** The pixels of a file, as coded: the orientation is not yet applied. */
interface Decoded {
  width: number;
  height: number;
  /** The value of EXIF tag 0x0112, 1 to 8. */
  orientation: number;
  /** Red, green, blue, alpha; not premultiplied. */
  rows(first: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** The image rules tell a type by this much of a file. */
const HEAD_BYTES = 4096;
/** Rows decoded at once: an even number, because colours may be coded for two rows together. */
const STRIP_ROWS = 128;

/** Prepares a file that the image rules found to be of a foreign type. */
export async function prepareForeign({ file, policy, language }: PreflightJob, bytes: Uint8Array<ArrayBuffer>, { mediaType }: ForeignType): Promise<PreflightResult> {
  const head = bytes.subarray(0, HEAD_BYTES);
  const { decoded, isSupported } = await decode(bytes, mediaType);
  if (!decoded) return undecoded(file, head, isSupported, language);
  try {
    const { width, height, orientation } = decoded;
    const buffer = new PixelBuffer(file, head, width, height, orientation, policy, language);
    const hasAlpha = buffer.isOpen && (await fill(buffer, decoded));
    const result = buffer.prepare();
    return "code" in result ? result : { ...result, report: reportOf(file, mediaType, decoded, hasAlpha) };
  } finally {
    decoded.close();
  }
}

/** The image rules choose the encoding of pixels by a type: that of photos or of drawings. */
const OF_PHOTOS = { head: "\0\0\0\x1Cftypavif\0\0\0\0mif1avif", type: "image/avif" };
const OF_DRAWINGS = { head: "BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", type: "image/bmp" };

/** Flips, turns and crops a file that the image rules accept, at its full size. */
export async function prepareEdited({ file, policy, language, edit = {} }: PreflightJob, bytes: Uint8Array<ArrayBuffer>, mediaType: string): Promise<PreflightResult> {
  let decoded: Decoded;
  try {
    decoded = await decodeBitmap(bytes, mediaType, edit);
  } catch {
    return undecoded(file, bytes.subarray(0, HEAD_BYTES), true, language);
  }
  try {
    const { head, type } = /png|gif|bmp|tiff/.test(mediaType) ? OF_DRAWINGS : OF_PHOTOS;
    const { width, height } = decoded;
    const buffer = new PixelBuffer(file.slice(0, file.size, type), new TextEncoder().encode(head), width, height, 1, policy, language);
    const hasAlpha = buffer.isOpen && (await fill(buffer, decoded));
    const result = buffer.prepare();
    return "code" in result ? result : { ...result, report: reportOf(file, mediaType, decoded, hasAlpha) };
  } finally {
    decoded.close();
  }
}

/** Copies all rows into the buffer; returns whether any pixel is transparent. */
async function fill(buffer: PixelBuffer, decoded: Decoded): Promise<boolean> {
  let hasAlpha = false;
  for (let y = 0; y < decoded.height; y += STRIP_ROWS) {
    const rows = await decoded.rows(y, Math.min(STRIP_ROWS, decoded.height - y));
    buffer.push(rows);
    hasAlpha ||= new Uint32Array(rows.buffer).some((pixel) => pixel >>> 24 < 255);
  }
  return hasAlpha;
}

/** Only the pixels are known: the metadata counts as none. */
function reportOf(file: Blob, mediaType: string, { width, height, orientation }: Decoded, hasAlpha: boolean): Report {
  return {
    format: mediaType.slice("image/".length) as Report["format"],
    sizeBytes: file.size,
    width,
    height,
    orientation,
    frames: 1,
    hasAlpha,
    bitDepth: 8,
    color: "rgb",
    progressive: false,
    lossless: mediaType === "image/bmp" || mediaType === "image/tiff",
    metadata: { exif: 0, gps: 0, thumbnail: 0, xmp: 0, iptc: 0, icc: 0, comment: 0, vendor: 0, trailing: 0 },
  };
}

/**
 * Decodes with ImageDecoder where it exists, because it returns the pixels unchanged; otherwise with a bitmap. Without `decoded` the browser
 * cannot read the file; with `isSupported` it knows the type, so the file is damaged.
 */
async function decode(bytes: Uint8Array<ArrayBuffer>, mediaType: string): Promise<{ decoded?: Decoded; isSupported: boolean }> {
  const isSupported = typeof ImageDecoder !== "undefined" && (await ImageDecoder.isTypeSupported(mediaType));
  for (const decoder of isSupported && "rotation" in VideoFrame.prototype ? [decodeFrame, decodeBitmap] : [decodeBitmap]) {
    try {
      return { decoded: await decoder(bytes, mediaType), isSupported };
    } catch {
      // The next decoder, if there is one.
    }
  }
  return { isSupported };
}

async function decodeFrame(bytes: Uint8Array<ArrayBuffer>, mediaType: string): Promise<Decoded> {
  const decoder = new ImageDecoder({ data: bytes, type: mediaType, preferAnimation: false });
  const { image } = await decoder.decode().finally(() => decoder.close());
  const { x, y, width, height } = image.visibleRect ?? new DOMRectReadOnly(0, 0, image.codedWidth, image.codedHeight);
  const rows = async (first: number, count: number) => {
    const rows = new Uint8Array(width * count * 4);
    await image.copyTo(rows, { format: "RGBA", rect: { x, y: y + first, width, height: count } });
    return rows;
  };
  try {
    // Some pixel formats cannot be converted to RGBA; the first copy fails then.
    await rows(0, Math.min(2, height));
  } catch (reason) {
    image.close();
    throw reason;
  }
  return { width, height, orientation: orientationOf(image), rows, close: () => image.close() };
}

/** WebCodecs flips first and then rotates clockwise (section 9.4.4); EXIF has a number for each combination. */
function orientationOf(image: VideoFrame): number {
  const { rotation, flip } = image as VideoFrame & { rotation: number; flip: boolean };
  const [upright, mirrored] = { 0: [1, 2], 90: [6, 7], 180: [3, 4], 270: [8, 5] }[rotation] ?? [1, 2];
  return (flip ? mirrored : upright) ?? 1;
}

/**
 * Reads a bitmap through a canvas of a few rows, because large canvases fail silently on phones. Some browsers add noise to what is read from
 * a canvas; a page cannot prevent that.
 */
async function decodeBitmap(bytes: Uint8Array<ArrayBuffer>, mediaType: string, edit: Edit = {}): Promise<Decoded> {
  // The browser applies the orientation.
  const image = await createImageBitmap(new Blob([bytes], { type: mediaType }), { premultiplyAlpha: "none" });
  const all = turnedSize(image, edit);
  const { left, top, width, height } = clamped(edit.crop ?? { left: 0, top: 0, ...all }, all);
  const [a, b, c, d, x, y] = matrixOf(edit, image);
  const rows = async (first: number, count: number) => {
    const context = new OffscreenCanvas(width, count).getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("There is no canvas to read from.");
    context.setTransform(a, b, c, d, x - left, y - top - first);
    context.drawImage(image, 0, 0);
    return new Uint8Array(context.getImageData(0, 0, width, count).data.buffer as ArrayBuffer);
  };
  return { width, height, orientation: 1, rows, close: () => image.close() };
}
