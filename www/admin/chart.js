// Files over time as stacked bars, with a table of the same numbers. Colours are classes of the style sheet, for light and dark; no meaning depends on
// colour alone.
import { $, count, el, renderList, moment, show, size, currentLanguage, texts } from "./dom.js";
import { codeName } from "./texts.js";

const HEIGHT = 190;
const TOP = 12;
const BOTTOM = 24;
const LEFT = 40;
/** The number of refusals with their own colour; the others share one. */
const OWN_COLOURS = 5;
const HOURS_IN_BAR = { 24: 1, 168: 6, 720: 24 };

let stats;
let chosen;

/** Shows the numbers; the chosen bar stays chosen. */
export function showStats(data) {
  stats = data;
  draw();
}

/** The bars, each of one or more hours. */
function bars() {
  const step = HOURS_IN_BAR[stats.hours] ?? 1;
  const found = [];
  for (let at = 0; at < stats.series.length; at += step) {
    const hours = stats.series.slice(at, at + step);
    const bar = { hour: hours[0].hour, codes: {}, bytesIn: 0, bytesStored: 0 };
    for (const hour of hours) {
      for (const [code, files] of Object.entries(hour.codes)) bar.codes[code] = (bar.codes[code] ?? 0) + files;
      bar.bytesIn += hour.bytesIn;
      bar.bytesStored += hour.bytesStored;
    }
    found.push(bar);
  }
  return found;
}

/** The codes in stacking order: successes, then refusals, the most frequent first. */
function stack() {
  const frequent = (one, other) => stats.totals.codes[other] - stats.totals.codes[one] || one.localeCompare(other);
  const refusals = Object.keys(stats.totals.codes).filter((code) => code !== "STORED" && code !== "REPEATED").sort(frequent);
  return [...["STORED", "REPEATED"].filter((code) => stats.totals.codes[code]), ...refusals];
}

function colour(code, codes) {
  if (code === "STORED" || code === "REPEATED") return code.toLowerCase();
  const at = codes.filter((it) => it !== "STORED" && it !== "REPEATED").indexOf(code);
  return at < OWN_COLOURS ? `refusal-${at + 1}` : "refusal-other";
}

function draw() {
  if (!stats) return;
  const [all, codes] = [bars(), stack()];
  const total = (bar) => Object.values(bar.codes).reduce((sum, files) => sum + files, 0);
  const refused = total(stats.totals) - (stats.totals.codes.STORED ?? 0) - (stats.totals.codes.REPEATED ?? 0);
  $("#chart").setAttribute("aria-label", texts().chartLabel(count(stats.totals.codes.STORED ?? 0), count(refused)));
  renderList($("#legend"), codes.map((code) => ({ code, files: stats.totals.codes[code], colour: colour(code, codes) })), ({ code }) => code, ({ code, files, colour }) => {
    return el("li", "", el("i", `swatch ${colour}`), codeName(code, currentLanguage()), el("b", "", count(files)));
  });
  show($("#legend"), codes.length > 0);
  $("#chart").replaceChildren(picture(all, codes, total));
  read(all, codes);
  drawTable(all, codes);
}

function svg(name, attributes, ...content) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

/** The top of the axis: the smallest of 2, 4, 6, 8, 10, 20, 40 … that is large enough; its half is a whole number. */
function ceiling(most) {
  for (let ten = 1; ; ten *= 10) for (const step of [2, 4, 6, 8, 10]) if (step * ten >= most) return step * ten;
}

function picture(all, codes, total) {
  const width = Math.max(260, $("#chart").clientWidth);
  const top = ceiling(Math.max(2, ...all.map(total)));
  const y = (files) => HEIGHT - BOTTOM - (files / top) * (HEIGHT - TOP - BOTTOM);
  const slot = (width - LEFT) / all.length;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true" });
  for (const files of [0, top / 2, top]) {
    drawing.append(svg("line", { class: "grid", x1: LEFT, x2: width, y1: y(files), y2: y(files) }));
    drawing.append(svg("text", { x: LEFT - 8, y: y(files) + 4, "text-anchor": "end" }, count(files)));
  }
  const every = Math.ceil(all.length / Math.max(2, Math.floor(width / 110)));
  all.forEach((bar, at) => {
    const x = LEFT + at * slot;
    const group = svg("g", { class: at === chosen ? "bar chosen" : "bar", "data-at": at });
    group.append(svg("rect", { class: "slot", x, y: 0, width: slot, height: HEIGHT - BOTTOM }));
    let below = 0;
    for (const code of codes.filter((code) => bar.codes[code])) {
      const [low, high] = [y(below), y((below += bar.codes[code]))];
      group.append(svg("rect", { class: colour(code, codes), x: x + slot * 0.14, width: slot * 0.72, y: high, height: Math.max(1, low - high), rx: 1.5 }));
    }
    drawing.append(group);
    if (at % every === 0 && x + 50 < width) drawing.append(svg("text", { x: x + 2, y: HEIGHT - 6 }, label(bar.hour)));
  });
  if (codes.length === 0) drawing.append(svg("text", { class: "none", x: LEFT + (width - LEFT) / 2, y: HEIGHT / 2 - 4, "text-anchor": "middle" }, texts().noFiles));
  return drawing;
}

const label = (hour) => {
  const options = stats.hours === 24 ? { hour: "numeric" } : { month: "numeric", day: "numeric" };
  return new Intl.DateTimeFormat(currentLanguage(), options).format(new Date(hour));
};

/** Describes the chosen bar to screen readers. */
function read(all, codes) {
  const bar = all[chosen];
  const parts = bar && codes.filter((code) => bar.codes[code]).map((code) => `${codeName(code, currentLanguage())} ${count(bar.codes[code])}`);
  const sentence = bar ? `${moment(bar.hour)} · ${parts.join(" · ") || "0"}` : "";
  if ($("#readout").textContent !== sentence) $("#readout").textContent = sentence;
}

function drawTable(all, codes) {
  const head = el("tr", "", ...[texts().time, ...codes.map((code) => codeName(code, currentLanguage())), texts().tiles.bytes, texts().tiles.kept].map((name, at) => {
    const cell = el("th", at ? "number" : "", name);
    cell.scope = "col";
    return cell;
  }));
  const body = el("tbody");
  for (const bar of [...all].reverse()) {
    const time = el("th", "", moment(bar.hour));
    time.scope = "row";
    const numbers = [...codes.map((code) => count(bar.codes[code] ?? 0)), size(bar.bytesIn), size(bar.bytesStored)];
    body.append(el("tr", "", time, ...numbers.map((number) => el("td", "number", number))));
  }
  $("#table").replaceChildren(el("table", "", el("thead", "", head), body));
}

function choose(at) {
  chosen = at;
  draw();
}

$("#chart").addEventListener("keydown", (event) => {
  const last = stats ? bars().length - 1 : -1;
  const steps = { ArrowLeft: (chosen ?? last + 1) - 1, ArrowRight: (chosen ?? -1) + 1, Home: 0, End: last, Escape: undefined };
  if (!(event.key in steps) || last < 0) return;
  event.preventDefault();
  const at = steps[event.key];
  choose(at === undefined ? undefined : Math.min(last, Math.max(0, at)));
});
$("#chart").addEventListener("pointermove", (event) => {
  const at = event.target.closest("[data-at]")?.dataset.at;
  if (at !== undefined && Number(at) !== chosen) choose(Number(at));
});
$("#chart").addEventListener("pointerleave", () => choose(undefined));
$("#chart").addEventListener("blur", () => choose(undefined));
new ResizeObserver(() => draw()).observe($("#chart"));
document.addEventListener("language", draw);
