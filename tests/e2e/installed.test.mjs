// The package in projects that installed the tarball: served by `vite dev`, rendered on a server by Vite and hydrated, bundled by esbuild. In each, a
// picture is uploaded in Chromium. And the cache headers of its files.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

import { serve } from "../browser/site.mjs";
import { openPage } from "./browser.mjs";
import { blocks } from "./examples.mjs";
import { gif } from "./pictures.mjs";
import { setUp, until } from "./proxy.mjs";

const PACKAGES = resolve("tests/browser/node_modules");
const TARBALL = resolve("target/the-form-preflight.tgz");

const { server, proxy, browser, folder, fileOf } = await setUp();
let pictures = 0;

/** A project in which npm has installed the tarball. */
function install(name, files, others = []) {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  execFileSync("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", TARBALL], { cwd: project });
  for (const other of others) symlinkSync(join(PACKAGES, other), join(project, "node_modules", other));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(project, path), text);
  return project;
}

/** Uploads a picture on the page at `url`: a worker checks it, and the page shows the key of a stored object. */
async function upload(t, url) {
  const { page, complaints } = await openPage(t, browser, { levels: ["error", "warning"] });
  await page.goto(url);
  const picture = fileOf(`${++pictures}.gif`, gif(pictures));
  const input = page.locator("image-upload input[multiple], body > input").first();
  await input.waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector("image-upload")?.token ?? document.querySelector("body > input")?.onchange);
  await input.setInputFiles(picture);
  const output = page.locator("output", { hasText: /^users\/guest-/ });
  await output.waitFor().catch((error) => assert.fail(`${error.message}: ${complaints}`));
  assert.ok(server.objects().has((await output.innerText()).trim()));
  assert.equal(page.workers().length, 1, "in its worker");
  assert.deepEqual(complaints, []);
}

