// The pictures of whoever is logged in: look at them, make one the profile picture, delete one.
import { confirmDeletion } from "../confirm.js";
import { $, announce, complain, el, fill, showMore, size, spoken, texts, whileBusy } from "./page.js";
import { askAsUser, change, user } from "./session.js";

const PAGE = 12;
/** The most that the API gives at once. */
const MOST = 100;

const list = $("#pictures");
const more = $("#more");
let pictures = [];
let cursor = null;

more.addEventListener("click", () => act(() => showMore(more, list, () => load(PAGE, cursor))));
document.addEventListener("language", show);

/** Asks for the newest pictures anew, as many as are shown, or for none when nobody is logged in. */
export async function renewAlbum() {
  $("#album").hidden = !user();
  if (user()) return load(Math.min(MOST, Math.max(PAGE, pictures.length)));
  pictures = [];
  show();
}

async function load(limit, from) {
  const query = new URLSearchParams({ limit, ...(from && { cursor: from }) });
  const page = await askAsUser("GET", `/images?${query}`);
  pictures = from ? [...pictures, ...page.images] : page.images;
  cursor = page.nextCursor;
  show();
}

function show() {
  const face = user()?.profileImageKey;
  fill(list, pictures.map((picture) => ({ ...picture, isFace: picture.key === face })), ({ imageId }) => imageId, card);
  $("#album-empty").hidden = pictures.length > 0;
  more.hidden = !cursor || pictures.length === 0;
}

function card(picture) {
  const { isFace } = picture;
  const name = picture.originalFilename ?? texts().nameless;
  const when = new Date(picture.createdAt).toLocaleString(spoken(), { dateStyle: "medium", timeStyle: "short" });
  const image = el("img", { src: `${picture.imageUrl}?v=small`, alt: name, loading: "lazy", width: 240, height: 180 });
  const link = el("a", { href: picture.imageUrl, target: "_blank", rel: "noopener" }, image);
  const facts = `${picture.width} × ${picture.height} · ${size(picture.fileSize)}`;
  const face = el("button", { type: "button", className: "quiet face", ariaDisabled: isFace ? "true" : null }, isFace ? texts().isFace : texts().makeFace);
  face.addEventListener("click", () => act(() => whileBusy(face, () => change({ profileImageKey: picture.key }).then(show))));
  const remove = el("button", { type: "button", className: "quiet remove", ariaLabel: texts().removeNamed(name) }, texts().remove);
  remove.addEventListener("click", () => confirm(picture, name));
  return el(
    "li",
    { className: "picture" },
    link,
    el("p", { className: "name", dir: "auto" }, name),
    el("p", { className: "hint" }, facts, el("br"), when),
    el("div", { className: "row" }, face, remove),
  );
}

function confirm(picture, name) {
  confirmDeletion({
    image: `${picture.imageUrl}?v=thumb`,
    text: texts().deleteText(name),
    erase: () => askAsUser("DELETE", `/images/${picture.imageId}`),
    then: () => {
      pictures = pictures.filter(({ imageId }) => imageId !== picture.imageId);
      show();
      document.dispatchEvent(new CustomEvent("erased", { detail: picture.key }));
      announce(texts().removed(name));
      act(renewAlbum);
    },
  });
}

async function act(deed) {
  complain($("#album-problem"));
  try {
    await deed();
  } catch (error) {
    complain($("#album-problem"), error.message);
  }
}
