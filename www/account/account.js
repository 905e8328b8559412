// The page that links in mails open, and sign-ins at providers that need a password or have failed. A link does nothing until
// the person presses the button: programs that look into mails open links, too. What stands behind `#` is sent to no server.
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
  link: { name: "link", path: "/auth/sign-in/link", fields: ["password"] },
  take: { name: "take", path: "/auth/sign-in/link", fields: ["password"] },
  forgotten: { name: "forgotten", path: "/auth/password-reset", fields: ["email"] },
  failed: { name: "failed" },
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
  whileBusy($("#go"), () => send(step.fields));
});
$("#without").addEventListener("click", () => whileBusy($("#without"), () => send([])));
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
  if (step === STEPS.failed) offerToStartAgain();
}

/** Shows the way back to the page that people sign in from. Only the service knows it, from its list. */
async function offerToStartAgain() {
  const link = $("#next a");
  try {
    link.href = (await (await fetch("/auth/sign-in")).json()).data.returnUrl ?? "/";
  } catch {
    link.href = "/";
  }
  $("#next").hidden = false;
}

function show() {
  const words = step ? texts()[step.name] : texts().none;
  const why = step === STEPS.failed && Object.hasOwn(words.codes, token) && words.codes[token];
  $("#title").textContent = isDone ? words.done : words.title;
  $("#lead").textContent = isDone ? words.doneLead : why || words.lead;
  $("#go").textContent = words.go ?? "";
  if (words.password) $("#password-field span").textContent = words.password;
  form.elements.password.autocomplete = words.password ? "current-password" : "new-password";
  $("#without").textContent = words.without ?? "";
  $("#without").hidden = !words.without;
  form.hidden = !step?.path || isDone;
  for (const name of ["email", "password"]) $(`#${name}-field`).hidden = !step?.fields?.includes(name);
  if (step !== STEPS.failed) $("#next").hidden = !isDone;
  $("#next a").textContent = words.next ?? texts().next;
  $("#again").hidden = step !== undefined;
  // A sign-up has no account yet that could get a new link.
  $("#again a").hidden = step === STEPS["sign-up"];
  $("#sign-up").hidden = step !== STEPS["sign-up"];
}

async function send(names) {
  for (const name of names) {
    const field = form.elements[name];
    if (!field.validity.valid) return showInvalid(texts()[`${name}Wrong`], field);
  }
  const fields = Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
  const headers = { "Content-Type": "application/json", "Accept-Language": currentLanguage() };
  try {
    const answer = await fetch(step.path, { method: "POST", headers, body: JSON.stringify({ ...(token && { token }), ...fields }) });
    if (!answer.ok) {
      const { detail = texts().offline, code } = await answer.json().catch(() => ({}));
      $("#again").hidden = code !== "LINK_INVALID";
      return showInvalid(detail, code === "LINK_INVALID" ? undefined : form.elements[step.fields[0]]);
    }
    const { returnUrl } = (await answer.json()).data;
    // Only the service knows it, from its list.
    if (returnUrl) return location.assign(returnUrl);
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
