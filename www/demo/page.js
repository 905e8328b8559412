// What every part of the page needs: finding elements, making them, and the language.
import { TEXTS } from "./texts.js";

export const $ = (selector, root = document) => root.querySelector(selector);

let language = navigator.languages.some((tag) => tag.startsWith("ko")) ? "ko" : "en";
language = localStorage.getItem("language") ?? language;
export const spoken = () => language;
export const texts = () => TEXTS[language];

/** Turns the whole page to a language; whoever shows data shows it again on `language`. */
export function speak(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  document.documentElement.lang = chosen;
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === chosen));
  }
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = texts()[element.dataset.text];
  document.dispatchEvent(new Event("language"));
}

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
