// The sessions of the user who is looked up: listing and ending them.
import { request } from "./api.js";
import { $, announce, el, moment, removeRow, renderList, show, showError, texts, whileBusy } from "./dom.js";

let shown;
const path = (user) => `/admin/api/users/${encodeURIComponent(user)}/sessions`;

export const loadSessions = async (user) => (await request("GET", path(user))).sessions;

export function showSessions(user, sessions) {
  shown = user;
  show($("#sessions .empty"), sessions.length === 0);
  show($("#end-sessions"), sessions.length > 0);
  renderList($("#sessions .rows"), sessions, ({ id }) => id, (session) => {
    const { userAgent, createdAt, usedAt, current } = session;
    const button = el("button", "quiet", texts().endSession);
    button.type = "button";
    button.setAttribute("aria-label", texts().endSessionLabel(moment(createdAt)));
    button.addEventListener("click", () => whileBusy(button, () => end(session, button)));
    const facts = [texts().signedIn(moment(createdAt)), texts().lastUsed(moment(usedAt)), current && texts().thisSession];
    const client = el("p", "client", userAgent ?? texts().unknownBrowser);
    return el("li", "with-button", el("div", "", client, el("p", "faint", facts.filter(Boolean).join(" · "))), button);
  });
}

async function end({ id, createdAt }, button) {
  try {
    await request("DELETE", `${path(shown)}/${id}`);
    announce(texts().sessionEnded(moment(createdAt)));
    showError($("#sessions .problem"));
    removeRow(button.closest("li"));
    document.dispatchEvent(new Event("refresh"));
  } catch (problem) {
    showError($("#sessions .problem"), problem.message);
  }
}

async function endAll() {
  try {
    const { ended } = await request("DELETE", path(shown));
    announce(texts().sessionsEnded(ended));
    showError($("#sessions .problem"));
    // The button disappears with the last session.
    $("#sessions-title").focus();
    showSessions(shown, []);
    document.dispatchEvent(new Event("refresh"));
  } catch (problem) {
    showError($("#sessions .problem"), problem.message);
  }
}

$("#end-sessions").addEventListener("click", ({ target }) => whileBusy(target, endAll));
