// What the work benchmark compares: each format, mode and action, with sizes from too large to allowed.
import { flatGif, flatPng } from '../load/animations.mjs';
import { scansJpeg } from '../load/scans.mjs';
import { drawing, patches, patchesApng, patchesGif, photo, photos, screen } from './work_pictures.mjs';

const [FAST, BALANCED, SMALL] = [0, 1, 2];
const EDGE = 2048;

const jpeg = (options) => (width, height) => photo(width, height).jpeg({ quality: 75, ...options }).toBuffer();
const webp = (options) => (width, height) => photo(width, height).webp(options).toBuffer();

/** The same proportions, smaller and smaller. */
function down(width, height, steps = 12) {
  return Array.from({ length: steps }, (_, step) => [width, height].map((side) => Math.round(side * (1 - step * 0.06))));
}

/** Fewer and fewer frames. */
const frames = (width, height, most) => [1, 0.8, 0.65, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05].map((part) => [width, height, Math.max(2, Math.round(most * part))]);

const upload = (name, make, sizes, more = {}) => ({ name, kind: 'upload', edge: EDGE, effort: FAST, make, sizes, ...more });
const variants = (name, make, sizes) => [200, 480, 1024].map((edge) => ({ name: `${name}, to ${edge}`, kind: 'preview', edge, effort: FAST, make, sizes }));
const efforts = (name, make, sizes) => [[FAST, 'fast'], [BALANCED, 'balanced'], [SMALL, 'small']].map(([effort, text]) =>
  ({ name: `${name}, effort ${text}`, kind: 'browser', edge: 1600, effort, make, sizes }));

const stored = down(2048, 2048);

function jpegs() {
  const modes = [['baseline', {}], ['progressive', { progressive: true }]];
  return modes.flatMap(([mode, options]) => [
    // Just too large for half, quarter and eighth; an eighth is enough for variants only.
    upload(`JPEG ${mode}, full scale`, jpeg(options), down(3500, 3500)),
    upload(`JPEG ${mode}, half scale`, jpeg({ ...options, quality: 50 }), down(7000, 7000)),
    upload(`JPEG ${mode}, quarter scale`, jpeg({ ...options, quality: 25 }), [[8000, 6200], [7700, 5700]]),
    upload(`JPEG ${mode}, kept`, jpeg({ ...options, quality: 92 }), stored),
    upload(`JPEG ${mode}, scrubbed`, (width, height) => photo(width, height).withExif({ IFD0: { Copyright: 'x' } }).jpeg({ quality: 92, ...options }).toBuffer(), stored),
    ...variants(`JPEG ${mode}`, jpeg({ ...options, quality: 92 }), stored),
    ...efforts(`JPEG ${mode}, 12 MP`, jpeg(options), [[4032, 3024]]),
  ]).concat([
    upload('JPEG 4:4:4, half scale', jpeg({ chromaSubsampling: '4:4:4', quality: 60 }), down(6000, 6000)),
    upload('JPEG progressive 4:4:4, quarter scale', jpeg({ progressive: true, chromaSubsampling: '4:4:4', quality: 25 }), [[8064, 6048], [7700, 5700]]),
    upload('JPEG gray, half scale', (width, height) => photo(width, height).toColourspace('b-w').jpeg({ quality: 50 }).toBuffer(), down(7000, 7000)),
    upload('JPEG of inks, half scale', (width, height) => photo(width, height).toColourspace('cmyk').jpeg({ quality: 50 }).toBuffer(), down(5000, 5000)),
    upload('JPEG turned, half scale', (width, height) => photo(width, height).withMetadata({ orientation: 6 }).jpeg({ quality: 75 }).toBuffer(), [[4032, 3024]]),
    upload('JPEG of 100 scans, kept', (scans) => scansJpeg(2048, 2048, scans), [[100]], { worst: true }),
    upload('JPEG of many scans, resized', (scans) => scansJpeg(6400, 6400, scans), [[100], [80], [60], [40], [20]], { worst: true }),
  ]);
}

