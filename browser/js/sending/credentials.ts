// The token that uploads are made with: asked for when it is needed, kept in memory only, and renewed once
// however many uploads find it expired at the same time.
import { ConnectionBroken } from "./broken.js";

export interface TokenRequest {
  /** Whether the last token turned out to be expired: a cached one will not do. */
  refresh: boolean;
}

/** Where tokens come from: your back end. */
export type TokenSource = (request: TokenRequest) => string | Promise<string>;

export class Credentials {
  readonly #source: TokenSource;
  #current: Promise<string> | undefined;

  constructor(source: TokenSource | string) {
    this.#source = typeof source === "string" ? () => source : source;
  }

  /** The token at hand. */
  token(): Promise<string> {
    return (this.#current ??= this.#ask(false));
  }

  /** Somebody else is here: the next upload asks anew. */
  forget(): void {
    this.#current = undefined;
  }

  /** A token in the place of `expired`; whoever comes after the first shares its renewal. */
  async renewed(expired: string): Promise<string> {
    const current = this.#current;
    if (current !== undefined && (await current) !== expired) return this.token();
    // Another upload may have begun to renew it while this one waited.
    if (this.#current === current) this.#current = this.#ask(true);
    return this.token();
  }

  async #ask(refresh: boolean): Promise<string> {
    const asked = Promise.resolve().then(() => this.#source({ refresh }));
    try {
      return await asked;
    } catch (error) {
      // The next upload asks anew.
      this.#current = undefined;
      // This is what fetch throws when the network is gone.
      throw error instanceof TypeError ? new ConnectionBroken() : error;
    }
  }
}
