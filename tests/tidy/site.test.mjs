// The documentation site that is made from the Markdown: every document is a page, every link of a page leads somewhere, and the pages need no inline
// script or style.
import assert from "node:assert/strict";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { writeSite } from "../../.make/site.mjs";

const folder = mkdtempSync(join(tmpdir(), "the-form-site-"));
after(() => rmSync(folder, { recursive: true }));
const urls = writeSite(folder);
const read = (name) => readFileSync(join(folder, name), "utf8");
const pages = globSync("docs/**/*.html", { cwd: folder });
const htmlOf = (url) => join(folder, `${url.endsWith("/") ? `${url}index` : url}.html`);

test("every document is a page, in the contents of its language", () => {
  assert.equal(urls.length, pages.length);
  const documents = globSync("docs/**/*.md").length;
  assert.ok(urls.length > documents + 5);
  const contents = (url) => [...readFileSync(htmlOf(url), "utf8").split("</nav>")[0].matchAll(/<li><a href="([^"]+)"/g)].map(([, href]) => href);
  for (const url of ["/docs/", "/docs/ko/"]) assert.equal(new Set(contents(url)).size, contents(url).length, url);
  const top = urls.filter((url) => !url.startsWith("/docs/adr/0"));
  assert.deepEqual(contents("/docs/").sort(), top.filter((url) => !url.startsWith("/docs/ko/")).sort());
  assert.ok(top.filter((url) => url.startsWith("/docs/ko/")).every((url) => contents("/docs/ko/").includes(url)));
});

test("every link leads to a page, an anchor or a file of the site", () => {
  const served = (path) => existsSync(htmlOf(path)) || existsSync(join(folder, path)) || existsSync(join("www", path)) || existsSync(join("www", path, "index.html"));
  const dead = pages.flatMap((page) => {
    const html = read(page);
    const links = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => link).filter((link) => !/^(https?:|mailto:)/.test(link));
    return links.filter((link) => {
      const [path, anchor] = link.split("#");
      if (path && (!path.startsWith("/") || !served(path))) return true;
      if (!anchor) return false;
      const target = path ? htmlOf(path) : join(folder, page);
      return !existsSync(target) || !readFileSync(target, "utf8").includes(` id="${decodeURIComponent(anchor)}"`);
    }).map((link) => `${page}: ${link}`);
  });
  assert.deepEqual(dead, []);
});

test("pages have no inline script or style, one main heading, and the link to the other language", () => {
  for (const page of pages) {
    const html = read(page).replaceAll(/<pre[\s\S]*?<\/pre>|<code>.*?<\/code>/g, "");
    assert.doesNotMatch(html, /<script(?! type="module" src=)|<style|\sstyle=|\son\w+=/, page);
    assert.equal(html.split("<article>")[1].match(/<h1/g).length, 1, page);
    assert.match(html, /<a class="other" href="\/docs\/[^"]*" lang="(en|ko)">/, page);
    assert.match(html, page.startsWith("docs/ko/") ? /<html lang="ko">/ : /<html lang="en">/, page);
  }
});

test("the search finds sections by their texts, and llms.txt lists existing documents", () => {
  const search = (language, words) => JSON.parse(read(`docs/search.${language}.json`)).filter(({ heading, text }) => `${heading} ${text}`.includes(words));
  assert.ok(search("en", "METRICS_TOKEN").some(({ url }) => url.startsWith("/docs/configuration#")));
  assert.ok(search("ko", "토큰").length > 5);
  const listed = [...read("llms.txt").matchAll(/\]\((\/docs\/[^)]+\.md)\)/g)].map(([, path]) => path);
  assert.ok(listed.length > 15);
  assert.deepEqual(listed.filter((path) => !existsSync(join(folder, path))), []);
});
