// Without a browser: the package can be imported on a server, and the element works in jsdom and happy-dom.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const node = (...args) => execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

test("every entry can be imported on a server and exports its names", () => {
  const entries = ["index", "element/index", "adapters/uppy", "adapters/filepond"].map((name) => `import("./target/browser/${name}.js")`);
  const script = `const [, { ImageUpload }] = await Promise.all([${entries}]); console.log(typeof ImageUpload, typeof customElements);`;
  assert.equal(node("--input-type=module", "--eval", script), "function undefined\n");
});

for (const name of ["jsdom", "happy-dom"]) {
  test(`the element works in ${name}`, () => {
    assert.deepEqual(JSON.parse(node("tests/browser/dom.mjs", name)), {
      isDefined: true,
      attributes: { endpoint: "http://127.0.0.1:1", "form-id": "f-1", "max-files": "3", name: "photo", required: "" },
      before: ["users/1/images/1.png"],
      isStable: true,
      isRenewed: true,
      // There is no server, not even for the wasm.
      text: "The connection broke. Check your network and try again.",
      after: 1,
      isEmptyStable: true,
    });
  });
}
