// The user ids of people whose tokens come from an identity provider.
import { base64url, utf8 } from "./encoding.js";

/** An entry of `AUTH_ISSUERS`. */
export interface Issuer {
  name: string;
  issuer: string;
}

const USER_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** A subject of this length could be taken for a hash. */
const HASH_CHARS = 22;

/** The user id of the subject `sub` of an issuer: what the API takes as `userId`, and the part of a key after `users/`. */
export async function userIdOf({ name, issuer }: Issuer, sub: string): Promise<string> {
  const plain = `${name}-${sub}`;
  if (sub.length !== HASH_CHARS && USER_ID.test(plain)) return plain;
  const hash = base64url(await crypto.subtle.digest("SHA-256", utf8(`${issuer}\n${sub}`)));
  return `${name}-${hash.slice(0, HASH_CHARS)}`;
}
