// Checks that a release may publish the packages: `node .make/release.mjs v1.2.3` fails unless both packages have this version, and each changelog
// a section of it.
import { readFileSync } from "node:fs";

const [tag = ""] = process.argv.slice(2);
const wrong = [];
for (const folder of ["browser", "server"]) {
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  if (tag !== `v${version}`) wrong.push(`${name} has version ${version}, and the release is ${tag || "without a tag"}.`);
}
for (const path of ["CHANGELOG.md", "browser/CHANGELOG.md", "server/CHANGELOG.md"]) {
  if (!readFileSync(path, "utf8").includes(`\n## ${tag.slice(1)}`)) wrong.push(`${path} has no section "## ${tag.slice(1)}".`);
}
for (const sentence of wrong) console.error(sentence);
process.exitCode = wrong.length > 0 ? 1 : 0;
