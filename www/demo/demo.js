// The demo: a survey with a picture question, the account of whoever answers it, and ways to try to break it. It has no
// rules of its own; it uses the browser package and the API as any page would.
import "../preflight/element/index.js";
import { renewAlbum } from "./album.js";
import { openEntry, prepareEntry } from "./entry.js";
import { $, announce, complain, el, size, speak, spoken, texts, whileBusy } from "./page.js";
import * as samples from "./samples.js";
import { logOut, resume, token, user } from "./session.js";

const ENDPOINT = "/";
/** Nobody listens there: what is sent to it breaks off as in a plane. */
const NOWHERE = "http://127.0.0.1:1";
/** The owner of pictures that wait on this device while nobody is logged in. */
const GUEST = "guest";

const survey = $("#survey");
let room = $("#room");
let uploaded = [];
const policy = fetch("/policy").then((answer) => answer.json());

for (const number of [1, 2, 3, 4, 5]) {
  const input = el("input", { type: "radio", name: "rating", value: number, required: number === 1 });
  $("#stars").append(el("label", {}, input, el("span", { className: "star" }), el("span", { className: "unseen" })));
}
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => speak(button.dataset.language));
}
document.addEventListener("language", showTexts);
document.addEventListener("session", () => {
  // What is sent from now on is sent by whoever is here now.
  room.token = token;
  showAccount();
  renewAlbum().catch(tell);
});
speak(spoken());
prepareRoom();
prepareEntry({ keys: () => (user() ? [] : room.value), then: welcome });
// Only then it is known whose pictures may wait on this device.
resume()
  .catch(() => {})
  .then(() => (user() ? freshRoom() : room.setAttribute("offline", GUEST)));

/** The field for pictures; each person has a fresh one, and pictures that wait are theirs alone. */
function prepareRoom() {
  room.token = token;
  room.addEventListener("uploaded", ({ detail }) => {
    uploaded.push(detail);
    showSaved();
    complain($("#room-problem"));
    if (user()) renewAlbum().catch(tell);
  });
  room.addEventListener("change", showSaved);
}

function freshRoom() {
  const hadFocus = document.activeElement === room;
  const next = room.cloneNode(true);
  next.setAttribute("offline", user()?.id ?? GUEST);
  room.replaceWith(next);
  room = next;
  uploaded = [];
  prepareRoom();
  showSaved();
  complain($("#room-problem"));
  if (hadFocus) room.focus();
  $("#receipt").hidden = true;
}

/** What was deleted is no answer any more. */
document.addEventListener("erased", ({ detail: key }) => {
  if (room.value.includes(key)) room.value = room.value.filter((other) => other !== key);
  showSaved();
});

// --- The survey -----------------------------------------------------------------------------------

$("#stars").addEventListener("change", () => complain($("#rating-problem")));
survey.addEventListener("submit", (event) => {
  event.preventDefault();
  complain($("#problem"));
  const wrong = check();
  if (wrong) return wrong.focus();
  const answers = new FormData(survey);
  const received = { rating: Number(answers.get("rating")), room: answers.getAll("room"), note: answers.get("note") };
  $("#answers").textContent = JSON.stringify(received, null, 2);
  $("#receipt").hidden = false;
  showKeep();
  $("#receipt").focus();
});

/** Says at each question what is wrong with its answer; the first field that is wrong. */
function check() {
  const rating = survey.elements.rating;
  const isUnrated = rating.value === "";
  complain($("#rating-problem"), isUnrated ? texts().ratingMissing : "", [$("#rating-question")]);
  complain($("#room-problem"), room.validationMessage, [room]);
  return isUnrated ? rating[0] : room.validationMessage ? room : undefined;
}

/** What the check in the browser was good for. */
function showSaved() {
  const there = uploaded.filter(({ image }) => room.value.includes(image.key));
  const [before, after] = there.reduce(
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
  const until = new Date(first.image.expiresAt).toLocaleTimeString(spoken(), { timeStyle: "short" });
  $("#keep-text").textContent = texts().guestUntil(until);
}

async function showTexts() {
  showSaved();
  showKeep();
  showAccount();
  $("#stars").querySelectorAll(".unseen").forEach((name, at) => (name.textContent = texts().stars(at + 1)));
  const { limits } = await policy;
  if (survey.querySelector("[aria-invalid]")) check();
  $("#limits").textContent = texts().limits(Math.floor(limits.maxBytes / 2 ** 20));
}

// --- Who is here ----------------------------------------------------------------------------------

$("#log-in").addEventListener("click", () => openEntry(false));
$("#sign-up").addEventListener("click", () => openEntry(true));
$("#log-out").addEventListener("click", async () => {
  try {
    await logOut();
    freshRoom();
    announce(texts().loggedOut);
    $("#log-in").focus();
  } catch (error) {
    tell(error);
  }
});

function showAccount() {
  const here = user();
  $("#log-in").hidden = here !== undefined;
  $("#log-out").hidden = here === undefined;
  $("#who").hidden = here === undefined;
  $("#who").textContent = here ? (here.nickname ?? here.email) : "";
  $("#face").hidden = !here?.profileImageUrl;
  if (here?.profileImageUrl) $("#face").src = `${here.profileImageUrl}?v=thumb`;
  showKeep();
}

function welcome(kept, wanted) {
  const keys = room.value;
  // They are the account's now, and must not come back for the next guest.
  room.markSent();
  freshRoom();
  room.value = keys;
  const sentence = texts().welcome(user().nickname ?? user().email, kept, wanted);
  complain($("#problem"), kept < wanted ? sentence : "");
  announce(sentence);
  $("#album").focus();
}

// --- Trying to break it ---------------------------------------------------------------------------

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
  // Whoever waits for the network looks at once.
  if (!target.checked) window.dispatchEvent(new Event("online"));
});

// A picture that misses the target must not replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

function tell(error) {
  complain($("#problem"), error.message);
}
