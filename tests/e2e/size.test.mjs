// Size and start-up time of the built Worker: it is loaded before its first response.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/**
 * The free plan allows 3 MB; less than a half of it leaves a margin and compiles in tens of milliseconds. The bound was 1 MiB before
 * forms, erasure, challenges and events, and 1.2 MB before derived pictures.
 */
const MOST_BYTES = 1_300_000;
const RUNS = 9;

const wasm = readFileSync("target/edge/index_bg.wasm");

test("the Worker has at most 1.3 MB compressed", (t) => {
  const bytes = execFileSync("gzip", ["-9"], { input: wasm, maxBuffer: 8 * MOST_BYTES }).length;
  t.diagnostic(`${bytes} bytes compressed, ${wasm.length} uncompressed`);
  assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`);
});

test("the wasm is compiled and instantiated in less than a second", async (t) => {
  const times = [];
  for (let run = 0; run < RUNS; run += 1) {
    const began = performance.now();
    const module = await WebAssembly.compile(wasm);
    const imports = {};
    for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
      (imports[from] ??= {})[name] = kind === "tag" ? WebAssembly.JSTag : () => 0;
    }
    const { exports } = await WebAssembly.instantiate(module, imports);
    times.push(performance.now() - began);
    assert.ok(exports.memory.buffer.byteLength > 0);
  }
  times.sort((one, other) => one - other);
  t.diagnostic(`median of ${RUNS}: ${times[RUNS >> 1].toFixed(1)} ms`);
  // It takes some tens of milliseconds; the rest is margin for a slow machine.
  assert.ok(times[RUNS >> 1] < 1_000, `${times} ms`);
});