function pngs() {
  const shot = async (width, height, options) => (await screen(width, height)).png(options).toBuffer();
  const kinds = [
    ['PNG of 8 bits', (width, height) => photo(width, height).png({ adaptiveFiltering: true }).toBuffer(), stored, down(2600, 1950, 9)],
    ['PNG of a screen', shot, stored, down(4000, 3000)],
    ['PNG with a palette', (width, height) => photo(width, height).png({ palette: true, colours: 128 }).toBuffer(), stored, down(3200, 2400)],
    ['PNG gray', (width, height) => photo(width, height).toColourspace('b-w').png().toBuffer(), stored, down(3000, 2250)],
    ['PNG with alpha', (width, height) => drawing(width, height, 4).png().toBuffer(), stored, down(2600, 1950, 7)],
    ['PNG of 16 bits', (width, height) => drawing(width, height).toColourspace('rgb16').png().toBuffer(), stored, down(2700, 2025, 8)],
    ['PNG interlaced', (width, height) => shot(width, height, { progressive: true }), stored, down(4000, 3000)],
  ];
  return kinds.flatMap(([name, make, kept, larger]) => [
    upload(`${name}, kept`, make, kept),
    upload(`${name}, resized`, make, larger.filter(([width, height]) => Math.max(width, height) > EDGE)),
  ]).concat([
    upload('PNG of a screen with opaque alpha, resized', async (width, height) => (await screen(width, height)).ensureAlpha().png().toBuffer(), down(3300, 2475)),
    ...variants('PNG of a screen', shot, stored),
    ...variants('PNG with alpha', kinds[4][1], stored),
    ...efforts('PNG of a screen', shot, [[2560, 1440]]),
    ...efforts('PNG with alpha', kinds[4][1], [[2048, 1536]]),
    upload('APNG of 8 bits, kept', (width, height, count) => patchesApng(width, height, count, 8), frames(1024, 768, 150)),
    upload('APNG of 16 bits, kept', (width, height, count) => patchesApng(width, height, count, 16), frames(1024, 768, 100)),
    upload('APNG of flat frames of 16 bits, kept', (count) => flatPng(2048, 1220, count, { depth: 16 }), [[200], [150], [100]], { worst: true }),
  ]);
}

function gifs() {
  const still = (width, height) => photo(width, height).gif({ effort: 1 }).toBuffer();
  const photographed = (width, height, count) => photos(width, height, count).gif({ effort: 1 }).toBuffer();
  return [
    upload('GIF still, kept', still, stored),
    upload('GIF still, resized', still, down(2600, 1300, 4)),
    upload('GIF of photos, kept', photographed, frames(800, 600, 30)),
    upload('GIF of patches, kept', patchesGif, frames(2048, 1218, 200)),
    upload('GIF of photos, resized', photographed, [4, 3, 2].map((count) => [2200, 1100, count])),
    upload('GIF of patches, resized', patchesGif, [8, 7, 6, 5, 4].map((count) => [2200, 1100, count])),
    ...[200, 480].map((edge) => ({ name: `GIF of photos, to ${edge}`, kind: 'preview', edge, effort: FAST, make: photographed, sizes: frames(640, 480, 20) })),
    ...[200, 1024].map((edge) => ({ name: `GIF, first frame, to ${edge}`, kind: 'still', edge, effort: FAST, make: photographed, sizes: frames(1200, 900, 4) })),
    upload('GIF of flat frames, kept', (count) => flatGif(2048, 1218, count), [[200], [180], [160], [140]], { worst: true }),
    upload('GIF of flat frames, resized', (count) => flatGif(2052, 1218, count), [[40], [20], [10], [7], [5], [4]], { worst: true }),
  ];
}

function webps() {
  const alpha = (options) => (width, height) => drawing(width, height, 4).webp(options).toBuffer();
  const lossless = webp({ lossless: true, effort: 1 });
  const animated = (options, most) => [(width, height, count) => photos(width, height, count).webp(options).toBuffer(), frames(800, 600, most)];
  const cases = [
    ['WebP lossy', webp({ quality: 85 }), stored, down(3400, 2550)],
    ['WebP lossless', lossless, stored, down(2700, 2025)],
    ['WebP lossy with alpha', alpha({ quality: 80 }), stored, down(2700, 2025)],
    ['WebP lossless with alpha', alpha({ lossless: true, effort: 1 }), stored, down(2700, 2025)],
  ];
  return cases.flatMap(([name, make, kept, larger]) => [
    upload(`${name}, kept`, make, kept),
    upload(`${name}, resized`, make, larger.filter(([width, height]) => Math.max(width, height) > EDGE)),
  ]).concat([
    ...variants('WebP lossy', cases[0][1], stored),
    ...variants('WebP lossless', lossless, stored),
    upload('WebP lossy, animated, kept', ...animated({ quality: 75 }, 200)),
    upload('WebP lossless, animated, kept', ...animated({ lossless: true, effort: 1 }, 30)),
    upload('WebP lossy with alpha, animated, kept', (width, height, count) => patches(width, height, count, 4).webp({ quality: 75 }).toBuffer(), frames(800, 600, 150)),
  ]);
}

export const cases = [...jpegs(), ...pngs(), ...gifs(), ...webps()];
