// Bans: listing, adding, ending. The database has a ban some seconds after the ledger, so a new ban is shown until the list contains it.
import { request } from "./api.js";
import { $, announce, cause, showError, el, renderList, removeRow, show, texts, until, whileBusy } from "./dom.js";
import { subjectName } from "./panels.js";

const PENDING_MS = 30_000;
const pending = new Map();

export async function loadBans() {
  const { bans } = await request("GET", "/admin/api/bans");
  for (const { account } of bans) pending.delete(account);
  for (const [account, { atMs }] of pending) if (Date.now() - atMs > PENDING_MS) pending.delete(account);
  showBans([...[...pending.values()].map(({ ban }) => ban), ...bans]);
}

function showBans(bans) {
  show($("#bans > .empty"), bans.length === 0);
  renderList($("#bans .rows"), bans, ({ account }) => account, ({ account, bannedUntil, reason, detail }) => {
    const button = el("button", "quiet", texts().lift);
    button.type = "button";
    button.setAttribute("aria-label", texts().liftLabel(account));
    button.addEventListener("click", () => whileBusy(button, () => unban(account, button)));
    const facts = [texts().reasons[reason] ?? reason, until(bannedUntil), cause(detail)].filter(Boolean);
    return el("li", "with-button", el("div", "", el("div", "line", subjectName(account)), el("p", "faint", facts.join(" · "))), button);
  });
}

async function unban(account, button) {
  try {
    await request("DELETE", `/admin/api/bans/${encodeURIComponent(account)}`);
    pending.delete(account);
    announce(texts().lifted(account));
    removeRow(button.closest("li"));
    document.dispatchEvent(new Event("refresh"));
  } catch (problem) {
    showError($("#bans > .problem"), problem.message);
  }
}

/** Opens the form, filled in with an account. */
export function proposeBan(kind, account) {
  $("#ban-details").open = true;
  $("#ban [name=kind]").value = kind;
  $("#ban [name=account]").value = account;
  $("#ban [name=reason]").focus();
}

$("#ban").addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy($("#ban button"), () => ban(event.target));
});

async function ban(form) {
  const fields = new FormData(form);
  const account = `${fields.get("kind")}:${fields.get("account").trim()}`;
  const duration = fields.get("seconds") === "permanent" ? { permanent: true } : { seconds: Number(fields.get("seconds")) };
  const wanted = { account, ...duration, reason: fields.get("reason") };
  try {
    const ban = await request("POST", "/admin/api/bans", wanted);
    pending.set(ban.account, { ban, atMs: Date.now() });
    form.reset();
    $("#ban-details").open = false;
    $("#ban-details summary").focus();
    showError($("#ban-problem"));
    announce(texts().banned(ban.account));
    document.dispatchEvent(new Event("refresh"));
  } catch (problem) {
    showError($("#ban-problem"), problem.message, problem.status === 400 ? [form.elements.account] : []);
  }
}
