// The page that links in mails open. A link does nothing until the person presses the button: programs that look into mails
// open links, too. What stands behind `#` is sent to no server.
import { showError, whileBusy } from "../dom.js";
import { $, localize } from "../language.js";
import { TEXTS } from "./texts.js";

const { currentLanguage, texts, setLanguage } = localize(TEXTS);
const form = $("#form");
/** By what stands behind `#`: the texts, where the request goes, and the fields. */
const STEPS = {
  "sign-up": { name: "signUp", path: "/auth/verify-email", fields: ["password"] },
  verify: { name: "verify", path: "/auth/verify-email", fields: [] },
  reset: { name: "reset", path: "/auth/password-reset/confirm", fields: ["password"] },
  forgotten: { name: "forgotten", path: "/auth/password-reset", fields: ["email"] },
};
let step;
let token;
let isDone = false;

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}
document.addEventListener("language", show);
window.addEventListener("hashchange", start);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy($("#go"), send);
});
start();

function start() {
  const [kind, given] = location.hash.slice(1).split("=");
  // The token must not stay in the history of the browser.
  if (given) history.replaceState(null, "", location.pathname);
  step = Object.hasOwn(STEPS, kind) && (given || kind === "forgotten") ? STEPS[kind] : undefined;
  token = given;
  isDone = false;
  form.reset();
  showError($("#problem"));
  setLanguage(currentLanguage());
}

function show() {
  const words = step ? texts()[step.name] : texts().none;
  $("#title").textContent = isDone ? words.done : words.title;
  $("#lead").textContent = isDone ? words.doneLead : words.lead;
  $("#go").textContent = words.go ?? "";
  form.hidden = !step || isDone;
  for (const name of ["email", "password"]) $(`#${name}-field`).hidden = !step?.fields.includes(name);
  $("#next").hidden = !isDone;
  $("#again").hidden = step !== undefined;
  // A sign-up has no account yet that could get a new link.
  $("#again a").hidden = step === STEPS["sign-up"];
  $("#sign-up").hidden = step !== STEPS["sign-up"];
}

async function send() {
  for (const name of step.fields) {
    const field = form.elements[name];
    if (!field.validity.valid) return showInvalid(texts()[`${name}Wrong`], field);
  }
  const fields = Object.fromEntries(step.fields.map((name) => [name, form.elements[name].value]));
  const headers = { "Content-Type": "application/json", "Accept-Language": currentLanguage() };
  try {
    const answer = await fetch(step.path, { method: "POST", headers, body: JSON.stringify({ ...(token && { token }), ...fields }) });
    if (!answer.ok) {
      const { detail = texts().offline, code } = await answer.json().catch(() => ({}));
      $("#again").hidden = code !== "LINK_INVALID";
      return showInvalid(detail, code === "LINK_INVALID" ? undefined : form.elements[step.fields[0]]);
    }
  } catch {
    return showInvalid(texts().offline);
  }
  isDone = true;
  show();
  $("#title").focus();
}

/** Shows what is wrong, and moves the focus to the field. */
function showInvalid(sentence, field) {
  showError($("#problem"), sentence, field ? [field] : []);
  field?.focus();
}
