// What an answer of the edge means: what was asked for, a refusal with its reason, or no answer of the edge at all.
import { CODES, type Code } from "../codes.js";
import { SetupError } from "../fault.js";
import { Refusal } from "../refusal.js";
import type { MetadataKind } from "../report.js";
import { ConnectionBroken } from "./broken.js";
import type { Answer } from "./exchange.js";

/** A stored picture as `POST /images` tells of it. */
export interface Uploaded {
  imageUrl: string;
  /** Keep this, not the URL: the domain may change. */
  key: string;
  /** Null while a guest's picture waits to be claimed. */
  imageId: number | null;
  formId: string | null;
  fileSize: number;
  originalFilename: string | null;
  contentType: string;
  width: number;
  height: number;
  sha256: string;
  /** A thumbhash, base64: a blurred picture of some 25 bytes to show while the real one loads. */
  placeholder: string;
  /** Bytes of the file as it was sent. */
  originalSize: number;
  /** Which kinds of private data were taken out. */
  removed: MetadataKind[];
  uploadedAt: string;
  /** When a guest's picture is removed unless a user claims it. */
  expiresAt: string | null;
  /** Whether this request stored it (201); false when the service had the same picture of this user already (200). */
  isNew: boolean;
}

/** What a wrong address answers with: the edge itself, too. */
const MISLED: readonly unknown[] = ["NOT_FOUND", "METHOD_NOT_ALLOWED"];

/**
 * The `data` of a success; otherwise throws `Refusal`, `ConnectionBroken` when something between answered that may be over soon, or
 * `SetupError` when it was another server or the edge itself is not set up.
 */
export function dataOf(answer: Answer): unknown {
  const { url, status } = answer;
  const body = answer.json as { data?: unknown; code?: unknown; detail?: unknown; requestId?: unknown; configuration?: unknown } | null;
  if (status >= 200 && status < 300 && body?.data) return body.data;
  if (body?.configuration) throw new SetupError(`${url} is not set up: ${JSON.stringify(body.configuration)}`);
  if (!isCode(body?.code) || MISLED.includes(body.code)) {
    if (status >= 500 || status === 408 || status === 429) throw new ConnectionBroken(status);
    throw new SetupError(`${url} answered ${status} and is not the service. Check \`endpoint\`.`);
  }
  const retryAfterS = seconds(answer.header("Retry-After"));
  throw new Refusal(typeof body?.detail === "string" ? body.detail : CODES[body.code].en, body.code, {
    status,
    ...(typeof body?.requestId === "string" && { requestId: body.requestId }),
    ...(retryAfterS !== undefined && { retryAfterS }),
  });
}

function isCode(code: unknown): code is Code {
  return typeof code === "string" && Object.hasOwn(CODES, code);
}

/** `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). */
function seconds(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000));
}
