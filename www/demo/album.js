// The user's pictures: view them, make one the profile picture, delete one.
import { confirmDeletion } from "../confirm.js";
import { srcset } from "../preflight/index.js";
import { $, announce, showError, el, renderList, showMore, size, currentLanguage, texts, whileBusy } from "./page.js";
import { requestAsUser, updateProfile, user } from "./session.js";

const PAGE = 12;
/** The page size limit of the API. */
const MAX_PAGE = 100;

const list = $("#pictures");
const more = $("#more");
let pictures = [];
let cursor = null;

more.addEventListener("click", () => attempt(() => showMore(more, list, () => load(PAGE, cursor))));
document.addEventListener("language", show);

/** Loads the newest pictures again, as many as are shown; empties the list when nobody is logged in. */
export async function refreshAlbum() {
  $("#album").hidden = !user();
  if (user()) return load(Math.min(MAX_PAGE, Math.max(PAGE, pictures.length)));
  pictures = [];
  show();
}

async function load(limit, from) {
  const query = new URLSearchParams({ limit, ...(from && { cursor: from }) });
  const page = await requestAsUser("GET", `/images?${query}`);
  pictures = from ? [...pictures, ...page.images] : page.images;
  cursor = page.nextCursor;
  show();
}

function show() {
  const face = user()?.profileImageKey;
  renderList(list, pictures.map((picture) => ({ ...picture, isFace: picture.key === face })), ({ imageId }) => imageId, row);
  $("#album-empty").hidden = pictures.length > 0;
  more.hidden = !cursor || pictures.length === 0;
}

function row(picture) {
  const { isFace } = picture;
  const name = picture.originalFilename ?? texts().nameless;
  const when = new Date(picture.createdAt).toLocaleString(currentLanguage(), { dateStyle: "medium", timeStyle: "short" });
  // The order matters: a source that is set after `src` would be loaded in addition. The place has a fixed shape, so nothing shifts.
  const source = { sizes: "240px", srcset: srcset(picture), src: picture.signedThumbnailUrl ?? `${picture.imageUrl}?v=small` };
  const image = el("img", { ...source, alt: name, loading: "lazy", width: 240, height: 180 });
  const link = el("a", { href: picture.signedUrl ?? picture.imageUrl, target: "_blank", rel: "noopener" }, image);
  const facts = `${picture.width} × ${picture.height} · ${size(picture.fileSize)}`;
  const face = el("button", { type: "button", className: "quiet face", ariaDisabled: isFace ? "true" : null }, isFace ? texts().isFace : texts().makeFace);
  face.addEventListener("click", () => attempt(() => whileBusy(face, () => updateProfile({ imageKey: picture.key }).then(show))));
  const remove = el("button", { type: "button", className: "quiet remove", ariaLabel: texts().removeNamed(name) }, texts().remove);
  remove.addEventListener("click", () => askToDelete(picture, name));
  return el(
    "li",
    { className: "picture" },
    link,
    el("p", { className: "name", dir: "auto" }, name),
    el("p", { className: "hint" }, facts, el("br"), when, ...decision(picture)),
    el("div", { className: "row" }, face, remove),
  );
}

/** What the person must know of a review. */
function decision({ review, reviewReason }) {
  if (review === "held") return [el("br"), texts().isHeld];
  return review === "refused" ? [el("br"), texts().isRefused(reviewReason)] : [];
}

function askToDelete(picture, name) {
  confirmDeletion({
    image: picture.signedThumbnailUrl ?? `${picture.imageUrl}?v=thumb`,
    text: texts().deleteText(name),
    deletePicture: () => requestAsUser("DELETE", `/images/${picture.imageId}`),
    onDeleted: () => {
      pictures = pictures.filter(({ imageId }) => imageId !== picture.imageId);
      show();
      document.dispatchEvent(new CustomEvent("deleted", { detail: picture.key }));
      announce(texts().removed(name));
      attempt(refreshAlbum);
    },
  });
}

async function attempt(action) {
  showError($("#album-problem"));
  try {
    await action();
  } catch (error) {
    showError($("#album-problem"), error.message);
  }
}
