// The list of one element: pictures that are being sent, those that were stored, and those whose keys were given to it.
import { addressOf } from "../sending/edge.js";
import type { UploadItem } from "../uploader/item.js";
import { Card } from "./card.js";
import { make } from "./dom.js";
import type { Texts } from "./texts.js";

interface Row {
  card: Card;
  /** Of a picture that came through this element. */
  item?: UploadItem;
  /** Of a picture that was given by its key. */
  key?: string;
  /** Its file name, once the edge has told it. */
  name?: string | null;
}

/** A picture that was taken off the list. */
export interface Removed {
  key: string | undefined;
  name: string | null;
  item: UploadItem | undefined;
  /** Whether the person removed it, and not the page. */
  isByPerson: boolean;
}

export interface ListActs {
  retry(item: UploadItem): void;
  removed(removed: Removed): void;
}

export class List {
  readonly element = make("ul", { className: "list", part: "list", role: "list" });
  #rows: Row[] = [];
  readonly #acts: ListActs;

  constructor(acts: ListActs) {
    this.#acts = acts;
  }

  /** The keys of what is stored, in the order in which the pictures stand; each once. */
  get keys(): string[] {
    return [...new Set(this.#rows.map(keyOf).filter((key) => key !== undefined))];
  }

  /** How many are there, whatever became of them. */
  get size(): number {
    return this.#rows.length;
  }

  /** Whether something is still to come to its end by itself. */
  get isBusy(): boolean {
    return this.#rows.some(({ item }) => item && ["queued", "preparing", "sending", "waiting", "paused"].includes(item.state));
  }

  add(item: UploadItem, texts: Texts): void {
    // Back after a reload, it takes the place of its key, which the browser may have restored.
    const restored = this.#rows.find(({ key }) => key !== undefined && key === item.image?.key);
    if (restored) this.#drop(restored);
    const card = this.#push({ item });
    card.show(item, texts);
    void card.preview(item.file);
  }

  /** Makes these keys the stored pictures, in this order. Pictures that are not stored stay as they are, after them. */
  set(keys: readonly string[], endpoint: string, texts: Texts): void {
    for (const row of [...this.#rows]) {
      const key = keyOf(row);
      if (key !== undefined && !keys.includes(key)) this.#take(row, false);
    }
    const known = this.keys;
    for (const key of new Set(keys)) {
      if (known.includes(key)) continue;
      const card = this.#push({ key });
      card.showStored(fileOf(key), texts);
      card.showFrom(`${addressOf(endpoint, key.split("/").map(encodeURIComponent).join("/"))}?v=thumb`);
    }
    const place = (row: Row) => (keyOf(row) === undefined ? keys.length : keys.indexOf(keyOf(row)!));
    this.#rows.sort((one, other) => place(one) - place(other));
    this.#rows.forEach(({ card: { element } }, at) => {
      // Only what is in the wrong place moves: an element that is moved loses the focus.
      const there = this.element.children[at] ?? null;
      if (there !== element) this.element.insertBefore(element, there);
    });
  }

  /** Whether the file name of some picture is still to be asked for. */
  get isNameless(): boolean {
    return this.#rows.some(({ key, name }) => key !== undefined && name === undefined);
  }

  /** Shows the file names that are known of keys; the others keep the last part of their key. */
  setNames(names: ReadonlyMap<string, string | null>, texts: Texts): void {
    for (const row of this.#rows) if (row.key !== undefined) row.name ??= names.get(row.key) ?? null;
    this.showAll(texts);
  }

  /** The item has changed. */
  show(item: UploadItem, texts: Texts): void {
    this.#rows.find((row) => row.item === item)?.card.show(item, texts);
  }

  showAll(texts: Texts): void {
    for (const { card, item, key, name } of this.#rows) {
      if (item) card.show(item, texts);
      else card.showStored(name ?? fileOf(key!), texts);
    }
  }

  /** Removes all, also what is being sent. */
  removeAll(): void {
    for (const row of [...this.#rows]) this.#take(row, false);
  }

  /** Forgets all: the element has ended, or is somebody else's now. */
  clear(): void {
    for (const row of [...this.#rows]) this.#drop(row);
  }

  set isDisabled(isDisabled: boolean) {
    for (const { card } of this.#rows) card.isDisabled = isDisabled;
  }

  #push(row: Omit<Row, "card">): Card {
    const retry = () => row.item && this.#acts.retry(row.item);
    const card = new Card({ retry, remove: () => this.#remove(card) });
    this.#rows.push({ card, ...row });
    this.element.append(card.element);
    return card;
  }

  #remove(card: Card): void {
    const at = this.#rows.findIndex((row) => row.card === card);
    const row = this.#rows[at];
    if (!row) return;
    // The focus must not fall off the page with the button that had it.
    (this.#rows[at + 1] ?? this.#rows[at - 1])?.card.removeButton.focus();
    this.#take(row, true);
  }

  #drop(row: Row): void {
    this.#rows = this.#rows.filter((other) => other !== row);
    row.card.element.remove();
  }

  #take(row: Row, isByPerson: boolean): void {
    this.#drop(row);
    const { item } = row;
    const key = keyOf(row);
    this.#acts.removed({ key, item, name: item ? item.name : (row.name ?? fileOf(key!)), isByPerson });
  }
}

function keyOf({ item, key }: Row): string | undefined {
  return key ?? item?.image?.key;
}

/** The last part of a key. */
function fileOf(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}
