// The endpoint of the back end and the events that it has not taken: listing, sending again, and a test event.
import { request } from "./api.js";
import { $, announce, count, el, moment, renderList, removeRow, show, showError, texts, whileBusy } from "./dom.js";
import { subjectName } from "./panels.js";

const problem = $("#webhook-action-problem");

export async function loadWebhooks() {
  showWebhooks(await request("GET", "/admin/api/webhooks?limit=20"));
}

function showWebhooks({ endpoint, failed, dead, events }) {
  const { state, host, failures, failingSince, lastError, nextAttemptAt } = endpoint;
  const badge = $("#endpoint-state");
  badge.textContent = texts().endpointStates[state];
  badge.className = `badge ${{ works: "lift", failing: "warn", stopped: "ban", off: "" }[state]}`;
  const trouble = failingSince && [texts().failuresSince(count(failures), moment(failingSince)), lastError, nextAttemptAt && texts().nextAttempt(moment(nextAttemptAt))];
  const facts = state === "off" ? [texts().webhooksOff] : [host, ...(trouble || []), state === "stopped" && texts().stoppedNote];
  $("#endpoint").textContent = facts.filter(Boolean).join(" · ");
  $("#undelivered").textContent = texts().undelivered(count(failed), count(dead));
  show($("#undelivered"), failed + dead > 0);
  show($("#webhook-actions"), state !== "off");
  show($("#resend-all"), failed + dead > 0);
  show($("#webhooks .empty"), state !== "off" && events.length === 0);
  renderList($("#webhooks .rows"), events, ({ id }) => id, (event) => {
    const { type, state: of, account, key, tries, lastError: error, lastFailedAt, nextAttemptAt: next } = event;
    const button = el("button", "quiet", texts().resend);
    button.type = "button";
    button.setAttribute("aria-label", texts().resendLabel(type, moment(lastFailedAt)));
    button.addEventListener("click", () => whileBusy(button, () => resend(event, button)));
    const line = el("div", "line", el("span", `badge ${of === "dead" ? "ban" : "warn"}`, type), subjectName(account));
    const then = of === "dead" ? texts().givenUp : next && texts().nextAttempt(moment(next));
    const facts = [error, texts().attempts(tries), moment(lastFailedAt), then].filter(Boolean).join(" · ");
    const parts = [line, el("p", "faint", facts)];
    if (key) parts.push(el("p", "faint name", key));
    return el("li", "with-button", el("div", "", ...parts), button);
  });
}

async function resend({ id, type }, button) {
  await act(async () => {
    await request("POST", "/admin/api/webhooks/resend", { ids: [id] });
    announce(texts().resent(type));
    removeRow(button.closest("li"));
  });
}

/** Runs an action and refreshes. A problem is shown until the next one succeeds. */
async function act(action) {
  try {
    await action();
    showError(problem);
    document.dispatchEvent(new Event("refresh"));
  } catch (error) {
    showError(problem, error.message);
  }
}

$("#resend-all").addEventListener("click", ({ target }) => whileBusy(target, () => act(async () => {
  const { resent } = await request("POST", "/admin/api/webhooks/resend", {});
  announce(texts().resentAll(count(resent)));
  // The button disappears with the last event.
  $("#webhooks-title").focus();
})));
$("#ping").addEventListener("click", ({ target }) => whileBusy(target, () => act(async () => {
  const { delivered, error, tookMs } = await request("POST", "/admin/api/webhooks/ping", {});
  const sentence = delivered ? texts().pinged(count(tookMs)) : texts().notPinged(error);
  $("#ping-outcome").textContent = sentence;
  show($("#ping-outcome"));
  announce(sentence);
})));
