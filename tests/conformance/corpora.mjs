// The files that nobody here wrote: which of them are sent as pictures, and what native code says of each.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Folders whose files are sent as pictures; the others hold tokens, forms, names. */
const PICTURES = ["bombs", "exif", "gif", "jpeg", "masquerade", "png", "webp"];
/** So many files that their names fit on a command line. */
const BATCH = 200;

export const TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/** Every such file below `dir`, with its bytes when they are asked for. */
export function corpora(dir) {
  const there = PICTURES.filter((folder) => existsSync(join(dir, folder)));
  const names = there.flatMap((folder) => readdirSync(join(dir, folder), { recursive: true }).map((name) => join(folder, name)));
  const files = names.filter((name) => statSync(join(dir, name)).isFile()).sort();
  return files.map((name) => ({ name, path: join(dir, name), read: () => readFileSync(join(dir, name)) }));
}

/** What native code says of each file: `{report, processed}` or `{code}`; as the edge, or as the browser before it. */
export function inspect(files, ...options) {
  // A browser does not look for what hides between pixels.
  const features = options.includes("--browser") ? ["--no-default-features", "--features", "codec"] : ["--features", "codec"];
  const command = ["run", "--quiet", "--release", "-p", "image-rules", ...features, "--example", "inspect", "--", "--process", ...options];
  const lines = files.flatMap((_, at) => {
    if (at % BATCH > 0) return [];
    const paths = files.slice(at, at + BATCH).map(({ path }) => path);
    return execFileSync("cargo", [...command, ...paths], { encoding: "utf8", maxBuffer: 1 << 28 }).trim().split("\n");
  });
  return lines.map((line) => JSON.parse(line));
}

const MAGIC = { "image/jpeg": /^\xff\xd8\xff/, "image/png": /^\x89PNG\r\n\x1a\n/, "image/gif": /^GIF8[79]a/, "image/webp": /^RIFF[^]{4}WEBP/ };

/** The type that the first bytes are of, or none. */
export function typeOf(bytes) {
  const head = bytes.subarray(0, 12).toString("latin1");
  return TYPES.find((type) => MAGIC[type].test(head));
}
