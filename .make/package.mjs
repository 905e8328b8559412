// Makes the npm package of the browser module: every entry that `exports` in browser/package.json names and
// whose script is there, the script of the Web Worker, types, and the wasm beside them; then weighs it.
//
// `node .make/package.mjs FROM TO`: the folder of the wasm with its bindings, and that of the package.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";

import { build } from "esbuild";

/** All scripts and the wasm as a server with brotli sends them: what a page pays that uses all of it. */
const MOST_BYTES = 250_000;
const SCRIPTS = "browser/js";

const [module, out] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync("browser/package.json", "utf8"));
const script = (path) => join(SCRIPTS, path.replace(/\.js$/, ".ts"));
const entries = Object.entries(manifest.exports).filter(([, { default: path }]) => existsSync(script(path)));
manifest.exports = Object.fromEntries(entries);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: [...entries.map(([, { default: path }]) => script(path)), join(SCRIPTS, "worker.ts")],
  outbase: SCRIPTS,
  outdir: out,
  alias: { "preflight-wasm": `./${module}/preflight.js` },
  bundle: true,
  // What entries share lies in the package once, so that there is one line and one worker.
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: true,
  logLevel: "warning",
});
copyFileSync(join(module, "preflight_bg.wasm"), join(out, "preflight_bg.wasm"));
execFileSync("tsc", ["-p", "browser", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", out], { stdio: "inherit" });
writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync("browser/README.md", join(out, "README.md"));
for (const licence of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(licence, join(out, licence));
weigh();

function weigh() {
  const names = readdirSync(out, { recursive: true }).filter((name) => /\.(js|wasm)$/.test(name)).sort();
  let total = 0;
  for (const name of names) {
    const bytes = readFileSync(join(out, name));
    const packed = brotliCompressSync(bytes).length;
    total += packed;
    console.log(`${name.padEnd(28)} ${kilobytes(bytes.length)}, brotli ${kilobytes(packed)}`);
  }
  console.log(`${"together".padEnd(28)} brotli ${kilobytes(total)} of ${kilobytes(MOST_BYTES)}`);
  if (total > MOST_BYTES) throw new Error("The package has become too heavy.");
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1).padStart(6)} KB`;
}
