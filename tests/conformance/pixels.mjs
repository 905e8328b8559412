// Compares our decoded pixels with those of the reference decoders (libpng, libwebp and libjpeg-turbo in sharp) for the files
// of public corpora.
//
// `node tests/conformance/pixels.mjs DIR`, where DIR is the folder of the corpora. Prints figures for each corpus and every
// file that differs by more than its format's tolerance; exits with 1 when one has no stated reason. Needs the packages of
// tests/bench/package.json (`make corpora` installs them).
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const sharp = createRequire(new URL("../bench/package.json", import.meta.url))("sharp");
const root = fileURLToPath(new URL("../..", import.meta.url));

const CORPORA = [
  "png/pngsuite",
  "webp/libwebp-test-data",
  "webp/image-webp-animated",
  "gif/sharp",
  "exif/orientation",
  "exif/pillow-orientation",
  "jpeg/libjpeg-turbo-testimages",
  "jpeg/reftest",
];

// PNG, GIF and WebP define the pixels exactly. Both sides reduce sixteen bits to the high byte, and our chroma upsampling of
// WebP equals libwebp's. JPEG leaves the rounding of the cosine transform to the decoder (T.81 annex A.3.3): a difference of
// one in luma and in chroma is a difference of at most three in a colour.
const EXACT = { mean: 0, worst: 0 };
const TOLERANCE = { ".png": EXACT, ".gif": EXACT, ".webp": EXACT, ".jpg": { mean: 1, worst: 3 } };

// The names of PngSuite's broken files.
const BROKEN = /\/pngsuite\/x[^/]*$/;

// Files whose pixels differ by more, or that only one side decodes: the reason, and the allowed difference.
const INKS = "CMYK is converted by another formula than libvips' profile";
const STATED = {
  "testimgari.jpg": { why: "arithmetic coding: libjpeg-turbo decodes it, browsers do not" },
  "jpg-cmyk-1.jpg": { why: INKS, mean: 14, worst: 72 },
  "jpg-cmyk-2.jpg": { why: `${INKS}; subsampled inks are repeated`, mean: 1, worst: 140 },
};

// The eight orientations of an image were compressed separately, so they differ like two JPEGs of the same image.
const ORIENTATION_MEAN = 3;

const dir = resolve(process.argv[2] ?? join(root, "../shared/corpora"));
if (existsSync(dir)) {
  const unexplained = await compareAll(dir);
  process.exitCode = unexplained > 0 ? 1 : 0;
} else {
  console.log(`No corpora at ${dir}: pixels are not compared.`);
}

async function compareAll(dir) {
  let unexplained = 0;
  for (const corpus of CORPORA) {
    if (!existsSync(join(dir, corpus))) {
      console.log(`${corpus}: missing`);
      continue;
    }
    const out = mkdtempSync(join(tmpdir(), "the-form-pixels-"));
    try {
      const decoded = decode(join(dir, corpus), out);
      unexplained += await compare(corpus, decoded);
      if (corpus === "exif/orientation") unexplained += upright(decoded);
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  }
  return unexplained;
}

/** Our result for each image of a folder: `{file, width, height, rgba}` or `{file, code, cause}`. */
function decode(folder, out) {
  const files = readdirSync(folder).filter((name) => extname(name) in TOLERANCE).map((name) => join(folder, name));
  // The debug build, which the tests share and which panics on overflow.
  const command = ["run", "--quiet", "-p", "image-rules", "--features", "codec", "--example", "pixels", "--", "--out", out];
  const lines = execFileSync("cargo", [...command, ...files.sort()], { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

/** The pixels of the reference decoder, or undefined when it fails. Colour profiles are ignored on both sides. */
async function reference(file, failOn) {
  try {
    const picture = sharp(file, { failOn, ignoreIcc: true }).autoOrient().toColourspace("srgb").ensureAlpha();
    const { data, info } = await picture.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch {
    return undefined;
  }
}

/** Prints the comparison of a corpus; returns the number of files that differ without a stated reason. */
async function compare(corpus, decoded) {
  const counts = {};
  const notes = [];
  for (const ours of decoded) {
    // For a file that we decode, its pixels are needed in spite of warnings; for one that we reject, a warning counts as failure.
    const theirs = await reference(ours.file, ours.code ? "warning" : "none");
    const { verdict, note, isStated } = judge(ours, theirs);
    counts[verdict] = (counts[verdict] ?? 0) + 1;
    if (note) notes.push({ file: basename(ours.file), note, isStated });
  }
  const parts = Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`);
  console.log(`${corpus}: ${decoded.length} files: ${parts.sort().reverse().join(", ")}`);
  for (const { file, note, isStated } of notes) {
    console.log(`    differs: ${file}: ${note} (${isStated ? STATED[file].why : "UNEXPLAINED"})`);
  }
  return notes.filter(({ isStated }) => !isStated).length;
}

function judge(ours, theirs) {
  const stated = STATED[basename(ours.file)];
  if (ours.code) {
    if (!theirs) return { verdict: "refused by both" };
    const isStated = stated !== undefined && stated.worst === undefined;
    return { verdict: "refused by us", note: `${ours.code} (${ours.cause})`, isStated };
  }
  if (BROKEN.test(ours.file)) return { verdict: "beyond", note: "decoded although it is broken" };
  if (!theirs) return { verdict: "refused by them", note: "only we decode it" };
  if (ours.width !== theirs.width || ours.height !== theirs.height) {
    return { verdict: "beyond", note: `${ours.width}x${ours.height}, theirs ${theirs.width}x${theirs.height}` };
  }
  const found = difference(readFileSync(ours.rgba), theirs.data);
  if (found.worst === 0) return { verdict: "equal" };
  const tolerance = TOLERANCE[extname(ours.file)];
  if (isWithin(found, tolerance)) return { verdict: `within ±${found.worst}` };
  const note = `mean ${found.mean.toFixed(3)}, worst ${found.worst}`;
  return { verdict: "beyond", note, isStated: stated !== undefined && isWithin(found, stated) };
}

function isWithin(found, { mean, worst }) {
  return found.mean <= mean && found.worst <= worst;
}

/** The mean and the largest difference of two RGBA buffers. */
function difference(a, b) {
  if (a.length !== b.length) return { mean: Infinity, worst: Infinity };
  let sum = 0;
  let worst = 0;
  for (let at = 0; at < a.length; at += 1) {
    const apart = Math.abs(a[at] - b[at]);
    sum += apart;
    if (apart > worst) worst = apart;
  }
  return { mean: sum / a.length, worst };
}

/** Checks that all eight orientations of an image decode to the same pixels; returns the number of wrong ones. */
function upright(decoded) {
  let wrong = 0;
  for (const name of ["Landscape", "Portrait"]) {
    const [first, ...others] = decoded.filter(({ file }) => new RegExp(`/${name}_[1-8]\\.jpg$`).test(file));
    const pixels = readFileSync(first.rgba);
    const means = others.map(({ width, height, rgba }) =>
      width === first.width && height === first.height ? difference(pixels, readFileSync(rgba)).mean : Infinity,
    );
    const most = Math.max(...means);
    const upside = means.filter((mean) => mean > ORIENTATION_MEAN).length + 7 - means.length;
    console.log(`    ${name}: ${8 - upside} of 8 orientations upright, mean difference at most ${most.toFixed(2)}`);
    wrong += upside;
  }
  return wrong;
}
