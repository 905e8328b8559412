// Verifies the events that the service posts to a back end (Standard Webhooks).
import { type Bytes, fromBase64, utf8 } from "./encoding.js";
import { ServiceError } from "./errors.js";
import { hmacKey } from "./hmac.js";

/** The picture of an event. In an event about an erased user, only `userId`, `key` and `imageId` may be present. */
export interface EventImage {
  imageId: number;
  key: string;
  imageUrl: string | null;
  formId: string | null;
  userId: string | null;
  contentType: string;
  fileSize: number;
  width: number;
  height: number;
  sha256: string;
  placeholder: string | null;
  removed: string[] | null;
  originalFilename: string | null;
  expiresAt: string | null;
}

interface EventData {
  "image.stored": EventImage;
  "image.claimed": EventImage;
  "image.deleted": EventImage;
  "image.expired": EventImage;
  "image.held": EventImage;
  "image.released": EventImage;
  "image.refused": EventImage & { reason: string };
  "user.signed_up": { userId: string };
  "user.erased": { userId: string };
  "user.banned": { userId: string; reason: string; bannedUntil: string | null };
  "user.unbanned": { userId: string };
  "test.ping": Record<string, never>;
}

export type WebhookEventType = keyof EventData;

/** An event. `id` stays the same when it is sent again. Later versions of the service may send other types: ignore those that you do not know. */
export type WebhookEvent = {
  [Type in WebhookEventType]: { readonly id: string; readonly type: Type; readonly timestamp: string; readonly data: EventData[Type] };
}[WebhookEventType];

/** What your back end may answer, as JSON, to `image.stored` of a form with `callback: "wait"`. */
export interface WebhookAnswer {
  /** At most 4 KB of JSON for the browser. */
  serverData?: unknown;
  /** About a picture that waits for a review. */
  decision?: "release" | "refuse";
  reason?: string;
}

/** The headers of a request of the Fetch API, or those of Node's `IncomingMessage`. */
export type RequestHeaders = { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyOptions {
  /** How far `webhook-timestamp` may be off; 300 seconds by default. */
  toleranceS?: number | undefined;
  /** The current time in milliseconds, for tests. */
  nowMs?: number | undefined;
}

const TOLERANCE_S = 300;
const MAC_BYTES = 32;
const SECRET_PREFIX = "whsec_";
const SIGNATURE_PREFIX = "v1,";

/**
 * The event in a request. Rejects with `WEBHOOK_INVALID` unless one of the secrets has signed exactly this body and this time. `body` is the raw body,
 * before it is parsed; `secrets` is `WEBHOOK_SECRET`, which has several secrets separated by spaces while it is rotated.
 */
export async function verifyWebhook(body: string | Uint8Array | ArrayBuffer, headers: RequestHeaders, secrets: string | readonly string[], options: VerifyOptions = {}): Promise<WebhookEvent> {
  const keys = keysOf(secrets);
  const [id, at, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headerOf(headers, name));
  if (!id || !at || !signatures) throw invalid("The headers webhook-id, webhook-timestamp and webhook-signature are missing.");
  const { toleranceS = TOLERANCE_S, nowMs = Date.now() } = options;
  if (!/^\d{1,15}$/.test(at) || Math.abs(nowMs / 1000 - Number(at)) > toleranceS) throw invalid(`webhook-timestamp is more than ${toleranceS} s off.`);
  const bytes = typeof body === "string" ? utf8(body) : new Uint8Array(body);
  if (!(await isSigned(keys, signatures, concat(utf8(`${id}.${at}.`), bytes)))) throw invalid("No signature verifies.");
  let event: unknown;
  try {
    event = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw invalid("The body is no JSON.", cause);
  }
  return { id, ...(event as Omit<WebhookEvent, "id">) } as WebhookEvent;
}

async function isSigned(keys: readonly Bytes[], signatures: string, message: Bytes): Promise<boolean> {
  const given = signatures
    .split(" ")
    .filter((signature) => signature.startsWith(SIGNATURE_PREFIX))
    .map((signature) => fromBase64(signature.slice(SIGNATURE_PREFIX.length)))
    .filter((mac) => mac?.length === MAC_BYTES);
  let isGenuine = false;
  for (const bytes of keys) {
    const key = await hmacKey(bytes, "verify");
    // Compares in constant time.
    for (const mac of given) if (mac && (await crypto.subtle.verify("HMAC", key, mac, message))) isGenuine = true;
  }
  return isGenuine;
}

function keysOf(secrets: string | readonly string[]): Bytes[] {
  const all = typeof secrets === "string" ? secrets.split(/\s+/).filter(Boolean) : secrets;
  const keys = all.map((secret) => (secret.startsWith(SECRET_PREFIX) ? fromBase64(secret.slice(SECRET_PREFIX.length)) : undefined));
  // An empty key would verify what anybody can sign.
  if (keys.length === 0 || keys.some((key) => !key?.length)) throw new TypeError("WEBHOOK_SECRET is `whsec_` and base64, or several of these, separated by spaces.");
  return keys as Bytes[];
}

function headerOf(headers: RequestHeaders, name: string): string | undefined {
  if (typeof headers.get === "function") return headers.get(name) ?? undefined;
  const value = (headers as Readonly<Record<string, string | readonly string[] | undefined>>)[name];
  return typeof value === "string" ? value : undefined;
}

function concat(one: Bytes, other: Bytes): Bytes {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}

function invalid(detail: string, cause?: unknown): ServiceError {
  return new ServiceError("WEBHOOK_INVALID", detail, { cause });
}
