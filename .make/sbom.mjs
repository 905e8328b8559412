// Writes the bills of materials (CycloneDX 1.5, JSON) of what is shipped to target/sbom/: worker.cdx.json has the crates of the Worker,
// package.cdx.json those of the npm package, which contains no npm package (.make/package.mjs checks it).
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const OUT = "target/sbom";
/** The name of the files that cargo-cyclonedx writes beside the manifest of every crate of the workspace. */
const NAME = "the-form-sbom";
/** Without the folder of this machine, which cargo-cyclonedx writes into references to crates of the workspace. */
const read = (path) => JSON.parse(readFileSync(path, "utf8").replaceAll(`file://${process.cwd()}/`, "workspace/"));
/** With the time of the commit and a number made from the content, so that a commit always gives the same bytes. */
function write(name, { serialNumber: _, ...bom }) {
  const metadata = { ...bom.metadata, timestamp: execFileSync("git", ["log", "-1", "--format=%cI"], { encoding: "utf8" }).trim() };
  const hash = createHash("sha256").update(JSON.stringify({ ...bom, metadata })).digest("hex");
  const serialNumber = `urn:uuid:${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
  writeFileSync(`${OUT}/${name}.cdx.json`, `${JSON.stringify({ ...bom, serialNumber, metadata }, null, 2)}\n`);
}

/** The crates that a crate is built of for wasm, without those of its tests and build scripts. */
function crates(folder) {
  try {
    const words = ["--manifest-path", `${folder}/Cargo.toml`, "--format", "json", "--spec-version", "1.5", "--target", "wasm32-unknown-unknown", "--no-build-deps", "--override-filename", NAME, "--quiet"];
    execFileSync("cargo", ["cyclonedx", ...words], { stdio: "inherit" });
    return read(`${folder}/${NAME}.json`);
  } finally {
    for (const path of globSync(`**/${NAME}.json`, { exclude: ["target/**", "**/node_modules/**"] })) rmSync(path);
  }
}

mkdirSync(OUT, { recursive: true });
write("worker", crates("edge/worker"));

const npm = JSON.parse(execFileSync("npm", ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "library"], { cwd: "target/browser", encoding: "utf8" }));
const rust = crates("browser");
const { name } = read("browser/package.json");
const root = { ...npm.metadata.component, name };
const crate = rust.metadata.component["bom-ref"];
// The package contains one crate, compiled to wasm.
const { components = [], ...compiled } = rust.metadata.component;
write("package", {
  ...npm,
  metadata: { ...npm.metadata, component: root },
  components: [{ ...compiled, type: "library" }, ...rust.components],
  dependencies: [{ ref: root["bom-ref"], dependsOn: [crate] }, ...rust.dependencies],
});
