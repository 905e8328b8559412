// Helpers of the page: elements, numbers, times. The language is ../language.js, lists and errors are ../dom.js.
import { $, localize } from "../language.js";
import { TEXTS } from "./texts.js";

export { showError, renderList, removeRow, showMore, whileBusy } from "../dom.js";
export { $ };
export const { currentLanguage, texts, setLanguage } = localize(TEXTS);

/** An element with a class and content. */
export function el(name, className = "", ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/** The cause of an event, which the API writes as `by NAME` or `N strikes`, in the language of the page. */
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

export const count = (number) => new Intl.NumberFormat(currentLanguage()).format(number);
export function size(bytes) {
  if (bytes < 1024) return `${count(bytes)} B`;
  const [unit, divisor] = bytes < 2 ** 20 ? ["KB", 2 ** 10] : bytes < 2 ** 30 ? ["MB", 2 ** 20] : ["GB", 2 ** 30];
  return `${new Intl.NumberFormat(currentLanguage(), { maximumFractionDigits: bytes / divisor < 10 ? 1 : 0 }).format(bytes / divisor)} ${unit}`;
}
export const clock = (date) => new Intl.DateTimeFormat(currentLanguage(), { timeStyle: "medium" }).format(date);
/** The end of a ban: a time, or never. */
export const until = (text) => (text.startsWith("9999-") ? texts().permanently : texts().until(moment(text)));
export function moment(text) {
  const date = new Date(text);
  const today = date.toDateString() === new Date().toDateString();
  const options = today ? { timeStyle: "short" } : { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(currentLanguage(), options).format(date);
}