test("`vite dev` serves it, without configuration", async (t) => {
  const project = install("dev", {
    "index.html": `<!doctype html><html lang="en"><meta charset="utf-8"><title>Theirs</title><link rel="icon" href="data:,"><image-upload name="photo" endpoint="${proxy.url}"></image-upload><output></output><script type="module" src="/main.js"></script>`,
    "main.js": `import "@the-form/preflight/element";
import { guestToken } from "@the-form/preflight";
const field = document.querySelector("image-upload");
field.token = guestToken("${proxy.url}");
field.onchange = () => (document.querySelector("output").textContent = field.value.join());
`,
  });
  const vite = spawn(join(PACKAGES, ".bin/vite"), ["dev", "--host", "127.0.0.1", "--port", "0", "--clearScreen", "false"], { cwd: project, env: { ...process.env, NO_COLOR: "1" } });
  t.after(() => vite.kill());
  let output = "";
  for (const stream of [vite.stdout, vite.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const local = () => /Local:\s+(http\S+)/.exec(output)?.[1];
  await until(local).catch(() => assert.fail(output));
  await upload(t, local());
});

test("the start of its README works", async (t) => {
  const [start] = blocks("browser/README.md").filter(({ language }) => language === "html");
  const project = install("readme", {
    "index.html": `<!doctype html><html lang="en"><meta charset="utf-8"><title>Theirs</title><link rel="icon" href="data:,">${start.text.replace("https://image.the-form", proxy.url)}`,
  });
  execFileSync(join(PACKAGES, ".bin/vite"), ["build", "--base", "/files/readme/", "--logLevel", "warn"], { cwd: project, stdio: "pipe" });
  const dist = join(project, "dist");
  for (const name of readdirSync(join(dist, "assets"))) proxy.files.set(`readme/assets/${name}`, readFileSync(join(dist, "assets", name)));
  proxy.pages.set("/readme", { html: readFileSync(join(dist, "index.html")) });
  proxy.pages.set("/api/image-token", { html: server.token({ sub: "reader" }) });
  const { page, complaints } = await openPage(t, browser);
  await page.goto(`${proxy.url}/readme`);
  await page.locator("image-upload input[multiple]").first().setInputFiles(fileOf("readme.gif", gif(++pictures)));
  await page.waitForFunction(() => document.querySelector("image-upload").value?.length === 1);
  assert.match(await page.evaluate(() => document.querySelector("image-upload").value[0]), /^users\/reader\//);
  assert.deepEqual(complaints, []);
});

test("React renders it on a server, and hydrates it in the browser, as the guide shows", async (t) => {
  const project = install(
    "server-side",
    {
      "client.jsx": `import { hydrateRoot } from "react-dom/client";\nimport { App } from "./src/App.jsx";\nhydrateRoot(document.querySelector("#app"), <App />);\n`,
      "server.jsx": `import { renderToString } from "react-dom/server";\nimport { App } from "./src/App.jsx";\nexport const render = () => renderToString(<App />);\n`,
    },
    ["react", "react-dom", "react-hook-form", "scheduler"],
  );
  cpSync("www/examples/react/src", join(project, "src"), { recursive: true });
  const [guide] = blocks("docs/integrate.md").filter(({ language }) => language === "jsx");
  const [, component] = readFileSync("www/examples/react/src/App.jsx", "utf8").split(/^(import[\s\S]*)/m);
  assert.equal(guide.text, component.trim(), "the guide shows the example");
  const { createServer: createVite } = await import(pathToFileURL(join(PACKAGES, "vite/dist/node/index.js")));
  process.env.VITE_EDGE = proxy.url;
  let html;
  let vite;
  const site = createServer(async (request, response) => {
    if (request.url !== "/") return vite.middlewares(request, response);
    const { render } = await vite.ssrLoadModule("/server.jsx");
    html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Theirs</title><link rel="icon" href="data:,"><div id="app">${render()}</div><script type="module" src="/client.jsx"></script>`;
    response.writeHead(200, { "Content-Type": "text/html" }).end(await vite.transformIndexHtml("/", html));
  });
  vite = await createVite({ root: project, appType: "custom", logLevel: "silent", server: { middlewareMode: true, hmr: { server: site } } });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    delete process.env.VITE_EDGE;
    site.closeAllConnections();
    site.close();
    await vite.close();
  });
  await upload(t, `http://127.0.0.1:${site.address().port}/`);
  assert.match(html, /<image-upload endpoint="http[^>]*max-files="3"/, "the server rendered it");
});

test("esbuild bundles it with `assets`, as the guide shows", async (t) => {
  const shown = blocks("docs/integrate.md").filter(({ language, text }) => language === "js" && /esbuild|assets/.test(text));
  assert.equal(shown.length, 2);
  const project = install("esbuild", {}, []);
  mkdirSync(join(project, "src"));
  symlinkSync(resolve("node_modules/esbuild"), join(project, "node_modules/esbuild"));
  writeFileSync(join(project, "build.mjs"), shown[0].text);
  const [imports, use] = shown[1].text.split("\n\n");
  assert.match(use, /preflight\(file, \{ assets \}\)/);
  writeFileSync(
    join(project, "src/app.js"),
    `${imports}
import { guestToken, Uploader } from "@the-form/preflight";
import "@the-form/preflight/element";
${use.split("\n")[0]}
window.prepare = (file) => preflight(file, { assets });
document.querySelector("input").onchange = async ({ target }) => {
  const uploader = new Uploader({ endpoint: "${proxy.url}", token: guestToken("${proxy.url}"), assets });
  document.querySelector("output").textContent = (await uploader.add(target.files[0]).done).key;
};
`,
  );
  execFileSync(process.execPath, ["build.mjs"], { cwd: project, stdio: "pipe" });
  writeFileSync(join(project, "public/index.html"), `<!doctype html><title>Theirs</title><input type="file"><output></output><script type="module" src="/assets/app.js"></script>`);
  const csp = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' ${proxy.url}`;
  const site = await serve({ "/": join(project, "public") }, { csp });
  t.after(() => site.stop());
  await upload(t, site.url);
  assert.ok(site.requests.some((path) => /^\/assets\/preflight-\w+-\w+\.wasm$/.test(path)), `${site.requests}`);
  assert.ok(site.requests.includes("/assets/preflight-worker.js"));
});

test("a bundle without modules works with `assets` as a property of the element", async (t) => {
  const project = install("classic", {});
  const { exports } = JSON.parse(readFileSync(join(project, "node_modules/@the-form/preflight/package.json"), "utf8"));
  const assets = { worker: `files/${exports["./worker"]}`, wasm: `files/${exports["./preflight.wasm"]}` };
  const contents = `import "@the-form/preflight/element";
import { guestToken } from "@the-form/preflight";
const field = document.querySelector("image-upload");
field.assets = ${JSON.stringify(assets)};
field.token = guestToken("${proxy.url}");
field.onchange = () => (document.querySelector("output").textContent = field.value.join());
`;
  const options = { bundle: true, format: "iife", outdir: join(project, "public"), logLevel: "error", logOverride: { "empty-import-meta": "silent" } };
  await build({ ...options, stdin: { contents, resolveDir: project } });
  cpSync(join(project, "node_modules/@the-form/preflight"), join(project, "public/files"), { recursive: true });
  writeFileSync(
    join(project, "public/index.html"),
    `<!doctype html><html lang="en"><title>Theirs</title><image-upload endpoint="${proxy.url}"></image-upload><output></output><script src="/stdin.js"></script>`,
  );
  const site = await serve({ "/": join(project, "public") }, { csp: `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' ${proxy.url}` });
  t.after(() => site.stop());
  await upload(t, site.url);
});

test("files with a hash in their name are immutable, and all others are revalidated", async () => {
  const names = readdirSync("target/browser").filter((name) => /\.(js|wasm)$/.test(name));
  const hashed = names.filter((name) => /^(chunk|preflight|worker)-\w{8}\.(js|wasm)$/.test(name));
  assert.deepEqual(names.filter((name) => !hashed.includes(name)).sort(), ["index.js"]);
  for (const kind of [/\.wasm$/, /^worker-/]) assert.equal(hashed.filter((name) => kind.test(name)).length, 1, `${kind}`);
  const cached = async (path) => (await fetch(`${server.url}/preflight/${path}`)).headers.get("cache-control");
  for (const name of hashed) assert.equal(await cached(name), "public, max-age=31536000, immutable", name);
  for (const name of ["index.js", "element/index.js"]) assert.match(await cached(name), /max-age=0, must-revalidate/, name);
  const missing = await fetch(`${server.url}/preflight/chunk-AAAAAAAA.js`);
  assert.equal(missing.status, 404);
  assert.doesNotMatch(missing.headers.get("cache-control") ?? "", /immutable/, "a 404 is not cached permanently");
  assert.ok(existsSync(TARBALL));
});
