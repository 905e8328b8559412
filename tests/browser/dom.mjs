// Runs the element and the Uploader in a document without a browser, as unit tests of other projects do: `node dom.mjs jsdom` or
// `node dom.mjs happy-dom`. Prints the results as JSON.
const OURS = ["AbortController", "AbortSignal", "Blob", "CustomEvent", "Event", "EventTarget", "File", "FormData", "XMLHttpRequest", "navigator"];

const url = "http://127.0.0.1:1/";
const window = await {
  jsdom: async () => new (await import("jsdom")).JSDOM("<!doctype html><form></form>", { url }).window,
  "happy-dom": async () => {
    const { Window } = await import("happy-dom");
    const window = new Window({ url, settings: { fetch: { disableSameOriginPolicy: true } } });
    window.document.body.innerHTML = "<form></form>";
    return window;
  },
}[process.argv[2]]();
for (const name of Object.getOwnPropertyNames(window)) {
  if (name in globalThis && !OURS.includes(name)) continue;
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
}
globalThis.addEventListener ??= window.addEventListener.bind(window);
globalThis.removeEventListener ??= window.removeEventListener.bind(window);

const { Uploader } = await import("../../target/browser/index.js");
const { ImageUpload } = await import("../../target/browser/element/index.js");

const field = document.createElement("image-upload");
Object.assign(field, { name: "photo", endpoint: "http://127.0.0.1:1", formId: "f-1", offline: null, maxFiles: 3, required: true, token: () => "t" });
let failed;
const failure = new Promise((resolve) => (failed = resolve));
field.addEventListener("failed", ({ detail }) => failed(detail.error.name));
document.querySelector("form").append(field);
field.value = ["users/1/images/1.png"];
const before = field.value;
field.add([new File(["x"], "a.png", { type: "image/png" })]);
const items = field.items;
const isStable = items === field.items;
await failure;
const isRenewed = items !== field.items && items[0] === field.items[0];
const text = field.shadowRoot.querySelector("li.failed [part=state]").textContent;
field.shadowRoot.querySelectorAll("[part=remove]")[1].click();
const uploader = new Uploader({ endpoint: "http://127.0.0.1:1", token: "t" });
const empty = uploader.items;
const results = {
  isDefined: field instanceof ImageUpload,
  attributes: Object.fromEntries(field.getAttributeNames().sort().map((name) => [name, field.getAttribute(name)])),
  before,
  isStable,
  isRenewed,
  text,
  after: field.shadowRoot.querySelectorAll("li").length,
  isEmptyStable: empty === uploader.items,
};
field.remove();
console.log(JSON.stringify(results));
process.exit(0);
