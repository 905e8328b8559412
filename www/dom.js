// Changes to a page that keep the keyboard focus: lists that are updated in place, rows that are removed, busy buttons, and the errors of fields.
import { $ } from "./language.js";

const controls = (element) => [...element.querySelectorAll("a[href], button, input, select")];

/** Shows `items` in `list`: one element for each key, which is kept, and replaced only when its item has changed. */
export function renderList(list, items, keyOf, make) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const [key, signature] = [String(keyOf(item)), document.documentElement.lang + JSON.stringify(item)];
    let element = old.get(key);
    old.delete(key);
    if (!element || element.dataset.signature !== signature) {
      const replacement = make(item);
      Object.assign(replacement.dataset, { key, signature });
      if (element) replace(element, replacement);
      if (element === place) place = replacement;
      element = replacement;
    }
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of old.values()) removeRow(element);
}

/** Replaces an element. The focus stays on the same control, or on the element itself. */
function replace(element, replacement) {
  const focused = document.activeElement;
  const at = controls(element).indexOf(focused);
  element.replaceWith(replacement);
  if (focused === element) focusOn(replacement);
  else if (at >= 0) (controls(replacement)[at] ?? replacement).focus({ preventScroll: true });
}

/**
 * Removes a row of a list. If it has the focus, that moves to the same control of the next row, else of the row
 * before, else to the heading of the section.
 */
export function removeRow(row) {
  const focused = document.activeElement;
  const hadFocus = row.contains(focused);
  const at = controls(row).indexOf(focused);
  const sibling = row.nextElementSibling ?? row.previousElementSibling;
  const heading = $("h2, h3, h4", row.closest("section") ?? document);
  row.remove();
  if (!hadFocus) return;
  const same = sibling && (controls(sibling)[at] ?? controls(sibling).at(-1));
  if (same) same.focus();
  else focusOn(sibling ?? heading);
}

/** Moves the focus to an element that is no control, so that keyboard and screen reader continue there. */
export function focusOn(element) {
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

/** Adds rows to `list`. If the button is hidden with the last page, the focus moves to the first row that was added. */
export function showMore(button, list, load) {
  return whileBusy(button, async () => {
    const last = list.lastElementChild.dataset.key;
    await load();
    // A button that was just hidden has already lost the focus.
    if (!button.hidden || ![button, document.body].includes(document.activeElement)) return;
    const added = $(`[data-key="${CSS.escape(last)}"]`, list)?.nextElementSibling ?? list.lastElementChild;
    if (added) focusOn(added);
  });
}

/** Shows an error in `place` and connects it to the fields it is about. Without a sentence it clears both. */
export function showError(place, sentence = "", fields = []) {
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
