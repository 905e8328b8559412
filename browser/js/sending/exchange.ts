// One request and its answer. XMLHttpRequest, because fetch tells no upload progress. What an answer
// means is answer.ts's affair, whether to try again is retry.ts's.
import { ConnectionBroken } from "./broken.js";

export interface Answer {
  url: string;
  status: number;
  /** The body when it is JSON, otherwise null. */
  json: unknown;
  header(name: string): string | null;
}

export interface Request {
  method?: "GET" | "POST" | "DELETE";
  url: string;
  headers: Readonly<Record<string, string>>;
  body?: Blob | FormData | string;
  signal?: AbortSignal | undefined;
  onProgress?: ((sentBytes: number, totalBytes: number) => void) | undefined;
  /** After so long without a sign of life the connection counts as broken. */
  silenceMs?: number;
}

/** An edge whose store hangs answers after 25 s at most; the rest is for a slow radio. */
const SILENCE_MS = 45_000;

/** Sends it. Rejects with `ConnectionBroken`, or with the reason of `signal`. */
export function exchange(request: Request): Promise<Answer> {
  const { method = "POST", url, headers, body, signal, onProgress, silenceMs = SILENCE_MS } = request;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);

    // No limit on the whole: a slow network that moves may take its time.
    let silence: ReturnType<typeof setTimeout>;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => xhr.abort(), silenceMs);
    };
    const abort = () => xhr.abort();
    const end = (settle: () => void) => {
      clearTimeout(silence);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    signal?.addEventListener("abort", abort);
    xhr.upload.onprogress = ({ loaded, total }) => {
      heard();
      onProgress?.(loaded, total);
    };
    xhr.onprogress = heard;
    xhr.onload = () => end(() => resolve(answerOf(xhr)));
    xhr.onerror = () => end(() => reject(new ConnectionBroken()));
    xhr.onabort = () => end(() => reject(signal?.aborted ? signal.reason : new ConnectionBroken()));
    heard();
    xhr.send(body ?? null);
  });
}

function answerOf(xhr: XMLHttpRequest): Answer {
  return { url: xhr.responseURL, status: xhr.status, json: parsed(xhr.responseText), header: (name) => xhr.getResponseHeader(name) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
