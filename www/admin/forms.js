// Forms: a list with their state and pictures, closing one, and closing one together with deleting its pictures.
import { request } from "./api.js";
import { $, count, el, moment, renderList, show, showError, showMore, texts, whileBusy } from "./dom.js";
import { askToCloseForm, askToDeleteForm } from "./removals.js";

/** The list counts pictures, so it is not loaded with every refresh of the page. */
const INTERVAL_MS = 60_000;
const PAGE = 20;

let pages = 1;
let loadedAt = 0;
let forms = [];

/** Loads the pages that are shown again, at most once a minute. */
export async function loadForms() {
  if (Date.now() - loadedAt < INTERVAL_MS) return;
  const loaded = [];
  let cursor;
  for (let page = 0; page < pages && cursor !== null; page += 1) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(cursor && { cursor }) });
    const { forms: more, nextCursor } = await request("GET", `/forms?${query}`);
    loaded.push(...more);
    cursor = nextCursor;
  }
  loadedAt = Date.now();
  forms = loaded;
  show($("#forms .more"), Boolean(cursor));
  render();
}

/** Loads the list at the next refresh. */
function expire() {
  loadedAt = 0;
}

function render() {
  show($("#forms .empty"), forms.length === 0);
  renderList($("#forms .rows"), forms, ({ formId }) => formId, (form) => {
    const badge = el("span", `badge ${form.state === "open" ? "lift" : form.state === "closed" ? "" : "warn"}`, texts().formStates[form.state]);
    const text = el("div", "", el("div", "line", el("span", "name", form.formId), badge), el("p", "faint", facts(form).join(" · ")));
    const buttons = el("div", "buttons");
    if (form.state !== "closed") buttons.append(button(texts().closeForm, texts().closeFormLabel(form.formId), () => askToCloseForm(form, expire)));
    const [name, label] = form.state === "closed" ? [texts().deletePictures, texts().deletePicturesLabel] : [texts().closeAndDelete, texts().closeAndDeleteLabel];
    // Nothing can be added to it any more.
    const isEmpty = form.picturesDeletedAt !== null && form.imageCount === 0;
    if (!isEmpty) buttons.append(button(name, label(form.formId), () => askToDeleteForm(form, expire)));
    return el("li", "with-button", text, buttons);
  });
}

function facts({ imageCount, maxFiles, maxFilesPerUser, opensAt, closesAt, state, picturesDeletedAt }) {
  return [
    texts().picturesOrMore(imageCount, count(imageCount)),
    maxFiles && texts().atMost(count(maxFiles)),
    maxFilesPerUser && texts().atMostPerUser(count(maxFilesPerUser)),
    state === "not_yet_open" && texts().opens(moment(opensAt)),
    state !== "closed" && closesAt && texts().closes(moment(closesAt)),
    picturesDeletedAt ? texts().picturesDeleted(moment(picturesDeletedAt)) : state === "closed" && texts().closed(moment(closesAt)),
  ].filter(Boolean);
}

function button(name, label, act) {
  const element = el("button", "quiet", name);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.addEventListener("click", () => whileBusy(element, act));
  return element;
}

$("#forms .more").addEventListener("click", ({ target }) => {
  pages += 1;
  expire();
  showMore(target, $("#forms .rows"), loadForms).catch((problem) => showError($("#forms .problem"), problem.message));
});
document.addEventListener("language", render);
