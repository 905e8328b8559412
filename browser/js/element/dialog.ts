// A modal dialog in the element's shadow root. It loads with the camera or the editor, not with the element.
import { create } from "./dom.js";

const CSS = `
dialog {
  width: min(560px, 100vw);
  max-width: none;
  max-height: 100dvh;
  padding: 16px;
  border: 0;
  border-radius: var(--radius);
  background: var(--card);
  color: var(--ink);
  font: inherit;
}
dialog::backdrop { background: rgb(0 0 0 / 0.6); }
@media (max-width: 560px) { dialog { width: 100vw; height: 100dvh; margin: 0; border-radius: 0; } }
dialog video { display: block; width: 100%; max-height: 70dvh; border-radius: calc(var(--radius) * 0.57); background: #000; }
.row { display: flex; flex-wrap: wrap; justify-content: center; align-items: center; gap: 8px; margin-top: 12px; }
`;

const sheets = new Map<string, CSSStyleSheet>();

/** Shows a dialog; resolves with whether `finish(true)` was called. Escape and `finish(false)` cancel it. */
export function openDialog(root: ShadowRoot, label: string, css: string, fill: (finish: (isDone: boolean) => void) => Node[]): Promise<boolean> {
  for (const text of [CSS, css]) {
    let sheet = sheets.get(text);
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      sheets.set(text, sheet);
    }
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  }
  let isDone = false;
  const dialog = create("dialog", { ariaLabel: label, part: "dialog" });
  const finish = (done: boolean) => {
    isDone = done;
    dialog.close();
  };
  dialog.append(...fill(finish));
  // Shortcuts of the page are not for the dialog.
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  root.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isDone);
    });
  });
}
