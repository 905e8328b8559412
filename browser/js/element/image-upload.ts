// <image-upload>: a form field whose value is the keys of the pictures that were uploaded with it. The Uploader uploads; this connects it to the
// form, the list and the picker.
import type { TokenOrTicket, Uploaded } from "../client/api-client.js";
import { challengeProgress, onChallengeProgress } from "../client/challenge.js";
import type { TicketSource, TokenRequest, TokenSource } from "../client/credentials.js";
import { type FormPolicy, isAboutForm, POLICY_MAX_AGE_MS, selectableTypes } from "../client/policy.js";
import { Refusal, SetupError } from "../errors.js";
import { clearQueue } from "../offline/outbox.js";
import type { QueueKey } from "../offline/seal.js";
import type { Edit } from "../preflight/edit.js";
import type { AssetUrls } from "../preflight/messages.js";
import { warmUp } from "../preflight/preflight.js";
import { isReady } from "../preflight/queue.js";
import type { UploadItem } from "../uploader/task.js";
import { NO_PROGRESS, Uploader, type UploaderOptions } from "../uploader/uploader.js";
import { create } from "./dom.js";
import type { EditorOptions } from "./editor.js";
import { List, type Moved, type Removed } from "./list.js";
import { Picker } from "./picker.js";
import { styleSheet } from "./styles.js";
import { describePolicy, type ImageUploadTexts, sentenceOf, textsFor, type Texts, whyClosed } from "./texts.js";

/** `change` fires, as for other fields, whenever the value has changed. */
export interface ImageUploadEventMap extends HTMLElementEventMap {
  uploaded: CustomEvent<{ item: UploadItem; image: Uploaded }>;
  refused: CustomEvent<{ item: UploadItem; error: Refusal }>;
  failed: CustomEvent<{ item: UploadItem; error: Error }>;
  /**
   * A picture was removed from the list, by the person or by the page. It has a `key` when it was stored, an `item` when it was added to this
   * element.
   */
  removed: CustomEvent<{ key: string | undefined; item: UploadItem | undefined; isByPerson: boolean }>;
}

