// Elements with text in them: nothing of the description is ever markup. The language is ../language.js.
import { $, languageOf } from "../language.js";
import { TEXTS } from "./texts.js";

export { $ };
export const { spoken, texts, speak } = languageOf(TEXTS);

/** An element with a class and what is in it. */
export function el(name, className = "", ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/** What is said of something in the description, in the language of the page. */
export const note = (thing) => (spoken() === "ko" && typeof thing["x-ko"] === "string" && thing["x-ko"]) || thing.description || "";

/** A sentence in which `this` is code. */
export const text = (sentence) => sentence.split("`").map((part, at) => (at % 2 ? el("code", "", part) : part));
