// Builds the npm package for back ends from server/js and packs it: `node .make/server-package.mjs TO TARBALL`.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { withRepository } from "./manifest.mjs";

const [out, tarball] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync("server/package.json", "utf8"));
// It runs with the keys of a back end.
if (manifest.dependencies) throw new Error("The package must need no npm package.");
rmSync(out, { recursive: true, force: true });
execFileSync("tsc", ["-p", "server", "--noEmit", "false", "--declaration", "--outDir", out], { stdio: "inherit" });
writeFileSync(join(out, "package.json"), `${JSON.stringify(withRepository(manifest, "server"), null, 2)}\n`);
for (const name of ["README.md", "CHANGELOG.md"]) copyFileSync(join("server", name), join(out, name));
for (const licence of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(licence, join(out, licence));
const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", dirname(tarball), `./${out}`], { encoding: "utf8" });
renameSync(join(dirname(tarball), packed.trim().split("\n").at(-1)), tarball);
