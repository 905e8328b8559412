// The dialog in which people change their password.
import { Refusal } from "../preflight/index.js";
import { $, announce, showError, texts, whileBusy } from "./page.js";
import { changePassword, user } from "./session.js";

const dialog = $("#secret");
const form = $("#secret-form");
/** The field that each refusal is about. */
const FIELDS = { CREDENTIALS_INVALID: "oldPassword", PASSWORD_COMMON: "newPassword" };

$("#change-password").addEventListener("click", () => {
  form.reset();
  showError($("#secret-problem"));
  // Password managers store the new password under this name.
  form.elements.email.value = user().email;
  dialog.showModal();
  form.elements.oldPassword.focus();
});
$("#secret-close").addEventListener("click", () => dialog.close());

form.addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy($("#secret-go"), change);
});

async function change() {
  const { oldPassword, newPassword } = form.elements;
  if (!oldPassword.validity.valid) return showInvalid(texts().oldMissing, oldPassword);
  if (!newPassword.validity.valid) return showInvalid(texts().passwordWrong, newPassword);
  try {
    const { endedSessions } = await changePassword(oldPassword.value, newPassword.value);
    dialog.close();
    announce(texts().passwordChanged(endedSessions));
  } catch (error) {
    if (!(error instanceof Refusal)) return showInvalid(texts().offline);
    const sentence = error.code === "CREDENTIALS_INVALID" ? texts().oldWrong : error.message;
    showInvalid(sentence, form.elements[FIELDS[error.code]]);
  }
}

/** Shows what is wrong, and moves the focus to the field. */
function showInvalid(sentence, field) {
  showError($("#secret-problem"), sentence, field ? [field] : []);
  field?.focus();
}
