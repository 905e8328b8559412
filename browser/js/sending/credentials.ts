// The token that requests are made with: fetched when it is needed, kept in memory only, and renewed once
// however many uploads have it refused at the same time.
import { SetupError } from "../fault.js";
import { ConnectionBroken } from "./broken.js";

export interface TokenRequest {
  /** Whether the service refused the last token (expired or invalid): a cached one will not do. */
  refresh: boolean;
}

/** Where tokens come from: your back end. */
export type TokenSource = (request: TokenRequest) => string | Promise<string>;

/** What fetch throws when the network is gone; other TypeErrors are mistakes in the page's token source. */
const NETWORK = /^(Failed to fetch|Load failed|NetworkError|fetch failed|The network)/i;
/** What may stand in a header `Authorization: Bearer` (RFC 6750, 2.1). */
const TOKEN = /^[\w.~+/-]+=*$/;

export class Credentials {
  readonly #source: TokenSource;
  #current: Promise<string> | undefined;
  /** Whether the next token must be a fresh one. */
  #refresh = false;

  constructor(source: TokenSource | string) {
    this.#source = typeof source === "string" ? () => source : source;
  }

  /** The token at hand. */
  token(): Promise<string> {
    return (this.#current ??= this.#ask());
  }

  /** The next upload asks the source again; with `refresh` for a token that is not a cached one. */
  forget(refresh = false): void {
    this.#current = undefined;
    this.#refresh = refresh;
  }

  /** A token in the place of `refused`; uploads whose token was refused at the same time share one renewal. */
  async renewed(refused: string): Promise<string> {
    const current = this.#current;
    if (current !== undefined && (await current) !== refused) return this.token();
    // Another upload may have begun to renew it while this one waited.
    if (this.#current === current) this.forget(true);
    return this.token();
  }

  async #ask(): Promise<string> {
    const refresh = this.#refresh;
    this.#refresh = false;
    const asked = Promise.resolve().then(() => this.#source({ refresh }));
    try {
      const token: unknown = await asked;
      if (typeof token === "string" && TOKEN.test(token)) return token;
      const given = JSON.stringify(String(token).slice(0, 60));
      throw new SetupError(`\`token\` gave ${given}, which is no token. Check \`response.ok\`.`);
    } catch (error) {
      // The next upload asks again.
      this.forget(refresh);
      throw error instanceof TypeError && NETWORK.test(error.message) ? new ConnectionBroken() : error;
    }
  }
}
