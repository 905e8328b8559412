// Files of public corpora: those that are sent as images, and the verdict of native code on each.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Folders whose files are sent as images; the others contain tokens, forms and names. */
const PICTURES = ["bombs", "exif", "gif", "jpeg", "masquerade", "png", "webp"];
/** Number of files whose names fit on a command line. */
const BATCH = 200;

export const TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/** Every such file below `dir`; `read()` returns its bytes. */
export function corpora(dir) {
  const folders = PICTURES.filter((folder) => existsSync(join(dir, folder)));
  const names = folders.flatMap((folder) => readdirSync(join(dir, folder), { recursive: true }).map((name) => join(folder, name)));
  const files = names.filter((name) => statSync(join(dir, name)).isFile()).sort();
  return files.map((name) => ({ name, path: join(dir, name), read: () => readFileSync(join(dir, name)) }));
}

/** The verdict of native code on each file, `{report, processed}` or `{code}`: that of the edge, or with `--browser` of the package. */
export function inspect(files, ...options) {
  // The browser package does not check for hidden data in pixels.
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

/** The type by the first bytes, or undefined. */
export function typeOf(bytes) {
  const head = bytes.subarray(0, 12).toString("latin1");
  return TYPES.find((type) => MAGIC[type].test(head));
}
