// Elements with text: the description is never inserted as markup. The language is ../language.js.
import { $, localize } from "../language.js";
import { TEXTS } from "./texts.js";

export { $ };
export const { currentLanguage, texts, setLanguage } = localize(TEXTS);

/** An element with a class and content. */
export function el(name, className = "", ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/** The description of an object of the OpenAPI document, in the language of the page. */
export const descriptionOf = (thing) => (currentLanguage() === "ko" && typeof thing["x-ko"] === "string" && thing["x-ko"]) || thing.description || "";

/** A sentence in which `backticks` mark code. */
export const text = (sentence) => sentence.split("`").map((part, at) => (at % 2 ? el("code", "", part) : part));
