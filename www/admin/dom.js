// Lists that are renewed in place, so that whatever has the focus keeps it. The language is ../language.js.
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

/** Makes `list` show `items`: one element for each key, kept while it stays, renewed only where it changed. */
export function fill(list, items, keyOf, make) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const [key, print] = [String(keyOf(item)), spoken() + JSON.stringify(item)];
    let element = old.get(key);
    old.delete(key);
    if (!element || element.dataset.print !== print) {
      const renewed = make(item);
      Object.assign(renewed.dataset, { key, print });
      if (element) renew(element, renewed);
      if (element === place) place = renewed;
      element = renewed;
    }
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of old.values()) element.remove();
}

/** Puts one element in the place of another; the focus stays on the same button. */
function renew(element, renewed) {
  const focusable = (root) => [...root.querySelectorAll("button, a, input, select")];
  const at = focusable(element).indexOf(document.activeElement);
  element.replaceWith(renewed);
  if (at >= 0) focusable(renewed)[at]?.focus({ preventScroll: true });
}

/** Who did something, or what led to it, as the API writes it: `by NAME`, `N strikes`. */
export function cause(detail) {
  const [, name] = /^by (.+)$/.exec(detail ?? "") ?? [];
  const [, strikes] = /^(\d+) strikes$/.exec(detail ?? "") ?? [];
  return name ? texts().by(name) : strikes ? texts().strikes(Number(strikes)) : detail;
}

export function show(element, visible = true) {
  element.hidden = !visible;
}

/** Shows what is wrong, or that nothing is. */
export function complain(element, sentence = "") {
  if (element.textContent !== sentence) element.textContent = sentence;
  show(element, sentence !== "");
}

export function announce(sentence) {
  $("#announcer").textContent = sentence;
}

export const count = (number) => new Intl.NumberFormat(spoken()).format(number);
export function size(bytes) {
  if (bytes < 1024) return `${count(bytes)} B`;
  const [unit, divisor] = bytes < 2 ** 20 ? ["KB", 2 ** 10] : bytes < 2 ** 30 ? ["MB", 2 ** 20] : ["GB", 2 ** 30];
  return `${new Intl.NumberFormat(spoken(), { maximumFractionDigits: bytes / divisor < 10 ? 1 : 0 }).format(bytes / divisor)} ${unit}`;
}
export const clock = (date) => new Intl.DateTimeFormat(spoken(), { timeStyle: "medium" }).format(date);
export function moment(text) {
  const date = new Date(text);
  const today = date.toDateString() === new Date().toDateString();
  const options = today ? { timeStyle: "short" } : { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(spoken(), options).format(date);
}
