// Signs URLs of private pictures without a request, as the service itself does.
import { base64url, utf8 } from "./encoding.js";
import { hmacKey } from "./hmac.js";

export interface SignedUrlOptions {
  /** 3,600 seconds by default, at most `SIGNED_URL_MAX_S` of the service. */
  expiresInS?: number | undefined;
  /** A smaller size; the stored one by default. */
  size?: "thumb" | "small" | "medium" | undefined;
}

const EXPIRES_IN_S = 3600;
const PRIVATE = "private/";
/** The service refuses shorter keys. */
const MIN_KEY_CHARS = 32;

/**
 * A URL with which a private picture, or one that waits for a review, can be read until it expires. `origin` is that of the service, or its
 * `PUBLIC_BASE_URL`; `urlSigningKey` is its `URL_SIGNING_KEY`.
 */
export async function signUrl({ origin, urlSigningKey }: { origin: string; urlSigningKey: string }, key: string, options: SignedUrlOptions = {}): Promise<string> {
  if ([...urlSigningKey].length < MIN_KEY_CHARS) throw new TypeError(`URL_SIGNING_KEY has at least ${MIN_KEY_CHARS} characters.`);
  const { expiresInS = EXPIRES_IN_S, size } = options;
  // A picture that waits in a public form has its final key, but is served below `private/` until the decision.
  const path = `/${key.startsWith(PRIVATE) ? key : PRIVATE + key}`;
  const expiresAt = Math.floor(Date.now() / 1000) + expiresInS;
  // Sorted by name, as they are signed.
  const query = `exp=${expiresAt}${size === undefined ? "" : `&v=${size}`}`;
  const mac = await crypto.subtle.sign("HMAC", await hmacKey(utf8(urlSigningKey), "sign"), utf8(`private-v1\n${path}\n${query}`));
  return `${new URL(origin).origin}${path}?${query}&sig=${base64url(mac)}`;
}
