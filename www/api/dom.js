// The language of the page, and elements with text in them: nothing of the description is ever markup.
import { TEXTS } from "./texts.js";

export const $ = (selector, root = document) => root.querySelector(selector);

let language = localStorage.getItem("language") ?? (navigator.languages.some((tag) => tag.startsWith("ko")) ? "ko" : "en");
export const spoken = () => language;
export const texts = () => TEXTS[language];

/** Turns the page to a language; whoever shows more shows it again on `language`. */
export function speak(chosen) {
  language = chosen in TEXTS ? chosen : "en";
  localStorage.setItem("language", language);
  document.documentElement.lang = language;
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = texts()[element.dataset.text];
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", texts()[element.dataset.label]);
  document.dispatchEvent(new Event("language"));
}

/** An element with a class and what is in it. */
export function el(name, className = "", ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/** What is said of something in the description, in the language of the page. */
export const note = (thing) => (language === "ko" && typeof thing["x-ko"] === "string" && thing["x-ko"]) || thing.description || "";

/** A sentence in which `this` is code. */
export const text = (sentence) => sentence.split("`").map((part, at) => (at % 2 ? el("code", "", part) : part));
