// Checks packed npm packages as their users install them: publint, and whether every entry has types in every way of resolving it
// ("Are the types wrong?"). `node tests/browser/check-packages.mjs TARBALL…`
import { readFileSync } from "node:fs";

import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/** What the entries without types are: files that pages load by their address. */
const UNTYPED = /^\.\/(worker|preflight\.wasm|package\.json)$/;
/** Both packages are modules only. Projects that resolve as Node 10 did cannot read `exports`; CommonJS loads modules with `import()`. */
const IGNORED_KINDS = ["CJSResolvesToESM"];
const IGNORED_RESOLUTIONS = ["node10"];

const problems = [];
for (const path of process.argv.slice(2)) {
  const tarball = readFileSync(path);
  const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.length) }, strict: true });
  for (const message of messages) problems.push(`${path}: publint: ${formatMessage(message, pkg)}`);
  const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)));
  if (!analysis.types) problems.push(`${path}: has no types`);
  for (const problem of analysis.problems ?? []) {
    const { kind, entrypoint = "", resolutionKind = "" } = problem;
    if (UNTYPED.test(entrypoint) || IGNORED_KINDS.includes(kind) || IGNORED_RESOLUTIONS.includes(resolutionKind)) continue;
    problems.push(`${path}: types: ${JSON.stringify(problem)}`);
  }
  console.log(`${path}: ${Object.keys(analysis.entrypoints ?? {}).length} entries`);
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
}
