// Helpers of the demo: elements, announcements, sizes. The language is ../language.js.
import { $, localize } from "../language.js";
import { TEXTS } from "./texts.js";

export { showError, renderList, focusOn, showMore, whileBusy } from "../dom.js";
export { $ };
export const { currentLanguage, texts, setLanguage } = localize(TEXTS);

/** An element with properties and content. */
export function el(name, properties = {}, ...content) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...content);
  return element;
}

/** Says a sentence to screen readers. */
export function announce(sentence) {
  $("#announcer").textContent = sentence;
}

export const size = (bytes) => (bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`);
