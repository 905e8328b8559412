// Calls the service for a back end: tickets, forms, pictures, reviews, deletions and erasures.
import type { components, operations } from "./api.js";
import { ServiceError } from "./errors.js";
import { type SigningKey, signToken, type TokenOptions } from "./tokens.js";
import { type SignedUrlOptions, signUrl } from "./urls.js";

type Schemas = components["schemas"];
type Json<Content> = Content extends { content: { "application/json": infer Body } } ? Body : never;
type RequestBody<Name extends keyof operations> = Json<operations[Name]["requestBody"]>;
/** `data` of the success responses of an operation. */
type Data<Name extends keyof operations> = Json<operations[Name]["responses"][keyof operations[Name]["responses"]]> extends { data: infer Result } ? Result : never;

export type Image = Schemas["Image"];
export type Images = Schemas["Images"];
export type Form = Schemas["Form"];
export type FormPolicy = Schemas["FormPolicy"];
export type Forms = Data<"listForms">;
export type ListedForm = Forms["forms"][number];
export type Removal = Schemas["Removal"];
export type UserExport = Schemas["Export"];
export type ClaimedImage = Data<"registerImage">;
export type DeletedImage = Data<"deleteImage">;
export type Decision = Data<"releaseImage">;
export type SignedUrl = Data<"signImageUrl">;
/** The picture that a ticket is for. The browser package sends these three fields. */
export type TicketRequest = Pick<RequestBody<"issueTicket">, "formId" | "contentType" | "maxBytes">;
export type ClaimOptions = Pick<RequestBody<"registerImage">, "formId" | "originalFilename" | "guestToken">;
export type ImagesQuery = Omit<NonNullable<operations["listImages"]["parameters"]["query"]>, "key">;
export type FormsQuery = NonNullable<operations["listForms"]["parameters"]["query"]>;
/** Exactly one of these. */
export type ImageSelection = { ids: number[] } | { keys: string[] } | { formId: string } | { userId: string };

/** Your identity provider's tokens for this back end, with a role that the service maps to `SERVICE`. `refresh` is true when the last one was refused. */
export type TokenSource = (request: { refresh: boolean }) => string | Promise<string>;

export interface ImageServiceOptions {
  /** The origin of the service, such as `https://image.the-form`. */
  endpoint: string;
  /** `AUTH_HS256_SECRET`, or the private key whose public half the service knows. Signs the tokens of users and of this back end. */
  signingKey?: SigningKey | undefined;
  /** Where the tokens of this back end come from, if it does not sign them. */
  token?: TokenSource | undefined;
  /** The `sub` of the tokens of this back end; `back-end` by default. It is in the audit log, and limits count by it. */
  name?: string | undefined;
  /** `AUTH_ISSUER` and `AUTH_AUDIENCE` of the service, if they are set. */
  issuer?: string | undefined;
  audience?: string | undefined;
  /** `URL_SIGNING_KEY`, for `signedUrl`. */
  urlSigningKey?: string | undefined;
  /** Where signed URLs begin, if it is not `endpoint`: `PUBLIC_BASE_URL` of the service. */
  publicBaseUrl?: string | undefined;
  /** The language of `detail` in errors; English by default. */
  language?: "en" | "ko" | undefined;
  /** How often a request is repeated after 408, 429, 502, 503 and 504, and reading ones after a broken connection; 2 by default. */
  retries?: number | undefined;
  /** The time limit of one attempt; 30,000 ms by default. */
  timeoutMs?: number | undefined;
  /** Replaces `fetch`, for example with a service binding of Workers. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

export interface WaitOptions {
  /** Called with each state, also with the last one. */
  onProgress?: ((removal: Removal) => void) | undefined;
  /** Ends the waiting, not the removal. */
  signal?: AbortSignal | undefined;
}

interface Call {
  query?: Readonly<Record<string, unknown>>;
  body?: unknown;
}

