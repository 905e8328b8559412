// Keys of HMAC-SHA256, with which tokens, URLs and events are signed.
import type { Bytes } from "./encoding.js";

export const HMAC_SHA256 = { name: "HMAC", hash: "SHA-256" };

export function hmacKey(bytes: Bytes, usage: "sign" | "verify"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, HMAC_SHA256, false, [usage]);
}
