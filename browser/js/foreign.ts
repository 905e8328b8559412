// Pictures of types that only the browser decodes, such as AVIF, or HEIC in Safari: it hands over the pixels
// some rows at a time, and the image rules shrink and encode them.
import { Canvas, undecoded } from "preflight-wasm";
import { type Decoded, decode } from "./decode.js";
import type { Answer, ForeignType, Question, Told } from "./messages.js";
import type { Report } from "./report.js";

/** As much as the image rules look at to tell a type. */
const HEAD_BYTES = 4096;
/** Rows handed over at once: even, because colours may be coded for two rows together. */
const STRIP_ROWS = 128;

/** Prepares what the rules told to be of a foreign type. */
export async function answerForeign(question: Question, bytes: Uint8Array<ArrayBuffer>, { mediaType }: ForeignType): Promise<Answer> {
  const { file, policy, language } = question;
  const head = bytes.subarray(0, HEAD_BYTES);
  const { decoded, isKnown } = await decode(bytes, mediaType);
  if (!decoded) return { told: JSON.parse(undecoded(head, file.type, isKnown, language).told) };
  try {
    const { width, height, orientation } = decoded;
    const canvas = new Canvas(head, file.type, width, height, orientation, file.size, policy, language);
    const { hasAlpha } = canvas.wanted ? await fill(canvas, decoded) : { hasAlpha: false };
    const outcome = canvas.prepare();
    const told: Told = JSON.parse(outcome.told);
    const made = outcome.bytes();
    if ("code" in told || !made) return { told };
    return { told: { ...told, report: report(file, mediaType, decoded, hasAlpha) }, bytes: made };
  } finally {
    decoded.close();
  }
}

async function fill(canvas: Canvas, decoded: Decoded): Promise<{ hasAlpha: boolean }> {
  let hasAlpha = false;
  for (let y = 0; y < decoded.height; y += STRIP_ROWS) {
    const rows = await decoded.rows(y, Math.min(STRIP_ROWS, decoded.height - y));
    canvas.push(rows);
    hasAlpha ||= new Uint32Array(rows.buffer).some((pixel) => pixel >>> 24 < 255);
  }
  return { hasAlpha };
}

/** What can be said of a file that nobody has looked into: nothing of its private data. */
function report(file: Blob, mediaType: string, { width, height, orientation }: Decoded, hasAlpha: boolean): Report {
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
