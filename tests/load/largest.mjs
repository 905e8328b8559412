// Generates the largest image of each kind that the edge accepts: within a few percent of its limits of bytes, pixels and
// memory. The sizes follow from shared/src/plan/budget/.
import { animated, drawn, patches } from "../browser/pictures.mjs";

/** Photo size of a common phone. */
const PHOTO = [4032, 3024];
/** Photo size of a phone with a 48 MP sensor. */
const HUGE = [8064, 6048];
/** The largest size that is decoded in full; one pixel more is decoded at half its size. */
const WHOLE = [3838, 3838];
/** The largest size that is stored without re-encoding. */
const KEPT = [2048, 2048];

/** More frames take more time and no more memory. */
const FRAMES = 6;
/** Options that make a GIF in a second instead of a minute. */
const FEW_COLORS = { effort: 1, colours: 16, dither: 0 };

const photo = (options) => drawn(...PHOTO, { grain: 12 }).jpeg({ quality: 85, ...options });
const huge = (options) => patches(...HUGE).jpeg({ quality: 85, ...options });
const whole = (options) => patches(...WHOLE, { grain: 12 }).jpeg({ quality: 85, ...options });
const clear = (width, height) => patches(width, height, { channels: 4 });

const KINDS = {
  "JPEG 12 MP": ["image/jpeg", () => photo()],
  "JPEG 12 MP progressive": ["image/jpeg", () => photo({ progressive: true })],
  "JPEG 12 MP 4:4:4": ["image/jpeg", () => photo({ chromaSubsampling: "4:4:4" })],
  "JPEG 12 MP 4:4:4 progressive": ["image/jpeg", () => photo({ chromaSubsampling: "4:4:4", progressive: true })],
  "JPEG 48 MP": ["image/jpeg", () => huge()],
  "JPEG 48 MP 4:4:4 progressive": ["image/jpeg", () => huge({ chromaSubsampling: "4:4:4", progressive: true })],
  "JPEG 15 MP 4:4:4 decoded whole": ["image/jpeg", () => whole({ chromaSubsampling: "4:4:4" })],
  "JPEG 15 MP progressive decoded whole": ["image/jpeg", () => whole({ progressive: true })],
  "PNG with alpha": ["image/png", () => clear(3320, 3320).png({ compressionLevel: 1 })],
  "PNG with alpha of 16 bits, interlaced": ["image/png", () => clear(3320, 3320).toColourspace("rgb16").png({ compressionLevel: 6, progressive: true })],
  "PNG kept, interlaced": ["image/png", () => clear(...KEPT).png({ compressionLevel: 1, progressive: true })],
  "GIF animated": ["image/gif", async () => (await animated(4560, 1140, FRAMES)).gif(FEW_COLORS)],
  "GIF animated, kept": ["image/gif", async () => (await animated(...KEPT, FRAMES)).gif(FEW_COLORS)],
  "WebP lossy": ["image/webp", () => patches(3040, 3040).webp({ effort: 0 })],
  "WebP lossy with alpha": ["image/webp", () => clear(2840, 2840).webp({ effort: 0 })],
  "WebP lossless with alpha": ["image/webp", () => clear(2580, 2580).webp({ lossless: true, effort: 0 })],
  "WebP animated": ["image/webp", async () => (await animated(1970, 1970, FRAMES)).webp({ effort: 0 })],
  "WebP animated, lossless with alpha": ["image/webp", async () => (await animated(1950, 1950, FRAMES, { channels: 4 })).webp({ lossless: true, effort: 0 })],
};

/** The kinds that take the most memory. */
const WORST = ["JPEG 15 MP 4:4:4 decoded whole", "PNG with alpha", "WebP lossy with alpha", "WebP lossless with alpha"];

/** Generates all kinds, or only the worst, one at a time: `{ name, type, body }`. */
export async function* largest({ onlyWorst }) {
  const kinds = Object.entries(KINDS).filter(([name]) => !onlyWorst || WORST.includes(name));
  for (const [name, [type, make]] of kinds) yield { name, type, body: await (await make()).toBuffer() };
}
