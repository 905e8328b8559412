// The editor: a dialog in which people crop, turn and flip a picture with mouse, touch or keyboard. It loads when a picture is edited. The pixels
// are cut later, in the worker and at full size (preflight/foreign.ts).
import { clamped, type Crop, cropTo, type Edit, fits, matrixOf, ratioOf, type Size, turnedSize } from "../preflight/edit.js";
import { openDialog } from "./dialog.js";
import { dialogTextsFor } from "./dialog-texts.js";
import { create, icon } from "./dom.js";
import type { ImageUploadTexts } from "./texts.js";

const CSS = `
.stage {
  position: relative;
  height: min(56dvh, 420px);
  overflow: hidden;
  border-radius: calc(var(--radius) * 0.57);
  background: #14171f;
  cursor: move;
  touch-action: none;
  user-select: none;
}
.stage:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.frame { position: absolute; border: 2px solid #fff; box-shadow: 0 0 0 100vmax rgb(0 0 0 / 0.55); pointer-events: none; }
.frame.round { border-radius: 50%; }
.handle { position: absolute; width: 44px; height: 44px; margin: -22px; pointer-events: auto; touch-action: none; }
.handle::before { content: ""; position: absolute; inset: 14px; border-radius: 50%; background: #fff; box-shadow: 0 0 0 2px rgb(0 0 0 / 0.5); }
.handle.nw, .handle.se { cursor: nwse-resize; }
.handle.ne, .handle.sw { cursor: nesw-resize; }
.nw { left: 0; top: 0; } .ne { left: 100%; top: 0; } .sw { left: 0; top: 100%; } .se { left: 100%; top: 100%; }
.row label { display: flex; align-items: center; gap: 8px; font-size: 0.93em; }
.row input { accent-color: var(--accent); width: 130px; min-height: 44px; margin: 0; }
.row select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 8px; min-height: 44px; padding: 4px 8px; }
.size { margin-top: 8px; color: var(--faint); font-size: 0.87em; text-align: center; font-variant-numeric: tabular-nums; }
@media (forced-colors: active) { .frame { border-color: Highlight; } }
`;

/** Ratios that people may choose where the form has none. */
const RATIOS = ["1:1", "4:3", "3:4", "16:9", "9:16"];
/** Larger pictures are drawn from a smaller copy. */
const PREVIEW_EDGE = 1_600;
const MARGIN = 24;
/** Keys move and resize the crop by this part of the picture. */
const STEP = 0.02;
const MAX_ZOOM = 8;

export interface EditorOptions {
  /** The language of the texts that `own` does not have. */
  language: string;
  own?: ImageUploadTexts | undefined;
  /** The ratio that the crop must have, such as `1:1`. */
  aspectRatio?: string | null | undefined;
  /** Whether the crop is shown as a circle. The stored picture stays rectangular. */
  isRound?: boolean | undefined;
  /** The edit to begin with. */
  edit?: Edit | undefined;
}

