// The API client of one edge: its policy, and one attempt at each request, with a ticket where the page has a source of them and a renewed token
// or ticket where the edge refused the last one. Retries are in retry.ts.
import { abortable } from "../abort.js";
import { ConnectionBroken, connectionError, Refusal, SetupError } from "../errors.js";
import type { MetadataKind } from "../preflight/messages.js";
import { Credentials, requestCredential, type TicketSource, type TokenSource } from "./credentials.js";
import { dataOf, send, urlOf } from "./http.js";
import { type FormPolicy, isAboutForm, loadPolicy, POLICY_MAX_AGE_MS } from "./policy.js";
import { isAboutPicture, retry, type RetriedOptions } from "./retry.js";

export interface ClientOptions {
  /** Where the edge is, such as `https://image.the-form`; this page's own origin when empty. */
  endpoint: string;
  /**
   * A token, or where to get one: asked again with `refresh` when the service refused it (expired, invalid, or a guest's that was spent). With
   * `ticket` it is needed only to list and delete pictures.
   */
  token?: TokenSource | string | undefined;
  /** The form that the pictures belong to. */
  formId?: string | undefined;
  /** The language of sentences: a tag such as `ko`. */
  language?: string | undefined;
  /** Where to get a ticket for each picture: asked right before it is sent, and once more when the service refused the ticket as spent or expired. */
  ticket?: TicketSource | undefined;
}

/** An upload needs one of both. */
export type TokenOrTicket = { token: TokenSource | string } | { ticket: TicketSource };

/** What is sent. */
export interface Payload {
  blob: Blob;
  fileName: string | null;
}

export interface AttemptOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

export interface UploadOptions extends ClientOptions, AttemptOptions, RetriedOptions {
  fileName?: string | null;
}

/** Whether a picture waits for a review, or what was decided; null when its form has none. */
export type Review = "held" | "released" | "refused" | null;

/** What the edge knows of a stored picture. */
export interface PictureRecord {
  key: string;
  originalFilename: string | null;
  signedThumbnailUrl: string | null;
  review: Review;
  reviewReason: string | null;
}

/** A stored picture, as the response of `POST /images` describes it. */
export interface Uploaded {
  imageUrl: string;
  /** A private picture, and one that waits for a review, can be read at `signedUrl` only. */
  visibility: "public" | "private";
  review: Review;
  /** Null for a picture that everybody may read at `imageUrl`. */
  signedUrl: string | null;
  /** Save this and not the URL: the domain may change. */
  key: string;
  /** An unclaimed picture has a number above 10^15, for the sign-up. It gets its final number when it is claimed. */
  imageId: number;
  formId: string | null;
  fileSize: number;
  originalFilename: string | null;
  contentType: string;
  width: number;
  height: number;
  sha256: string;
  /** A thumbhash, base64: a blurred picture of about 25 bytes to show while the real one loads. */
  placeholder: string;
  /** The size in bytes of the file as it was sent. */
  originalSize: number;
  /** Which kinds of private data were removed. */
  removed: MetadataKind[];
  uploadedAt: string;
  /** When a guest's picture expires unless a user claims it. */
  expiresAt: string | null;
  /** What your back end answered, for a form with `callback: "wait"`; null without an answer. Other forms do not have it. */
  serverData?: unknown;
  /** Whether this request stored it (201); false when the service already had this picture of this user (200). */
  isNew: boolean;
}

/**
 * Sends one picture that is ready to be sent; for many, use the `Uploader`. Rejects with `Refusal`, `SetupError`, or `ConnectionBroken` when the
 * edge was never reached.
 */
export function upload(blob: Blob, options: UploadOptions & TokenOrTicket): Promise<Uploaded> {
  const client = new ApiClient(options);
  return retry(() => client.upload({ blob, fileName: options.fileName ?? null }, options), options).catch(client.explain);
}

interface CachedPolicy {
  formId: string | undefined;
  /** Zero when it could not be loaded. */
  loadedMs: number;
  policy: Promise<FormPolicy | undefined>;
}

