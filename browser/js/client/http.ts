// One request to the service and what its response means. XMLHttpRequest, because `fetch` reports no upload progress.
import { CODES, type Code } from "../codes.js";
import { ConnectionBroken, Refusal, SetupError } from "../errors.js";

export interface HttpRequest {
  method?: "GET" | "POST" | "DELETE";
  url: string;
  headers: Readonly<Record<string, string>>;
  body?: Blob | FormData | string;
  signal?: AbortSignal | undefined;
  onProgress?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

export interface HttpResponse {
  url: string;
  status: number;
  /** The body when it is JSON, otherwise null. */
  json: unknown;
  header(name: string): string | null;
}

/** The connection counts as broken after this long without progress: a store may delay the response by 25 s, a slow mobile network by more. */
const IDLE_TIMEOUT_MS = 45_000;

/** The URL of a path of the service at `endpoint`. */
export function urlOf(endpoint: string, path: string): string {
  // JavaScript callers may leave `endpoint` out; the response of the page's own server then says so.
  return `${(endpoint ?? "").replace(/\/+$/, "")}/${path}`;
}

/** Sends a request. Rejects with `ConnectionBroken`, or with the reason of `signal`. */
export function send({ method = "POST", url, headers, body, signal, onProgress }: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);

    // No limit on the whole request: a slow network that makes progress may take its time.
    let idleTimer: ReturnType<typeof setTimeout>;
    const restartTimer = () => {
      clearTimeout(idleTimer);
      idleTimer = setTimeout(() => xhr.abort(), IDLE_TIMEOUT_MS);
    };
    const abort = () => xhr.abort();
    const end = (settle: () => void) => {
      clearTimeout(idleTimer);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    signal?.addEventListener("abort", abort);
    xhr.upload.onprogress = ({ loaded, total }) => {
      restartTimer();
      onProgress?.(loaded, total);
    };
    xhr.onprogress = restartTimer;
    xhr.onload = () =>
      end(() => resolve({ url: xhr.responseURL, status: xhr.status, json: parse(xhr.responseText), header: (name) => xhr.getResponseHeader(name) }));
    xhr.onerror = () => end(() => reject(new ConnectionBroken()));
    xhr.onabort = () => end(() => reject(signal?.aborted ? signal.reason : new ConnectionBroken()));
    restartTimer();
    xhr.send(body ?? null);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The service, too, answers these for a wrong `endpoint`. */
const WRONG_URL: readonly unknown[] = ["NOT_FOUND", "METHOD_NOT_ALLOWED"];

/**
 * The `data` of a success. Otherwise throws `Refusal`, `ConnectionBroken` for a temporary error of a proxy, or `SetupError` when another server
 * responded or the service is not configured.
 */
export function dataOf({ url, status, json, header }: HttpResponse): unknown {
  const body = json as { data?: unknown; code?: unknown; detail?: unknown; requestId?: unknown; configuration?: unknown } | null;
  if (status >= 200 && status < 300 && body?.data) return body.data;
  if (body?.configuration) throw new SetupError(`${url} is not set up: ${JSON.stringify(body.configuration)}`);
  if (!isCode(body?.code) || WRONG_URL.includes(body.code)) {
    if (status >= 500 || status === 408 || status === 429) throw new ConnectionBroken(status);
    throw new SetupError(`${url} answered ${status} and is not the service. Check \`endpoint\`.`);
  }
  const retryAfterS = secondsOf(header("Retry-After"));
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
function secondsOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : Math.max(0, Math.ceil((ms - Date.now()) / 1000));
}