/** The edit that the person has made; undefined when the person cancels. Rejects when the browser cannot decode the picture. */
export async function editPicture(root: ShadowRoot, file: Blob, { language, own, aspectRatio, isRound = false, edit = {} }: EditorOptions): Promise<Edit | undefined> {
  const texts = dialogTextsFor(language, own);
  const { size, preview } = await previewOf(file);
  const fixed = ratioOf(aspectRatio) ?? (isRound ? 1 : undefined);
  let { flip = false, rotate = 0 } = edit;
  let ratio = fixed;
  let all = turnedSize(size, { rotate });
  const whole = (): Crop => (ratio ? cropTo(all, ratio) : { left: 0, top: 0, ...all });
  let crop = edit.crop ? clamped(edit.crop, all) : whole();

  const canvas = create("canvas");
  const frame = create("div", { className: isRound ? "frame round" : "frame" });
  const stage = create("div", { className: "stage", tabIndex: 0, role: "application", part: "stage", "aria-label": texts.cropStage }, canvas, frame);
  const sizeText = create("p", { className: "size", role: "status" });
  const zoom = create("input", { type: "range", min: "0", max: "100", step: "any", ariaLabel: texts.zoom });
  const select = create("select", { ariaLabel: texts.ratioLabel, hidden: fixed !== undefined }, create("option", { value: "" }, texts.freeRatio), ...RATIOS.map((value) => create("option", { value }, value)));

  /** Where the turned picture is drawn: pixels of the stage for each of the picture, and its left upper corner. */
  let view = { scale: 1, left: 0, top: 0 };
  const focusView = () => {
    const { clientWidth, clientHeight } = stage;
    const scale = Math.min(Math.max(1, clientWidth - 2 * MARGIN) / crop.width, Math.max(1, clientHeight - 2 * MARGIN) / crop.height);
    view = { scale, left: clientWidth / 2 - (crop.left + crop.width / 2) * scale, top: clientHeight / 2 - (crop.top + crop.height / 2) * scale };
  };
  const draw = () => {
    const density = devicePixelRatio || 1;
    const [width, height] = [Math.round(stage.clientWidth * density), Math.round(stage.clientHeight * density)];
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d")!;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.setTransform(density * view.scale, 0, 0, density * view.scale, density * view.left, density * view.top);
    context.transform(...matrixOf({ flip, rotate }, size));
    context.drawImage(preview, 0, 0, size.width, size.height);
    Object.assign(frame.style, {
      left: `${view.left + crop.left * view.scale}px`,
      top: `${view.top + crop.top * view.scale}px`,
      width: `${crop.width * view.scale}px`,
      height: `${crop.height * view.scale}px`,
    });
    zoom.value = String((100 * Math.log(largest().width / crop.width)) / Math.log(MAX_ZOOM));
    sizeText.textContent = texts.cropSize(crop.width, crop.height);
  };
  /** The largest crop with the ratio of this one. */
  const largest = () => cropTo(all, ratio ?? crop.width / crop.height);
  const change = (next: Crop, isFollowed = true) => {
    crop = clamped(next, all);
    if (isFollowed) focusView();
    draw();
  };
  const resizeAroundCentre = (width: number, height: number) =>
    change({ left: crop.left + (crop.width - width) / 2, top: crop.top + (crop.height - height) / 2, width, height });
  const zoomTo = (factor: number) => {
    const { width, height } = largest();
    const by = Math.min(Math.max(factor, 1), MAX_ZOOM);
    resizeAroundCentre(Math.max(1, width / by), Math.max(1, height / by));
  };
  const zoomBy = (by: number) => zoomTo((largest().width / crop.width) * by);
  const turn = (by: 90 | 270) => {
    const { left, top, width, height } = crop;
    const turned = by === 90 ? { left: all.height - top - height, top: left } : { left: top, top: all.width - left - width };
    rotate = ((rotate + by) % 360) as typeof rotate;
    all = turnedSize(size, { rotate });
    crop = { ...turned, width: height, height: width };
    if (ratio) {
      // The frame keeps its ratio, and its centre where possible.
      const [x, y] = [crop.left + crop.width / 2, crop.top + crop.height / 2];
      const most = cropTo(all, ratio);
      const part = Math.min(1, Math.max(crop.width, crop.height) / Math.max(most.width, most.height));
      const kept = { width: most.width * part, height: most.height * part };
      crop = { left: x - kept.width / 2, top: y - kept.height / 2, ...kept };
    }
    change(crop);
  };
  const mirror = () => {
    // Turned by a quarter, the picture is mirrored top to bottom before it is turned.
    flip = !flip;
    if (rotate % 180 !== 0) rotate = ((rotate + 180) % 360) as typeof rotate;
    change({ ...crop, left: all.width - crop.left - crop.width });
  };

  /** Resizes by a corner; the opposite one stays. */
  const pull = (corner: string, x: number, y: number) => {
    const [right, bottom] = [crop.left + crop.width, crop.top + crop.height];
    const least = Math.max(1, Math.min(all.width, all.height) / (2 * MAX_ZOOM));
    const isWest = corner.includes("w");
    const isNorth = corner.includes("n");
    const most = { width: isWest ? right : all.width - crop.left, height: isNorth ? bottom : all.height - crop.top };
    let width = Math.min(Math.max(isWest ? right - x : x - crop.left, least), most.width);
    let height = Math.min(Math.max(isNorth ? bottom - y : y - crop.top, least), most.height);
    if (ratio) {
      width = Math.min(Math.max(width, height * ratio), most.width, most.height * ratio);
      height = width / ratio;
    }
    change({ left: isWest ? right - width : crop.left, top: isNorth ? bottom - height : crop.top, width, height }, false);
  };
  for (const corner of ["nw", "ne", "sw", "se"]) {
    const handle = create("div", { className: `handle ${corner}`, part: "handle" });
    handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = stage.getBoundingClientRect();
      pull(corner, (event.clientX - box.left - view.left) / view.scale, (event.clientY - box.top - view.top) / view.scale);
    });
    handle.addEventListener("lostpointercapture", () => change(crop));
    frame.append(handle);
  }

  /** One pointer moves the picture behind the frame, two also zoom. */
  const pointers = new Map<number, { x: number; y: number }>();
  const spread = () => {
    const [one, two] = [...pointers.values()];
    return one && two ? Math.hypot(one.x - two.x, one.y - two.y) : 0;
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  stage.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const before = spread();
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const [x, y] = [(event.clientX - last.x) / view.scale / pointers.size, (event.clientY - last.y) / view.scale / pointers.size];
    change({ ...crop, left: crop.left - x, top: crop.top - y });
    if (before > 0 && spread() > 0) zoomBy(spread() / before);
  });
  for (const type of ["lostpointercapture", "pointercancel"] as const) stage.addEventListener(type, (event) => pointers.delete(event.pointerId));
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 500));
    },
    { passive: false },
  );
  stage.addEventListener("keydown", (event) => {
    const step = Math.max(1, STEP * Math.min(all.width, all.height));
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const actions: Record<string, () => void> = { "+": () => zoomBy(1.1), "=": () => zoomBy(1.1), "-": () => zoomBy(1 / 1.1), r: () => turn(90), R: () => turn(270), f: mirror };
    const action = x || y ? () => (event.shiftKey && !ratio ? resizeAroundCentre(crop.width + 2 * x! * step, crop.height - 2 * y! * step) : change({ ...crop, left: crop.left + x! * step, top: crop.top + y! * step })) : actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  zoom.addEventListener("input", () => zoomTo(MAX_ZOOM ** (Number(zoom.value) / 100)));
  select.addEventListener("change", () => {
    ratio = ratioOf(select.value);
    change(whole());
  });

  const resized = new ResizeObserver(() => change(crop));
  const isDone = await openDialog(root, texts.edit, CSS, (finish) => {
    const action = (name: Parameters<typeof icon>[0], label: string, onclick: () => void) =>
      create("button", { type: "button", className: "action", part: name, ariaLabel: label, title: label, onclick }, icon(name));
    const tools = [action("rotateLeft", texts.rotateLeft, () => turn(270)), action("rotateRight", texts.rotateRight, () => turn(90)), action("flip", texts.flip, mirror)];
    const apply = create("button", { type: "button", className: "button", part: "apply", onclick: () => finish(true) }, texts.apply);
    const cancel = create("button", { type: "button", className: "button secondary", part: "cancel", onclick: () => finish(false) }, texts.cancel);
    resized.observe(stage);
    return [stage, sizeText, create("div", { className: "row" }, ...tools, create("label", {}, texts.zoom, zoom), select), create("div", { className: "row" }, apply, cancel)];
  }).finally(() => {
    resized.disconnect();
    preview.close();
  });
  return isDone ? { flip, rotate, crop } : undefined;
}

/** The size of the upright picture, and a copy of it that is not larger than a screen. */
async function previewOf(file: Blob): Promise<{ size: Size; preview: ImageBitmap }> {
  const full = await createImageBitmap(file);
  const size = { width: full.width, height: full.height };
  const scale = PREVIEW_EDGE / Math.max(size.width, size.height);
  if (scale >= 1) return { size, preview: full };
  const preview = await createImageBitmap(full, { resizeWidth: Math.max(1, Math.round(size.width * scale)), resizeHeight: Math.max(1, Math.round(size.height * scale)), resizeQuality: "medium" });
  full.close();
  return { size, preview };
}

/** Opens the editor if the picture has not the ratio: returns an edit, `undefined` if none is needed, and null when the person cancels. */
export async function fitToRatio(root: ShadowRoot, file: Blob, options: EditorOptions): Promise<Edit | undefined | null> {
  const ratio = ratioOf(options.aspectRatio);
  // An edit would make a still of an animation. What the browser cannot decode is refused by the check.
  const bitmap = ratio && file.type !== "image/gif" ? await createImageBitmap(file).catch(() => undefined) : undefined;
  if (!bitmap || !ratio) return undefined;
  const { width, height } = bitmap;
  bitmap.close();
  if (fits({ width, height }, ratio)) return undefined;
  return (await editPicture(root, file, { ...options, edit: { crop: cropTo({ width, height }, ratio) } })) ?? null;
}
