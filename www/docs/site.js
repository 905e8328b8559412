// The documentation: searches the sections of all pages in the language of this one, and folds the contents on narrow screens.
const input = document.querySelector("#search");
const results = document.querySelector("#results");
const list = results.querySelector("div");
const article = document.querySelector("article");
const MOST = 20;
const EXCERPT = 160;

if (matchMedia("(max-width: 800px)").matches) document.querySelector("nav details").open = false;

let index;
/** The sections of all pages, loaded when somebody first searches. */
const sections = () => (index ??= fetch(input.dataset.index).then((answer) => answer.json()));

/** The best sections that have all words: those with a word in the heading first. */
function find(all, words) {
  const scored = all.flatMap((section) => {
    const [heading, text] = [`${section.title} ${section.heading}`.toLowerCase(), section.text.toLowerCase()];
    if (!words.every((word) => heading.includes(word) || text.includes(word))) return [];
    return [{ section, score: words.filter((word) => heading.includes(word)).length }];
  });
  return scored.sort((a, b) => b.score - a.score).slice(0, MOST).map(({ section }) => section);
}

/** The text around the first word that is found. */
function excerpt(text, words) {
  const at = Math.max(0, ...words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0).slice(0, 1)) - EXCERPT / 4;
  const from = Math.max(0, Math.floor(at));
  return `${from > 0 ? "…" : ""}${text.slice(from, from + EXCERPT)}${text.length > from + EXCERPT ? "…" : ""}`;
}

function entry({ title, heading, url, text }, words) {
  const [item, head, link, body] = ["li", "h2", "a", "p"].map((name) => document.createElement(name));
  link.href = url;
  link.textContent = heading === title ? title : `${title}: ${heading}`;
  head.append(link);
  body.textContent = excerpt(text, words);
  item.append(head, body);
  return item;
}

async function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = words.length > 0 ? await sections() : [];
  // Somebody typed on while the index was loading.
  if (words.join(" ") !== input.value.toLowerCase().split(/\s+/).filter(Boolean).join(" ")) return;
  results.hidden = words.length === 0;
  article.hidden = words.length > 0;
  if (words.length === 0) return list.replaceChildren();
  const found = find(all, words);
  const entries = document.createElement("ol");
  entries.append(...found.map((section) => entry(section, words)));
  const none = document.createElement("p");
  none.textContent = input.dataset.none;
  list.replaceChildren(found.length > 0 ? entries : none);
}

input.addEventListener("input", search);
input.form.addEventListener("submit", (event) => event.preventDefault());
// A result may be on this page.
results.addEventListener("click", (event) => {
  if (!event.target.closest("a")) return;
  input.value = "";
  search();
});
