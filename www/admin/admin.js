// The administrators' page: signing in, and renewing every panel each ten seconds. It has no rules of its
// own; it shows what the API under /admin/api/ tells.
import { hasAccounts, login, logout, Problem, session, ask } from "./api.js";
import { loadBans } from "./bans.js";
import { showStats } from "./chart.js";
import { $, clock, complain, show, speak, spoken, texts, whileBusy } from "./dom.js";
import { renewFound } from "./lookup.js";
import { loadEvents, showStatus, showTotals, showUploaders } from "./panels.js";

const EVERY_MS = 10_000;
let timer;
let updatedAt;
let isStale = false;
let isPaused = false;

/** Each panel with what it asks and where it complains; one that fails leaves the others as they are. */
const panels = [
  { at: () => $("#status .problem"), load: async () => showStatus(await ask("GET", "/admin/api/status")) },
  { at: () => $("#chart-problem"), load: async () => showSums(await ask("GET", `/admin/api/stats?hours=${hours()}`)) },
  { at: () => $("#uploaders .problem"), load: async () => showUploaders(await ask("GET", `/admin/api/uploaders?hours=${hours()}&limit=10`)) },
  { at: () => $("#bans > .problem"), load: loadBans },
  { at: () => $("#events .problem"), load: loadEvents },
  { at: () => $("#find-problem"), load: renewFound, optional: true },
];
const hours = () => $("#window").value;

function showSums(stats) {
  showStats(stats);
  showTotals(stats);
}

/** Renews all panels now, and unless that is paused again in ten seconds, or later when the API says so. */
export async function renew() {
  clearTimeout(timer);
  const outcomes = await Promise.allSettled(panels.map(({ load }) => load()));
  if (!session.token) return;
  const problems = outcomes.map(({ reason }) => reason);
  const refusal = problems.find((problem) => problem?.status === 401 || problem?.code === "ROLE_NOT_ALLOWED");
  if (refusal) return enter(refusal.message);
  panels.forEach(({ at, optional }, index) => {
    if (problems[index] && !(problems[index] instanceof Problem)) console.error(problems[index]);
    if (problems[index] || !optional) complain(at(), problems[index] && (problems[index].message || texts().offline));
  });
  isStale = problems.some(Boolean);
  if (!isStale) updatedAt = new Date();
  showUpdated();
  const laterMs = Math.max(EVERY_MS, ...problems.map((problem) => (problem?.retryAfterS || 0) * 1000));
  if (!isPaused) timer = setTimeout(() => !document.hidden && renew(), laterMs);
}

function showUpdated() {
  if (!updatedAt) return;
  const said = isStale ? texts().stale(clock(updatedAt)) : texts().updated(clock(updatedAt));
  $("#updated").textContent = isPaused ? `${said} · ${texts().paused}` : said;
  $("#updated").classList.toggle("stale", isStale);
}

/** Asks who it is; with a sentence when that has just been refused. */
async function enter(sentence = "") {
  clearTimeout(timer);
  session.end();
  for (const hidden of ["#board", "#sign-out", "#who", "#sign-out-problem"]) show($(hidden), false);
  complain($("#entry-problem"), sentence);
  // Both forms at once, so that nothing moves under a pointer.
  show($("#login"), await hasAccounts());
  show($("#entry"));
  // Whoever has begun to write is left where they are.
  if (!$("#entry").contains(document.activeElement)) $("#entry input:not([hidden] *)").focus();
}

async function begin(isEntering = false) {
  show($("#entry"), false);
  complain($("#entry-problem"));
  for (const shown of ["#board", "#sign-out", "#who"]) show($(shown));
  $("#who").textContent = session.name;
  // Before anything is waited for, so that it is taken from nobody.
  if (isEntering) $("#main").focus({ preventScroll: true });
  await renew();
}

/** Tries what was entered before anything of it is kept. */
async function attempt(form, sign) {
  complain($("#entry-problem"));
  try {
    const { token, byLogin } = await sign(new FormData(form));
    session.begin(token, byLogin);
    await ask("GET", "/admin/api/status");
    form.reset();
    await begin(true);
  } catch (problem) {
    session.end();
    const isRefused = problem.status === 401 || problem.status === 403;
    complain($("#entry-problem"), problem.message, isRefused ? form.querySelectorAll("input") : []);
  }
}

function onSubmit(form, sign) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy($("button", form), () => attempt(form, sign));
  });
}

onSubmit($("#token-form"), async (fields) => ({ token: fields.get("token").trim().replace(/[^\x21-\x7e]/g, ""), byLogin: false }));
onSubmit($("#login"), async (fields) => ({ token: (await login(fields.get("email"), fields.get("password"))).accessToken, byLogin: true }));
$("#sign-out").addEventListener("click", async () => {
  try {
    await logout();
    enter();
  } catch (problem) {
    complain($("#sign-out-problem"), texts().notSignedOut(problem.message));
  }
});
$("#window").addEventListener("change", renew);
$("#pause").addEventListener("click", ({ target }) => {
  isPaused = !isPaused;
  target.dataset.text = isPaused ? "resume" : "pause";
  target.textContent = texts()[target.dataset.text];
  clearTimeout(timer);
  if (isPaused) showUpdated();
  else renew();
});
document.addEventListener("renew", renew);
document.addEventListener("visibilitychange", () => !document.hidden && !isPaused && session.token && renew());
document.addEventListener("language", () => {
  showUpdated();
  if (!$("#board").hidden) renew();
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => speak(button.dataset.language));
}

speak(spoken());
if (session.token) begin();
else enter();
