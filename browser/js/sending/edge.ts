// The API client: the addresses of one edge, its policy, and one attempt at each request, with a ticket where the
// edge wants one and a fresh token where it refused the last one. Retries are in retry.ts.
import type { Policy } from "../codes.js";
import { unless } from "../abort.js";
import { unreached } from "../fault.js";
import { Refusal } from "../refusal.js";
import { dataOf, type Uploaded } from "./answer.js";
import { ConnectionBroken } from "./broken.js";
import { Credentials, type TokenSource } from "./credentials.js";
import { exchange } from "./exchange.js";

export interface EdgeOptions {
  /** Where the edge is, such as `https://image.the-form`; this page's own origin when empty. */
  endpoint: string;
  /** A token, or where to get one: asked again with `refresh` when the service refused it (expired or invalid). */
  token: TokenSource | string;
  /** The form that the pictures answer. */
  formId?: string | undefined;
  /** The language of sentences: a tag such as `ko`. */
  language?: string | undefined;
  /** Whether to ask for a ticket first; by default when the edge's policy says so, or as soon as it insists. */
  tickets?: boolean | undefined;
}

/** What is sent. */
export interface Payload {
  blob: Blob;
  fileName: string | null;
}

export interface AttemptOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

type PublicPolicy = Policy & { requireTicket?: boolean };

export class Edge {
  readonly #options: EdgeOptions;
  readonly #credentials: Credentials;
  #policy: Promise<PublicPolicy | undefined> | undefined;
  #insists = false;

  constructor(options: EdgeOptions) {
    this.#options = options;
    this.#credentials = new Credentials(options.token);
  }

