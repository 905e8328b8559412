// What builds and tests download is pinned: tools by version and lock file, npm packages by version, registry and hash.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(path, "utf8");
const tracked = { exclude: ["**/node_modules/**", "target/**", "www/examples/**"] };

test("tools have an exact version, and cargo builds them with their lock file", () => {
  const text = read(".make/tools.mk");
  const installs = text.split("\n").filter((line) => /^\t.*\$\(install\)/.test(line));
  assert.ok(installs.length >= 7);
  for (const line of installs) assert.match(line, /^\t\$\(install\) (--locked )?[\w-]+@\$\([A-Z0-9_]+_VERSION\)( --features \w+)?$/);
  // The reason is beside its rule.
  const unlocked = installs.filter((line) => !line.includes("--locked"));
  assert.deepEqual(unlocked, ["\t$(install) wasm-bindgen-cli@$(WASM_BINDGEN_VERSION)"]);
  assert.match(text, /^# Without --locked: .+\n\$\(TOOLS\)\/wasm-bindgen:/m);
  const versions = [...text.matchAll(/^[A-Z0-9_]+_VERSION := (.*)$/gm)];
  assert.ok(versions.length >= 9);
  for (const [line, version] of versions) assert.match(version, /^\d+\.\d+\.\d+$/, line);
  assert.match(text, /pip install .*\$\(1\)==\$\(2\)$/m);
  const others = [...globSync(".make/**/*.*"), ...globSync("tests/**/*.mk"), "Makefile"].filter((path) => path !== ".make/tools.mk");
  // The sentence of a README that .make/archives.mjs writes.
  const told = "\\`npm install && npm run deploy\\`";
  for (const path of others) assert.doesNotMatch(read(path).replaceAll(told, ""), /cargo install|pip install|npm install|npx -y|curl .*\|/, path);
});

test("npm packages come from the registry, with an exact version and a hash", () => {
  const locks = globSync("**/package-lock.json", tracked);
  assert.deepEqual(locks.sort(), ["package-lock.json", "tests/bench/package-lock.json", "tests/browser/package-lock.json"]);
  for (const path of locks) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(path.replace("-lock", "")));
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) assert.match(version, /^\d+\.\d+\.\d+$/, `${path}: ${name}`);
    const packages = Object.entries(JSON.parse(read(path)).packages).filter(([name, { link, inBundle }]) => name !== "" && !link && !inBundle);
    assert.ok(packages.length > 5, path);
    for (const [name, { resolved, integrity }] of packages) {
      // Without it, npm asks its registry.
      if (resolved !== undefined) assert.match(resolved, /^https:\/\/registry\.npmjs\.org\//, `${path}: ${name}`);
      assert.match(integrity ?? "", /^sha512-/, `${path}: ${name}`);
    }
  }
});

test("crates come from crates.io, with a checksum", () => {
  for (const path of globSync("**/Cargo.lock", tracked)) {
    const packages = read(path).split("[[package]]").slice(1).filter((entry) => entry.includes("source = "));
    assert.ok(packages.length > 5, path);
    for (const entry of packages) {
      assert.match(entry, /source = "registry\+https:\/\/github\.com\/rust-lang\/crates\.io-index"/, entry);
      assert.match(entry, /checksum = "[0-9a-f]{64}"/, entry);
    }
  }
});
