// The queue of pictures that wait for a review, oldest first. Keys work while the focus is in the queue.
import { request } from "./api.js";
import { $, announce, el, moment, removeRow, renderList, show, showError, showMore, size, texts, whileBusy } from "./dom.js";

const PAGE = 12;
const list = $("#queue");
const dialog = $("#refuse-dialog");
/** The pages after the first one, which is loaded again all the time. */
let loaded = [];
let cursor;
/** Pictures that were decided here: a list that was requested before may still have them. */
const decided = new Set();
let refusing;

const load = (after) => request("GET", `/images?${new URLSearchParams({ review: "held", limit: PAGE, ...(after && { cursor: after }) })}`);

/** Loads the beginning of the queue again. */
export async function loadQueue() {
  const { images, nextCursor } = await load();
  if (loaded.length === 0) cursor = nextCursor;
  showQueue(images);
}

function showQueue(first) {
  const known = new Set(first.map(({ imageId }) => imageId));
  const all = [...first, ...loaded.filter(({ imageId }) => !known.has(imageId))].filter(({ imageId }) => !decided.has(imageId));
  // A deployment without reviews does not need the section; one that has some keeps it.
  if (all.length > 0) show($("#review"));
  show($("#queue-empty"), all.length === 0);
  show($("#queue-keys"), all.length > 0);
  show($("#more-queue"), Boolean(cursor));
  renderList(list, all, ({ imageId }) => imageId, card);
}

function button(className, text, label, onclick) {
  const element = el("button", className, text);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.addEventListener("click", onclick);
  return element;
}

function card(image) {
  const name = image.originalFilename ?? image.key.split("/").at(-1);
  const picture = el("img");
  Object.assign(picture, { src: image.signedUrl ?? "", alt: texts().toReview(name), loading: "lazy", width: image.width, height: image.height });
  const facts = [image.userId, ...(image.formId ? [texts().form(image.formId)] : []), `${image.width} × ${image.height} · ${size(image.fileSize)}`, moment(image.createdAt)];
  const buttons = el(
    "div",
    "buttons",
    button("primary", texts().release, texts().releaseLabel(name), ({ currentTarget }) => release(image, name, currentTarget)),
    button("quiet", texts().refuse, texts().refuseLabel(name), () => askReason(image, name)),
  );
  const item = el("li", "", picture, el("p", "name", name), el("p", "faint", ...facts.flatMap((fact, at) => (at ? [el("br"), fact] : [fact]))), buttons);
  item.querySelector(".name").dir = "auto";
  return item;
}

async function decide(image, action, json, sentence, onDecided = () => {}) {
  await request("POST", `/images/${image.imageId}/${action}`, json).catch((problem) => {
    // Somebody else was faster.
    if (problem.code !== "REVIEW_DECIDED") throw problem;
    sentence = problem.message;
  });
  onDecided();
  decided.add(image.imageId);
  loaded = loaded.filter(({ imageId }) => imageId !== image.imageId);
  removeRow(list.querySelector(`[data-key="${image.imageId}"]`) ?? el("li"));
  show($("#queue-empty"), list.children.length === 0);
  show($("#queue-keys"), list.children.length > 0);
  announce(sentence);
  document.dispatchEvent(new Event("refresh"));
}

function release(image, name, pressed) {
  return whileBusy(pressed, async () => {
    showError($("#review .problem"));
    await decide(image, "release", undefined, texts().releasedPicture(name)).catch((problem) => showError($("#review .problem"), problem.message));
  });
}

function askReason(image, name) {
  refusing = { image, name };
  $("#refuse-title").textContent = texts().refuseTitle(name);
  showError($("#refuse-problem"));
  $("textarea", dialog).value = "";
  dialog.returnValue = "no";
  dialog.showModal();
}

$("form", dialog).addEventListener("submit", (event) => {
  if (event.submitter?.value === "no") return;
  event.preventDefault();
  const field = $("textarea", dialog);
  const reason = field.value.trim();
  if (!reason) {
    showError($("#refuse-problem"), texts().reasonMissing, [field]);
    return field.focus();
  }
  whileBusy($("button[value=yes]", dialog), async () => {
    try {
      const { image, name } = refusing;
      // The dialog gives the focus back to the button that opened it, before the row is removed.
      await decide(image, "refuse", { reason }, texts().refusedPicture(name), () => dialog.close("yes"));
    } catch (problem) {
      showError($("#refuse-problem"), problem.message, problem.status === 400 ? [field] : []);
    }
  });
});

/** The keys of the queue. They do nothing outside of it, so that they do not collide with those of other programs. */
const KEYS = {
  ArrowRight: (row) => move(row.nextElementSibling),
  ArrowLeft: (row) => move(row.previousElementSibling),
  j: (row) => move(row.nextElementSibling),
  k: (row) => move(row.previousElementSibling),
  a: (row) => $(".primary", row).click(),
  r: (row) => $(".quiet", row).click(),
};
const move = (row) => row && $(".primary", row).focus();

list.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
  const row = event.target.closest("li");
  // By place on the keyboard as well, because Korean keyboards send Korean letters.
  const act = KEYS[event.key] ?? KEYS[{ KeyJ: "j", KeyK: "k", KeyA: "a", KeyR: "r" }[event.code]];
  if (!row || !act || event.repeat) return;
  event.preventDefault();
  act(row);
});
$("#more-queue").addEventListener("click", ({ target }) => {
  showMore(target, list, async () => {
    const [first, more] = await Promise.all([load(), load(cursor)]);
    loaded = [...loaded, ...more.images];
    cursor = more.nextCursor;
    showQueue(first.images);
  }).catch((problem) => showError($("#review .problem"), problem.message));
});
