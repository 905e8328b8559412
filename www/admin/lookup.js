// One user: standing, remaining limits, sessions, and pictures, which can be deleted. And one picture, found by its key.
import { request } from "./api.js";
import { confirmDeletion } from "../confirm.js";
import { proposeBan } from "./bans.js";
import { askToDeletePictures, askToErase } from "./removals.js";
import { loadSessions, showSessions } from "./sessions.js";
import { $, announce, showError, count, el, renderList, moment, removeRow, show, showMore, size, texts, until, whileBusy } from "./dom.js";

let shown;
let loaded = [];
let cursor;

const load = (user, before) => request("GET", `/admin/api/users/${encodeURIComponent(user)}?limit=12${before ? `&cursor=${before}` : ""}`);
const loadAll = async (user) => {
  const [found, sessions] = await Promise.all([load(user), loadSessions(user)]);
  return { ...found, sessions };
};

/** Shows a user and moves the focus there, unless it `stays` in the form. */
export async function lookUp(user, stays = false) {
  $("#find [name=user]").value = user;
  try {
    const found = await loadAll(user);
    [shown, loaded, cursor] = [user, [], found.nextCursor];
    renderList($("#found-picture"), [], ({ imageId }) => imageId);
    showError($("#find-problem"));
    showFound(found);
    if (!stays) {
      $("#lookup-title").focus();
      $("#lookup").scrollIntoView({ block: "start" });
    }
    announce(texts().shown(user));
  } catch (problem) {
    shown = undefined;
    show($("#found"), false);
    showError($("#find-problem"), problem.message, problem.status === 400 || problem.status === 404 ? [$("#find [name=user]")] : []);
  }
}

/** Loads the shown user again. */
export async function refreshFound() {
  if (!shown) return;
  const user = shown;
  const found = await loadAll(user);
  if (shown !== user) return;
  if (loaded.length === 0) cursor = found.nextCursor;
  showFound(found);
}

function showFound({ userId, pseudonym, standing, limits, states, images, sessions }) {
  show($("#found"));
  $("#found-name").textContent = userId;
  const { bannedUntil, strikes } = standing;
  $("#standing").className = `badge ${bannedUntil ? "ban" : strikes ? "warn" : "lift"}`;
  $("#standing").textContent = bannedUntil ? texts().standingBanned(until(bannedUntil)) : strikes ? texts().strikes(strikes) : texts().good;
  show($("#ban-found"), !bannedUntil);
  const limitRows = Object.entries(limits).map(([name, limit]) => ({ name, ...limit }));
  renderList($("#limits"), limitRows, ({ name }) => name, ({ name, remaining, quota }) => {
    const unit = name === "dailyBytes" ? size : count;
    const meter = el("meter");
    Object.assign(meter, { min: 0, max: quota, low: quota / 4, optimum: quota, value: remaining });
    meter.setAttribute("aria-label", texts().limits[name]);
    return el("div", "", el("dt", "", texts().limits[name]), el("dd", "", meter, el("span", "", texts().left(unit(remaining), unit(quota)))));
  });
  const counts = Object.entries(states).map(([state, uploads]) => `${texts().states[state] ?? state} ${count(uploads)}`);
  $("#log-name").textContent = texts().inLog(pseudonym);
  $("#states").textContent = counts.length ? texts().inLedger(counts.join(", ")) : "";
  showSessions(userId, sessions);
  showPictures(images);
}

function showPictures(newest) {
  const known = new Set(newest.map(({ imageId }) => imageId));
  const all = [...newest, ...loaded.filter(({ imageId }) => !known.has(imageId))];
  show($("#no-pictures"), all.length === 0);
  show($("#more-pictures"), Boolean(cursor));
  renderList($("#pictures"), all, ({ imageId }) => imageId, card);
}

