// What every part of the demo needs: making elements, telling what happened. The language is ../language.js.
import { $, languageOf } from "../language.js";
import { TEXTS } from "./texts.js";

export { complain, fill, readFrom, showMore, whileBusy } from "../dom.js";
export { $ };
export const { spoken, texts, speak } = languageOf(TEXTS);

/** An element with properties and what is in it. */
export function el(name, properties = {}, ...content) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...content);
  return element;
}

/** Tells those who do not see the page. */
export function announce(sentence) {
  $("#announcer").textContent = sentence;
}

export const size = (bytes) => (bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`);
