// Builds the npm package of the browser module: the entries of `exports` in browser/package.json, the script of the Web Worker, types, and the wasm.
// Checks its size and packs the tarball. The names of the wasm, the worker and the shared scripts contain a hash of their content, so that caches can
// keep them permanently.
//
// `node .make/package.mjs FROM TO TARBALL`: the folder of the wasm with its bindings, that of the package, and the packed package.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, globSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";

import { build } from "esbuild";

import { withRepository } from "./manifest.mjs";

/** Upper bound of all scripts and the wasm, compressed with brotli: the download of a page that uses everything, with one framework or adapter. */
const MOST_BYTES = 280_000;
/** Of the camera and the editor, which load when a person opens them. */
const MOST_ON_DEMAND_BYTES = 10_000;
const SCRIPTS = "browser/js";

const [module, out, tarball] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync("browser/package.json", "utf8"));
const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 8);
const bytes = readFileSync(join(module, "preflight_bg.wasm"));
/** The names of files in the sources, and their names in the package. */
const renamed = { "./preflight.wasm": `./preflight-${hashOf(bytes)}.wasm` };
const renamedIn = (text) => Object.entries(renamed).reduce((text, [source, name]) => text.replaceAll(`"${source}"`, `"${name}"`), text);
/** Entries for frameworks: not bundled, so that they import the framework of the page, and the other entries as the page does. */
const FRAMEWORKS = "frameworks";
const scripts = Object.values(manifest.exports).map((entry) => entry.default ?? entry).filter((path) => path.endsWith(".js") && !path.startsWith(`./${FRAMEWORKS}/`));

const bundle = (options) =>
  build({
    entryPoints: Object.fromEntries(scripts.map((path) => [(renamed[path] ?? path).slice("./".length, -".js".length), join(SCRIPTS, path.replace(/\.js$/, ".ts"))])),
    outdir: out,
    alias: { "preflight-wasm": `./${module}/preflight.js` },
    bundle: true,
    // Entries share their modules, so that a page has one job queue and one worker.
    splitting: true,
    chunkNames: "chunk-[hash]",
    format: "esm",
    target: "es2022",
    minify: true,
    // Modules are UTF-8 everywhere, and escaped Korean is twice as long.
    charset: "utf8",
    sourcemap: "external",
    logLevel: "warning",
    plugins: [{ name: "rename", setup: ({ onLoad }) => onLoad({ filter: /runner\.ts$/ }, ({ path }) => ({ contents: renamedIn(readFileSync(path, "utf8")), loader: "ts" })) }],
    ...options,
  });

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
// Bundled twice: the script that starts the worker contains its name, and so the hash of its content.
const { outputFiles, metafile } = await bundle({ write: false, metafile: true });
// The licences and the bill of materials (`make sbom`) say so.
const foreign = Object.keys(metafile.inputs).filter((path) => path.includes("node_modules"));
if (foreign.length > 0 || manifest.dependencies) throw new Error(`The package must contain and need no npm package: ${foreign}`);
renamed["./worker.js"] = `./worker-${hashOf(outputFiles.find(({ path }) => path.endsWith("/worker.js")).contents)}.js`;
const { metafile: final } = await bundle({ metafile: true });
const isOnDemand = ({ inputs }) => Object.keys(inputs).some((path) => /\/element\/(camera|dialog|dialog-texts|editor)\.ts$/.test(path));
const onDemandScripts = Object.keys(final.outputs).filter((path) => isOnDemand(final.outputs[path])).map((path) => path.slice(out.length + 1));
const ofFrameworks = globSync(`${SCRIPTS}/${FRAMEWORKS}/*.ts`).filter((path) => !path.endsWith(".d.ts"));
await build({ entryPoints: ofFrameworks, outdir: join(out, FRAMEWORKS), format: "esm", target: "es2022", minify: true, charset: "utf8", sourcemap: "external", logLevel: "warning" });
for (const path of globSync(`${SCRIPTS}/${FRAMEWORKS}/*.svelte`)) copyFileSync(path, join(out, FRAMEWORKS, basename(path)));
manifest.exports["./worker"] = renamed["./worker.js"];
manifest.exports["./preflight.wasm"] = renamed["./preflight.wasm"];
manifest.sideEffects = manifest.sideEffects.map((path) => renamed[path] ?? path);
writeFileSync(join(out, renamed["./preflight.wasm"]), bytes);
execFileSync("tsc", ["-p", "browser", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", out], { stdio: "inherit" });
for (const types of readdirSync("browser/types")) copyFileSync(join("browser/types", types), join(out, types));
writeFileSync(join(out, "package.json"), `${JSON.stringify(withRepository(manifest, "browser"), null, 2)}\n`);
for (const name of ["README.md", "CHANGELOG.md"]) copyFileSync(join("browser", name), join(out, name));
for (const licence of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(licence, join(out, licence));
checkSize();
const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", dirname(tarball), `./${out}`], { encoding: "utf8" });
renameSync(join(dirname(tarball), packed.trim().split("\n").at(-1)), tarball);

function checkSize() {
  const names = readdirSync(out, { recursive: true }).filter((name) => /\.(js|wasm)$/.test(name)).sort();
  let [total, onDemand] = [0, 0];
  const alternatives = [];
  for (const name of names) {
    const bytes = readFileSync(join(out, name));
    const packed = brotliCompressSync(bytes).length;
    if (onDemandScripts.includes(name)) onDemand += packed;
    else if (/^(frameworks\/(react|vue|svelte)|adapters\/\w+)\.js$/.test(name)) alternatives.push(packed);
    else total += packed;
    console.log(`${name.padEnd(28)} ${kilobytes(bytes.length)}, brotli ${kilobytes(packed)}`);
  }
  total += Math.max(...alternatives);
  console.log(`${"on demand".padEnd(28)} brotli ${kilobytes(onDemand)} of ${kilobytes(MOST_ON_DEMAND_BYTES)}`);
  console.log(`${"total".padEnd(28)} brotli ${kilobytes(total)} of ${kilobytes(MOST_BYTES)}`);
  if (total > MOST_BYTES || onDemand > MOST_ON_DEMAND_BYTES) throw new Error("The package is larger than its limit.");
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1).padStart(6)} KB`;
}
