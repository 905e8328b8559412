// Bans: listing, lifting, adding. The registry hears of a ban a moment after the ledger, so one that was
// just made is shown until the list has it.
import { ask } from "./api.js";
import { $, announce, cause, complain, el, fill, moment, removeRow, show, texts, whileBusy } from "./dom.js";
import { subjectName } from "./panels.js";

const PATIENCE_MS = 30_000;
const fresh = new Map();

export async function loadBans() {
  const { bans } = await ask("GET", "/admin/api/bans");
  for (const { account } of bans) fresh.delete(account);
  for (const [account, { atMs }] of fresh) if (Date.now() - atMs > PATIENCE_MS) fresh.delete(account);
  showBans([...[...fresh.values()].map(({ ban }) => ban), ...bans]);
}

function showBans(bans) {
  show($("#bans > .empty"), bans.length === 0);
  fill($("#bans .rows"), bans, ({ account }) => account, ({ account, bannedUntil, reason, detail }) => {
    const lift = el("button", "quiet", texts().lift);
    lift.type = "button";
    lift.setAttribute("aria-label", texts().liftLabel(account));
    lift.addEventListener("click", () => whileBusy(lift, () => liftBan(account, lift)));
    const facts = [texts().reasons[reason] ?? reason, texts().until(moment(bannedUntil)), cause(detail)].filter(Boolean);
    return el("li", "with-button", el("div", "", el("div", "line", subjectName(account)), el("p", "faint", facts.join(" · "))), lift);
  });
}

async function liftBan(account, button) {
  try {
    await ask("DELETE", `/admin/api/bans/${encodeURIComponent(account)}`);
    fresh.delete(account);
    announce(texts().lifted(account));
    removeRow(button.closest("li"));
    document.dispatchEvent(new Event("renew"));
  } catch (problem) {
    complain($("#bans > .problem"), problem.message);
  }
}

/** Opens the form with an account in it. */
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
  const wanted = { account, seconds: Number(fields.get("seconds")), reason: fields.get("reason") };
  try {
    const ban = await ask("POST", "/admin/api/bans", wanted);
    fresh.set(ban.account, { ban, atMs: Date.now() });
    form.reset();
    $("#ban-details").open = false;
    $("#ban-details summary").focus();
    complain($("#ban-problem"));
    announce(texts().banned(ban.account));
    document.dispatchEvent(new Event("renew"));
  } catch (problem) {
    complain($("#ban-problem"), problem.message, problem.status === 400 ? [form.elements.account] : []);
  }
}
