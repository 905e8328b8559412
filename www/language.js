// The language of a page: which it is, its texts, and turning the whole page to another. Every page of ours has it from here;
// the texts are the page's own.

export const $ = (selector, root = document) => root.querySelector(selector);

/** What a page needs, over its texts by language: English and one or more others. */
export function languageOf(all) {
  const preferred = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => Object.hasOwn(all, tag));
  const known = (name) => (Object.hasOwn(all, name) ? name : "en");
  let language = known(localStorage.getItem("language") ?? preferred);

  /** Turns the whole page to a language; whoever shows data shows it again on `language`. */
  function speak(chosen) {
    language = known(chosen);
    localStorage.setItem("language", language);
    document.documentElement.lang = language;
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
    for (const element of document.querySelectorAll("[data-text]")) element.textContent = all[language][element.dataset.text];
    for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", all[language][element.dataset.label]);
    document.dispatchEvent(new Event("language"));
  }
  return { spoken: () => language, texts: () => all[language], speak };
}
