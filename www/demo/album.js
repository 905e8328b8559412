// The pictures of whoever is logged in: look at them, make one the profile picture, delete one.
import { $, announce, el, size, spoken, texts } from "./page.js";
import { askAsUser, change, user } from "./session.js";

const list = $("#pictures");
let pictures = [];
let cursor = null;

$("#more").addEventListener("click", () => load(cursor));
document.addEventListener("language", show);

/** Asks for the newest pictures anew, or for none when nobody is logged in. */
export async function renewAlbum() {
  $("#album").hidden = !user();
  pictures = [];
  if (user()) await load(null);
  else show();
}

async function load(from) {
  const query = new URLSearchParams({ limit: "12", ...(from && { cursor: from }) });
  const page = await askAsUser("GET", `/images?${query}`);
  pictures = from ? [...pictures, ...page.images] : page.images;
  cursor = page.nextCursor;
  show();
}

function show() {
  list.replaceChildren(...pictures.map(card));
  $("#album-empty").hidden = pictures.length > 0;
  $("#more").hidden = !cursor || pictures.length === 0;
}

function card(picture) {
  const name = picture.originalFilename ?? texts().nameless;
  const isFace = user()?.profileImageKey === picture.key;
  const when = new Date(picture.createdAt).toLocaleString(spoken(), { dateStyle: "medium", timeStyle: "short" });
  const image = el("img", { src: `${picture.imageUrl}?v=small`, alt: name, loading: "lazy", width: 240, height: 180 });
  const link = el("a", { href: picture.imageUrl, target: "_blank", rel: "noopener" }, image);
  const facts = `${picture.width} × ${picture.height} · ${size(picture.fileSize)}`;
  const face = el("button", { type: "button", className: "quiet face", disabled: isFace }, isFace ? texts().isFace : texts().makeFace);
  face.addEventListener("click", () => act(() => change({ profileImageKey: picture.key }).then(show)));
  const remove = el("button", { type: "button", className: "quiet remove", ariaLabel: texts().removeNamed(name) }, texts().remove);
  remove.addEventListener("click", () => act(() => erase(picture, name)));
  return el(
    "li",
    { className: "picture" },
    link,
    el("p", { className: "name", dir: "auto" }, name),
    el("p", { className: "hint" }, facts, el("br"), when),
    el("div", { className: "row" }, face, remove),
  );
}

async function erase(picture, name) {
  await askAsUser("DELETE", `/images/${picture.imageId}`);
  document.dispatchEvent(new CustomEvent("erased", { detail: picture.key }));
  await renewAlbum();
  // The button is gone, and with it the focus.
  $("#album").focus();
  announce(texts().removed(name));
}

async function act(deed) {
  try {
    await deed();
  } catch (error) {
    announce(error.message);
    $("#problem").textContent = error.message;
  }
}
