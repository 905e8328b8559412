// The demo: a survey with two picture questions, the account of the person who answers it, and files to try. It uses the browser package and the
// API as any page would.
import "../preflight/element/index.js";
import { refreshAlbum } from "./album.js";
import { openEntry, prepareEntry } from "./entry.js";
import "./password.js";
import { $, announce, showError, el, size, setLanguage, currentLanguage, texts, whileBusy } from "./page.js";
import * as samples from "./samples.js";
import { logOut, resume, token, user } from "./session.js";

const ENDPOINT = "/";
/** Nothing listens on this port, so that requests fail as without a network. */
const NOWHERE = "http://127.0.0.1:1";
/** The owner of kept pictures while nobody is logged in. */
const GUEST = "guest";

const survey = $("#survey");
/** The fields for pictures by name. They are replaced when the user changes. */
const fields = { room: $("#room"), portrait: $("#portrait") };
let uploaded = [];

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
  for (const field of Object.values(fields)) field.token = token;
  showAccount();
  refreshAlbum().catch(showProblem);
});
setLanguage(currentLanguage());
Object.values(fields).forEach(prepareField);
prepareEntry({ keys: () => (user() ? [] : allKeys()), onEntered: welcome });
// The owner of kept pictures is known only after that.
resume()
  .catch(() => {})
  .then(() => (user() ? replaceFields() : Object.values(fields).forEach((field) => field.setAttribute("offline", GUEST))));

/** The keys of the pictures of all fields. */
function allKeys() {
  return Object.values(fields).flatMap(({ value }) => value);
}

/** Connects a field for pictures. */
function prepareField(field) {
  field.token = token;
  field.addEventListener("uploaded", ({ detail }) => {
    uploaded.push(detail);
    showSaved();
    showError(problemOf(field));
    if (user()) refreshAlbum().catch(showProblem);
  });
  field.addEventListener("change", showSaved);
  field.addEventListener("removed", ({ detail }) => {
    // The field deletes the picture in the background.
    if (user() && detail.isByPerson && detail.key) setTimeout(() => refreshAlbum().catch(showProblem), 1_000);
  });
}

const problemOf = ({ id }) => $(`#${id}-problem`);

/** Replaces the fields, so that the next user does not see the pictures of this one. */
function replaceFields() {
  uploaded = [];
  for (const [name, field] of Object.entries(fields)) {
    const hadFocus = document.activeElement === field;
    const next = field.cloneNode(true);
    next.setAttribute("offline", user()?.id ?? GUEST);
    field.replaceWith(next);
    fields[name] = next;
    prepareField(next);
    showError(problemOf(next));
    if (hadFocus) next.focus();
  }
  showSaved();
  $("#receipt").hidden = true;
}

/** A deleted picture is no answer any more. */
document.addEventListener("deleted", ({ detail: key }) => {
  for (const field of Object.values(fields)) {
    if (field.value.includes(key)) field.value = field.value.filter((other) => other !== key);
  }
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
  const { room, portrait } = Object.fromEntries(Object.keys(fields).map((name) => [name, answers.getAll(name)]));
  const received = { rating: Number(answers.get("rating")), room, portrait, note: answers.get("note") };
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
  for (const field of Object.values(fields)) showError(problemOf(field), field.validationMessage, [field]);
  return isUnrated ? rating[0] : Object.values(fields).find(({ validationMessage }) => validationMessage);
}

/** Shows how many bytes the check in the browser has saved. */
function showSaved() {
  const keys = allKeys();
  const listed = uploaded.filter(({ image }) => keys.includes(image.key));
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

function showTexts() {
  showSaved();
  showKeep();
  showAccount();
  $("#stars").querySelectorAll(".visually-hidden").forEach((name, at) => (name.textContent = texts().stars(at + 1)));
  // The fields for pictures take the language of the page in a microtask.
  if (survey.querySelector("[aria-invalid]")) queueMicrotask(check);
}

// --- Account ----------------------------------------------------------------------------------

$("#log-in").addEventListener("click", () => openEntry(false));
$("#sign-up").addEventListener("click", () => openEntry(true));
$("#log-out").addEventListener("click", async () => {
  try {
    await logOut();
    replaceFields();
    announce(texts().loggedOut);
    $("#log-in").focus();
  } catch (error) {
    showProblem(error);
  }
});

/** A signed URL is that of one size. */
const thumbnail = (url) => (url.includes("?") ? url : `${url}?v=thumb`);

function showAccount() {
  const current = user();
  $("#log-in").hidden = current !== undefined;
  $("#log-out").hidden = current === undefined;
  $("#who").hidden = current === undefined;
  $("#who").textContent = current ? (current.nickname ?? current.email) : "";
  $("#face").hidden = !current?.profileImageUrl;
  if (current?.profileImageUrl) $("#face").src = thumbnail(current.profileImageUrl);
  showKeep();
}

function welcome(kept, wanted) {
  const answered = Object.entries(fields).map(([name, { value }]) => [name, value]);
  // They belong to the account now and must not come back for the next guest.
  for (const field of Object.values(fields)) field.markSent();
  replaceFields();
  for (const [name, keys] of answered) fields[name].value = keys;
  // A login loads the album before it claims pictures.
  if (kept > 0) refreshAlbum().catch(showProblem);
  const sentence = texts().welcome(user().nickname ?? user().email, kept, wanted);
  showError($("#problem"), kept < wanted ? sentence : "");
  announce(sentence);
  $("#album").focus();
}

// --- Files to try ---------------------------------------------------------------------------

for (const button of document.querySelectorAll("[data-try]")) {
  button.addEventListener("click", () => {
    whileBusy(button, async () => {
      const field = fields[button.dataset.field ?? "room"];
      field.add([await samples[button.dataset.try]()]);
      field.scrollIntoView({ block: "nearest" });
    });
  });
}

$("#flight").addEventListener("change", ({ target }) => {
  for (const field of Object.values(fields)) field.endpoint = target.checked ? NOWHERE : ENDPOINT;
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
