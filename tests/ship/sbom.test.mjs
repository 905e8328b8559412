// The bills of materials that `make sbom` has written: valid CycloneDX, with every crate that is compiled in, its version and its licence.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(new URL("../browser/package.json", import.meta.url));
const { Spec, Validation } = require("@cyclonedx/cyclonedx-library");

const text = (name) => readFileSync(`target/sbom/${name}.cdx.json`, "utf8");
const ALLOWED = [...readFileSync("deny.toml", "utf8").split("[licenses]")[1].split("]")[0].matchAll(/"([\w.-]+)"/g)].map(([, id]) => id);

/** The crates of crates.io that Cargo compiles into this one for wasm. */
function compiled(crate) {
  const words = ["tree", "--package", crate, "--target", "wasm32-unknown-unknown", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}", "--no-dedupe"];
  const lines = execFileSync("cargo", words, { encoding: "utf8" }).trim().split("\n");
  return new Set(lines.filter((line) => !line.includes("(/")).map((line) => line.replace(/^(\S+) v(\S+).*$/, "$1@$2")));
}

for (const [name, crate] of [["worker", "image-edge"], ["package", "preflight"]]) {
  test(`${name}.cdx.json is valid CycloneDX and has every crate with its version and licence`, async () => {
    assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text(name)), null);
    const bom = JSON.parse(text(name));
    const listed = new Set(bom.components.map(({ name, version }) => `${name}@${version}`));
    const missing = [...compiled(crate)].filter((entry) => !listed.has(entry));
    assert.deepEqual(missing, []);
    assert.ok(bom.components.length > 20);
    for (const { name, licenses = [] } of bom.components) {
      const expressions = licenses.map(({ expression, license }) => expression ?? license?.id ?? license?.name);
      assert.ok(expressions.some((expression) => ALLOWED.some((id) => expression.includes(id))), `${name}: ${expressions}`);
    }
    const refs = new Set([bom.metadata.component, ...bom.components].map((component) => component["bom-ref"]));
    for (const { ref, dependsOn = [] } of bom.dependencies) for (const one of [ref, ...dependsOn]) assert.ok(refs.has(one), one);
    assert.ok(!text(name).includes(process.cwd()), "no path of this machine");
  });
}

test("the package is named as on npm", () => {
  const { component } = JSON.parse(text("package")).metadata;
  assert.deepEqual([component.name, component.purl.split("@").slice(0, -1).join("@")], ["@the-form/preflight", "pkg:npm/%40the-form/preflight"]);
});
