// Connects <image-upload> with a component: properties that changed are set, and events call the functions that the component has now.
import type { ImageUpload, ImageUploadEventMap } from "../element/index.js";
import type { TicketSource, TokenSource } from "../index.js";

/** What the components of all frameworks take. */
export interface ImageUploadFieldProps {
  /** The origin of the service, such as `https://image.the-form`. */
  endpoint?: string | undefined;
  /** Where tokens come from. It may be another function with each rendering. */
  token?: TokenSource | undefined;
  ticket?: TicketSource | undefined;
  /** The id of the user whose tokens `token` returns. With another one, a new token is asked for, and pictures that guests may not send are sent. */
  user?: string | undefined;
  /** The field of the form that gets the keys. */
  name?: string | undefined;
  /** The form that the pictures belong to, at the service. */
  formId?: string | undefined;
  maxFiles?: number | undefined;
  /** The id of the user whose pictures are kept on this device until the form is sent. */
  offline?: string | null | undefined;
  offlineKey?: ImageUpload["offlineKey"];
  required?: boolean | undefined;
  disabled?: boolean | undefined;
  /** Whether a picture that a person removes is deleted at the service, if it was uploaded here and the form was not sent. */
  deleteOnRemove?: boolean | undefined;
  /** Whether people can also choose a folder. */
  directory?: boolean | undefined;
  /** Whether people can change the order of the pictures, which is that of the keys. */
  sortable?: boolean | undefined;
  /** Whether people can crop and turn pictures; with `round` the crop is shown as a circle. */
  edit?: boolean | "round" | undefined;
  /** Texts in place of those of the element. */
  texts?: ImageUpload["texts"];
  assets?: ImageUpload["assets"];
}

type Detail<Name extends keyof ImageUploadEventMap> = ImageUploadEventMap[Name] extends CustomEvent<infer Detail> ? Detail : never;

/** The events of the element, with what they are about. */
export interface ImageUploadFieldEvents {
  uploaded: Detail<"uploaded">;
  refused: Detail<"refused">;
  failed: Detail<"failed">;
  removed: Detail<"removed">;
}

type KeySource = Extract<ImageUpload["offlineKey"], () => unknown>;
export type Keys = readonly string[];
export type FieldListener = <Name extends keyof ImageUploadFieldEvents>(name: Name, detail: ImageUploadFieldEvents[Name]) => void;

const EVENTS = ["uploaded", "refused", "failed", "removed"] as const;
type Settable = Omit<ImageUploadFieldProps, "user">;
/** Each property, and how it is set. */
const SET: { [Name in keyof Settable]-?: (element: ImageUpload, value: Settable[Name] | undefined) => void } = {
  endpoint: (element, endpoint = "") => (element.endpoint = endpoint),
  token: (element, token) => (element.token = token),
  ticket: (element, ticket) => (element.ticket = ticket),
  name: (element, name = "") => (element.name = name),
  formId: (element, formId) => (element.formId = formId),
  maxFiles: (element, maxFiles) => (maxFiles === undefined ? element.removeAttribute("max-files") : (element.maxFiles = maxFiles)),
  offline: (element, offline) => (element.offline = offline),
  offlineKey: (element, offlineKey) => (element.offlineKey = offlineKey),
  required: (element, required = false) => (element.required = required),
  disabled: (element, disabled = false) => (element.disabled = disabled),
  deleteOnRemove: (element, isDeleted) => (isDeleted ? element.setAttribute("on-remove", "delete") : element.removeAttribute("on-remove")),
  directory: (element, directory = false) => (element.directory = directory),
  sortable: (element, sortable = false) => (element.sortable = sortable),
  edit: (element, edit = false) => (element.edit = edit),
  texts: (element, texts) => (element.texts = texts),
  assets: (element, assets) => (element.assets = assets),
};
const NAMES = Object.keys(SET) as (keyof Settable)[];

/** The attributes that a server renders, so that the element has them before scripts run. */
export function attributesOf({ endpoint, name, formId, maxFiles, offline, deleteOnRemove }: ImageUploadFieldProps): Record<string, string | undefined> {
  return {
    endpoint,
    name,
    "form-id": formId,
    "max-files": maxFiles === undefined ? undefined : String(maxFiles),
    offline: offline ?? undefined,
    "on-remove": deleteOnRemove ? "delete" : undefined,
  };
}

export class Field {
  readonly #element: ImageUpload;
  readonly #stop = new AbortController();
  readonly #last: ImageUploadFieldProps & { value?: string | undefined } = {};
  #props: ImageUploadFieldProps = {};
  /** These stay the same functions, because the element begins anew when it gets another one. */
  #token: TokenSource | undefined;
  readonly #ticket: TicketSource = (picture) => this.#props.ticket!(picture);
  readonly #offlineKey = (): ReturnType<KeySource> => {
    const { offlineKey } = this.#props;
    return typeof offlineKey === "function" ? offlineKey() : offlineKey;
  };

  constructor(element: ImageUpload, onChange: (keys: string[]) => void, onEvent: FieldListener) {
    this.#element = element;
    const { signal } = this.#stop;
    // Changes of inputs inside it bubble.
    element.addEventListener("change", ({ target }) => target === element && onChange(element.value), { signal });
    for (const name of EVENTS) element.addEventListener(name, ({ detail }: CustomEvent) => onEvent(name, detail), { signal });
  }

  /**
   * Sets what has changed. `value` is set when it is another one than the last: a component that has not yet stored the keys of an event
   * takes no picture away.
   */
  update(props: ImageUploadFieldProps, value: Keys | null | undefined): void {
    if (!this.#token || props.user !== this.#props.user) this.#token = (request) => this.#props.token!(request);
    this.#props = props;
    const settable = { ...props, token: props.token && this.#token, ticket: props.ticket && this.#ticket, offlineKey: typeof props.offlineKey === "function" ? this.#offlineKey : props.offlineKey };
    for (const name of NAMES) this.#set(name, settable[name]);
    const text = value === undefined ? undefined : JSON.stringify(value ?? []);
    if (text === this.#last.value) return;
    this.#last.value = text;
    if (value !== undefined) this.#element.value = value;
  }

  disconnect(): void {
    this.#stop.abort();
  }

  #set<Name extends keyof Settable>(name: Name, value: Settable[Name]): void {
    if (this.#last[name] === value) return;
    Object.assign(this.#last, { [name]: value });
    (SET[name] as (element: ImageUpload, value: Settable[Name]) => void)(this.#element, value);
  }
}
