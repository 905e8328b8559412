// One picture in the element's list: its preview, what became of it, and what can be done with it.
import { Refusal } from "../refusal.js";
import { ConnectionBroken } from "../sending/broken.js";
import { isOfThePicture } from "../sending/retry.js";
import type { UploadItem } from "../uploader/item.js";
import { isReady } from "../workshop.js";
import { hasFocus, icon, make, readFrom } from "./dom.js";
import type { Texts } from "./texts.js";

export interface CardActs {
  retry(): void;
  remove(): void;
}

/** The preview is shown at 64 pixels; twice that is sharp on any screen. */
const PREVIEW_PIXELS = 128;

export class Card {
  readonly element: HTMLLIElement;
  readonly removeButton: HTMLButtonElement;
  readonly #preview = make("div", { className: "preview", part: "preview" }, icon("picture"));
  readonly #name = make("div", { className: "name", part: "name", dir: "auto" });
  readonly #meta = make("p", { className: "meta", part: "meta" });
  readonly #private = make("p", { className: "private", part: "private", hidden: true });
  readonly #state = make("p", { className: "state", part: "state" });
  readonly #progress = make("progress", { max: 1, value: 0, part: "progress" });
  readonly #retry: HTMLButtonElement;

  constructor(acts: CardActs) {
    this.#retry = make("button", { type: "button", className: "act retry", part: "retry", onclick: acts.retry }, icon("retry"));
    this.removeButton = make("button", { type: "button", className: "act", part: "remove", onclick: acts.remove }, icon("remove"));
    const facts = make("div", {}, this.#name, this.#meta, this.#private, this.#state, this.#progress);
    const buttons = make("div", { className: "acts" }, this.#retry, this.removeButton);
    this.element = make("li", { className: "item", part: "item" }, this.#preview, facts, buttons);
  }

  /** A picture on its way or at its end. */
  show(item: UploadItem, texts: Texts): void {
    const { state, prepared, image } = item;
    const name = this.#call(item.name, texts);
    this.element.className = `item ${state}`;
    this.element.setAttribute("part", `item ${state}`);
    this.#meta.textContent = metaOf(item);
    const kinds = (image?.removed.length ? image : prepared)?.removed ?? [];
    this.#private.hidden = kinds.length === 0;
    this.#private.textContent = texts.removedKinds(kinds.map((kind) => texts.kinds[kind]).join(", "));
    this.#state.replaceChildren(...(state === "uploaded" ? [icon("done")] : []), stateOf(item, texts));
    this.#progress.hidden = !["queued", "preparing", "sending", "waiting", "paused"].includes(state);
    this.#progress.value = item.totalBytes > 0 ? item.sentBytes / item.totalBytes : 0;
    this.#progress.ariaLabel = name;
    const hadFocus = hasFocus(this.#retry);
    this.#retry.hidden = !(state === "failed" || (state === "refused" && !isOfThePicture(item.error)));
    // A hidden button would drop the focus to the page's body.
    if (hadFocus && this.#retry.hidden) readFrom(this.element);
  }

  /** A picture that was stored before. */
  showStored(name: string, texts: Texts): void {
    this.#call(name, texts);
    this.element.className = "item uploaded";
    this.element.setAttribute("part", "item uploaded");
    this.#state.replaceChildren(icon("done"), texts.stored);
    this.#progress.hidden = this.#retry.hidden = true;
  }

  /** Shows the picture at this address; where the page may not load it, the sign stays. */
  showFrom(address: string): void {
    const image = make("img", { src: address, alt: "", loading: "lazy", onerror: () => image.remove() });
    this.#preview.append(image);
  }

  /** Draws the file small; one that no picture can be made of keeps its sign. */
  async preview(file: Blob): Promise<void> {
    // A canvas and not an image with a blob: address, which pages would have to allow.
    const bitmap = await globalThis.createImageBitmap?.(file).catch(() => undefined);
    if (!bitmap) return;
    const side = Math.min(bitmap.width, bitmap.height);
    const canvas = make("canvas", { width: PREVIEW_PIXELS, height: PREVIEW_PIXELS });
    const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    const context = canvas.getContext("2d");
    if (context) context.imageSmoothingQuality = "high";
    context?.drawImage(bitmap, left, top, side, side, 0, 0, PREVIEW_PIXELS, PREVIEW_PIXELS);
    bitmap.close();
    this.#preview.replaceChildren(canvas);
  }

  set isDisabled(isDisabled: boolean) {
    this.#retry.disabled = this.removeButton.disabled = isDisabled;
  }

  #call(given: string | null, texts: Texts): string {
    const name = given ?? texts.nameless;
    this.#name.textContent = name;
    this.#name.title = name;
    this.#retry.ariaLabel = texts.retry(name);
    this.removeButton.ariaLabel = texts.remove(name);
    return name;
  }
}

function stateOf(item: UploadItem, texts: Texts): string {
  switch (item.state) {
    case "queued":
    case "paused":
    case "canceled":
      return texts.queued;
    case "preparing":
      return isReady() ? texts.checking : texts.loading;
    case "sending":
      if (item.sentBytes === item.totalBytes) return texts.storing;
      return texts.sending(Math.round((100 * item.sentBytes) / Math.max(1, item.totalBytes)));
    case "waiting":
      return item.isKept ? texts.kept : texts.waiting;
    case "uploaded":
      return texts.stored;
    case "refused":
    case "failed":
      return sentenceOf(item, texts);
  }
}

/** What went wrong, for people. */
export function sentenceOf({ error }: UploadItem, texts: Texts): string {
  if (error instanceof Refusal) return error.message;
  return error instanceof ConnectionBroken ? texts.broken : texts.fault;
}

function metaOf({ file, prepared, image }: UploadItem): string {
  const known = image ?? prepared;
  if (!known) return sizeOf(file.size);
  const [before, after] = [file.size, image?.fileSize ?? prepared?.blob.size ?? file.size].map(sizeOf);
  const size = `${known.width}\u00a0×\u00a0${known.height}`;
  return `${size} · ${before === after ? after : `${before}\u00a0→\u00a0${after}`}`;
}

function sizeOf(bytes: number): string {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)}\u00a0KB` : `${(bytes / 2 ** 20).toFixed(1)}\u00a0MB`;
}
