// The demo: a survey with a picture question, the account of the person who answers it, and files to try. It uses the browser package and the
// API as any page would.
import "../preflight/element/index.js";
import { refreshAlbum } from "./album.js";
import { openEntry, prepareEntry } from "./entry.js";
import { $, announce, showError, el, size, setLanguage, currentLanguage, texts, whileBusy } from "./page.js";
import * as samples from "./samples.js";
import { logOut, resume, token, user } from "./session.js";

const ENDPOINT = "/";
/** Nothing listens on this port, so that requests fail as without a network. */
const NOWHERE = "http://127.0.0.1:1";
/** The owner of kept pictures while nobody is logged in. */
const GUEST = "guest";

const survey = $("#survey");
let room = $("#room");
let uploaded = [];
const policy = fetch("/policy").then((answer) => answer.json());

for (const number of [1, 2, 3, 4, 5]) {
  const input = el("input", { type: "radio", name: "rating", value: number, required: number === 1 });
  $("#stars").append(el("label", {}, input, el("span", { className: "star" }), el("span", { className: "visually-hidden" })));
}
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}
document.addEventListener("language", showTexts);
document.addEventListener("session", () => {
  // Setting the token again makes later uploads use the new session.
  room.token = token;
  showAccount();
  refreshAlbum().catch(showProblem);
});
setLanguage(currentLanguage());
prepareRoom();
prepareEntry({ keys: () => (user() ? [] : room.value), onEntered: welcome });
// The owner of kept pictures is known only after that.
resume()
  .catch(() => {})
  .then(() => (user() ? replaceRoom() : room.setAttribute("offline", GUEST)));

/** Connects the field for pictures. */
function prepareRoom() {
  room.token = token;
  room.addEventListener("uploaded", ({ detail }) => {
    uploaded.push(detail);
    showSaved();
    showError($("#room-problem"));
    if (user()) refreshAlbum().catch(showProblem);
  });
  room.addEventListener("change", showSaved);
}

/** Replaces the field, so that the next user does not see the pictures of this one. */
function replaceRoom() {
  const hadFocus = document.activeElement === room;
  const next = room.cloneNode(true);
  next.setAttribute("offline", user()?.id ?? GUEST);
  room.replaceWith(next);
  room = next;
  uploaded = [];
  prepareRoom();
  showSaved();
  showError($("#room-problem"));
  if (hadFocus) room.focus();
  $("#receipt").hidden = true;
}

/** A deleted picture is no answer any more. */
document.addEventListener("deleted", ({ detail: key }) => {
  if (room.value.includes(key)) room.value = room.value.filter((other) => other !== key);
  showSaved();
});

// --- The survey -----------------------------------------------------------------------------------

$("#stars").addEventListener("change", () => showError($("#rating-problem")));
survey.addEventListener("submit", (event) => {
  event.preventDefault();
  showError($("#problem"));
  const invalid = check();
  if (invalid) return invalid.focus();
  const answers = new FormData(survey);
  const received = { rating: Number(answers.get("rating")), room: answers.getAll("room"), note: answers.get("note") };
  $("#answers").textContent = JSON.stringify(received, null, 2);
  $("#receipt").hidden = false;
  showKeep();
  $("#receipt").focus();
});

/** Shows an error at each question with a missing answer; returns the first of these fields. */
function check() {
  const rating = survey.elements.rating;
  const isUnrated = rating.value === "";
  showError($("#rating-problem"), isUnrated ? texts().ratingMissing : "", [$("#rating-question")]);
  showError($("#room-problem"), room.validationMessage, [room]);
  return isUnrated ? rating[0] : room.validationMessage ? room : undefined;
}

/** Shows how many bytes the check in the browser has saved. */
function showSaved() {
  const listed = uploaded.filter(({ image }) => room.value.includes(image.key));
  const [before, after] = listed.reduce(
    ([from, to], { item, image }) => [from + item.file.size, to + image.fileSize],
    [0, 0],
  );
  const percent = before > 0 ? Math.round(100 - (100 * after) / before) : 0;
  $("#saved").hidden = percent < 1;
  $("#saved").textContent = texts().saved(size(before), size(after), percent);
}

function showKeep() {
  const first = uploaded.find(({ image }) => image.expiresAt);
  $("#keep").hidden = user() !== undefined || !first;
  if (!first) return;
  const until = new Date(first.image.expiresAt).toLocaleTimeString(currentLanguage(), { timeStyle: "short" });
  $("#keep-text").textContent = texts().guestUntil(until);
}

async function showTexts() {
  showSaved();
  showKeep();
  showAccount();
  $("#stars").querySelectorAll(".visually-hidden").forEach((name, at) => (name.textContent = texts().stars(at + 1)));
  const { limits } = await policy;
  if (survey.querySelector("[aria-invalid]")) check();
  $("#limits").textContent = texts().limits(Math.floor(limits.maxBytes / 2 ** 20));
}

// --- Account ----------------------------------------------------------------------------------

$("#log-in").addEventListener("click", () => openEntry(false));
$("#sign-up").addEventListener("click", () => openEntry(true));
$("#log-out").addEventListener("click", async () => {
  try {
    await logOut();
    replaceRoom();
    announce(texts().loggedOut);
    $("#log-in").focus();
  } catch (error) {
    showProblem(error);
  }
});

function showAccount() {
  const current = user();
  $("#log-in").hidden = current !== undefined;
  $("#log-out").hidden = current === undefined;
  $("#who").hidden = current === undefined;
  $("#who").textContent = current ? (current.nickname ?? current.email) : "";
  $("#face").hidden = !current?.profileImageUrl;
  if (current?.profileImageUrl) $("#face").src = `${current.profileImageUrl}?v=thumb`;
  showKeep();
}

function welcome(kept, wanted) {
  const keys = room.value;
  // They belong to the account now and must not come back for the next guest.
  room.markSent();
  replaceRoom();
  room.value = keys;
  const sentence = texts().welcome(user().nickname ?? user().email, kept, wanted);
  showError($("#problem"), kept < wanted ? sentence : "");
  announce(sentence);
  $("#album").focus();
}

// --- Files to try ---------------------------------------------------------------------------

for (const button of document.querySelectorAll("[data-try]")) {
  button.addEventListener("click", () => {
    whileBusy(button, async () => {
      room.add([await samples[button.dataset.try]()]);
      room.scrollIntoView({ block: "nearest" });
    });
  });
}

$("#flight").addEventListener("change", ({ target }) => {
  room.endpoint = target.checked ? NOWHERE : ENDPOINT;
  document.documentElement.classList.toggle("flying", target.checked);
  announce(target.checked ? texts().flying : texts().landed);
  // Uploads that wait for the network check it at once.
  if (!target.checked) window.dispatchEvent(new Event("online"));
});

// A picture that is dropped beside the field must not replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

function showProblem(error) {
  showError($("#problem"), error.message);
}
