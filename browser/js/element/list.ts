// The pictures of one element: those on their way, those stored, and those whose keys were given to it.
import { addressOf } from "../sending/edge.js";
import type { UploadItem } from "../uploader/item.js";
import { Card } from "./card.js";
import { make } from "./dom.js";
import type { Texts } from "./texts.js";

interface Row {
  card: Card;
  /** Of a picture that came through this element. */
  item?: UploadItem;
  /** Of a picture that was there before. */
  key?: string;
}

export interface ListActs {
  retry(item: UploadItem): void;
  /** The picture was taken off the list. */
  removed(name: string | null, item: UploadItem | undefined): void;
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
    const keys = this.#rows.map(({ item, key }) => key ?? item?.image?.key);
    return [...new Set(keys.filter((key) => key !== undefined))];
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
    const card = this.#push({ item });
    card.show(item, texts);
    void card.preview(item.file);
  }

  /** In the place of all that stands there: pictures known by their keys. */
  set(keys: readonly string[], endpoint: string, texts: Texts): void {
    this.clear();
    for (const key of keys) {
      const path = key.split("/").map(encodeURIComponent).join("/");
      this.#push({ key }).showStored(key, `${addressOf(endpoint, path)}?v=thumb`, texts);
    }
  }

  /** The item has changed. */
  show(item: UploadItem, texts: Texts): void {
    this.#rows.find((row) => row.item === item)?.card.show(item, texts);
  }

  showAll(texts: Texts): void {
    for (const { card, item } of this.#rows) if (item) card.show(item, texts);
  }

  clear(): void {
    for (const { card, item } of this.#rows.splice(0)) {
      card.element.remove();
      if (item) this.#acts.removed(null, item);
    }
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
    const [row] = this.#rows.splice(at, 1);
    card.element.remove();
    // The focus must not fall off the page with the button that had it.
    (this.#rows[at] ?? this.#rows[at - 1])?.card.removeButton.focus();
    this.#acts.removed(row?.item?.name ?? row?.key?.split("/").at(-1) ?? "", row?.item);
  }
}
