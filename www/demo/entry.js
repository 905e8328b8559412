// The dialog in which people sign up or log in.
import { Refusal } from "../preflight/index.js";
import { $, texts } from "./page.js";
import { logIn, signUp } from "./session.js";

const dialog = $("#entry");
const form = $("#entry-form");
let isNew = false;
let keysOf = () => [];
let entered = () => {};

/** `keys` tells which pictures a guest would like to keep; `then` hears how many of how many were kept. */
export function prepareEntry({ keys, then }) {
  keysOf = keys;
  entered = then;
}

export function openEntry(asNew) {
  form.reset();
  show(asNew);
  dialog.showModal();
  form.elements.email.focus();
}

function show(asNew) {
  isNew = asNew;
  $("#entry-title").textContent = asNew ? texts().signUp : texts().logIn;
  $("#entry-go").textContent = asNew ? texts().signUp : texts().logIn;
  $("#entry-other").textContent = asNew ? texts().haveAccount : texts().noAccount;
  $("#entry-hint").textContent = keysOf().length > 0 ? texts().entryKeeps(keysOf().length) : "";
  $("#nickname").hidden = !asNew;
  form.elements.password.autocomplete = asNew ? "new-password" : "current-password";
  $("#entry-problem").textContent = "";
}

$("#entry-other").addEventListener("click", () => show(!isNew));
$("#entry-close").addEventListener("click", () => dialog.close());

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const wrong = [...form.elements].find((field) => field.willValidate && !field.validity.valid);
  if (wrong) {
    wrong.focus();
    $("#entry-problem").textContent = wrong.name === "email" ? texts().emailWrong : texts().passwordWrong;
    return;
  }
  const { email, password, nickname } = Object.fromEntries(new FormData(form));
  const keys = keysOf();
  busy(true);
  try {
    const kept = isNew
      ? await signUp({ email, password, ...(nickname && { nickname }) }, keys)
      : await logIn({ email, password }, keys);
    dialog.close();
    entered(kept, keys.length);
  } catch (error) {
    $("#entry-problem").textContent = error instanceof Refusal ? error.message : texts().offline;
  } finally {
    busy(false);
  }
});

function busy(isBusy) {
  form.setAttribute("aria-busy", String(isBusy));
  $("#entry-go").disabled = isBusy;
}
