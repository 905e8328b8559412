// A static site for a test: files of some folders, with the Content-Security-Policy that the README requires.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

export const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' blob:";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves `folders` (`{ "/prefix/": "folder" }`) with `csp`; `/` is an empty page. */
export async function serve(folders, { csp = STRICT } = {}) {
  const site = { folders, csp, requests: [] };
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://site").pathname));
    // Browsers request it at any time.
    if (path !== "/favicon.ico") site.requests.push(path);
    const prefix = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    const file = prefix && join(folders[prefix], path.slice(prefix.length) || "index.html");
    const body = file ? await readFile(file).catch(() => undefined) : path === "/" ? "<!doctype html><title>A page</title>" : undefined;
    const missing = path === "/favicon.ico" ? 204 : 404;
    response.writeHead(body === undefined ? missing : 200, {
      "Content-Type": file ? (TYPES[extname(file)] ?? "application/octet-stream") : TYPES[".html"],
      "Content-Security-Policy": site.csp,
    });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  site.url = `http://127.0.0.1:${server.address().port}`;
  site.stop = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
  return site;
}