const NAME = "back-end";
const RETRIES = 2;
const TIMEOUT_MS = 30_000;
/** The same request may succeed later. */
const TRANSIENT = [408, 429, 502, 503, 504];
const IDEMPOTENT = ["GET", "PUT"];
/** The delay before the first repetition without `Retry-After`; it doubles. */
const DELAY_MS = 500;
/** A request whose `Retry-After` is longer fails at once. */
const MAX_DELAY_MS = 15_000;
const SERVICE_TOKEN_S = 300;
/** A token is replaced this long before its end, so that no request ends with an expired one. */
const TOKEN_MARGIN_S = 60;
/** Most keys of a request. */
const KEYS = 100;
/** The most connections that a Worker may have open. */
const CONCURRENCY = 6;
const PAGE = 100;
const POLL_MS = 500;
const MAX_POLL_MS = 5_000;

/** A client of the service for a back end. It calls with the role `SERVICE`. */
export class ImageService {
  readonly #options: ImageServiceOptions;
  readonly #origin: string;
  #token: { promise: Promise<string>; endMs: number } | undefined;

  constructor(options: ImageServiceOptions) {
    if (!options.signingKey && !options.token) throw new TypeError("ImageService needs `signingKey` or `token`.");
    this.#options = options;
    this.#origin = new URL(options.endpoint).origin;
  }

  /** A token for a user of yours: what the page's function `token` returns. */
  tokenFor(userId: string, options: TokenOptions = {}): Promise<string> {
    const { signingKey, issuer, audience } = this.#options;
    if (!signingKey) throw new TypeError("To sign tokens, ImageService needs `signingKey`.");
    return signToken(signingKey, userId, { issuer, audience, ...options });
  }

  /** A token for one upload of a user: what the page's function `ticket` returns. `picture` may come from the page; other fields of it are ignored. */
  async ticketFor(userId: string, picture: TicketRequest = {}): Promise<string> {
    const { formId, contentType, maxBytes } = picture;
    const { ticket } = await this.#request<Data<"issueTicket">>("POST", "/uploads/tickets", { body: { formId, contentType, maxBytes, userId } });
    return ticket;
  }

