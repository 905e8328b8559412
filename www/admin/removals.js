// Deletes the pictures of a form or a user, closes forms, and erases users. A dialog says what goes; the progress of a deletion is shown until it is over.
import { request } from "./api.js";
import { $, announce, count, el, renderList, show, showError, texts, whileBusy } from "./dom.js";

const POLL_MS = 1_500;
/** A page of the list, to say how many pictures a form has. */
const LISTED = 100;
const dialog = $("#removal-dialog");
const removals = new Map();
let pending;
let timer;

/** Opens the dialog. "Delete" runs `begin`, whose error is shown in the dialog, and then `done` with what it returned: the progress. */
function ask({ title, items = [], note, action, begin, name, done = (removal) => follow(removal, name) }) {
  pending = { begin, done };
  $("#removal-title").textContent = title;
  for (const id of ["removal-lead", "removal-items"]) show($(`#${id}`), items.length > 0);
  $("#removal-items").replaceChildren(...items.map((item) => el("li", "", item)));
  $("#removal-note").textContent = note;
  $("button[value=yes]", dialog).textContent = action;
  showError($("#removal-problem"));
  dialog.returnValue = "no";
  dialog.showModal();
}

$("form", dialog).addEventListener("submit", (event) => {
  if (event.submitter?.value !== "yes") return;
  event.preventDefault();
  const { begin, done } = pending;
  whileBusy(event.submitter, async () => {
    try {
      const result = await begin();
      dialog.close("yes");
      done(result);
    } catch (error) {
      showError($("#removal-problem"), error.message);
    }
  });
});

const number = (images, nextCursor) => (nextCursor ? texts().morePictures(count(images)) : texts().pictures(images));

/** Asks whether to delete all pictures of a user. */
export async function askToDeletePictures(user) {
  const { imageCount } = await request("GET", `/users/${encodeURIComponent(user)}/export`);
  ask({
    title: texts().deleteAllTitle(user),
    items: [texts().pictures(imageCount)],
    note: texts().deleteAllNote,
    action: texts().delete,
    begin: () => request("POST", "/images/delete", { userId: user }),
    name: texts().picturesOf(user),
  });
}

/** Asks whether to erase a user, and names what is there. */
export async function askToErase(user) {
  const { account, sessions, imageCount, pendingUploads, events, abuse } = await request("GET", `/users/${encodeURIComponent(user)}/export`);
  const items = [
    texts().pictures(imageCount),
    texts().unclaimed(pendingUploads.filter(({ state }) => state !== "removing").length),
    account ? texts().accountOf(account.email, sessions.length) : texts().noAccount,
    texts().eventsOf(count(events.length)),
  ];
  ask({
    title: texts().eraseTitle(user),
    items,
    note: abuse.bannedUntil ? `${texts().eraseNote} ${texts().banStays}` : texts().eraseNote,
    action: texts().erase,
    begin: () => request("DELETE", `/users/${encodeURIComponent(user)}`),
    name: user,
  });
}

const addressOf = ({ formId }) => `/forms/${encodeURIComponent(formId)}`;

/** Asks whether to close a form. Its pictures stay. */
export function askToCloseForm(form, onChanged) {
  const { formId, imageCount } = form;
  ask({
    title: texts().closeFormTitle(formId),
    note: texts().closeFormNote(texts().picturesOrMore(imageCount, count(imageCount))),
    action: texts().closeForm,
    begin: () => request("DELETE", addressOf(form)),
    done: () => {
      onChanged();
      announce(texts().formClosed(formId));
      document.dispatchEvent(new Event("refresh"));
    },
  });
}

/** Asks whether to close a form and to delete its pictures. */
export function askToDeleteForm(form, onChanged) {
  const { formId, imageCount, state } = form;
  const name = texts().picturesOfForm(formId);
  ask({
    title: state === "closed" ? texts().deleteFormTitle(formId) : texts().closeAndDeleteTitle(formId),
    items: [texts().picturesOrMore(imageCount, count(imageCount)), texts().unclaimedOfForm],
    note: texts().deleteAllNote,
    action: texts().delete,
    begin: () => request("DELETE", `${addressOf(form)}?pictures=delete`),
    done: (removal) => {
      onChanged();
      follow(removal, name, onChanged);
      document.dispatchEvent(new Event("refresh"));
    },
  });
}

async function askToDeleteLabel(form) {
  const { images, nextCursor } = await request("GET", `/images?${new URLSearchParams({ formId: form, limit: String(LISTED) })}`);
  ask({
    title: texts().deleteFormTitle(form),
    items: [number(images.length, nextCursor)],
    note: texts().deleteAllNote,
    action: texts().delete,
    begin: () => request("POST", "/images/delete", { formId: form }),
    name: texts().picturesOfForm(form),
  });
}

function follow(removal, name, onDone = () => {}) {
  removals.set(removal.id, { removal, name, onDone });
  announce(texts().removalBegun(name));
  render();
  clearTimeout(timer);
  timer = setTimeout(poll, POLL_MS);
}

async function poll() {
  for (const [id, entry] of removals) {
    if (entry.removal.state === "done") continue;
    try {
      entry.removal = await request("GET", `/removals/${id}`);
      showError($("#removals .problem"));
    } catch (problem) {
      showError($("#removals .problem"), problem.message);
    }
    if (entry.removal.state !== "done") continue;
    entry.onDone();
    announce(texts().removalDone(entry.name));
    document.dispatchEvent(new Event("refresh"));
  }
  render();
  if ([...removals.values()].some(({ removal }) => removal.state !== "done")) timer = setTimeout(poll, POLL_MS);
}

function render() {
  show($("#removals"), removals.size > 0);
  const entries = [...removals.values()].map(({ removal, name }) => ({ ...removal, name }));
  renderList($("#removals .rows"), entries.reverse(), ({ id }) => id, ({ kind, state, total, removed, name }) => {
    const isDone = state === "done";
    const bar = el("progress");
    bar.max = Math.max(1, total);
    bar.value = isDone ? bar.max : removed;
    bar.setAttribute("aria-label", name);
    const facts = `${texts().removedOf(count(removed), count(total))} · ${isDone ? texts().removalOver[kind] : texts().removalRuns}`;
    return el("li", isDone ? "over" : "", el("div", "line", el("span", "name", name), el("span", "faint", facts)), bar);
  });
}

$("#delete-form").addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy($("#delete-form button"), async () => {
    try {
      await askToDeleteLabel(new FormData(event.target).get("form"));
      showError($("#delete-form-problem"));
    } catch (problem) {
      showError($("#delete-form-problem"), problem.message, problem.status === 400 ? [event.target.elements.form] : []);
    }
  });
});
document.addEventListener("language", render);
