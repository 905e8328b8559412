// Creates elements. Text is only set as text, and styles only as classes, so the strictest Content-Security-Policy of a page allows it.

/** Set as attributes; desktop browsers have no property for `capture`. */
const ATTRIBUTES = ["part", "role", "capture"];

/** An element with properties, attributes (those above, and names with a dash) and content. */
export function create<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Record<string, unknown> = {},
  ...content: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || ATTRIBUTES.includes(key)) element.setAttribute(key, String(value));
    else Object.assign(element, { [key]: value });
  }
  element.append(...content);
  return element;
}

/** Whether an element of a shadow root has the focus, also while the window has not. */
export function hasFocus(element: Element): boolean {
  return (element.getRootNode() as ShadowRoot).activeElement === element;
}

/** Moves the focus to an element that is no control, so that keyboard and screen reader continue there. */
export function focusOn(element: HTMLElement): void {
  element.tabIndex = -1;
  element.focus();
}

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  upload: "M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M4.5 15.5v2.25A1.75 1.75 0 0 0 6.25 19.5h11.5a1.75 1.75 0 0 0 1.75-1.75V15.5",
  camera: "M8.5 6.5 9.75 4.5h4.5l1.25 2H18A1.5 1.5 0 0 1 19.5 8v9.5A1.5 1.5 0 0 1 18 19H6a1.5 1.5 0 0 1-1.5-1.5V8A1.5 1.5 0 0 1 6 6.5ZM15.25 12.5a3.25 3.25 0 1 1-6.5 0 3.25 3.25 0 0 1 6.5 0Z",
  picture: "M5.5 4.5h13a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1h-13a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1ZM4.5 16l4-4 3 3 3.5-3.5 4.5 4.5M10 9a1 1 0 1 1-2 0 1 1 0 0 1 2 0Z",
  retry: "M18.5 8.5A7.25 7.25 0 1 0 19.25 13M18.75 4.5v4.25H14.5",
  remove: "m7 7 10 10M17 7 7 17",
  folder: "M4 7.5A1.5 1.5 0 0 1 5.5 6h4l2 2.5h7A1.5 1.5 0 0 1 20 10v7a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17Z",
  move: "M12 4.5v15M8.5 8 12 4.5 15.5 8M8.5 16l3.5 3.5 3.5-3.5",
  edit: "M7.5 3.5v13h13M3.5 7.5h13v13",
  rotateLeft: "M5 9.5A7.25 7.25 0 1 1 4.75 14M4.75 4.75V9.5H9.5",
  rotateRight: "M19 9.5A7.25 7.25 0 1 0 19.25 14M19.25 4.75V9.5H14.5",
  flip: "M12 4v16M9 7 3.5 17H9ZM15 7l5.5 10H15Z",
  done: "m6.5 12.5 3.75 3.75L17.5 8.5",
} as const;

/** An icon. Screen readers skip it: a text or a label beside it has the meaning. */
export function icon(name: keyof typeof PATHS): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
