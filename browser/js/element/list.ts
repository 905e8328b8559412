// The list of one element: pictures that are being uploaded, those that were stored, and those whose keys were set.
import { urlOf } from "../client/http.js";
import { challengeProgress } from "../client/challenge.js";
import { isAboutPicture } from "../client/retry.js";
import { clamped, type Edit, matrixOf, turnedSize } from "../preflight/edit.js";
import { isReady } from "../preflight/queue.js";
import type { PictureRecord, Review } from "../client/api-client.js";
import type { UploadItem } from "../uploader/task.js";
import { create, focusOn, hasFocus, icon } from "./dom.js";
import { sentenceOf, sizeOf, type Texts } from "./texts.js";

/** States in which a person may edit a picture. */
const EDITABLE: readonly string[] = ["uploaded", "refused", "failed"] satisfies UploadItem["state"][];
/** The states in which an item reaches its end by itself. */
const BUSY: readonly string[] = ["queued", "preparing", "sending", "waiting", "paused"] satisfies UploadItem["state"][];

/** The preview is shown at 64 pixels; twice that is sharp on any screen. */
const PREVIEW_PIXELS = 128;

/** The list item of one picture: its preview, its state, and its buttons. */
class Row {
  readonly element: HTMLLIElement;
  readonly removeButton: HTMLButtonElement;
  /** The upload, for a picture that was added to this element. */
  readonly item: UploadItem | undefined;
  /** The key, for a picture that was set by its key. */
  readonly givenKey: string | undefined;
  /** What the edge knows of the picture, once it has said so; null when it knows nothing. */
  record: PictureRecord | null | undefined;
  readonly #preview = create("div", { className: "preview", part: "preview" }, icon("picture"));
  readonly #name = create("div", { className: "name", part: "name", dir: "auto" });
  readonly #meta = create("p", { className: "meta", part: "meta" });
  readonly #removed = create("p", { className: "removed", part: "removed", hidden: true });
  readonly #state = create("p", { className: "state", part: "state" });
  readonly #progress = create("progress", { max: 1, value: 0, part: "progress" });
  readonly #retryButton: HTMLButtonElement;
  readonly #editButton: HTMLButtonElement;
  /** Moves the row; shown in lists that people may sort. */
  readonly moveButton = create("button", { type: "button", className: "action move", part: "move" }, icon("move"));

