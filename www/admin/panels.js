// The panels without actions: parts, totals, uploaders, requests, events.
import { request } from "./api.js";
import { $, cause, showError, count, el, renderList, moment, show, showMore, size, texts, until as endOf } from "./dom.js";
import { lookUp } from "./lookup.js";

const tiles = new Map();

export function showStatus(status) {
  // The state of the bucket is unknown while a part does not respond.
  const parts = Object.entries(status.parts).map(([part, state]) => ({ part, state })).filter(({ state }) => state !== "unknown");
  renderList($("#parts"), parts, ({ part }) => part, ({ part, state }) => {
    const works = state === "ok" || state === "bound";
    const name = el("span", "", texts().parts[part] ?? part);
    return el("li", works ? "works" : "fails", el("i", "dot"), name, el("b", "", works ? texts().works : (texts().buckets[state] ?? texts().fails)));
  });
  tiles.set("requests", status.requests ? count(status.requests.total) : "–");
  tiles.set("version", status.version);
  tiles.set("since", status.deployment ? texts().since(moment(status.deployment.since)) : "");
  showTiles();
  const areas = Object.entries(status.requests?.areas ?? {}).map(([area, sums]) => ({ area, ...sums }));
  areas.sort((one, other) => other.served + other.refused - one.served - one.refused);
  renderList($("#requests tbody"), areas, ({ area }) => area, ({ area, served, refused }) => {
    const name = el("th", "", texts().areas[area] ?? area);
    name.scope = "row";
    return el("tr", "", name, el("td", "number", count(served)), el("td", refused ? "number bad" : "number", count(refused)));
  });
}

export function showTotals({ totals }) {
  const { STORED: stored = 0, REPEATED: repeated = 0 } = totals.codes;
  const all = Object.values(totals.codes).reduce((sum, files) => sum + files, 0);
  tiles.set("stored", count(stored));
  tiles.set("refused", count(all - stored - repeated));
  tiles.set("uploaders", count(totals.uploaders));
  tiles.set("bytes", size(totals.bytesIn));
  tiles.set("kept", size(totals.bytesStored));
  showTiles();
}

function showTiles() {
  const names = ["requests", "stored", "refused", "uploaders", "bytes", "kept", "version"];
  const shown = names.map((name) => ({ name, value: tiles.get(name) ?? "–", note: name === "version" ? tiles.get("since") : "" }));
  renderList($("#tiles"), shown, ({ name }) => name, ({ name, value, note }) => {
    const tile = el("div", name, el("dt", "", texts().tiles[name]), el("dd", "", value));
    if (note) tile.append(el("dd", "note", note));
    return tile;
  });
}

export function showUploaders({ uploaders }) {
  const most = Math.max(1, ...uploaders.map(({ bytes }) => bytes));
  show($("#uploaders .empty"), uploaders.length === 0);
  renderList($("#uploaders .rows"), uploaders.map((one) => ({ ...one, most })), ({ userId }) => userId, ({ userId, count: pictures, bytes, lastAt }) => {
    const name = el("button", "link name", userId);
    name.type = "button";
    name.addEventListener("click", () => lookUp(userId));
    const share = el("progress", "share");
    Object.assign(share, { max: most, value: bytes });
    share.setAttribute("aria-hidden", "true");
    const facts = el("span", "faint", `${texts().pictures(pictures)} · ${size(bytes)} · ${moment(lastAt)}`);
    return el("li", "", el("div", "line", name, facts), share);
  });
}

let older = [];
let cursor;

/** Loads the newest events; older ones that were loaded before stay below. */
export async function loadEvents() {
  const kind = $("#event-kind").value;
  const { events, nextCursor } = await page(kind);
  if (kind !== $("#event-kind").value) return;
  if (older.length === 0) cursor = nextCursor;
  showEvents(events);
}

const page = (kind, before) => {
  const query = new URLSearchParams({ limit: "8", ...(kind && { kind }), ...(before && { cursor: before }) });
  return request("GET", `/admin/api/events?${query}`);
};

function showEvents(newest) {
  const known = new Set(newest.map(({ id }) => id));
  const all = [...newest, ...older.filter(({ id }) => !known.has(id))];
  show($("#events .empty"), all.length === 0);
  show($("#events .more"), Boolean(cursor));
  renderList($("#events .rows"), all, ({ id }) => id, ({ at, kind, subject, reason, until, detail }) => {
    const badge = el("span", `badge ${kind}`, texts().kinds[kind] ?? kind);
    const time = el("time", "faint", moment(at));
    time.dateTime = at;
    const ends = until ? ` · ${endOf(until)}` : "";
    const by = detail && kind !== "sweep" ? ` · ${cause(detail)}` : "";
    return el("li", "", el("div", "line", badge, subjectName(subject), time), el("p", "faint", `${kind === "lift" && by ? by.slice(3) : (texts().reasons[reason] ?? reason) + ends + by}`));
  });
}

/** The name of an account; the name of a user is a button that shows it. */
export function subjectName(subject) {
  if (!subject.startsWith("user:")) return el("span", "name", subject.replace(/^ip:/, ""));
  const name = el("button", "link name", subject.slice("user:".length));
  name.type = "button";
  name.addEventListener("click", () => lookUp(subject.slice("user:".length)));
  return name;
}

$("#event-kind").addEventListener("change", () => {
  [older, cursor] = [[], undefined];
  document.dispatchEvent(new Event("refresh"));
});
$("#events .more").addEventListener("click", ({ target }) => {
  showMore(target, $("#events .rows"), async () => {
    const kind = $("#event-kind").value;
    const [first, more] = await Promise.all([page(kind), page(kind, cursor)]);
    older = [...older, ...more.events];
    cursor = more.nextCursor;
    showEvents(first.events);
  }).catch((problem) => showError($("#events .problem"), problem.message));
});
