// The language of a page: which it is, its texts, and changing it. The pages share this; each has its own texts.

export const $ = (selector, root = document) => root.querySelector(selector);

/** The language functions of a page, for its texts by language: English and one or more others. */
export function localize(all) {
  const preferred = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => Object.hasOwn(all, tag));
  const known = (name) => (Object.hasOwn(all, name) ? name : "en");
  let language = known(localStorage.getItem("language") ?? preferred);

  /** Changes the language of the whole page; parts that show data render it again on the event `language`. */
  function setLanguage(chosen) {
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
  return { currentLanguage: () => language, texts: () => all[language], setLanguage };
}
