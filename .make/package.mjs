// Makes the npm package of the browser module: every entry that `exports` in browser/package.json names and
// whose script is there, the script of the Web Worker, types, and the wasm beside them,
// whose name carries a hash, so that it can be cached for ever; then weighs it, and packs what `npm install` takes.
//
// `node .make/package.mjs FROM TO TARBALL`: the folder of the wasm with its bindings, that of the package, and the packed package.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";

import { build } from "esbuild";

/** All scripts and the wasm as a server with brotli sends them: what a page pays that uses all of it. */
const MOST_BYTES = 280_000;
const SCRIPTS = "browser/js";

const [module, out, tarball] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync("browser/package.json", "utf8"));
const script = (path) => join(SCRIPTS, path.replace(/\.js$/, ".ts"));
const WASM = "./preflight.wasm";
const bytes = readFileSync(join(module, "preflight_bg.wasm"));
const wasm = `./preflight-${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}.wasm`;
const isThere = (path) => !path.endsWith(".js") || existsSync(script(path));
manifest.exports = Object.fromEntries(Object.entries(manifest.exports).filter(([, entry]) => isThere(entry.default ?? entry)));
manifest.exports[WASM] = wasm;
const scripts = Object.values(manifest.exports).map((entry) => entry.default ?? entry).filter((path) => path.endsWith(".js"));
/** The scripts know the wasm by the name that it gets here. */
const named = {
  name: "wasm",
  setup: ({ onLoad }) => onLoad({ filter: /engine\.ts$/ }, ({ path }) => ({ contents: readFileSync(path, "utf8").replace(WASM, wasm), loader: "ts" })),
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: [...new Set(scripts)].map(script),
  outbase: SCRIPTS,
  outdir: out,
  alias: { "preflight-wasm": `./${module}/preflight.js` },
  bundle: true,
  // What entries share lies in the package once, so that there is one line and one worker.
  splitting: true,
  chunkNames: "chunk-[hash]",
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: true,
  logLevel: "warning",
  plugins: [named],
});
writeFileSync(join(out, wasm), bytes);
execFileSync("tsc", ["-p", "browser", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", out], { stdio: "inherit" });
for (const types of readdirSync("browser/types")) copyFileSync(join("browser/types", types), join(out, types));
writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync("browser/README.md", join(out, "README.md"));
for (const licence of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(licence, join(out, licence));
weigh();
const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", dirname(tarball), `./${out}`], { encoding: "utf8" });
renameSync(join(dirname(tarball), packed.trim().split("\n").at(-1)), tarball);

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
