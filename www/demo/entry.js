// The dialog in which people sign up or log in.
import { Refusal } from "../preflight/index.js";
import { $, announce, el, showError, texts, whileBusy } from "./page.js";
import { logIn, providers, signInAt, signUp } from "./session.js";

const dialog = $("#entry");
const form = $("#entry-form");
/** The fields that each refusal is about. */
const FIELDS = { CREDENTIALS_INVALID: ["email", "password"], EMAIL_TAKEN: ["email"], PASSWORD_COMMON: ["password"] };
let isNew = false;
let keysOf = () => [];
let onEntered = () => {};

/** `keys` returns the pictures that a guest would like to keep; `onEntered` gets how many of how many were kept. */
export function prepareEntry(options) {
  keysOf = options.keys;
  onEntered = options.onEntered;
}

export function openEntry(asNew) {
  form.reset();
  show(asNew);
  showProviders();
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
  $("#forgotten").hidden = asNew;
  form.elements.password.autocomplete = asNew ? "new-password" : "current-password";
  showError($("#entry-problem"));
}

/** Shows a button for each provider that is configured. */
async function showProviders() {
  const group = $("#providers");
  // Without built-in accounts there are none, and without a network there is no sign-in at all.
  const found = await providers().catch(() => []);
  group.replaceChildren(
    ...found.map((provider) => el("button", { type: "button", textContent: texts().signInAt(provider.title), onclick: () => signInAt(provider) })),
  );
  group.setAttribute("aria-label", texts().providers);
  group.hidden = found.length === 0;
}

$("#entry-other").addEventListener("click", () => show(!isNew));
$("#entry-close").addEventListener("click", () => dialog.close());

form.addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy($("#entry-go"), enter);
});

async function enter() {
  const invalid = [...form.elements].find((field) => field.willValidate && !field.validity.valid);
  if (invalid) return showInvalid(invalid.name === "email" ? texts().emailWrong : texts().passwordWrong, [invalid.name]);
  const { email, password, nickname } = Object.fromEntries(new FormData(form));
  const keys = keysOf();
  const showProgress = (progress) => ($("#entry-state").textContent = texts().checkingBrowser(Math.round(100 * progress)));
  try {
    const kept = isNew
      ? await signUp({ email, password, ...(nickname && { nickname }) }, keys, showProgress)
      : await logIn({ email, password }, keys, showProgress);
    if (kept === undefined) {
      // The account is made by the link in the mail.
      show(false);
      $("#entry-hint").textContent = texts().signUpPending;
      return announce(texts().signUpPending);
    }
    dialog.close();
    onEntered(kept, keys.length);
  } catch (error) {
    const isRefusal = error instanceof Refusal;
    showInvalid(isRefusal ? error.message : texts().offline, (isRefusal && FIELDS[error.code]) || []);
  } finally {
    $("#entry-state").textContent = "";
  }
}

/** Shows what is wrong, and moves the focus to the first of the fields. */
function showInvalid(sentence, names) {
  const fields = names.map((name) => form.elements[name]);
  showError($("#entry-problem"), sentence, fields);
  fields[0]?.focus();
}