export interface ImageUpload {
  addEventListener<Name extends keyof ImageUploadEventMap>(
    type: Name,
    listener: (this: ImageUpload, event: ImageUploadEventMap[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

/** How long pictures wait for a token source before they fail: longer than a page takes to start. */
const TOKEN_TIMEOUT_MS = 5_000;
/** A picture that expires is renewed after this part of its lifetime. */
const RENEW_AT = 0.75;
/** The delay before another attempt, and the shortest lifetime that the clock of this device may suggest. */
const MIN_LIFETIME_MS = 60_000;
const NO_TOKEN = new SetupError("<image-upload> has no `token`. Set the property.", "warn");
const NO_ITEMS: readonly UploadItem[] = [];
/** A form that is not open yet is looked up again when it opens, at least every hour. */
const MAX_WAIT_MS = 3_600_000;
/** How often a page asks for the decision about pictures that wait for a review. */
const REVIEW_INTERVAL_MS = 60_000;
/** Pages may set these before the element is defined. */
const PROPERTIES = ["assets", "token", "ticket", "endpoint", "name", "formId", "offline", "offlineKey", "maxFiles", "required", "disabled", "directory", "sortable", "edit", "texts", "value"] as const;
/** Servers can import this module, and have no elements. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * Attributes: `endpoint`, `form-id`, `name`, `max-files`, `required`, `disabled`, `lang`; `value`, the keys at first; `directory` for a button that
 * chooses a folder; `sortable`, so that people can change the order; `edit`, so that people can crop and turn pictures, with `round` shown as a circle; `offline`, whose value is the id of the user whose
 * pictures are kept on this device until the form is sent; `on-remove`: with `delete`, removing a picture that was uploaded here also deletes it
 * at the edge while the form has not been sent (default `keep`). `token` is the source of tokens; pictures wait some seconds for it, and are
 * sent whenever it is set.
 */
export class ImageUpload extends Base {
  static readonly formAssociated = true;
  static readonly observedAttributes = ["form-id", "max-files", "required", "disabled", "directory", "sortable", "edit", "lang", "offline"];

  /** Implemented in part or not at all by jsdom and happy-dom. */
  readonly #internals: Partial<ElementInternals> = this.attachInternals?.() ?? {};
  readonly #status = create("p", { className: "status", role: "status", "aria-live": "polite" });
  readonly #picker = new Picker(
    (files) => this.add(files),
    () => void this.#takePhoto(),
  );
  readonly #list = new List(
    (item) => this.#uploader?.retry(item),
    (item) => void this.#editAgain(item),
    (removed) => this.#removed(removed),
    (moved, isAtEnd) => this.#moved(moved, isAtEnd),
  );
  readonly #overallText = create("p");
  readonly #overallBar = create("progress", { max: 1, part: "overall-progress" });
  readonly #overall = create("div", { className: "overall", part: "overall", hidden: true }, this.#overallText, this.#overallBar);
  #uploader: Uploader | undefined;
  /** The items that were stored when the form was sent. */
  readonly #sentItems = new WeakSet<UploadItem>();
  /** How long the service keeps pictures that expire, in milliseconds. */
  readonly #lifetimes = new WeakMap<UploadItem, number>();
  #connection: AbortController | undefined;
  /** What the form asks of pictures, once it is known. */
  #policy: FormPolicy | undefined;
  /** Why there is no such form. */
  #unknownForm: Refusal | undefined;
  #wasClosed = false;
  #openingTimer: ReturnType<typeof setTimeout> | undefined;
  #reviewTimer: ReturnType<typeof setTimeout> | undefined;
  #isFieldsetDisabled = false;
  #assets: AssetUrls | undefined;
  #token: TokenSource | undefined;
  #ticket: TicketSource | undefined;
  #offlineKey: QueueKey | undefined;
  #ownTexts: ImageUploadTexts | undefined;
  /** Pictures that are being added one after the other, because their ratio may not fit. */
  #adding: Promise<void> = Promise.resolve();
  /** Whether the keys of the attribute `value` have been set. */
  #hasInitialValue = false;
  /** Whether an upload has failed because there was no token source. */
  #hasLackedToken = false;
  #resolveToken!: () => void;
  readonly #tokenSet = new Promise<void>((resolve) => (this.#resolveToken = resolve));

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [styleSheet()];
    // The `input` event of the file input would leave the shadow root, unlike its `change`.
    root.addEventListener("input", (event) => event.stopPropagation());
    root.append(this.#picker.element, this.#overall, this.#list.element, this.#status);
    this.#internals.role = "group";
  }

  /** Where worker and wasm are, for bundlers that do not follow `new URL("…", import.meta.url)`. */
  get assets(): AssetUrls | undefined {
    return this.#assets;
  }
  set assets(assets: AssetUrls | undefined) {
    this.#assets = assets;
  }

  /** The source of tokens; asked again with `refresh` when a token was refused (expired or invalid), and after it was set again. */
  get token(): TokenSource | undefined {
    return this.#token;
  }
  set token(source: TokenSource | undefined) {
    this.#token = source;
    this.#uploader?.forgetToken();
    if (!source) return;
    this.#resolveToken();
    if (this.#hasLackedToken) this.#loadRecords();
    this.#retryWithoutToken();
    // A guest has signed in.
    for (const item of this.items) if (item.error instanceof Refusal && item.error.code === "GUEST_NOT_ALLOWED") this.#uploader?.retry(item);
  }

  /** The source of tickets, one for each picture. With it, `token` is needed only for the names of pictures that were set by key, and to delete. */
  get ticket(): TicketSource | undefined {
    return this.#ticket;
  }
  set ticket(source: TicketSource | undefined) {
    this.#ticket = source;
    if (!source) return;
    // Pictures that wait for a token are sent with tickets.
    this.#resolveToken();
    this.#retryWithoutToken();
  }

  /** The keys of the stored pictures. Setting them does not change uploads that are under way or have failed; setting the current keys does nothing. */
  get value(): string[] {
    return this.#list.keys;
  }
  set value(keys: readonly string[] | null | undefined) {
    this.#hasInitialValue = true;
    keys ??= [];
    if (JSON.stringify(keys) === JSON.stringify(this.value)) return;
    this.#list.setKeys(keys, this.endpoint, this.#texts);
    this.#update();
    this.#loadRecords();
  }

  /** The pictures that were added to this element, for more than their keys. */
  get items(): readonly UploadItem[] {
    return this.#uploader?.items ?? NO_ITEMS;
  }

  /**
   * The form was sent, for pages that send it without its `submit` event: stored pictures do not come back after a reload, and removing them
   * deletes nothing.
   */
  markSent(): void {
    for (const item of this.items) if (item.image) this.#sentItems.add(item);
    this.#uploader?.markSent();
  }

  /** Deletes the pictures of this element's `offline` user that are kept on this device, in all fields, and empties the list: for a log-out. */
  async clearQueue(): Promise<void> {
    const owner = this.offline;
    this.#end();
    this.#update();
    if (owner) await clearQueue({ owner });
  }

  /** Adds files, as if they had been chosen. */
  add(files: Iterable<File>): void {
    if (this.#whyClosed) return;
    // The service was not reached when the page was opened.
    if (!this.#policy) void this.#loadPolicy();
    const all = [...files];
    const free = this.#most - this.#list.size;
    const uploader = this.#startedUploader();
    this.#picker.problem = all.length > free ? this.#texts.tooMany(this.#most) : "";
    const taken = all.slice(0, Math.max(0, free));
    if (this.edit === null || this.formId === undefined) for (const file of taken) uploader.add(file);
    else this.#adding = this.#adding.then(() => this.#addFitting(taken)).catch((error) => console.error("@the-form/preflight:", error));
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
    this.#setAttribute("form-id", id);
  }
  /** The id of the user whose pictures are kept on this device; null to keep none. */
  get offline(): string | null {
    return this.getAttribute("offline");
  }
  set offline(owner: string | null | undefined) {
    this.#setAttribute("offline", owner);
  }
  /** Encrypts the pictures that are kept on this device. Set it before pictures are added: those of another key leave the list. */
  get offlineKey(): QueueKey | undefined {
    return this.#offlineKey;
  }
  set offlineKey(key: QueueKey | undefined) {
    this.#offlineKey = key;
    if (!this.#uploader || !this.hasAttribute("offline")) return;
    if (this.items.length > 0) this.#end();
    else this.#close();
    this.#startedUploader();
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
  /** Whether people can also choose a folder. */
  get directory(): boolean {
    return this.hasAttribute("directory");
  }
  set directory(hasFolders: boolean) {
    this.toggleAttribute("directory", hasFolders);
  }
  /** Whether people can change the order of the pictures. */
  get sortable(): boolean {
    return this.hasAttribute("sortable");
  }
  set sortable(isSortable: boolean) {
    this.toggleAttribute("sortable", isSortable);
  }
  /** Whether people can crop and turn pictures: null for no, `round` to show the crop as a circle. */
  get edit(): string | null {
    return this.getAttribute("edit");
  }
  set edit(edit: string | boolean | null | undefined) {
    this.#setAttribute("edit", edit === true ? "" : edit === false ? null : edit);
  }
  /** Texts in place of those of the element, for other languages or other words. Set another object to change them. */
  get texts(): ImageUploadTexts | undefined {
    return this.#ownTexts;
  }
  set texts(texts: ImageUploadTexts | undefined) {
    this.#ownTexts = texts;
    if (this.#connection) this.#render();
  }
  get maxFiles(): number {
    const max = Number(this.getAttribute("max-files"));
    return Number.isInteger(max) && max > 0 ? max : Infinity;
  }
  set maxFiles(max: number) {
    this.setAttribute("max-files", String(max));
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
    for (const name of PROPERTIES) this.#upgradeProperty(name);
    if (!this.#hasInitialValue) this.#setInitialValue();
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    this.#picker.listen(this, signal);
    const onSubmit = ({ target }: Event) => target === this.form && this.markSent();
    this.getRootNode().addEventListener("submit", onSubmit, { capture: true, signal });
    // A person who points at the field is about to choose a file: load worker and wasm now.
    const warm = () => void warmUp(this.assets).catch(() => {});
    for (const type of ["focusin", "pointerenter", "dragenter"]) this.addEventListener(type, warm, { once: true, signal });
    const observer = new MutationObserver(() => this.#render());
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
    signal.addEventListener("abort", () => observer.disconnect());
    signal.addEventListener("abort", onChallengeProgress(() => this.#showChallenge()));
    // The inputs for browsers without scripts would send an empty file beside the keys.
    for (const input of this.querySelectorAll("input")) input.disabled = true;
    this.#render();
    if (this.hasAttribute("offline")) this.#startedUploader();
    this.#loadRecords();
    void this.#loadPolicy();
  }

  disconnectedCallback(): void {
    this.#connection?.abort();
    // An element that was moved within the page is connected again by then.
    queueMicrotask(() => {
      if (!this.isConnected) this.#end();
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.isConnected) return;
    if (this.#connection && name === "offline" && before !== now) {
      // The next owner neither sees nor sends the pictures of this one.
      if (before) this.#end();
      if (now !== null && this.items.length === 0) {
        this.#close();
        this.#startedUploader();
      }
    }
    if (name === "form-id" && before !== now) void this.#loadPolicy();
    this.#render();
  }

  formResetCallback(): void {
    this.#list.removeAll();
    this.#setInitialValue();
    this.#update();
  }

  formDisabledCallback(isDisabled: boolean): void {
    this.#isFieldsetDisabled = isDisabled;
    this.#update();
  }

  formStateRestoreCallback(state: FormData | string | File | null): void {
    if (state instanceof FormData) this.value = [...state.values()].map(String);
  }

  get #language(): string {
    return this.closest("[lang]")?.getAttribute("lang") || navigator.language;
  }

  get #texts(): Texts {
    return textsFor(this.#language, this.#ownTexts);
  }

  #startedUploader(): Uploader {
    if (this.#uploader) return this.#uploader;
    const element = this;
    const owner = this.getAttribute("offline");
    // Getters, because attributes may change and properties may be set later.
    const options: UploaderOptions & TokenOrTicket = {
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
      token: (request) => this.#requestToken(request),
      get ticket() {
        return element.ticket;
      },
      offline: owner === null ? false : { owner, field: this.name, untilSent: true, key: this.offlineKey },
    };
    const uploader = new Uploader(options);
    this.#uploader = uploader;
    uploader.on("added", ({ item }) => {
      this.#list.add(item, this.#texts);
      this.#update();
      // It was stored before a reload.
      if (item.image) this.#dispatchChange();
    });
    uploader.on("changed", ({ item }) => this.#changed(item));
    uploader.on("progress", ({ item }) => {
      this.#list.render(item, this.#texts);
      this.#showProgress();
    });
    uploader.on("uploaded", (detail) => {
      this.#renewInTime(detail.item, detail.image);
      this.#watchReview();
      this.#dispatch("uploaded", detail);
      this.#dispatchChange();
    });
    uploader.on("refused", (detail) => {
      // The form may have closed since the page was opened.
      if (isAboutForm(detail.error)) void this.#loadPolicy();
      this.#dispatch("refused", detail);
    });
    uploader.on("failed", (detail) => this.#dispatch("failed", detail));
    return uploader;
  }

  #end(): void {
    clearTimeout(this.#openingTimer);
    clearTimeout(this.#reviewTimer);
    this.#close();
    this.#list.clear();
  }

  #close(): void {
    this.#uploader?.close();
    this.#uploader = undefined;
  }

  /** Requests what is not known of pictures that were set by their keys, and what was decided about pictures that wait for a review. */
  #loadRecords(): void {
    clearTimeout(this.#reviewTimer);
    const { lacksRecords, isHeld } = this.#list;
    if (!this.isConnected || !this.#connection || !(lacksRecords || isHeld)) return;
    const asked = lacksRecords || !document.hidden ? this.#startedUploader().records() : Promise.reject();
    asked
      .then((records) => {
        const refused = this.#list.setRecords(records, this.#texts);
        for (const sentence of refused) this.#announce(sentence);
        if (refused.length === 0) return;
        this.#update();
        this.#dispatchChange();
      })
      // If the request fails, what is shown stays.
      .catch(() => {})
      .finally(() => this.#watchReview());
  }

  /** Asks again while a picture waits for a review. */
  #watchReview(): void {
    clearTimeout(this.#reviewTimer);
    if (this.#list.isHeld) this.#reviewTimer = setTimeout(() => this.#loadRecords(), REVIEW_INTERVAL_MS);
  }

  /** Loads what the form asks. An element without a form asks nothing special, and loads its policy with the first picture. */
  async #loadPolicy(): Promise<void> {
    clearTimeout(this.#openingTimer);
    const { formId } = this;
    const loading = formId === undefined ? undefined : this.#startedUploader().policy();
    const [policy, error] = await Promise.resolve(loading).then(
      (policy) => [policy, undefined] as const,
      (error: unknown) => [undefined, error instanceof Refusal ? error : undefined] as const,
    );
    if (formId !== this.formId || !this.isConnected) return;
    [this.#policy, this.#unknownForm] = [policy, error];
    // Nothing was sent before the policy was known.
    if (this.#list.size > this.#most) {
      this.#list.trim(this.#most);
      this.#picker.problem = this.#texts.tooMany(this.#most);
    }
    this.#render();
    if (policy?.form?.state !== "not_yet_open" || !policy.form.opensAt) return;
    // The clock of this device may be wrong.
    const ms = Math.max(POLICY_MAX_AGE_MS, Math.min(Date.parse(policy.form.opensAt) - Date.now(), MAX_WAIT_MS));
    this.#openingTimer = setTimeout(() => void this.#loadPolicy(), ms);
  }

  /** Why the form takes no pictures; empty when it takes some. */
  get #whyClosed(): string {
    if (this.#unknownForm) return sentenceOf(this.#unknownForm, this.#texts);
    return this.#policy ? whyClosed(this.#policy, this.#texts) : "";
  }

  /** The largest number of pictures: of the attribute or the form. */
  get #most(): number {
    return Math.min(this.maxFiles, this.#policy?.form?.maxFilesPerUser ?? Infinity);
  }

  #setInitialValue(): void {
    const keys = this.getAttribute("value")?.split(/[\s,]+/).filter(Boolean);
    if (keys?.length) this.value = keys;
  }

  /** Adds files; if the ratio of one is not that of the form, the person crops it first. */
  async #addFitting(files: readonly File[]): Promise<void> {
    const policy = await this.#startedUploader().policy().catch(() => undefined);
    for (const file of files) {
      const edit = policy?.aspectRatio ? await this.#openEditor("fitToRatio", file, { aspectRatio: policy.aspectRatio }) : undefined;
      if (edit === null) continue;
      if (!this.isConnected || this.#list.size >= this.#most) return;
      this.#startedUploader().add(file, file.name, { edit });
    }
  }

  /** Opens the editor for a picture of the list, and sends the result in its place. */
  async #editAgain(item: UploadItem): Promise<void> {
    const edit = await this.#openEditor("editPicture", item.file, { edit: item.edit, aspectRatio: this.#policy?.aspectRatio });
    if (!edit || JSON.stringify(edit) === JSON.stringify(item.edit) || !this.items.includes(item)) return;
    const key = item.image?.key;
    const position = this.#list.take(item);
    // The form may take no other picture while it has this one.
    await this.#discard(item, this.getAttribute("on-remove") === "delete");
    this.#dispatch("removed", { key, item, isByPerson: true });
    const edited = this.#startedUploader().add(item.file, item.name, { edit });
    this.#list.place(edited, position);
    this.#list.focus(edited);
    if (key !== undefined) this.#dispatchChange();
  }

  /** The editor loads when it is needed first. */
  async #openEditor(name: "editPicture" | "fitToRatio", file: Blob, options: Pick<EditorOptions, "edit" | "aspectRatio">): Promise<Edit | undefined | null> {
    try {
      const editor = await import("./editor.js");
      return await editor[name](this.shadowRoot!, file, { ...options, language: this.#language, own: this.#ownTexts, isRound: this.edit === "round" });
    } catch (error) {
      this.#picker.problem = this.#texts.failed;
      console.warn("@the-form/preflight: the editor could not be opened.", error);
      return undefined;
    }
  }

  async #takePhoto(): Promise<void> {
    try {
      const { takePhoto } = await import("./camera.js");
      const photo = await takePhoto(this.shadowRoot!, this.#texts, this.#language, this.#ownTexts);
      if (photo) this.add([photo]);
    } catch (error) {
      this.#picker.problem = this.#texts.cameraFailed;
      console.warn("@the-form/preflight:", error);
    }
  }

  /** Shows the progress of the whole list while several pictures are on their way. */
  #showProgress(): void {
    const { total, uploaded, part } = this.#uploader?.progress ?? NO_PROGRESS;
    this.#overall.hidden = total < 2 || !this.#list.isBusy;
    this.#overallText.textContent = this.#overallBar.ariaLabel = this.#texts.overall(uploaded, total);
    this.#overallBar.value = part;
  }

  #moved({ name, position }: Moved, isAtEnd: boolean): void {
    const texts = this.#texts;
    this.#list.renderOrder(texts);
    if (!isAtEnd) return;
    this.#announce(texts.announceMoved(name ?? texts.unnamed, position, this.#list.size));
    this.#update();
    this.#dispatchChange();
  }

  /** Sends the pictures that failed because there was neither a token nor a ticket. */
  #retryWithoutToken(): void {
    if (!this.#hasLackedToken) return;
    this.#hasLackedToken = false;
    for (const item of this.items) if (item.error === NO_TOKEN) this.#uploader?.retry(item);
  }

  async #requestToken(request: TokenRequest): Promise<string> {
    if (!this.#token) await Promise.race([this.#tokenSet, new Promise((resolve) => setTimeout(resolve, TOKEN_TIMEOUT_MS))]);
    this.#hasLackedToken = !this.#token;
    if (!this.#token) throw NO_TOKEN;
    return this.#token(request);
  }

  #changed(item: UploadItem): void {
    const texts = this.#texts;
    this.#list.render(item, texts);
    // The item says that code is loading; once it is loaded, that the picture is checked.
    if (item.state === "preparing" && !isReady()) void warmUp(this.assets).then(() => this.#list.renderAll(this.#texts), () => {});
    const name = item.name ?? texts.unnamed;
    if (item.state === "uploaded") this.#announce(texts.announceStored(name));
    if (item.state === "refused" || item.state === "failed") this.#announce(texts.announceRefused(name, sentenceOf(item.error, texts)));
    if (item.error === NO_TOKEN && this.#ticket) this.#retryWithoutToken();
    if (item.state === "waiting" && item.error) this.#announce(sentenceOf(item.error, texts));
    else if (item.state === "waiting" && item.isKept) this.#announce(texts.announceWaiting(name));
    this.#update();
  }

  /** The token source solves a challenge while pictures wait for its token. */
  #showChallenge(): void {
    this.#list.renderAll(this.#texts);
    const isWaiting = this.items.some(({ state, sentBytes }) => state === "sending" && sentBytes === 0);
    if (challengeProgress() === 0 && isWaiting) this.#announce(this.#texts.announceChallenge);
  }

  #removed({ key, name, item, isByPerson }: Removed): void {
    if (item) void this.#discard(item, isByPerson && this.getAttribute("on-remove") === "delete");
    this.#picker.problem = "";
    if (isByPerson) {
      this.#update();
      if (this.#list.size === 0) this.#picker.chooseButton.focus();
      this.#announce(this.#texts.announceRemoved(name ?? this.#texts.unnamed));
    }
    this.#dispatch("removed", { key, item, isByPerson });
    if (isByPerson) this.#dispatchChange();
  }

  /** Removes an item; deletes its picture unless the form was sent or a field of the form has the same picture. */
  async #discard(item: UploadItem, mayDelete: boolean): Promise<void> {
    const fields = [this, ...(this.form?.elements ?? [])];
    const isUsed = fields.some((field) => field instanceof ImageUpload && field.value.includes(item.image?.key ?? ""));
    if (!mayDelete || isUsed || this.#sentItems.has(item)) return this.#uploader?.remove(item);
    await this.#uploader?.delete(item).catch((error) => console.warn("@the-form/preflight: a removed picture could not be deleted.", error));
  }

  /** Renews a picture that the service keeps for a limited time, before it expires, until the form is sent. */
  #renewInTime(item: UploadItem, { expiresAt, uploadedAt, isNew }: Uploaded): void {
    if (expiresAt === null) return;
    // By the clock of the service where possible: that of this device may be wrong.
    const lifetimeMs = Date.parse(expiresAt) - (isNew ? Date.parse(uploadedAt) : Math.min(Date.now(), Date.parse(expiresAt) - MIN_LIFETIME_MS));
    if (isNew || !this.#lifetimes.has(item)) this.#lifetimes.set(item, lifetimeMs);
    setTimeout(() => void this.#renew(item), RENEW_AT * this.#lifetimes.get(item)!);
  }

  async #renew(item: UploadItem): Promise<void> {
    const uploader = this.#uploader;
    if (!uploader?.items.includes(item) || this.#sentItems.has(item)) return;
    // A hidden page sends nothing until it is visible again.
    if (document.hidden) return document.addEventListener("visibilitychange", () => void this.#renew(item), { once: true });
    const key = item.image?.key;
    try {
      const image = await uploader.renew(item);
      if (!image) return;
      this.#renewInTime(item, image);
      if (image.key === key) return;
      this.#update();
      this.#dispatchChange();
    } catch (error) {
      // The person reads why it is refused now.
      if (error instanceof Refusal) uploader.retry(item);
      else setTimeout(() => void this.#renew(item), MIN_LIFETIME_MS);
    }
  }

  #dispatch(type: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  #dispatchChange(): void {
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** Shows everything that depends on the language and on attributes. */
  #render(): void {
    const policy = this.#policy;
    const asked = policy && describePolicy(policy, this.#language, this.#most, this.#texts);
    this.#list.isSortable = this.sortable;
    this.#list.isEditable = this.edit !== null;
    this.#picker.render(this.#texts, this.#most === 1, this.directory, asked, policy && selectableTypes(policy));
    this.#list.renderAll(this.#texts);
    this.#update();
  }

  /** Updates the value and validity of the form field, and which controls are enabled. */
  #update(): void {
    const texts = this.#texts;
    const { keys, isBusy, size } = this.#list;
    const data = new FormData();
    if (this.name) for (const key of keys) data.append(this.name, key);
    this.#internals.setFormValue?.(data);
    const closed = this.#whyClosed;
    const valueMissing = this.required && keys.length === 0;
    const message = isBusy ? texts.busy : valueMissing ? closed || texts.missing : "";
    const isFull = size >= this.#most;
    const takesNone = isFull || closed !== "";
    const isDisabled = this.disabled || this.#isFieldsetDisabled;
    const hadFocus = this.#picker.hasFocus;
    this.#picker.setDisabled(isDisabled || takesNone, takesNone);
    if (takesNone) this.#picker.problem = closed || texts.tooMany(this.#most);
    else if (this.#wasClosed) this.#picker.problem = "";
    this.#wasClosed = closed !== "";
    this.#internals.setValidity?.({ customError: isBusy, valueMissing: valueMissing && !isBusy }, message, this.#picker.anchor);
    // The buttons are hidden when the field takes no more, and would drop the focus to the page's body.
    if (takesNone && hadFocus) this.#picker.anchor.focus();
    this.#list.isDisabled = isDisabled;
    this.#list.renderOrder(texts);
    this.#showProgress();
    this.#internals.ariaDisabled = String(isDisabled);
  }

  #setAttribute(name: string, value: string | null | undefined): void {
    if (value == null) this.removeAttribute(name);
    else this.setAttribute(name, value);
  }

  #announce(sentence: string): void {
    this.#status.textContent = sentence;
  }

  /** A property that was set before the element was defined hides the accessor: removes it and sets it again. */
  #upgradeProperty(name: (typeof PROPERTIES)[number]): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (this as Record<string, unknown>)[name];
    Object.assign(this, { [name]: value });
  }
}