/** A picture with its facts and a button that deletes it. */
function card(image) {
  const name = image.originalFilename ?? image.key.split("/").at(-1);
  const thumb = el("img");
  Object.assign(thumb, { src: thumbnail(image), alt: "", loading: "lazy", width: 120, height: 96 });
  const open = el("a", "thumb", thumb);
  Object.assign(open, { href: image.signedUrl ?? `/${image.key}`, target: "_blank", rel: "noopener" });
  open.setAttribute("aria-label", name);
  const remove = el("button", "quiet", texts().delete);
  remove.type = "button";
  remove.setAttribute("aria-label", texts().deleteLabel(name));
  remove.addEventListener("click", () => askToDelete(image, name));
  const facts = `${image.width} × ${image.height} · ${size(image.fileSize)}`;
  const review = texts().reviews[image.review];
  const decision = review ? [el("br"), image.reviewReason ? `${review}: ${image.reviewReason}` : review] : [];
  return el("li", "", open, el("p", "name", name), el("p", "faint", facts, el("br"), moment(image.createdAt), ...decision), remove);
}

const thumbnail = ({ key, signedThumbnailUrl }) => signedThumbnailUrl ?? `/${key}?v=thumb`;

/** Shows the record of one picture, with a button for its owner. */
async function lookUpKey(key) {
  shown = undefined;
  show($("#found"), false);
  // The signed URL of a picture that waits for a review begins with `private/`, unlike its key.
  const keys = [...new Set([key, key.replace(/^private\//, "")])].map((key) => ["key", key]);
  const { images } = await request("GET", `/images?${new URLSearchParams(keys)}`);
  showError($("#find-problem"), images.length === 0 ? texts().noSuchPicture : "", images.length === 0 ? [$("#find [name=user]")] : []);
  renderList($("#found-picture"), images, ({ imageId }) => imageId, (image) => {
    const owner = el("button", "link name", image.userId);
    owner.type = "button";
    owner.setAttribute("aria-label", texts().ownerLabel(image.userId));
    owner.addEventListener("click", () => lookUp(image.userId));
    const row = card(image);
    row.insertBefore(el("p", "faint", owner, ...(image.formId ? [el("br"), texts().form(image.formId)] : [])), row.lastElementChild);
    return row;
  });
  if (images.length > 0) announce(texts().pictureShown);
}

/** The key in the text: all of it, or what follows the host of a URL. */
const keyIn = (text) => /(?:^|\/)((?:private\/)?users\/[^/]+\/images\/[^/?#]+)/.exec(text)?.[1];

function askToDelete(image, name) {
  confirmDeletion({
    image: thumbnail(image),
    text: texts().deleteText(name),
    deletePicture: () => request("DELETE", `/images/${image.imageId}`),
    onDeleted: () => {
      loaded = loaded.filter(({ imageId }) => imageId !== image.imageId);
      for (const row of document.querySelectorAll(`.pictures [data-key="${image.imageId}"]`)) removeRow(row);
      announce(texts().deleted(name));
      document.dispatchEvent(new Event("refresh"));
    },
  });
}

$("#find").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = new FormData(event.target).get("user").trim();
  const key = keyIn(wanted);
  if (key) lookUpKey(key).catch((problem) => showError($("#find-problem"), problem.message, problem.status === 400 ? [$("#find [name=user]")] : []));
  else lookUp(wanted, true);
});
$("#ban-found").addEventListener("click", () => proposeBan("user", shown));
for (const [button, open] of [[$("#delete-found"), askToDeletePictures], [$("#erase-found"), askToErase]]) {
  button.addEventListener("click", () => {
    whileBusy(button, () => open(shown)).catch((problem) => showError($("#find-problem"), problem.message));
  });
}
$("#more-pictures").addEventListener("click", ({ target }) => {
  showMore(target, $("#pictures"), async () => {
    const [first, more] = await Promise.all([load(shown), load(shown, cursor)]);
    loaded = [...loaded, ...more.images];
    cursor = more.nextCursor;
    showPictures(first.images);
  }).catch((problem) => showError($("#find-problem"), problem.message));
});
