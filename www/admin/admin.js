// The administrators' page: signing in, and refreshing all panels every ten seconds from the API under /admin/api/.
import { hasAccounts, login, logout, Problem, session, request } from "./api.js";
import { loadBans } from "./bans.js";
import { showStats } from "./chart.js";
import { $, clock, showError, show, setLanguage, currentLanguage, texts, whileBusy } from "./dom.js";
import { loadForms } from "./forms.js";
import { refreshFound } from "./lookup.js";
import { loadQueue } from "./review.js";
import { loadEvents, showStatus, showTotals, showUploaders } from "./panels.js";
import { loadWebhooks } from "./webhooks.js";

const INTERVAL_MS = 10_000;
let timer;
let updatedAt;
let isStale = false;
let isPaused = false;

/** Each panel: how it is loaded, and where its error is shown. A panel that fails does not affect the others. */
const panels = [
  { place: () => $("#status .problem"), load: async () => showStatus(await request("GET", "/admin/api/status")) },
  { place: () => $("#chart-problem"), load: async () => showSeries(await request("GET", `/admin/api/stats?hours=${hours()}`)) },
  { place: () => $("#uploaders .problem"), load: async () => showUploaders(await request("GET", `/admin/api/uploaders?hours=${hours()}&limit=10`)) },
  { place: () => $("#review .problem"), load: loadQueue },
  { place: () => $("#bans > .problem"), load: loadBans },
  { place: () => $("#events .problem"), load: loadEvents },
  { place: () => $("#forms > .problem"), load: loadForms },
  { place: () => $("#webhooks-problem"), load: loadWebhooks },
  { place: () => $("#find-problem"), load: refreshFound, optional: true },
];
const hours = () => $("#window").value;

function showSeries(stats) {
  showStats(stats);
  showTotals(stats);
}

/** Refreshes all panels now and, unless paused, again after ten seconds, or later when the API says so. */
export async function refresh() {
  clearTimeout(timer);
  const outcomes = await Promise.allSettled(panels.map(({ load }) => load()));
  if (!session.token) return;
  const problems = outcomes.map(({ reason }) => reason);
  const refusal = problems.find((problem) => problem?.status === 401 || problem?.code === "ROLE_NOT_ALLOWED");
  if (refusal) return showSignIn(refusal.message);
  panels.forEach(({ place, optional }, index) => {
    if (problems[index] && !(problems[index] instanceof Problem)) console.error(problems[index]);
    if (problems[index] || !optional) showError(place(), problems[index] && (problems[index].message || texts().offline));
  });
  isStale = problems.some(Boolean);
  if (!isStale) updatedAt = new Date();
  showUpdated();
  const laterMs = Math.max(INTERVAL_MS, ...problems.map((problem) => (problem?.retryAfterS || 0) * 1000));
  if (!isPaused) timer = setTimeout(() => !document.hidden && refresh(), laterMs);
}

function showUpdated() {
  if (!updatedAt) return;
  const text = isStale ? texts().stale(clock(updatedAt)) : texts().updated(clock(updatedAt));
  $("#updated").textContent = isPaused ? `${text} · ${texts().paused}` : text;
  $("#updated").classList.toggle("stale", isStale);
}

/** Shows the sign-in form, with an error when the session was refused. */
async function showSignIn(sentence = "") {
  clearTimeout(timer);
  session.end();
  for (const hidden of ["#board", "#sign-out", "#who", "#sign-out-problem"]) show($(hidden), false);
  showError($("#entry-problem"), sentence);
  // Both forms appear at once, so that nothing moves under a pointer.
  show($("#login"), await hasAccounts());
  show($("#entry"));
  // A person who has started to type keeps the focus.
  if (!$("#entry").contains(document.activeElement)) $("#entry input:not([hidden] *)").focus();
}

async function showBoard(hasSignedIn = false) {
  show($("#entry"), false);
  showError($("#entry-problem"));
  for (const shown of ["#board", "#sign-out", "#who"]) show($(shown));
  $("#who").textContent = session.name;
  // Before anything is awaited, so that it does not take the focus from another control.
  if (hasSignedIn) $("#main").focus({ preventScroll: true });
  await refresh();
}

/** Tries the token before the form is closed. */
async function signIn(form, tokenFrom) {
  showError($("#entry-problem"));
  try {
    const { token, byLogin } = await tokenFrom(new FormData(form));
    session.begin(token, byLogin);
    await request("GET", "/admin/api/status");
    form.reset();
    await showBoard(true);
  } catch (problem) {
    session.end();
    const isRefused = problem.status === 401 || problem.status === 403;
    showError($("#entry-problem"), problem.message, isRefused ? form.querySelectorAll("input") : []);
  }
}

function onSubmit(form, tokenFrom) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy($("button", form), () => signIn(form, tokenFrom));
  });
}

onSubmit($("#token-form"), async (fields) => ({ token: fields.get("token").trim().replace(/[^\x21-\x7e]/g, ""), byLogin: false }));
onSubmit($("#login"), async (fields) => ({ token: (await login(fields.get("email"), fields.get("password"))).accessToken, byLogin: true }));
$("#sign-out").addEventListener("click", async () => {
  try {
    await logout();
    showSignIn();
  } catch (problem) {
    showError($("#sign-out-problem"), texts().notSignedOut(problem.message));
  }
});
$("#window").addEventListener("change", refresh);
$("#pause").addEventListener("click", ({ target }) => {
  isPaused = !isPaused;
  target.dataset.text = isPaused ? "resume" : "pause";
  target.textContent = texts()[target.dataset.text];
  clearTimeout(timer);
  if (isPaused) showUpdated();
  else refresh();
});
document.addEventListener("refresh", refresh);
document.addEventListener("visibilitychange", () => !document.hidden && !isPaused && session.token && refresh());
document.addEventListener("language", () => {
  showUpdated();
  if (!$("#board").hidden) refresh();
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}

setLanguage(currentLanguage());
if (session.token) showBoard();
else showSignIn();