export class ApiClient {
  readonly #options: ClientOptions;
  readonly #credentials: Credentials;
  #policy: CachedPolicy | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#credentials = new Credentials(options.token);
  }

  /**
   * The policy of the form. When it cannot be loaded, the last one of this form, or undefined; the next call tries again then. Rejects when the
   * form is unknown.
   */
  policy(): Promise<FormPolicy | undefined> {
    const { formId } = this.#options;
    const last = this.#policy?.formId === formId ? this.#policy : undefined;
    if (last && Date.now() - last.loadedMs < POLICY_MAX_AGE_MS) return last.policy;
    const policy = loadPolicy(this.#options, last && "no-cache").catch((error: unknown) => {
      cached.loadedMs = 0;
      if (isAboutForm(error)) throw error;
      return last?.policy;
    });
    const cached = { formId, loadedMs: Date.now(), policy };
    this.#policy = cached;
    return policy;
  }

  /** Whether the edge responds. */
  async isReachable(): Promise<boolean> {
    const response = await fetch(this.#url("healthz"), { cache: "no-store" }).catch(() => undefined);
    return response?.ok ?? false;
  }

  /** Rejects with `error` of the last attempt, or with the mistake in the set-up that caused it. */
  readonly explain = async (error: unknown): Promise<never> => {
    if (!(error instanceof ConnectionBroken && error.status === 0)) throw error;
    throw await connectionError(this.#url("healthz"), "Check `endpoint`, `connect-src` and `ALLOWED_ORIGINS`.");
  };

  /** Uploads a picture, once. Rejects with `Refusal`, `ConnectionBroken`, `SetupError`, or the reason of the signal. */
  upload(payload: Payload, options: AttemptOptions = {}): Promise<Uploaded> {
    const { ticket } = this.#options;
    const uploading = ticket
      ? this.#uploadWithTicket(ticket, payload, options)
      : this.#authorized((token) => this.#post(token, payload, options), options.signal);
    return uploading.catch((error) => {
      // The form may have changed since its policy was loaded.
      if (this.#policy && (isAboutForm(error) || isAboutPicture(error))) this.#policy.loadedMs = 0;
      if (error instanceof Refusal && error.code === "TICKET_REQUIRED") throw new SetupError("The service requires tickets. Set `ticket`.");
      throw error;
    });
  }

  /** Deletes the picture with this key, once. */
  async delete(key: string): Promise<void> {
    await this.#request("DELETE", `images?key=${encodeURIComponent(key)}`);
  }

  /** The records of the caller's newest pictures of this form, by key. */
  async records(): Promise<Map<string, PictureRecord>> {
    const { formId } = this.#options;
    const query = `limit=100${formId === undefined ? "" : `&formId=${encodeURIComponent(formId)}`}`;
    const { images } = (await this.#request("GET", `images?${query}`)) as { images: PictureRecord[] };
    return new Map(images.map((image) => [image.key, image]));
  }

  /** The next request asks the token source again; with `refresh` for a token that is not a cached one. */
  forgetToken(refresh = false): void {
    this.#credentials.forget(refresh);
  }

  #request(method: "GET" | "DELETE", path: string): Promise<unknown> {
    return this.#authorized(async (token) => dataOf(await send({ method, url: this.#url(path), headers: this.#headers(token) })));
  }

  /** Runs a request with a token, and once more with a renewed one when the token was refused. */
  async #authorized<T>(run: (token: string) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const token = await abortable(this.#credentials.token(), signal);
    try {
      return await run(token);
    } catch (error) {
      // The guest token allowed one upload and is spent: take a token of a new guest.
      if (error instanceof Refusal && error.code === "TICKET_SPENT") return run(await abortable(this.#credentials.another(), signal));
      if (!(error instanceof Refusal && /^TOKEN_(EXPIRED|INVALID)$/.test(error.code))) throw error;
      const renewed = await abortable(this.#credentials.renewed(token), signal);
      // The same token would be refused again.
      if (renewed === token) throw error;
      return run(renewed);
    }
  }

  /** A new ticket for each attempt: one that broke off may have spent its ticket. */
  async #uploadWithTicket(source: TicketSource, payload: Payload, options: AttemptOptions): Promise<Uploaded> {
    const { formId } = this.#options;
    const picture = { ...(formId !== undefined && { formId }), contentType: payload.blob.type, maxBytes: payload.blob.size };
    const post = async () => this.#post(await abortable(requestCredential("ticket", () => source(picture)), options.signal), payload, options);
    try {
      return await post();
    } catch (error) {
      // A browser that repeats a request by itself, after it lost the response, repeats its ticket.
      if (!(error instanceof Refusal && /^(TICKET_SPENT|TOKEN_EXPIRED)$/.test(error.code))) throw error;
      return post();
    }
  }

  async #post(token: string, payload: Payload, { signal, onProgress }: AttemptOptions): Promise<Uploaded> {
    const { formId } = this.#options;
    const { size } = payload.blob;
    const { headers, body } = formId === undefined ? plainBody(payload) : formBody(payload, formId);
    const response = await send({
      url: this.#url("images"),
      headers: { ...this.#headers(token), ...headers },
      body,
      signal,
      // The bytes of the form around the picture do not count as progress of the picture.
      onProgress: onProgress && ((sentBytes, totalBytes) => onProgress(Math.round((size * sentBytes) / totalBytes), size)),
    });
    return { ...(dataOf(response) as Uploaded), isNew: response.status === 201 };
  }

  #headers(token: string): Record<string, string> {
    const { language } = this.#options;
    return { Authorization: `Bearer ${token}`, ...(language ? { "Accept-Language": language } : {}) };
  }

  #url(path: string): string {
    return urlOf(this.#options.endpoint, path);
  }
}

function plainBody({ blob, fileName }: Payload) {
  const headers: Record<string, string> = { "Content-Type": blob.type };
  // Some systems allow unpaired surrogates in a name, and encodeURIComponent throws on them.
  if (fileName) headers["X-Filename"] = encodeURIComponent(fileName.replace(/\p{Cs}/gu, "\ufffd"));
  return { headers, body: blob };
}

/** Only a form has a field for the id of the form. */
function formBody({ blob, fileName }: Payload, formId: string) {
  const body = new FormData();
  body.append("formId", formId);
  body.append("image", blob, fileName ?? "image");
  return { headers: {}, body };
}
