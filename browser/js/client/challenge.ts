// Solves challenges: the proof of work in the Web Worker, the Turnstile widget in a dialog of the page.
import { abortable } from "../abort.js";
import { ConnectionBroken, Refusal, SetupError } from "../errors.js";
import type { AssetUrls } from "../preflight/messages.js";
import { setAssets, submit } from "../preflight/queue.js";
import { dataOf, send, urlOf } from "./http.js";

/** What a solved challenge is for. */
export type ChallengePurpose = "guest_token" | "sign_up" | "login";

export interface ChallengeOptions {
  signal?: AbortSignal | undefined;
  /** How much is solved: from 0 to 1. */
  onProgress?: ((progress: number) => void) | undefined;
  /** The language of sentences and of the widget: a tag such as `ko`. */
  language?: string | undefined;
  /** Where worker and wasm are, for bundlers that do not follow `new URL("…", import.meta.url)`. */
  assets?: AssetUrls | undefined;
}

type Challenge =
  | { kind: "pow"; challenge: string; puzzles: number; bits: number }
  | { kind: "turnstile" };

/** The request header with the solution. */
const HEADER = "X-Challenge-Response";
/** A solution may come too late, or from another network than the challenge. */
const MAX_SOLUTIONS = 2;
const MAC_BYTES = 32;

/** Progress of the challenge that is being solved, for elements; undefined while there is none. */
let current: number | undefined;
const listeners = new Set<() => void>();

export const challengeProgress = (): number | undefined => current;

/** Calls `listener` whenever the progress has changed; the function that it returns removes it. */
export function onChallengeProgress(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function setProgress(progress: number | undefined): void {
  current = progress;
  for (const listener of listeners) listener();
}

/**
 * Runs a request and, when the service requires a challenge, solves it and runs the request again. `run` gets the headers to add to the request.
 * Rejects as `run` does, with the reason of the signal, or with `ConnectionBroken` or `SetupError` when the challenge cannot be had.
 */
export async function withChallenge<T>(
  endpoint: string,
  purpose: ChallengePurpose,
  run: (headers: Record<string, string>) => Promise<T>,
  options: ChallengeOptions = {},
): Promise<T> {
  let headers = {};
  for (let solved = 0; ; solved++) {
    try {
      return await run(headers);
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "CHALLENGE_REQUIRED") || solved === MAX_SOLUTIONS) throw error;
      const report = (progress: number) => {
        setProgress(progress);
        options.onProgress?.(progress);
      };
      report(0);
      try {
        headers = { [HEADER]: await solve(endpoint, purpose, error, report, options) };
      } finally {
        setProgress(undefined);
      }
    }
  }
}

async function solve(endpoint: string, purpose: ChallengePurpose, refusal: Refusal, report: (progress: number) => void, options: ChallengeOptions): Promise<string> {
  const { language, signal } = options;
  const headers: Record<string, string> = language ? { "Accept-Language": language } : {};
  const url = urlOf(endpoint, `auth/challenge?purpose=${purpose}`);
  const challenge = dataOf(await send({ method: "GET", url, headers, signal })) as Challenge;
  if (challenge.kind === "turnstile") return askWidget(new URL(urlOf(endpoint, `auth/challenge/widget?purpose=${purpose}`), location.href), refusal, options);
  const { bits, puzzles } = challenge;
  const salt = bytesOf(challenge.challenge).slice(-MAC_BYTES);
  setAssets(options.assets);
  let done = 0;
  const numbers = await Promise.all(
    Array.from({ length: puzzles }, async (_, index) => {
      const { result } = await submit({ salt, index, bits }, signal);
      report(++done / puzzles);
      return result;
    }),
  );
  const bytes = new DataView(new ArrayBuffer(4 * puzzles));
  numbers.forEach((number, index) => bytes.setUint32(4 * index, number));
  return `${challenge.challenge}.${textOf(new Uint8Array(bytes.buffer))}`;
}

/** Base64url without padding. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

function textOf(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Shows the page of the service with the widget until that sends the token. Rejects with `refusal` when the person closes it. */
async function askWidget(url: URL, refusal: Refusal, { language, signal }: ChallengeOptions): Promise<string> {
  const frame = document.createElement("iframe");
  const dialog = document.createElement("dialog");
  const cancel = document.createElement("button");
  const isKorean = /^ko\b/i.test(language || navigator.language);
  frame.src = url.href;
  frame.title = dialog.ariaLabel = isKorean ? "브라우저 확인" : "Checking your browser";
  cancel.textContent = isKorean ? "취소" : "Cancel";
  cancel.onclick = () => dialog.close();
  // In the frame, the Escape key would not close the dialog.
  cancel.autofocus = true;
  // The size of the widget and its margin. Scripts may set styles under every Content-Security-Policy.
  Object.assign(frame.style, { display: "block", width: "320px", height: "85px", border: "0" });
  const ended = new AbortController();
  const token = new Promise<string>((resolve, reject) => {
    const onMessage = ({ source, origin, data }: MessageEvent<{ turnstile?: unknown }>) => {
      if (source !== frame.contentWindow || origin !== url.origin) return;
      if (typeof data.turnstile === "string") resolve(data.turnstile);
      else reject(navigator.onLine ? new SetupError(`${url}: the script of Turnstile was not loaded.`) : new ConnectionBroken());
    };
    addEventListener("message", onMessage, { signal: ended.signal });
    dialog.addEventListener("close", () => reject(refusal), { signal: ended.signal });
  });
  dialog.append(frame, cancel);
  document.body.append(dialog);
  dialog.showModal();
  try {
    return await abortable(token, signal);
  } finally {
    ended.abort();
    dialog.remove();
  }
}