  constructor(source: UploadItem | string, onRetry: (item: UploadItem) => void, onEdit: (item: UploadItem) => void, onRemove: (row: Row) => void) {
    if (typeof source === "string") this.givenKey = source;
    else this.item = source;
    const button = (name: "retry" | "edit" | "remove", onclick: () => void) =>
      create("button", { type: "button", className: `action ${name}`, part: name, onclick }, icon(name));
    this.#retryButton = button("retry", () => this.item && onRetry(this.item));
    this.#editButton = button("edit", () => this.item && onEdit(this.item));
    this.removeButton = button("remove", () => onRemove(this));
    const facts = create("div", {}, this.#name, this.#meta, this.#removed, this.#state, this.#progress);
    const buttons = create("div", { className: "actions" }, this.#retryButton, this.#editButton, this.moveButton, this.removeButton);
    this.element = create("li", {}, this.#preview, facts, buttons);
  }

  /** The key, once the picture is stored. */
  get key(): string | undefined {
    return this.givenKey ?? this.item?.image?.key;
  }

  get name(): string | null {
    return this.item ? this.item.name : (this.record?.originalFilename ?? lastPart(this.givenKey!));
  }

  get review(): Review {
    return this.record?.review ?? this.item?.image?.review ?? null;
  }

  set isDisabled(isDisabled: boolean) {
    this.#retryButton.disabled = this.#editButton.disabled = this.moveButton.disabled = this.removeButton.disabled = isDisabled;
  }

  render(texts: Texts, isEditable: boolean): void {
    const { item } = this;
    const isRefused = this.review === "refused";
    const state = isRefused ? "refused" : (item?.state ?? "uploaded");
    const name = this.name ?? texts.unnamed;
    this.element.className = `item ${state}`;
    this.element.setAttribute("part", `item ${state}`);
    this.#name.textContent = this.#name.title = this.#progress.ariaLabel = name;
    this.#retryButton.ariaLabel = texts.retry(name);
    this.#editButton.ariaLabel = texts.editName(name);
    // An edit would make a still of an animation.
    const isStill = item?.file.type !== "image/gif" && (item?.prepared?.report.frames ?? 1) === 1;
    this.#editButton.hidden = !isEditable || !item || !isStill || !EDITABLE.includes(state);
    this.removeButton.ariaLabel = texts.remove(name);
    const done = isRefused ? texts.turnedDown(this.record?.reviewReason ?? "") : this.review === "held" ? texts.held : texts.stored;
    this.#state.replaceChildren(...(state === "uploaded" ? [icon("done")] : []), item && state !== "uploaded" && !isRefused ? stateOf(item, texts) : done);
    this.#progress.hidden = !BUSY.includes(state) || !item;
    if (!item) return void (this.#retryButton.hidden = true);

    const { prepared, image } = item;
    this.#meta.textContent = metaOf(item);
    const kinds = (image?.removed.length ? image : prepared)?.removed ?? [];
    this.#removed.hidden = kinds.length === 0;
    this.#removed.textContent = texts.removedKinds(kinds.map((kind) => texts.kinds[kind]).join(", "));
    this.#progress.value = item.totalBytes > 0 ? item.sentBytes / item.totalBytes : 0;
    const hadFocus = hasFocus(this.#retryButton);
    this.#retryButton.hidden = isRefused || !(state === "failed" || (state === "refused" && !isAboutPicture(item.error)));
    // A button that is hidden while it has the focus would drop it to the page's body.
    if (hadFocus && this.#retryButton.hidden) focusOn(this.element);
  }

  /** Shows the picture at this URL; if the page may not load it, the icon stays. */
  previewUrl(url: string): void {
    const image = create("img", { src: url, alt: "", loading: "lazy", onerror: () => image.remove() });
    this.#preview.append(image);
  }

  /** Draws a small copy of the file; if the browser cannot decode it, the icon stays. */
  async previewFile(file: Blob, edit: Edit = {}): Promise<void> {
    // A canvas, because pages would have to allow an image with a blob: URL.
    const bitmap = await globalThis.createImageBitmap?.(file).catch(() => undefined);
    if (!bitmap) return;
    const all = turnedSize(bitmap, edit);
    const crop = clamped(edit.crop ?? { left: 0, top: 0, ...all }, all);
    const side = Math.min(crop.width, crop.height);
    const scale = PREVIEW_PIXELS / side;
    const canvas = create("canvas", { width: PREVIEW_PIXELS, height: PREVIEW_PIXELS });
    const [left, top] = [crop.left + (crop.width - side) / 2, crop.top + (crop.height - side) / 2];
    const context = canvas.getContext("2d");
    if (context) context.imageSmoothingQuality = "high";
    context?.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
    context?.transform(...matrixOf(edit, bitmap));
    context?.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.#preview.replaceChildren(canvas);
  }
}

/** A picture that was removed from the list. */
export interface Removed {
  key: string | undefined;
  name: string | null;
  item: UploadItem | undefined;
  /** Whether the person removed it, and not the page. */
  isByPerson: boolean;
}

/** A picture that the person moved: its name and its new position, from 1. */
export interface Moved {
  name: string | null;
  position: number;
}

export class List {
  readonly element = create("ul", { className: "list", part: "list", role: "list" });
  readonly #onRetry: (item: UploadItem) => void;
  readonly #onEdit: (item: UploadItem) => void;
  readonly #onRemoved: (removed: Removed) => void;
  readonly #onMoved: (moved: Moved, isAtEnd: boolean) => void;
  #rows: Row[] = [];
  /** Whether people may edit pictures. */
  isEditable = false;
  /** Whether people may change the order. */
  isSortable = false;

  /** `onMoved` gets each step of a move, and at its end whether it has ended. */
  constructor(onRetry: (item: UploadItem) => void, onEdit: (item: UploadItem) => void, onRemoved: (removed: Removed) => void, onMoved: (moved: Moved, isAtEnd: boolean) => void) {
    this.#onRetry = onRetry;
    this.#onEdit = onEdit;
    this.#onRemoved = onRemoved;
    this.#onMoved = onMoved;
  }

  /** The keys of the stored pictures in the order of the list; each once. A refused picture is not stored any more. */
  get keys(): string[] {
    return [...new Set(this.#rows.filter(({ review }) => review !== "refused").flatMap(({ key }) => key ?? []))];
  }

  /** The number of pictures in any state. */
  get size(): number {
    return this.#rows.length;
  }

  /** Whether an upload is under way. */
  get isBusy(): boolean {
    return this.#rows.some(({ item }) => item && BUSY.includes(item.state));
  }

  add(item: UploadItem, texts: Texts): void {
    // After a reload the browser may have restored its key already.
    const restored = this.#rows.find(({ givenKey }) => givenKey !== undefined && givenKey === item.image?.key);
    if (restored) this.#drop(restored);
    void this.#push(item, texts).previewFile(item.file, item.edit);
  }

  /** Takes an item out of the list without an event; returns its position. */
  take(item: UploadItem): number {
    const index = this.#rows.findIndex((row) => row.item === item);
    if (index >= 0) this.#drop(this.#rows[index]!);
    return index;
  }

  /** Moves an item to this position. */
  place(item: UploadItem, position: number): void {
    const row = this.#rows.find((row) => row.item === item);
    if (row && position >= 0) this.#move(row, position);
  }

  /** Moves the focus to an item. */
  focus(item: UploadItem): void {
    const row = this.#rows.find((row) => row.item === item);
    if (row) focusOn(row.element);
  }

  /** Makes these keys the stored pictures, in this order. Pictures that are not stored follow them, unchanged. */
  setKeys(keys: readonly string[], endpoint: string, texts: Texts): void {
    for (const row of [...this.#rows]) if (row.key !== undefined && !keys.includes(row.key)) this.#remove(row, false);
    const known = this.keys;
    for (const key of new Set(keys)) {
      if (known.includes(key)) continue;
      this.#push(key, texts).previewUrl(`${urlOf(endpoint, key.split("/").map(encodeURIComponent).join("/"))}?v=thumb`);
    }
    const position = ({ key }: Row) => (key === undefined ? keys.length : keys.indexOf(key));
    this.#rows.sort((one, other) => position(one) - position(other));
    this.#rows.forEach(({ element }, index) => {
      // Only elements in the wrong place move, because an element that moves loses the focus.
      const current = this.element.children[index] ?? null;
      if (current !== element) this.element.insertBefore(element, current);
    });
  }

  /** Whether a picture waits for a review. */
  get isHeld(): boolean {
    return this.#rows.some(({ review }) => review === "held");
  }

  /** Whether nothing is known yet of a given key. */
  get lacksRecords(): boolean {
    return this.#rows.some(({ givenKey, record }) => givenKey !== undefined && record === undefined);
  }

  /** Shows file names and previews of given keys, and what was decided about pictures. Returns the pictures that were refused since. */
  setRecords(records: ReadonlyMap<string, PictureRecord>, texts: Texts): string[] {
    const refused = [];
    for (const row of this.#rows) {
      const { givenKey, key, review } = row;
      if (key === undefined || (!givenKey && review !== "held")) continue;
      const record = records.get(key) ?? null;
      // The public URL of such a picture shows nothing.
      if (row.record === undefined && givenKey && record?.signedThumbnailUrl) row.previewUrl(record.signedThumbnailUrl);
      row.record = record ?? row.record ?? null;
      if (row.review === "refused" && review !== "refused") refused.push(texts.announceRefused(row.name ?? texts.unnamed, texts.turnedDown(record?.reviewReason ?? "")));
    }
    this.renderAll(texts);
    return refused;
  }

  render(item: UploadItem, texts: Texts): void {
    this.#rows.find((row) => row.item === item)?.render(texts, this.isEditable);
  }

  renderAll(texts: Texts): void {
    for (const row of this.#rows) row.render(texts, this.isEditable);
    this.renderOrder(texts);
  }

  /** Shows what depends on the order. */
  renderOrder(texts: Texts): void {
    this.#rows.forEach(({ moveButton, name }, index) => {
      moveButton.hidden = !this.isSortable || this.size < 2;
      moveButton.ariaLabel = texts.move(name ?? texts.unnamed, index + 1, this.size);
    });
  }

  /** Removes the last pictures that are not stored, so that at most this many pictures remain. */
  trim(most: number): void {
    for (const row of [...this.#rows].reverse()) if (this.size > most && row.key === undefined) this.#remove(row, false);
  }

  /** Removes all pictures, also those that are being sent. */
  removeAll(): void {
    for (const row of [...this.#rows]) this.#remove(row, false);
  }

  /** Empties the list without events: the element has ended, or has another owner. */
  clear(): void {
    for (const row of [...this.#rows]) this.#drop(row);
  }

  set isDisabled(isDisabled: boolean) {
    for (const row of this.#rows) row.isDisabled = isDisabled;
  }

  #push(source: UploadItem | string, texts: Texts): Row {
    const row = new Row(source, this.#onRetry, this.#onEdit, (row) => this.#removeByPerson(row));
    this.#rows.push(row);
    this.element.append(row.element);
    row.render(texts, this.isEditable);
    this.#listenToMoves(row);
    return row;
  }

  #listenToMoves(row: Row): void {
    const { moveButton } = row;
    const moved = (isAtEnd: boolean) => this.#onMoved({ name: row.name, position: this.#rows.indexOf(row) + 1 }, isAtEnd);
    moveButton.addEventListener("keydown", (event) => {
      const at = this.#rows.indexOf(row);
      const to = { ArrowUp: at - 1, ArrowLeft: at - 1, ArrowDown: at + 1, ArrowRight: at + 1, Home: 0, End: this.size - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (this.#move(row, to)) moved(true);
    });
    moveButton.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || moveButton.disabled) return;
      moveButton.setPointerCapture(event.pointerId);
      const end = new AbortController();
      const from = this.#rows.indexOf(row);
      row.element.classList.add("dragged");
      const follow = ({ clientY }: PointerEvent) => {
        const to = this.#rows.findIndex(({ element }) => clientY < element.getBoundingClientRect().bottom);
        if (this.#move(row, to < 0 ? this.size - 1 : to)) moved(false);
      };
      moveButton.addEventListener("pointermove", follow, { signal: end.signal });
      moveButton.addEventListener(
        "lostpointercapture",
        () => {
          end.abort();
          row.element.classList.remove("dragged");
          if (this.#rows.includes(row) && this.#rows.indexOf(row) !== from) moved(true);
        },
        { signal: end.signal },
      );
    });
  }

  /** Returns whether the row has another position now. The other elements move, because one that moves loses focus and pointer. */
  #move(row: Row, to: number): boolean {
    const from = this.#rows.indexOf(row);
    to = Math.min(Math.max(to, 0), this.size - 1);
    if (from === to) return false;
    this.#rows.splice(from, 1);
    this.#rows.splice(to, 0, row);
    const at = (index: number) => this.#rows[index]!.element;
    for (let index = from; index < to; index++) row.element.before(at(index));
    for (let index = from; index > to; index--) row.element.after(at(index));
    return true;
  }

  #removeByPerson(row: Row): void {
    const index = this.#rows.indexOf(row);
    // The button has the focus and is removed with its row.
    (this.#rows[index + 1] ?? this.#rows[index - 1])?.removeButton.focus();
    this.#remove(row, true);
  }

  #drop(row: Row): void {
    this.#rows = this.#rows.filter((other) => other !== row);
    row.element.remove();
  }

  #remove(row: Row, isByPerson: boolean): void {
    this.#drop(row);
    const { key, name, item } = row;
    this.#onRemoved({ key, name, item, isByPerson });
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
      if (item.sentBytes === 0 && challengeProgress() !== undefined) return texts.challenge(Math.round(100 * challengeProgress()!));
      if (item.sentBytes === item.totalBytes) return texts.storing;
      return texts.sending(Math.round((100 * item.sentBytes) / Math.max(1, item.totalBytes)));
    case "waiting":
      if (item.error) return sentenceOf(item.error, texts);
      return item.isKept ? texts.kept : texts.waiting;
    case "uploaded":
      return texts.stored;
    case "refused":
    case "failed":
      return sentenceOf(item.error, texts);
  }
}

function metaOf({ file, prepared, image }: UploadItem): string {
  const known = image ?? prepared;
  if (!known) return sizeOf(file.size);
  const [before, after] = [file.size, image?.fileSize ?? prepared?.blob.size ?? file.size].map(sizeOf);
  const size = `${known.width}\u00a0×\u00a0${known.height}`;
  return `${size} · ${before === after ? after : `${before}\u00a0→\u00a0${after}`}`;
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}
