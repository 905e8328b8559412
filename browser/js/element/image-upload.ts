// <image-upload>: a field of a form whose value is the keys of the pictures that were uploaded with it. The
// sending is the Uploader's; what stands here joins it to the form, the list and the ways in which pictures come.
import { SetupError } from "../fault.js";
import type { AssetUrls } from "../messages.js";
import { warmUp } from "../preflight.js";
import type { TokenRequest, TokenSource } from "../sending/credentials.js";
import type { UploadItem } from "../uploader/item.js";
import { Uploader, type UploaderOptions } from "../uploader/uploader.js";
import { isReady } from "../workshop.js";
import { sentenceOf } from "./card.js";
import { make } from "./dom.js";
import type { ImageUploadEventMap } from "./events.js";
import { Intake } from "./intake.js";
import { List, type Removed } from "./list.js";
import { styles } from "./sheet.js";
import { textsFor, type Texts } from "./texts.js";

export interface ImageUpload {
  addEventListener<Name extends keyof ImageUploadEventMap>(
    type: Name,
    listener: (this: ImageUpload, event: ImageUploadEventMap[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

/** How long pictures wait for a token source before they say that none is there: longer than a page takes to start. */
const TOKEN_MS = 5_000;
const NO_TOKEN = new SetupError("<image-upload> has no `token`. Set the property.", "warn");
const NO_ITEMS: readonly UploadItem[] = [];
/** What may be set before this class is there. */
const PROPERTIES = ["assets", "token", "endpoint", "name", "formId", "offline", "maxFiles", "required", "disabled", "value"] as const;
/** Servers import this, too, and have no elements. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * Attributes: `endpoint`, `form-id`, `name`, `max-files`, `required`, `disabled`, `lang`; `offline`, whose value is the id of the user whose
 * pictures are kept on this device until the form is sent; `on-remove`: with `delete`, removing a picture that was uploaded here also deletes it at
 * the edge while the form has not been sent (default `keep`). `token` says where tokens come from; pictures wait some seconds for it
 * and are sent whenever it is set.
 */
export class ImageUpload extends Base {
  static readonly formAssociated = true;
  static readonly observedAttributes = ["max-files", "required", "disabled", "lang", "offline"];


  /** Documents without a browser, such as those of jsdom and happy-dom, have none of it or half. */
  readonly #internals: Partial<ElementInternals> = this.attachInternals?.() ?? {};
  readonly #said = make("p", { className: "said", role: "status", "aria-live": "polite" });
  readonly #intake = new Intake((files) => this.#take(files));
  readonly #list = new List({
    retry: (item) => this.#uploader?.retry(item),
    removed: (removed) => this.#removed(removed),
  });
  #uploader: Uploader | undefined;
  /** What was stored when the form was sent. */
  readonly #sent = new WeakSet<UploadItem>();
  #connection: AbortController | undefined;
  #isFieldsetDisabled = false;
  #assets: AssetUrls | undefined;
  #token: TokenSource | undefined;
  /** Whether something was given up since there was none. */
  #isTokenLate = false;
  #tokenIsSet!: () => void;
  readonly #tokenSet = new Promise<void>((resolve) => (this.#tokenIsSet = resolve));

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [styles()];
    // Unlike `change`, the file input's own `input` would leave the shadow root.
    root.addEventListener("input", (event) => event.stopPropagation());
    root.append(this.#intake.element, this.#list.element, this.#said);
    this.#internals.role = "group";
  }

  /** Where worker and wasm are, where the bundler does not follow `new URL("…", import.meta.url)`. */
  get assets(): AssetUrls | undefined {
    return this.#assets;
  }
  set assets(assets: AssetUrls | undefined) {
    this.#assets = assets;
  }

  /** Where tokens come from; asked again with `refresh` when one was refused (expired or invalid), and after it was set anew. */
  get token(): TokenSource | undefined {
    return this.#token;
  }
  set token(source: TokenSource | undefined) {
    this.#token = source;
    this.#uploader?.forgetToken();
    if (!source) return;
    this.#tokenIsSet();
    if (!this.#isTokenLate) return;
    this.#isTokenLate = false;
    for (const item of this.items) if (item.error === NO_TOKEN) this.#uploader?.retry(item);
    this.#findNames();
  }

  /** The keys of the stored pictures. Setting them leaves alone what is being sent or has failed; setting the current ones does nothing. */
  get value(): string[] {
    return this.#list.keys;
  }
  set value(keys: readonly string[] | null | undefined) {
    keys ??= [];
    if (JSON.stringify(keys) === JSON.stringify(this.value)) return;
    this.#list.set(keys, this.endpoint, this.#texts);
    this.#settle();
    this.#findNames();
  }

  /** The pictures that came through this element, for more than their keys. */
  get items(): readonly UploadItem[] {
    return this.#uploader?.items ?? NO_ITEMS;
  }

  /**
   * Says that the form was sent, for pages that send it without its `submit` event: what is stored does not come back after a reload,
   * and removing it deletes nothing.
   */
  markSent(): void {
    for (const item of this.items) if (item.image) this.#sent.add(item);
    this.#uploader?.markSent();
  }

  /** Takes files that the page got elsewhere, as if they had been chosen. */
  add(files: Iterable<File>): void {
    this.#take([...files]);
  }

  get endpoint(): string {
    return this.getAttribute("endpoint") ?? "";
  }
  set endpoint(endpoint: string) {
    this.setAttribute("endpoint", endpoint);
  }
  get name(): string {
    return this.getAttribute("name") ?? "";
  }
  set name(name: string) {
    this.setAttribute("name", name);
  }
  get formId(): string | undefined {
    return this.getAttribute("form-id") ?? undefined;
  }
  set formId(id: string | null | undefined) {
    this.#attribute("form-id", id);
  }
  /** The id of the user whose pictures wait on this device; nothing when none do. */
  get offline(): string | null {
    return this.getAttribute("offline");
  }
  set offline(owner: string | null | undefined) {
    this.#attribute("offline", owner);
  }
  get required(): boolean {
    return this.hasAttribute("required");
  }
  set required(isRequired: boolean) {
    this.toggleAttribute("required", isRequired);
  }
  get disabled(): boolean {
    return this.hasAttribute("disabled");
  }
  set disabled(isDisabled: boolean) {
    this.toggleAttribute("disabled", isDisabled);
  }
  get maxFiles(): number {
    const most = Number(this.getAttribute("max-files"));
    return Number.isInteger(most) && most > 0 ? most : Infinity;
  }
  set maxFiles(most: number) {
    this.setAttribute("max-files", String(most));
  }

  get form(): HTMLFormElement | null {
    return this.#internals.form ?? null;
  }
  get labels(): NodeList | undefined {
    return this.#internals.labels;
  }
  get validity(): ValidityState | undefined {
    return this.#internals.validity;
  }
  get validationMessage(): string {
    return this.#internals.validationMessage ?? "";
  }
  get willValidate(): boolean {
    return this.#internals.willValidate ?? false;
  }
  checkValidity(): boolean {
    return this.#internals.checkValidity?.() ?? true;
  }
  reportValidity(): boolean {
    return this.#internals.reportValidity?.() ?? true;
  }

  connectedCallback(): void {
    for (const name of PROPERTIES) this.#takeEarly(name);
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    this.#intake.listen(this, signal);
    const submitted = ({ target }: Event) => target === this.form && this.markSent();
    this.getRootNode().addEventListener("submit", submitted, { capture: true, signal });
    // A person who points at the field is about to choose a file: load worker and wasm now.
    const warm = () => void warmUp(this.assets).catch(() => {});
    for (const type of ["focusin", "pointerenter", "dragenter"]) this.addEventListener(type, warm, { once: true, signal });
    // The page's language may change under it.
    const watcher = new MutationObserver(() => this.#speak());
    watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
    signal.addEventListener("abort", () => watcher.disconnect());
    this.#retireFallback();
    this.#speak();
    if (this.hasAttribute("offline")) this.#start();
    this.#findNames();
  }

  disconnectedCallback(): void {
    this.#connection?.abort();
    // Moved within the page, it is there again by then.
    queueMicrotask(() => {
      if (!this.isConnected) this.#end();
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.isConnected) return;
    if (this.#connection && name === "offline" && before !== now) {
      // The pictures of one owner are neither shown to the next one nor sent in their name.
      if (before) this.#end();
      if (now !== null && this.items.length === 0) {
        this.#close();
        this.#start();
      }
    }
    this.#speak();
  }

  formResetCallback(): void {
    this.#list.removeAll();
    this.#settle();
  }

  formDisabledCallback(isDisabled: boolean): void {
    this.#isFieldsetDisabled = isDisabled;
    this.#settle();
  }

  formStateRestoreCallback(state: FormData | string | File | null): void {
    if (state instanceof FormData) this.value = [...state.values()].map(String);
  }

  get #language(): string {
    const said = this.closest("[lang]")?.getAttribute("lang");
    return said || navigator.language;
  }

  get #texts(): Texts {
    return textsFor(this.#language);
  }

  /** The Uploader reads these each time, so attributes may change and the token may come late. */
  #start(): Uploader {
    if (this.#uploader) return this.#uploader;
    const element = this;
    const owner = this.getAttribute("offline");
    const options: UploaderOptions = {
      get endpoint() {
        return element.endpoint;
      },
      get formId() {
        return element.formId;
      },
      get assets() {
        return element.assets;
      },
      get language() {
        return element.#language;
      },
      token: (request) => this.#askToken(request),
      offline: owner === null ? false : { owner, field: this.name, untilSent: true },
    };
    const uploader = new Uploader(options);
    this.#uploader = uploader;
    uploader.on("added", ({ item }) => {
      this.#list.add(item, this.#texts);
      this.#settle();
      // Stored before a reload.
      if (item.image) this.dispatchEvent(new Event("change", { bubbles: true }));
    });
    uploader.on("changed", ({ item }) => this.#changed(item));
    uploader.on("progress", ({ item }) => this.#list.show(item, this.#texts));
    uploader.on("uploaded", (detail) => this.#tell("uploaded", detail));
    uploader.on("refused", (detail) => this.#tell("refused", detail));
    uploader.on("failed", (detail) => this.#tell("failed", detail));
    return uploader;
  }

  #end(): void {
    this.#close();
    this.#list.clear();
  }

  #close(): void {
    this.#uploader?.close();
    this.#uploader = undefined;
  }

  /** Asks for the file names of pictures that were given by their keys. */
  #findNames(): void {
    if (!this.isConnected || !this.#connection || !this.#list.isNameless) return;
    const found = this.#start().names();
    // Without an answer the names that are shown stay.
    found.then((names) => this.#list.setNames(names, this.#texts)).catch(() => {});
  }

  async #askToken(request: TokenRequest): Promise<string> {
    if (!this.#token) await Promise.race([this.#tokenSet, new Promise((resolve) => setTimeout(resolve, TOKEN_MS))]);
    this.#isTokenLate = !this.#token;
    if (!this.#token) throw NO_TOKEN;
    return this.#token(request);
  }

  #take(files: File[]): void {
    const room = this.maxFiles - this.#list.size;
    const uploader = this.#start();
    this.#intake.problem = files.length > room ? this.#texts.tooMany(this.maxFiles) : "";
    for (const file of files.slice(0, Math.max(0, room))) uploader.add(file);
  }

  #changed(item: UploadItem): void {
    const texts = this.#texts;
    this.#list.show(item, texts);
    // The card says that code is loading, and then that the picture is looked at.
    if (item.state === "preparing" && !isReady()) void warmUp(this.assets).then(() => this.#list.showAll(this.#texts), () => {});
    const name = item.name ?? texts.nameless;
    if (item.state === "uploaded") this.#say(texts.saidStored(name));
    if (item.state === "refused" || item.state === "failed") this.#say(texts.saidRefused(name, sentenceOf(item, texts)));
    if (item.state === "waiting" && item.isKept) this.#say(texts.saidWaiting(name));
    this.#settle();
  }

  #removed({ key, name, item, isByPerson }: Removed): void {
    if (item) this.#discard(item, isByPerson && this.getAttribute("on-remove") === "delete");
    this.#intake.problem = "";
    if (isByPerson) {
      this.#settle();
      if (this.#list.size === 0) this.#intake.chooseButton.focus();
      this.#say(this.#texts.saidRemoved(name ?? this.#texts.nameless));
    }
    this.dispatchEvent(new CustomEvent("removed", { detail: { key, item, isByPerson }, bubbles: true, composed: true }));
    if (isByPerson) this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** Lets go of an item, and deletes its picture unless an answer may need it: the form was sent, or a field of it has the same picture. */
  #discard(item: UploadItem, mayDelete: boolean): void {
    const fields = [this, ...(this.form?.elements ?? [])];
    const isUsed = fields.some((field) => field instanceof ImageUpload && field.value.includes(item.image?.key ?? ""));
    if (!mayDelete || isUsed || this.#sent.has(item)) return this.#uploader?.remove(item);
    this.#uploader?.delete(item).catch((error) => console.warn("@the-form/preflight: a removed picture could not be deleted.", error));
  }

  #tell<Detail extends { item: UploadItem }>(type: string, detail: Detail): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    if (type === "uploaded") this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** All that hangs on language and attributes. */
  #speak(): void {
    this.#intake.show(this.#texts, this.maxFiles === 1);
    this.#list.showAll(this.#texts);
    this.#settle();
  }

  /** The form's side of it: the value, whether it is valid, whether anything can be done. */
  #settle(): void {
    const texts = this.#texts;
    const { keys, isBusy, size } = this.#list;
    const data = new FormData();
    if (this.name) for (const key of keys) data.append(this.name, key);
    this.#internals.setFormValue?.(data);
    const valueMissing = this.required && keys.length === 0;
    const message = isBusy ? texts.busy : valueMissing ? texts.missing : "";
    this.#internals.setValidity?.({ customError: isBusy, valueMissing: valueMissing && !isBusy }, message, this.#intake.chooseButton);
    const isDisabled = this.disabled || this.#isFieldsetDisabled;
    const isFull = size >= this.maxFiles;
    const hadFocus = this.#intake.hasFocus;
    this.#intake.off = { isDisabled: isDisabled || isFull, isFull };
    if (isFull) this.#intake.problem = texts.tooMany(this.maxFiles);
    // The buttons go away when there is no room, and would drop the focus to the page's body.
    if (isFull && hadFocus) this.#intake.readProblem();
    this.#list.isDisabled = isDisabled;
    this.#internals.ariaDisabled = String(isDisabled);
  }

  #attribute(name: string, value: string | null | undefined): void {
    if (value == null) this.removeAttribute(name);
    else this.setAttribute(name, value);
  }

  #say(sentence: string): void {
    this.#said.textContent = sentence;
  }

  /** What is there for browsers without scripts must not send an empty file beside our keys. */
  #retireFallback(): void {
    for (const input of this.querySelectorAll("input")) input.disabled = true;
  }

  /** A property that was set before this class was there hides the accessor. */
  #takeEarly(name: (typeof PROPERTIES)[number]): void {
    if (!Object.hasOwn(this, name)) return;
    const early = this[name];
    delete (this as Record<string, unknown>)[name];
    Object.assign(this, { [name]: early });
  }
}
