// Writes the documentation as pages: the Markdown of this repository becomes /docs/ of the Worker's assets, in both languages, with an index for the
// search, and /llms.txt. `node .make/site.mjs TO`: the folder of the assets.
//
// A small step over markdown-it and not a site generator, because these bring a framework, and inline scripts and styles, which the policy of the pages
// forbids.
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

import markdown from "markdown-it";

/** The groups of the contents, with their pages in order. */
const GROUPS = [
  { en: "Start", ko: "시작", pages: ["index", "quick-start"] },
  { en: "Use it", ko: "사용", pages: ["integrate", "package", "preflight", "uploaders", "server", "back-ends", "webhooks", "sign-in", "api", "troubleshoot", "examples"] },
  { en: "Run it", ko: "운영", pages: ["configuration", "operate", "monitoring/index", "cost", "scale"] },
  { en: "Judge it", ko: "평가", pages: ["security", "reliability", "asvs", "report-a-vulnerability"] },
  { en: "Change it", ko: "개발", pages: ["architecture", "contributing", "adr/index", "changelog"] },
];
const ENGLISH_ONLY = "영어 문서";
/** Documents outside docs/, by the page that they become. */
const OTHERS = {
  "README.md": "index",
  "ARCHITECTURE.md": "architecture",
  "CONTRIBUTING.md": "contributing",
  "SECURITY.md": "report-a-vulnerability",
  "CHANGELOG.md": "changelog",
  "server/README.md": "server",
  "browser/README.md": "preflight",
  "www/examples/README.md": "examples",
};
const TEXTS = {
  en: { skip: "Skip to content", contents: "Contents", search: "Search", none: "Nothing was found.", results: "Results", other: "한국어" },
  ko: { skip: "본문으로 건너뛰기", contents: "목차", search: "검색", none: "찾은 것이 없습니다.", results: "검색 결과", other: "English" },
};

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** The page of a document, or undefined if it is on no page. The first Korean page is the quick start. */
function pageOf(path) {
  if (OTHERS[path]) return OTHERS[path];
  if (path === "docs/ko/quick-start.md") return "ko/index";
  return path.startsWith("docs/") && path.endsWith(".md") ? path.slice("docs/".length, -".md".length).replace(/README$/, "index") : undefined;
}

/** The address of a page. */
export const urlOf = (page) => `/docs/${page.replace(/(^|\/)index$/, "$1")}`;

/** The anchor of a heading, as GitHub makes it. */
const anchorOf = (heading) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");

/** Where a link of a document leads on the site: to a page, to a copied file, or nowhere. */
function target(href, from, files) {
  if (/^[a-z]+:/.test(href) || href.startsWith("#") || href.startsWith("/")) return href;
  const [path, anchor] = href.split("#");
  const file = join(dirname(from), decodeURIComponent(path));
  const page = pageOf(file);
  if (page && existsSync(file)) return urlOf(page) + (anchor === undefined ? "" : `#${anchor}`);
  if (file === "www/openapi.json") return "/openapi.json";
  if (!/\.(json|yml|conf|png|svg)$/.test(file) || !existsSync(file)) return undefined;
  const copy = `files/${file.replace(/^docs\//, "").replace(/^\./, "")}`;
  files.set(file, copy);
  return `/docs/${copy}`;
}

/** Renders a document. Returns its title, its HTML and its sections for the search. */
function render(path, files) {
  const md = markdown({ html: true, linkify: false });
  const text = readFileSync(path, "utf8").replaceAll(/^<!--[\s\S]*?-->\n/gm, "");
  const tokens = md.parse(text, {});
  const sections = [];
  const counts = new Map();
  const open = [];
  const walk = (list) => {
    for (const token of list) {
      // Without inline styles, which the policy of the pages forbids.
      const align = /text-align:(\w+)/.exec(token.attrGet("style") ?? "");
      if (align) token.attrs = token.attrs.filter(([name]) => name !== "style").concat([["class", align[1]]]);
      if (token.type === "link_open") {
        const to = target(token.attrGet("href"), path, files);
        token.attrSet("href", to);
        // What is not on the site stays as text.
        if (to === undefined) [token.tag, token.attrs] = ["span", null];
        open.push(token);
      }
      if (token.type === "link_close") token.tag = open.pop().tag;
      if (token.type === "html_inline" || token.type === "html_block") token.content = token.content.replaceAll(/src="([^"]+)"/g, (_, src) => `src="${target(src, path, files)}"`);
      if (token.type === "image") token.attrSet("src", target(token.attrGet("src"), path, files));
      if (token.children) walk(token.children);
    }
  };
  walk(tokens);
  tokens.forEach((token, at) => {
    if (token.type === "heading_open") {
      const heading = plain(tokens[at + 1]);
      const anchor = anchorOf(heading);
      const count = counts.get(anchor) ?? 0;
      counts.set(anchor, count + 1);
      token.attrSet("id", count ? `${anchor}-${count}` : anchor);
      sections.push({ heading, anchor: token.attrGet("id"), level: Number(token.tag.slice(1)), text: "" });
    } else if (sections.length > 0 && tokens[at - 1]?.type !== "heading_open" && (token.type === "inline" || token.type === "fence")) {
      sections.at(-1).text += `${token.type === "inline" ? plain(token) : token.content} `;
    }
  });
  const title = sections[0]?.heading ?? path;
  // What scrolls can be reached by keyboard.
  md.renderer.rules.table_open = () => '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>';
  md.renderer.rules.table_close = () => "</table></div>";
  md.renderer.rules.fence = (list, at) => `<pre tabindex="0"><code>${escape(list[at].content)}</code></pre>\n`;
  // A line with the link to the other language is in the header already.
  const html = md.renderer.render(tokens, md.options, {}).replace(/<p><a href="[^"]*">(?:English|한국어)<\/a><\/p>\n/, "");
  return { title, html, sections };
}

