// Small photos as lossy WebP beside JPEG, both as derived for readers, and beside libwebp: bytes at equal SSIMULACRA2.
//
// `node tests/bench/webp.mjs`. PHOTOS=… for your own folder of JPEGs. Exits with 1 when a width at which the edge serves WebP saves less than 5 %.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';

import { buildWasm, ensureNode, root } from './build.mjs';
import { pictures } from './pictures.mjs';
import { buildScore, scores } from './score.mjs';

const WIDTHS = [160, 320, 640];
/** The widths at which a photo becomes WebP (`edge/api/src/delivery/recipe.rs`). */
const MOST_WEBP_WIDTH = 200;
const MOST_RATIO = 0.95;
const JPEG_QUALITIES = [75, 82, 88];
const WEBP_QUALITIES = [55, 65, 75, 82, 88, 94];

ensureNode();
const { default: init, derive } = await import(pathToFileURL(join(buildWasm(), 'bench_images.js')));
await init({ module_or_path: readFileSync(join(root, 'target/bench/wasm/bench_images_bg.wasm')) });
const score = buildScore(root);

const folder = process.env.PHOTOS ?? join(root, '../shared/photos');
/** The bar is one for photos; a generated picture is mostly noise. */
const hasPhotos = existsSync(folder);
const ratios = new Map();
const times = new Map();
for (const [name, bytes] of await photos()) {
  for (const width of WIDTHS) {
    const jpegs = await points(bytes, JPEG_QUALITIES.map((quality) => derive(bytes, width, quality, false)));
    const size = await sharp(jpegs[0].file).metadata();
    const pixels = sharp(bytes).autoOrient().resize(size.width, size.height, { fit: 'fill' });
    const rivals = {
      ours: WEBP_QUALITIES.map((quality) => derive(bytes, width, quality, true)),
      libwebp: await Promise.all(WEBP_QUALITIES.map((quality) => pixels.clone().webp({ quality }).toBuffer())),
    };
    for (const [rival, files] of Object.entries(rivals)) {
      const curve = await points(bytes, files);
      const found = jpegs.map((jpeg) => bytesAt(curve, jpeg.score) / jpeg.bytes).filter(Number.isFinite);
      ratios.set(`${rival} ${width}`, [...(ratios.get(`${rival} ${width}`) ?? []), ...found]);
    }
    const [slow, fast] = [true, false].map((isWebp) => timeOf(() => derive(bytes, width, 82, isWebp)));
    times.set(width, [...(times.get(width) ?? []), ((slow - fast) * 1e6) / (size.width * size.height)]);
    console.log(`  ${name} at ${width} px: ${slow.toFixed(1)} ms, as JPEG ${fast.toFixed(1)} ms`);
  }
}
let isMissed = false;
for (const [key, values] of [...ratios].sort(([one], [other]) => one.localeCompare(other))) {
  const [rival, width] = key.split(' ');
  const mean = Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  const hasBar = hasPhotos && rival === 'ours' && Number(width) <= MOST_WEBP_WIDTH;
  const isMet = mean <= MOST_RATIO;
  isMissed ||= hasBar && !isMet;
  console.log(`${rival.padEnd(8)} ${width.padStart(4)} px: ${((mean - 1) * 100).toFixed(1).padStart(6)} % of the bytes of JPEG, n = ${values.length}${hasBar ? `  bar ${isMet ? 'met' : 'MISSED'}` : ''}`);
}
for (const [width, more] of times) console.log(`WebP takes ${more.map((ns) => ns.toFixed(0)).join(', ')} ns a pixel more than JPEG at ${width} px`);
process.exitCode = isMissed ? 1 : 0;

/** The least of some runs, in milliseconds. */
function timeOf(act) {
  const runs = Array.from({ length: 7 }, () => {
    const began = performance.now();
    act();
    return performance.now() - began;
  });
  return Math.min(...runs);
}

/** Bytes and score of each file, compared with the source. */
async function points(source, files) {
  const all = await scores(score, source, files);
  return files.map((file, at) => ({ file, bytes: file.length, score: all[at] }));
}

/** The bytes at a score, interpolated; not a number beyond the ends. */
function bytesAt(curve, wanted) {
  const sorted = [...curve].sort((one, other) => one.score - other.score);
  for (const [at, next] of sorted.entries()) {
    const before = sorted[at - 1];
    if (!before || before.score > wanted || next.score < wanted) continue;
    const part = (wanted - before.score) / (next.score - before.score || 1);
    return Math.exp(Math.log(before.bytes) + part * (Math.log(next.bytes) - Math.log(before.bytes)));
  }
  return Number.NaN;
}

/** The JPEGs of the folder, or a generated one. */
async function photos() {
  if (!hasPhotos) return [['generated', (await pictures(root)).big]];
  const names = readdirSync(folder).filter((name) => /\.jpe?g$/i.test(name)).sort();
  return names.map((name) => [name, readFileSync(join(folder, name))]);
}
