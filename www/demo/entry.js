// The dialog in which people sign up or log in.
import { Refusal } from "../preflight/index.js";
import { $, complain, texts, whileBusy } from "./page.js";
import { logIn, signUp } from "./session.js";

const dialog = $("#entry");
const form = $("#entry-form");
/** The fields that a refusal is about. */
const FIELDS = { CREDENTIALS_INVALID: ["email", "password"], EMAIL_TAKEN: ["email"] };
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
  complain($("#entry-problem"));
}

$("#entry-other").addEventListener("click", () => show(!isNew));
$("#entry-close").addEventListener("click", () => dialog.close());

form.addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy($("#entry-go"), enter);
});

async function enter() {
  const wrong = [...form.elements].find((field) => field.willValidate && !field.validity.valid);
  if (wrong) return refuse(wrong.name === "email" ? texts().emailWrong : texts().passwordWrong, [wrong.name]);
  const { email, password, nickname } = Object.fromEntries(new FormData(form));
  const keys = keysOf();
  try {
    const kept = isNew
      ? await signUp({ email, password, ...(nickname && { nickname }) }, keys)
      : await logIn({ email, password }, keys);
    dialog.close();
    entered(kept, keys.length);
  } catch (error) {
    const isRefusal = error instanceof Refusal;
    refuse(isRefusal ? error.message : texts().offline, (isRefusal && FIELDS[error.code]) || []);
  }
}

/** Says what is wrong, and goes to the field to mend. */
function refuse(sentence, names) {
  const fields = names.map((name) => form.elements[name]);
  complain($("#entry-problem"), sentence, fields);
  fields[0]?.focus();
}
