// The token of requests: fetched when it is needed, cached in memory only, and renewed once when several uploads have it refused at the same time.
// Tickets allow one upload each, so they are not cached.
import { ConnectionBroken, SetupError } from "../errors.js";
import { type ChallengeOptions, withChallenge } from "./challenge.js";
import { dataOf, send, urlOf } from "./http.js";

export interface TokenRequest {
  /** Whether the service refused the last token (expired or invalid), so that a cached one will not do. */
  refresh: boolean;
}

/** Where tokens come from: your back end. */
export type TokenSource = (request: TokenRequest) => string | Promise<string>;

/** The picture that a ticket is for: what your back end sends to `POST /uploads/tickets`, beside the user. */
export interface TicketRequest {
  formId?: string;
  contentType: string;
  maxBytes: number;
}

/** Where tickets come from: your back end. */
export type TicketSource = (picture: TicketRequest) => string | Promise<string>;

/** The messages of `fetch` when the network is gone; other TypeErrors are bugs of the page's token source. */
const NETWORK_ERROR = /^(Failed to fetch|Load failed|NetworkError|fetch failed|The network)/i;
/** The syntax of `Authorization: Bearer` (RFC 6750, 2.1). */
const TOKEN = /^[\w.~+/-]+=*$/;

const NONE: TokenSource = () => {
  throw new SetupError("There is no `token`. Set it.");
};

export class Credentials {
  readonly #source: TokenSource;
  #current: Promise<string> | undefined;
  /** Whether the next token must not be a cached one. */
  #refresh = false;

  constructor(source: TokenSource | string = NONE) {
    this.#source = typeof source === "string" ? () => source : source;
  }

  /** The cached token, or a new one. */
  token(): Promise<string> {
    return (this.#current ??= this.#fetch());
  }

  /** The next request asks the source again; with `refresh` for a token that is not a cached one. */
  forget(refresh = false): void {
    this.#current = undefined;
    this.#refresh = refresh;
  }

  /** A token in place of `refused`. Uploads whose token was refused at the same time share one renewal. */
  async renewed(refused: string): Promise<string> {
    const current = this.#current;
    if (current !== undefined && (await current) !== refused) return this.token();
    // Another upload may have started to renew it while this one waited.
    if (this.#current === current) this.forget(true);
    return this.token();
  }

  /** A token for one request, which no other request shares. */
  another(): Promise<string> {
    return requestCredential("token", () => this.#source({ refresh: true }));
  }

  async #fetch(): Promise<string> {
    const refresh = this.#refresh;
    this.#refresh = false;
    try {
      return await requestCredential("token", () => this.#source({ refresh }));
    } catch (error) {
      // The next upload asks again.
      this.forget(refresh);
      throw error;
    }
  }
}

/** What the page's source gives. Rejects with `ConnectionBroken`, with `SetupError` for what is no token, or with the error of the source. */
export async function requestCredential(option: "token" | "ticket", source: () => unknown): Promise<string> {
  const requested = Promise.resolve().then(source);
  try {
    const token = await requested;
    if (typeof token === "string" && TOKEN.test(token)) return token;
    throw new SetupError(`\`${option}\` gave ${JSON.stringify(String(token).slice(0, 60))}, which is no token. Check \`response.ok\`.`);
  } catch (error) {
    throw error instanceof TypeError && NETWORK_ERROR.test(error.message) ? new ConnectionBroken() : error;
  }
}

/**
 * A source of guest tokens, for people who have not signed up. The service issues them for five minutes each. What is uploaded with one expires
 * after an hour unless a user claims it. When the service requires a challenge, the source solves it.
 */
export function guestToken(endpoint: string, language = "", options: Omit<ChallengeOptions, "language"> = {}): TokenSource {
  const accepted = language ? { "Accept-Language": language } : {};
  const request = async (headers: Record<string, string>) =>
    (dataOf(await send({ method: "GET", url: urlOf(endpoint, "auth/guest-token"), headers: { ...accepted, ...headers }, signal: options.signal })) as { token: string }).token;
  const fetchToken = () => withChallenge(endpoint, "guest_token", request, { ...options, language });
  let credentials = new Credentials(fetchToken);
  return ({ refresh }) => {
    // All pictures of a page have one guest, so that they can be claimed together.
    if (refresh) credentials = new Credentials(fetchToken);
    return credentials.token();
  };
}