  /** What the edge takes; undefined while it cannot be reached, and asked again the next time. */
  policy(): Promise<PublicPolicy | undefined> {
    return (this.#policy ??= this.#fetchPolicy());
  }

  /** Whether the edge answers at all. */
  async answers(): Promise<boolean> {
    const answer = await fetch(this.#at("healthz"), { cache: "no-store" }).catch(() => undefined);
    return answer?.ok ?? false;
  }

  /** Rejects with `error`, which no attempt overcame, or with the set-up fault behind it. */
  readonly explain = async (error: unknown): Promise<never> => {
    if (!(error instanceof ConnectionBroken && error.status === 0)) throw error;
    throw await unreached(this.#at("healthz"), "Check `endpoint`, `connect-src` and `ALLOWED_ORIGINS`.");
  };

  /** Sends a picture, once. Rejects with `Refusal`, `ConnectionBroken`, `SetupError`, or the reason of the signal. */
  send(payload: Payload, options: AttemptOptions = {}): Promise<Uploaded> {
    return this.#asCaller((token) => this.#sendAs(token, payload, options), options.signal);
  }

  /** Deletes the picture with this number, once. */
  async delete(imageId: number): Promise<void> {
    await this.#ask("DELETE", `images/${imageId}`);
  }

  /** The file names of the caller's newest pictures of this form, by key. */
  async names(): Promise<Map<string, string | null>> {
    const { formId } = this.#options;
    const query = `limit=100${formId === undefined ? "" : `&formId=${encodeURIComponent(formId)}`}`;
    const { images } = (await this.#ask("GET", `images?${query}`)) as { images: { key: string; originalFilename: string | null }[] };
    return new Map(images.map(({ key, originalFilename }) => [key, originalFilename]));
  }

  /** The next request asks the source for a token again; with `refresh` for one that is not a cached one. */
  forgetToken(refresh = false): void {
    this.#credentials.forget(refresh);
  }

  #ask(method: "GET" | "DELETE", path: string): Promise<unknown> {
    return this.#asCaller(async (token) => dataOf(await exchange({ method, url: this.#at(path), headers: this.#headers(token) })));
  }

  /** Runs a request with a token, and once more with a fresh one when the token was refused. */
  async #asCaller<T>(run: (token: string) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const token = await unless(signal, this.#credentials.token());
    try {
      return await run(token);
    } catch (error) {
      if (!(error instanceof Refusal && /^TOKEN_(EXPIRED|INVALID)$/.test(error.code))) throw error;
      const fresh = await unless(signal, this.#credentials.renewed(token));
      // The same token would be refused again.
      if (fresh === token) throw error;
      return run(fresh);
    }
  }

  async #sendAs(token: string, payload: Payload, options: AttemptOptions): Promise<Uploaded> {
    const ticketed = async () => this.#post(await this.#ticket(token, payload, options.signal), payload, options);
    const withTicket = this.#insists || (this.#options.tickets ?? (await this.policy())?.requireTicket ?? false);
    try {
      return await (withTicket ? ticketed() : this.#post(token, payload, options));
    } catch (error) {
      const code = error instanceof Refusal ? error.code : undefined;
      // A browser that repeats a request by itself, after a lost answer, repeats its ticket.
      const wantsAnother = withTicket ? code === "TICKET_SPENT" : code === "TICKET_REQUIRED";
      if (!wantsAnother) throw error;
      this.#insists = true;
      return ticketed();
    }
  }

  /** Each attempt has a ticket of its own: one that broke off may have spent its. */
  async #ticket(token: string, { blob }: Payload, signal: AbortSignal | undefined): Promise<string> {
    const wanted = { formId: this.#options.formId, contentType: blob.type, maxBytes: blob.size };
    const headers = { ...this.#headers(token), "Content-Type": "application/json" };
    const answer = await exchange({ url: this.#at("uploads/tickets"), headers, body: JSON.stringify(wanted), signal });
    return (dataOf(answer) as { ticket: string }).ticket;
  }

  async #post(token: string, payload: Payload, { signal, onProgress }: AttemptOptions): Promise<Uploaded> {
    const { formId } = this.#options;
    const { blob } = payload;
    // What surrounds the picture in a form is not progress of the picture.
    const told = onProgress && ((sent: number, total: number) => onProgress(Math.round((blob.size * sent) / total), blob.size));
    const sent = formId === undefined ? plain(payload) : form(payload, formId);
    const headers = { ...this.#headers(token), ...sent.headers };
    const answer = await exchange({ url: this.#at("images"), headers, body: sent.body, signal, onProgress: told });
    return { ...(dataOf(answer) as Uploaded), isNew: answer.status === 201 };
  }

  #headers(token: string): Record<string, string> {
    const { language } = this.#options;
    return { Authorization: `Bearer ${token}`, ...(language ? { "Accept-Language": language } : {}) };
  }

  #at(path: string): string {
    return addressOf(this.#options.endpoint, path);
  }

  async #fetchPolicy(): Promise<PublicPolicy | undefined> {
    const answer = await fetch(this.#at("policy")).catch(() => undefined);
    const policy = answer?.ok ? await answer.json().catch(() => undefined) : undefined;
    if (policy === undefined) this.#policy = undefined;
    return policy;
  }
}

/** An address of the edge that is at `endpoint`. */
export function addressOf(endpoint: string, path: string): string {
  // Without types it may be missing; the answer of this page's server tells.
  return `${(endpoint ?? "").replace(/\/+$/, "")}/${path}`;
}

function plain({ blob, fileName }: Payload) {
  const headers: Record<string, string> = { "Content-Type": blob.type };
  // Half a character cannot be encoded, and some systems allow it in a name.
  if (fileName) headers["X-Filename"] = encodeURIComponent(fileName.replace(/\p{Cs}/gu, "\ufffd"));
  return { headers, body: blob };
}

/** The only way to say which form a picture answers. */
function form({ blob, fileName }: Payload, formId: string) {
  const body = new FormData();
  body.append("formId", formId);
  body.append("image", blob, fileName ?? "image");
  return { headers: {}, body };
}
