// Signs the tokens that the service accepts (RFC 7519), with the shared secret or with a private key whose public half the service knows.
import { base64url, utf8 } from "./encoding.js";
import { HMAC_SHA256, hmacKey } from "./hmac.js";

export type Role = "USER" | "GUEST" | "SERVICE" | "ADMIN";

/** A private key as a JSON Web Key: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA). `kid` selects it in the key set that you publish. */
export interface PrivateJwk {
  kty: string;
  crv?: string;
  alg?: string;
  kid?: string;
  [member: string]: unknown;
}

/** `AUTH_HS256_SECRET`, or a private key. */
export type SigningKey = string | PrivateJwk;

export interface TokenOptions {
  /** `USER` by default. */
  role?: Role | undefined;
  /** 300 seconds by default. */
  lifetimeS?: number | undefined;
  /** `AUTH_ISSUER` and `AUTH_AUDIENCE` of the service, if they are set. */
  issuer?: string | undefined;
  audience?: string | undefined;
}

interface Algorithm {
  name: "HS256" | "RS256" | "ES256" | "EdDSA";
  key: RsaHashedImportParams | EcKeyImportParams | HmacImportParams | { name: "Ed25519" };
  /** How it signs, where that is not said by the key. */
  signature: string | EcdsaParams;
}

const HS256: Algorithm = { name: "HS256", key: HMAC_SHA256, signature: "HMAC" };
const ASYMMETRIC: Record<string, Algorithm> = {
  RSA: { name: "RS256", key: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, signature: "RSASSA-PKCS1-v1_5" },
  "EC P-256": { name: "ES256", key: { name: "ECDSA", namedCurve: "P-256" }, signature: { name: "ECDSA", hash: "SHA-256" } },
  "OKP Ed25519": { name: "EdDSA", key: { name: "Ed25519" }, signature: "Ed25519" },
};
/** The service refuses shorter secrets. */
const MIN_SECRET_BYTES = 32;
const LIFETIME_S = 300;
const USER_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Importing an RSA key takes as long as many signatures. */
const imported = new WeakMap<PrivateJwk, Promise<CryptoKey>>();

/** A token of the user with this id. It ends after `lifetimeS`. */
export async function signToken(key: SigningKey, userId: string, options: TokenOptions = {}): Promise<string> {
  if (!USER_ID.test(userId)) throw new TypeError(`A user id has 1 to 64 characters of A-Z a-z 0-9 _ -, unlike ${JSON.stringify(userId)}.`);
  const algorithm = algorithmOf(key);
  const { role = "USER", lifetimeS = LIFETIME_S, issuer, audience } = options;
  const now = Math.floor(Date.now() / 1000);
  const kid = typeof key === "string" ? undefined : key.kid;
  const header = { alg: algorithm.name, typ: "JWT", ...(kid !== undefined && { kid }) };
  const claims = { sub: userId, role, ...(issuer !== undefined && { iss: issuer }), ...(audience !== undefined && { aud: audience }), iat: now, exp: now + lifetimeS };
  const signed = [header, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  const signature = await crypto.subtle.sign(algorithm.signature, await importKey(key, algorithm), utf8(signed));
  return `${signed}.${base64url(signature)}`;
}

function algorithmOf(key: SigningKey): Algorithm {
  if (typeof key === "string") {
    if (utf8(key).length < MIN_SECRET_BYTES) throw new TypeError(`AUTH_HS256_SECRET has at least ${MIN_SECRET_BYTES} bytes.`);
    return HS256;
  }
  const algorithm = ASYMMETRIC[[key.kty, key.crv].filter(Boolean).join(" ")];
  if (!algorithm) throw new TypeError(`A signing key is an RSA, P-256 or Ed25519 key, unlike ${key.kty} ${key.crv ?? ""}.`);
  if (key["d"] === undefined) throw new TypeError("A signing key is a private key; this one is public.");
  return algorithm;
}

function importKey(key: SigningKey, algorithm: Algorithm): Promise<CryptoKey> {
  if (typeof key === "string") return hmacKey(utf8(key), "sign");
  let promise = imported.get(key);
  if (!promise) {
    // `alg`, `use` and `key_ops` may say something that one of the runtimes refuses: only what makes the key is passed.
    const { alg: _alg, use: _use, key_ops: _ops, ext: _ext, ...members } = key;
    promise = crypto.subtle.importKey("jwk", members as JsonWebKey, algorithm.key, false, ["sign"]);
    imported.set(key, promise);
  }
  return promise;
}
