// What every part of the page needs: making elements, writing numbers and times. The language is ../language.js, lists
// and errors are ../dom.js.
import { $, languageOf } from "../language.js";
import { TEXTS } from "./texts.js";

export { complain, fill, removeRow, showMore, whileBusy } from "../dom.js";
export { $ };
export const { spoken, texts, speak } = languageOf(TEXTS);

/** An element with a class and what is in it. */
export function el(name, className = "", ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
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
