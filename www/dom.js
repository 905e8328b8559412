// Changes to a page that keep the keyboard focus: lists that are renewed in place, rows that go away, buttons that are
// busy, and the errors of fields.
import { $ } from "./language.js";

const controls = (element) => [...element.querySelectorAll("a[href], button, input, select")];

/** Makes `list` show `items`: one element for each key, kept while it stays, renewed only where it changed. */
export function fill(list, items, keyOf, make) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const [key, print] = [String(keyOf(item)), document.documentElement.lang + JSON.stringify(item)];
    let element = old.get(key);
    old.delete(key);
    if (!element || element.dataset.print !== print) {
      const renewed = make(item);
      Object.assign(renewed.dataset, { key, print });
      if (element) replace(element, renewed);
      if (element === place) place = renewed;
      element = renewed;
    }
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of old.values()) removeRow(element);
}

/** Puts one element in the place of another. The focus stays on the same control, or on the element itself. */
function replace(element, renewed) {
  const focused = document.activeElement;
  const at = controls(element).indexOf(focused);
  element.replaceWith(renewed);
  if (focused === element) readFrom(renewed);
  else if (at >= 0) (controls(renewed)[at] ?? renewed).focus({ preventScroll: true });
}

/**
 * Removes a row of a list. If it has the focus, that moves to the same control of the next row, else of the row
 * before, else to the heading of the section.
 */
export function removeRow(row) {
  const focused = document.activeElement;
  const hadFocus = row.contains(focused);
  const at = controls(row).indexOf(focused);
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  const heading = $("h2", row.closest("section") ?? document);
  row.remove();
  if (!hadFocus) return;
  const same = neighbour && (controls(neighbour)[at] ?? controls(neighbour).at(-1));
  if (same) same.focus();
  else readFrom(neighbour ?? heading);
}

/** Puts the focus on an element that is no control, so that the person reads on from there. */
export function readFrom(element) {
  element.tabIndex = -1;
  element.focus();
}

/**
 * Runs `work` unless the button is busy, and marks it as busy meanwhile. A button that is `disabled` loses the focus;
 * one with `aria-disabled` keeps it.
 */
export async function whileBusy(button, work) {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  try {
    await work();
  } finally {
    button.ariaDisabled = null;
  }
}

/** Adds rows to `list`. If the button goes away with the last page, the focus moves to the first row that was added. */
export function showMore(button, list, load) {
  return whileBusy(button, async () => {
    const last = list.lastElementChild.dataset.key;
    await load();
    // A button that has just been hidden has already lost the focus.
    if (!button.hidden || ![button, document.body].includes(document.activeElement)) return;
    const added = $(`[data-key="${CSS.escape(last)}"]`, list)?.nextElementSibling ?? list.lastElementChild;
    if (added) readFrom(added);
  });
}

/** Shows a sentence at `place`, and ties it to the fields it is about. Without a sentence it clears both. */
export function complain(place, sentence = "", fields = []) {
  for (const field of document.querySelectorAll(`[aria-invalid][aria-describedby~="${place.id}"]`)) {
    field.removeAttribute("aria-invalid");
    describe(field, place.id, false);
  }
  if (place.textContent !== sentence) place.textContent = sentence;
  place.hidden = sentence === "";
  if (sentence === "") return;
  for (const field of fields) {
    field.setAttribute("aria-invalid", "true");
    describe(field, place.id, true);
  }
}

function describe(field, id, isDescribed) {
  const ids = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((other) => other && other !== id);
  if (isDescribed) ids.push(id);
  if (ids.length > 0) field.setAttribute("aria-describedby", ids.join(" "));
  else field.removeAttribute("aria-describedby");
}
