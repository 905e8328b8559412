// Accessibility audits of a page: all rules of axe-core, a walk by Tab, and the contrast of what is rendered.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const installed = createRequire(resolve("tests/browser/package.json"));
const axe = installed("axe-core");
const sharp = installed("sharp");

/** The minimum contrast of shapes and focus rings (WCAG 1.4.11). */
export const LEAST_CONTRAST = 3;

/** Rules that are not met on purpose, with the reason. */
const NOT_MET = {
  "focus-order-semantics": "Experimental. What scrolls must be focusable (scrollable-region-focusable) without being a widget.",
  "color-contrast-enhanced": "AAA (7:1). The pages keep to AA (4.5:1), so that secondary text differs from main text.",
};

/** The colour schemes and widths of the audits. */
export const MODES = {
  light: {},
  dark: { colorScheme: "dark" },
  "forced colours": { forcedColors: "active" },
  "320 pixels": { width: 320 },
};

export async function setMode(page, { colorScheme = "light", forcedColors = "none", width = 1000 }) {
  await page.emulateMedia({ colorScheme, forcedColors, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height: 800 });
}

/** Adds the functions that the audits below call to every page of a context. */
export function prepareAudits(context) {
  return context.addInitScript(() => {
    const numbers = (color) => {
      const [r, g, b, alpha = 1] = color.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
      const scale = color.startsWith("color(") ? 255 : 1;
      return { rgb: [r, g, b].map((part) => part * scale), alpha };
    };
    const luminance = (rgb) => {
      const [r, g, b] = rgb.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const parent = (element) => element.assignedSlot ?? element.parentElement ?? element.getRootNode().host;
    const audits = {
      /** The focused element, also in shadow roots. */
      focused() {
        let element = document.activeElement;
        while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
        return element;
      },
      /** The background colour of an element. */
      behind(element) {
        for (let at = parent(element); at; at = parent(at)) {
          const { rgb, alpha } = numbers(getComputedStyle(at).backgroundColor);
          if (alpha === 1) return rgb;
        }
        return [255, 255, 255];
      },
      /** The contrast of a colour property of an element with its background. */
      contrast(element, property) {
        const behind = audits.behind(element);
        const { rgb, alpha } = numbers(getComputedStyle(element)[property]);
        const seen = rgb.map((part, at) => part * alpha + behind[at] * (1 - alpha));
        const [low, high] = [luminance(seen), luminance(behind)].sort((one, other) => one - other);
        return (high + 0.05) / (low + 0.05);
      },
      all(root = document) {
        return [...root.querySelectorAll("*")].flatMap((element) => [element, ...(element.shadowRoot ? audits.all(element.shadowRoot) : [])]);
      },
      /** The elements that Tab must reach: every visible control; of a radio group the chosen or the first. */
      stops() {
        const isStop = (element) => {
          if (element.tabIndex < 0 || element.disabled || element.shadowRoot || !element.checkVisibility({ visibilityProperty: true })) return false;
          if (document.querySelector("dialog:modal") && !element.closest("dialog:modal")) return false;
          if (element.type !== "radio") return true;
          const group = [...element.form.elements[element.name]];
          return element === (group.find(({ checked }) => checked) ?? group[0]);
        };
        return audits.all().filter(isStop);
      },
      /** The problems of the focused element. */
      wrongs() {
        const element = audits.focused();
        // The label of a radio button may show its focus ring.
        const drawn = [element, element.closest("label")].find((it) => it && getComputedStyle(it).outlineStyle !== "none");
        if (!drawn) return ["no focus ring"];
        const { outlineWidth, outlineStyle } = getComputedStyle(drawn);
        const { top, bottom, left, right } = drawn.getBoundingClientRect();
        const wrongs = [];
        if (bottom <= 0 || top >= innerHeight || right <= 0 || left >= innerWidth) wrongs.push("out of sight");
        if (outlineStyle !== "auto" && parseFloat(outlineWidth) < 2) wrongs.push(`a focus ring of ${outlineWidth}`);
        const contrast = audits.contrast(drawn, "outlineColor");
        if (outlineStyle !== "auto" && contrast < 3) wrongs.push(`a focus ring of ${contrast.toFixed(2)}:1`);
        return wrongs;
      },
      name: (element) => `${element.localName}${element.id && `#${element.id}`} ${element.ariaLabel ?? element.textContent.trim().slice(0, 40)}`,
    };
    window.audits = audits;
  });
}

/** Checks the current page with all rules of axe-core. */
export async function holdToRules(page, what) {
  // Evaluated by the debugger, so the Content-Security-Policy does not block it.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const violations = await page.evaluate(async (notMet) => {
    const { axe } = window;
    const rules = Object.fromEntries(axe.getRules().map(({ ruleId }) => [ruleId, { enabled: !(ruleId in notMet) }]));
    const { violations, incomplete } = await axe.run({ rules, resultTypes: ["violations", "incomplete"] });
    // axe-core reports text in the colour of its background as incomplete, because it may be hidden on purpose; here none is.
    const unseen = incomplete.flatMap(({ id, nodes }) => {
      const same = nodes.filter(({ any }) => any.some(({ data }) => data?.messageKey === "equalRatio"));
      return same.length > 0 ? [{ id, nodes: same }] : [];
    });
    return [...violations, ...unseen].map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map(({ html, failureSummary }) => `${html.slice(0, 160)}\n  ${failureSummary}`).join("\n")}`);
  }, NOT_MET);
  assert.deepEqual(violations, [], what);
}

/** Walks through the page by Tab: every control is reached once, is visible, and has a focus ring; nothing else gets the focus. */
export async function walk(page, what) {
  await page.evaluate(() => {
    const top = document.querySelector("dialog:modal") ?? document.body;
    top.tabIndex = -1;
    top.focus();
    top.removeAttribute("tabindex");
    window.walked = [];
  });
  const wrongs = [];
  for (let at = 0; at < 400; at++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = window.audits.focused();
      if (element === document.body || element === document.documentElement || window.walked.includes(element)) return undefined;
      window.walked.push(element);
      return window.audits.wrongs().map((wrong) => `${window.audits.name(element)}: ${wrong}`);
    });
    if (!found) break;
    wrongs.push(...found);
  }
  const missed = await page.evaluate(() => window.audits.stops().filter((element) => !window.walked.includes(element)).map(window.audits.name));
  assert.deepEqual({ wrongs, missed }, { wrongs: [], missed: [] }, what);
}

/** The name of the focused element, as in `walk`. */
export const focused = (page) => page.evaluate(() => window.audits.name(window.audits.focused()));

/** The contrast of a property of the first element that a locator finds. */
export const contrast = (locator, property) => locator.first().evaluate((element, property) => window.audits.contrast(element, property), property);

const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
const ratio = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);

/** The luminance of every rendered pixel of an element and of a margin around it. */
export async function pixels(page, locator, margin = 8) {
  await locator.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await locator.boundingBox();
  const [left, top] = [Math.round(x) - margin, Math.round(y) - margin];
  const clip = { x: left, y: top, width: Math.round(width) + 2 * margin, height: Math.round(height) + 2 * margin };
  const { data } = await sharp(await page.screenshot({ clip })).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return Array.from({ length: data.length / 3 }, (_, at) => {
    const [r, g, b] = data.subarray(3 * at, 3 * at + 3);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  });
}

/** How many pixels contrast with the first one. */
export const standing = (all) => all.filter((pixel) => ratio(pixel, all[0]) >= LEAST_CONTRAST).length;

/** How many pixels of two renderings of one size contrast with each other. */
export const different = (one, other) => one.filter((pixel, at) => ratio(pixel, other[at]) >= LEAST_CONTRAST).length;
