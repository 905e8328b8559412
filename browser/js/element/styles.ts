// The styles of the element. Light and dark follow the page's `color-scheme`. Pages set colours, corners and font with the custom properties
// `--image-upload-*`, and everything else with `::part()`.

const CSS = `
:host {
  --accent: var(--image-upload-accent, #3b5bdb);
  --ink: var(--image-upload-ink, #1b1f2a);
  --faint: var(--image-upload-faint, #5b6475);
  --line: var(--image-upload-line, #d5dbe7);
  --card: var(--image-upload-card, #ffffff);
  --soft: var(--image-upload-soft, #eef2ff);
  --good: var(--image-upload-good, #1a7a43);
  --bad: var(--image-upload-bad, #b42318);
  --bad-soft: var(--image-upload-bad-soft, #fff3f1);
  --radius: var(--image-upload-radius, 14px);
  display: block;
  color: var(--ink);
  font: var(--image-upload-font, 15px/1.5 system-ui, "Apple SD Gothic Neo", "Noto Sans KR", "Malgun Gothic", sans-serif);
  word-break: keep-all;
  overflow-wrap: anywhere;
  text-align: start;
}
@supports (color: light-dark(#000, #fff)) {
  :host {
    --accent: var(--image-upload-accent, light-dark(#3b5bdb, #93aaff));
    --ink: var(--image-upload-ink, light-dark(#1b1f2a, #e8ebf3));
    --faint: var(--image-upload-faint, light-dark(#5b6475, #9ba5b9));
    --line: var(--image-upload-line, light-dark(#d5dbe7, #333d50));
    --card: var(--image-upload-card, light-dark(#ffffff, #181e2a));
    --soft: var(--image-upload-soft, light-dark(#eef2ff, #1e2740));
    --good: var(--image-upload-good, light-dark(#1a7a43, #6fd699));
    --bad: var(--image-upload-bad, light-dark(#b42318, #ff9d91));
    --bad-soft: var(--image-upload-bad-soft, light-dark(#fff3f1, #2f1a1c));
  }
}
:host([hidden]), [hidden] { display: none !important; }
*, *::before { box-sizing: border-box; }
p, ul { margin: 0; padding: 0; }
button { font: inherit; color: inherit; cursor: pointer; margin: 0; }
:is(button, .problem, .item):focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
svg { display: block; width: 22px; height: 22px; fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }

.drop {
  display: flex;
  flex-direction: column;
  align-items: center;
  gap: 4px;
  padding: 26px 20px 22px;
  border: 1.5px dashed color-mix(in srgb, var(--faint) 75%, transparent);
  border-radius: var(--radius);
  background: var(--card);
  text-align: center;
  transition: border-color 0.15s, background 0.15s;
}
.symbol {
  display: grid;
  place-items: center;
  width: 46px;
  height: 46px;
  margin-bottom: 8px;
  border-radius: 50%;
  background: var(--soft);
  color: var(--accent);
}
.buttons { display: flex; flex-wrap: wrap; justify-content: center; gap: 8px; }
.button {
  display: inline-flex;
  align-items: center;
  gap: 8px;
  min-height: 44px;
  padding: 8px 20px;
  border: 1px solid var(--accent);
  border-radius: calc(var(--radius) * 0.72);
  background: var(--accent);
  color: var(--card);
  font-weight: 600;
}
.button:hover { filter: brightness(1.06); }
.button.secondary { background: none; color: var(--accent); }
.button svg { width: 20px; height: 20px; }
.camera:not(.webcam) { display: none; }
.hint { margin-top: 6px; }
.types { color: var(--faint); font-size: 0.87em; }
.drop.dragover { border-color: var(--accent); background: var(--soft); }
.drop.dragover .symbol { background: var(--card); }
@media (hover: hover) { .drop:not(.disabled):hover { border-color: var(--accent); } }
@media (pointer: coarse) {
  .camera.camera { display: inline-flex; }
  .hint { display: none; }
  .types { margin-top: 8px; }
  .button { min-height: 48px; }
}
.drop.disabled:not(.full) { opacity: 0.55; }
.drop.disabled button { cursor: not-allowed; }
.drop.full { padding-block: 14px; }
.drop.full :is(.symbol, .buttons, .hint, .types) { display: none; }

.problem { margin-top: 8px; color: var(--bad); font-size: 0.93em; }
.drop .problem { margin-top: 6px; }
.drop.full .problem { margin: 0; color: var(--faint); }

.overall { margin-top: 12px; color: var(--faint); font-size: 0.87em; font-variant-numeric: tabular-nums; }
.list { display: grid; gap: 10px; list-style: none; }
.list:not(:empty) { margin-top: 12px; }
.item {
  display: grid;
  grid-template-columns: 64px minmax(0, 1fr) auto;
  align-items: center;
  gap: 14px;
  padding: 10px;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
}
.preview {
  position: relative;
  display: grid;
  place-items: center;
  width: 64px;
  height: 64px;
  border-radius: calc(var(--radius) * 0.57);
  overflow: hidden;
  background: var(--soft);
  color: var(--accent);
}
.preview :is(canvas, img) { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; }
.name { font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.meta, .state, .removed { color: var(--faint); font-size: 0.87em; line-height: 1.45; font-variant-numeric: tabular-nums; }
.state { display: flex; align-items: center; gap: 5px; }
.state svg { flex: none; width: 17px; height: 17px; margin-inline-start: -2px; stroke-width: 2.25; }
.uploaded .state { color: var(--good); }
:is(.refused, .failed) .state { display: block; color: var(--bad); }
.item:is(.refused, .failed) { border-color: color-mix(in srgb, var(--bad) 45%, var(--line)); background: var(--bad-soft); }
progress {
  appearance: none;
  display: block;
  width: 100%;
  height: 5px;
  margin-top: 6px;
  border: 0;
  border-radius: 3px;
  overflow: hidden;
  background: var(--line);
}
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { border-radius: 3px; background: var(--accent); transition: inline-size 0.2s; }
progress::-moz-progress-bar { border-radius: 3px; background: var(--accent); }
.waiting progress { opacity: 0.5; }
.actions { display: flex; gap: 2px; }
.action {
  display: grid;
  place-items: center;
  width: 40px;
  height: 40px;
  padding: 0;
  border: 0;
  border-radius: 50%;
  background: none;
  color: var(--faint);
}
.action:hover { background: var(--soft); color: var(--ink); }
.retry { color: var(--bad); }
.move { cursor: grab; touch-action: none; }
.item.dragged { border-color: var(--accent); box-shadow: 0 4px 16px rgb(0 0 0 / 0.18); }
.status { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (pointer: coarse) { .action { width: 44px; height: 44px; } }
@media (max-width: 420px) {
  .item { gap: 11px; padding: 8px; align-items: start; }
  .actions { flex-direction: column-reverse; margin: -4px -6px 0 -6px; }
}
@media (prefers-reduced-motion: reduce) { *, ::before { transition: none !important; } }
@media (forced-colors: active) {
  .button { border-color: ButtonText; color: ButtonText; }
  progress { forced-color-adjust: none; }
}
`;

let sheet: CSSStyleSheet | undefined;

/** One style sheet for all elements of the page; constructed, so that no `style-src` has to allow it. */
export function styleSheet(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