  /** A URL with which a private picture can be read for a while, made without a request. Needs `urlSigningKey`. */
  signedUrl(key: string, options: SignedUrlOptions = {}): Promise<string> {
    const { urlSigningKey, publicBaseUrl = this.#origin } = this.#options;
    if (!urlSigningKey) throw new TypeError("To sign URLs, ImageService needs `urlSigningKey`. Without it, call requestSignedUrl.");
    return signUrl({ origin: publicBaseUrl, urlSigningKey }, key, options);
  }

  /** The same, made by the service. For a picture with a public URL, this is that URL. */
  requestSignedUrl(imageId: number, { expiresInS, size }: SignedUrlOptions = {}): Promise<SignedUrl> {
    return this.#request("POST", `/images/${imageId}/url`, { body: { expiresIn: expiresInS, v: size } });
  }

  /** Creates a form, or replaces its policy. */
  putForm(formId: string, policy: FormPolicy = {}): Promise<Form> {
    return this.#request("PUT", `/forms/${encodeURIComponent(formId)}`, { body: policy });
  }

  getForm(formId: string): Promise<Form> {
    return this.#request("GET", `/forms/${encodeURIComponent(formId)}`);
  }

  /** Closes a form. It keeps its pictures; with `pictures: "delete"` their deletion begins. */
  closeForm(formId: string): Promise<Form>;
  closeForm(formId: string, options: { pictures: "delete" }): Promise<Removal>;
  closeForm(formId: string, query: { pictures?: "delete" } = {}): Promise<Form | Removal> {
    return this.#request("DELETE", `/forms/${encodeURIComponent(formId)}`, { query });
  }

  /** A page of the forms. */
  listForms(query: FormsQuery = {}): Promise<Forms> {
    return this.#request("GET", "/forms", { query });
  }

  /** All forms, page by page: `for await (const form of service.forms())`. */
  async *forms(): AsyncGenerator<ListedForm, void, undefined> {
    yield* this.#all((cursor) => this.listForms({ limit: PAGE, ...cursor }), ({ forms }) => forms);
  }

  /** A page of pictures, newest first: of a form, of a user, of both, or those that wait for a review (oldest first). */
  listImages(query: ImagesQuery): Promise<Images> {
    return this.#request("GET", "/images", { query });
  }

  /** All pictures of a form, of a user, or waiting for a review: `for await (const image of service.images({ formId }))`. */
  async *images(query: Omit<ImagesQuery, "cursor" | "limit">): AsyncGenerator<Image, void, undefined> {
    yield* this.#all((cursor) => this.listImages({ ...query, limit: PAGE, ...cursor }), ({ images }) => images);
  }

  /** The records of these keys. Keys of no picture are not in the result. */
  async imagesByKey(keys: Iterable<string>): Promise<Map<string, Image>> {
    const found = new Map<string, Image>();
    for (const key of batches([...new Set(keys)], KEYS)) {
      const { images } = await this.#request<Images>("GET", "/images", { query: { key } });
      for (const image of images) found.set(image.key, image);
    }
    return found;
  }

  getImage(imageId: number): Promise<Image> {
    return this.#request("GET", `/images/${imageId}`);
  }

  /** The answer with this picture was sent: the picture belongs to this user, or answer, now and does not expire. May be repeated. */
  claim(key: string, userId: string, { formId, originalFilename, guestToken }: ClaimOptions = {}): Promise<ClaimedImage> {
    return this.#request("POST", "/images/metadata", { body: { key, userId, formId, originalFilename, guestToken } });
  }

  /** Claims all pictures of an answer. If some cannot be claimed, the others are; it then rejects with the first error. */
  async claimAll(keys: readonly string[], userId: string, options: ClaimOptions = {}): Promise<ClaimedImage[]> {
    const results: PromiseSettledResult<ClaimedImage>[] = [];
    for (const some of batches(keys, CONCURRENCY)) results.push(...(await Promise.allSettled(some.map((key) => this.claim(key, userId, options)))));
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  /** Deletes one picture, by its number or its key. */
  deleteImage(picture: number | string): Promise<DeletedImage> {
    if (typeof picture === "number") return this.#request("DELETE", `/images/${picture}`);
    return this.#request("DELETE", "/images", { query: { key: picture } });
  }

  /** Begins to delete many pictures. See `finished`. */
  deleteImages(selection: ImageSelection): Promise<Removal> {
    return this.#request("POST", "/images/delete", { body: selection });
  }

  /** Begins to erase everything that the service keeps about a user. See `finished`. */
  eraseUser(userId: string): Promise<Removal> {
    return this.#request("DELETE", `/users/${encodeURIComponent(userId)}`);
  }

  /** How far a deletion or an erasure is. */
  getRemoval(removalId: string): Promise<Removal> {
    return this.#request("GET", `/removals/${encodeURIComponent(removalId)}`);
  }

  /** Waits until a deletion or an erasure is done. The service continues it even if the caller stops waiting. */
  async finished(removal: Removal, { onProgress, signal }: WaitOptions = {}): Promise<Removal> {
    let current = removal;
    for (let waitMs = POLL_MS; ; waitMs = Math.min(2 * waitMs, MAX_POLL_MS)) {
      onProgress?.(current);
      if (current.state === "done") return current;
      await delay(waitMs, signal);
      current = await this.getRemoval(current.id);
    }
  }

  /** Everything that the service keeps about a user, with the records of all pages. */
  async exportUser(userId: string): Promise<UserExport> {
    const path = `/users/${encodeURIComponent(userId)}/export`;
    const first = await this.#request<UserExport>("GET", path);
    for (let { nextCursor } = first; nextCursor !== null; ) {
      const page = await this.#request<UserExport>("GET", path, { query: { cursor: nextCursor } });
      first.images.push(...page.images);
      nextCursor = page.nextCursor;
    }
    return { ...first, nextCursor: null };
  }

  /** Makes a picture readable that waits for a review. */
  releaseImage(imageId: number): Promise<Decision> {
    return this.#request("POST", `/images/${imageId}/release`);
  }

  /** Deletes a picture that waits for a review, and tells its uploader why. */
  refuseImage(imageId: number, reason: string): Promise<Decision> {
    return this.#request("POST", `/images/${imageId}/refuse`, { body: { reason } });
  }

  async *#all<Page extends { nextCursor: string | null }, Entry>(load: (cursor: { cursor?: string }) => Promise<Page>, entriesOf: (page: Page) => Entry[]): AsyncGenerator<Entry, void, undefined> {
    let page = await load({});
    yield* entriesOf(page);
    while (page.nextCursor !== null) {
      page = await load({ cursor: page.nextCursor });
      yield* entriesOf(page);
    }
  }

  /** The token of this back end: the current one, or a new one. */
  #serviceToken(refresh: boolean): Promise<string> {
    const { signingKey, token, name = NAME, issuer, audience } = this.#options;
    if (token) return Promise.resolve(token({ refresh }));
    if (!refresh && this.#token && Date.now() < this.#token.endMs) return this.#token.promise;
    const promise = signToken(signingKey!, name, { role: "SERVICE", lifetimeS: SERVICE_TOKEN_S, issuer, audience });
    this.#token = { promise, endMs: Date.now() + 1000 * (SERVICE_TOKEN_S - TOKEN_MARGIN_S) };
    return promise;
  }

  async #request<Result>(method: string, path: string, call: Call = {}): Promise<Result> {
    const { retries = RETRIES } = this.#options;
    let isRenewed = false;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#attempt<Result>(method, path, call, isRenewed);
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        // A token of the identity provider may have ended, or its keys may have been rotated.
        if (error.status === 401 && !isRenewed) {
          isRenewed = true;
          attempt -= 1;
          continue;
        }
        const delayMs = error.retryAfter === undefined ? DELAY_MS * 2 ** attempt : 1000 * error.retryAfter;
        const mayRepeat = TRANSIENT.includes(error.status) || (error.status === 0 && IDEMPOTENT.includes(method));
        if (!mayRepeat || attempt >= retries || delayMs > MAX_DELAY_MS) throw error;
        await delay(delayMs);
      }
    }
  }

  async #attempt<Result>(method: string, path: string, { query, body }: Call, refresh: boolean): Promise<Result> {
    const { language = "en", timeoutMs = TIMEOUT_MS } = this.#options;
    const send = this.#options.fetch ?? ((url: string, init: RequestInit) => fetch(url, init));
    const headers: Record<string, string> = { Authorization: `Bearer ${await this.#serviceToken(refresh)}`, "Accept-Language": language };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    // Redirects would be answered by something else than the service.
    const init: RequestInit = { method, headers, redirect: "manual", signal: AbortSignal.timeout(timeoutMs), ...(body !== undefined && { body: JSON.stringify(body) }) };
    let response: Response;
    let text: string;
    try {
      response = await send(this.#origin + path + queryString(query), init);
      text = await response.text();
    } catch (cause) {
      throw new ServiceError("UNREACHABLE", `${this.#origin} does not answer.`, { cause });
    }
    return resultOf<Result>(response, text, `${method} ${this.#origin}${path}`);
  }
}

/** `data` of a response. Throws the problem that it describes (RFC 9457). */
function resultOf<Result>(response: Response, text: string, request: string): Result {
  let json: { data?: Result; code?: ServiceError["code"]; detail?: string; requestId?: string } | null = null;
  try {
    json = JSON.parse(text);
  } catch {
    // A proxy or another server has answered.
  }
  const { status } = response;
  if (response.ok && json?.data !== undefined) return json.data;
  const retryAfter = secondsOf(response.headers.get("Retry-After"));
  if (!response.ok && typeof json?.code === "string") throw new ServiceError(json.code, json.detail ?? "", { status, retryAfter, requestId: json.requestId });
  throw new ServiceError("UNEXPECTED_RESPONSE", `${request} answered ${status}, which is not of the service.`, { status, retryAfter });
}

/** The seconds of `Retry-After`, which has seconds or a date (RFC 9110, 10.2.3). */
function secondsOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

function queryString(query: Readonly<Record<string, unknown>> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) if (one !== undefined) parameters.append(name, String(one));
  return parameters.size > 0 ? `?${parameters}` : "";
}

function batches<Entry>(all: readonly Entry[], size: number): Entry[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));
}

async function delay(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