/** The words of an inline token. */
const plain = (token) => (token.children ?? [token]).map((child) => (child.type === "softbreak" ? " " : child.type.startsWith("html") || child.type === "link_open" ? "" : child.content)).join("");

function contents(language, current, pages) {
  const own = (name) => (language === "ko" ? { index: "", "quick-start": "ko/index" }[name] ?? `ko/${name}` : name);
  const item = (page) => `<li><a href="${urlOf(page)}"${page === current ? ' aria-current="page"' : ""}>${escape(pages.get(page).title)}</a></li>`;
  const list = (title, items) => (items.length > 0 ? `<p>${title}</p><ul>${items.join("")}</ul>` : "");
  const groups = GROUPS.map((group) => list(group[language], group.pages.map(own).filter((page) => pages.has(page)).map(item)));
  if (language === "ko") groups.push(list(ENGLISH_ONLY, GROUPS.flatMap((group) => group.pages).filter((page) => !pages.has(own(page)) && page !== "index").map(item)));
  return groups.join("");
}

function layout(page, pages) {
  const { title, html, sections } = pages.get(page);
  const language = page.startsWith("ko/") ? "ko" : "en";
  const texts = TEXTS[language];
  const twin = language === "ko" ? (page === "ko/index" ? "quick-start" : page.slice("ko/".length)) : page === "quick-start" ? "ko/index" : `ko/${page}`;
  const other = pages.has(twin) ? twin : language === "ko" ? "index" : "ko/index";
  const parts = sections.filter(({ level }) => level === 2);
  const inPage = parts.length > 2 ? `<ul class="parts">${parts.map(({ heading, anchor }) => `<li><a href="#${anchor}">${escape(heading)}</a></li>`).join("")}</ul>` : "";
  return `<!doctype html>
<html lang="${language}">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${escape(title)} · The-Form Images</title>
    <link rel="icon" href="/demo/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/base.css" />
    <link rel="stylesheet" href="/docs/site.css" />
    <script type="module" src="/docs/site.js"></script>
  </head>
  <body>
    <a class="skip" href="#main">${texts.skip}</a>
    <header class="bar">
      <a class="brand" href="${urlOf(language === "ko" ? "ko/index" : "index")}"><img src="/demo/icon.svg" alt="" width="26" height="26" /><span>The-Form Images</span></a>
      <form class="search" role="search"><label><span class="label">${texts.search}</span><input type="search" id="search" data-index="/docs/search.${language}.json" data-none="${texts.none}" autocomplete="off" spellcheck="false" /></label></form>
      <a class="other" href="${urlOf(other)}" lang="${language === "ko" ? "en" : "ko"}">${texts.other}</a>
    </header>
    <div class="page">
      <nav aria-label="${texts.contents}"><details open><summary>${texts.contents}</summary>${contents(language, page, pages)}</details></nav>
      <main id="main" tabindex="-1">
        <section id="results" aria-label="${texts.results}" aria-live="polite" hidden><h1>${texts.results}</h1><div></div></section>
        <article>
${html.replace("</h1>\n", `</h1>\n${inPage}`)}        </article>
      </main>
    </div>
  </body>
</html>
`;
}

/** Writes the site. Returns the addresses of its pages. */
export function writeSite(to) {
  const files = new Map();
  const documents = [...Object.keys(OTHERS), ...globSync("docs/**/*.md").sort()];
  const pages = new Map(documents.map((path) => [pageOf(path), { path, ...render(path, files) }]));
  const write = (name, text) => {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    writeFileSync(join(to, name), text);
  };
  for (const [page, { path }] of pages) {
    write(`docs/${page}.html`, layout(page, pages));
    write(`docs/${page}.md`, readFileSync(path, "utf8"));
  }
  for (const [file, copy] of files) {
    mkdirSync(dirname(join(to, "docs", copy)), { recursive: true });
    copyFileSync(file, join(to, "docs", copy));
  }
  for (const language of ["en", "ko"]) {
    const found = [...pages].filter(([page]) => page.startsWith("ko/") === (language === "ko"));
    const index = found.flatMap(([page, { title, sections }]) => sections.map(({ heading, anchor, text }) => ({ title, heading, url: `${urlOf(page)}#${anchor}`, text: text.trim() })));
    write(`docs/search.${language}.json`, JSON.stringify(index));
  }
  const lists = GROUPS.map((group) => `## ${group.en}\n\n${group.pages.map((page) => `- [${pages.get(page).title}](/docs/${page}.md)`).join("\n")}\n`);
  write("llms.txt", `# The-Form Images\n\n> ${summary()}\n\nThe HTTP API is described by [openapi.json](/openapi.json).\n\n${lists.join("\n")}`);
  return [...pages.keys()].map(urlOf);
}

/** The first paragraph of the README. */
const summary = () => readFileSync("README.md", "utf8").split("\n\n")[1].replaceAll("\n", " ").replace(/ The Worker does .*$/, "");

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [to] = process.argv.slice(2);
  console.log(`${writeSite(to).length} pages in ${relative(".", to)}/${basename("docs")}`);
}
