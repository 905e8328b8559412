// The line of files that wait, and the hand that takes one after the other. The hand is hired at the first
// file, and anew whenever it broke, was stopped in the middle, or has grown too large.
import { type Hand, hire } from "./hand.js";
import type { Answer, AssetUrls, Question } from "./messages.js";

export interface Delivery {
  answer: Answer;
  elapsedMs: number;
}

interface Job {
  question: Question;
  resolve(delivery: Delivery): void;
  reject(reason: unknown): void;
}

/**
 * Wasm memory never shrinks. A phone's photo needs some 30 MB, so that an ordinary day's work keeps its
 * worker; a large PNG (four bytes a pixel, 48 MP) grows it to 200 MB and more, and a phone's tab wants
 * that back.
 */
const RETIRE_ABOVE_BYTES = 96 * 1024 * 1024;
/** Longer than the pause between files of a form, shorter than a person's patience with a slow phone. */
const RETIRE_AFTER_MS = 2_000;

const line: Job[] = [];
let current: Job | undefined;
let hired: Promise<Hand> | undefined;
let isLoaded = false;
let assets: AssetUrls = {};
let retirement: ReturnType<typeof setTimeout> | undefined;

/** Where hands are found that are hired from now on. */
export function locate(given: AssetUrls | undefined): void {
  if (given) assets = given;
}

/** Whether script and wasm have been loaded, so that a file is not kept waiting by the network. */
export function isReady(): boolean {
  return isLoaded;
}

/** Hires the hand early. */
export async function open(): Promise<void> {
  await hand();
}

/** Puts a question in the line. */
export async function order(question: Question, signal?: AbortSignal): Promise<Delivery> {
  signal?.throwIfAborted();
  let stop = () => {};
  const delivered = new Promise<Delivery>((resolve, reject) => {
    const job: Job = { question, resolve, reject };
    stop = () => cancel(job, signal?.reason);
    line.push(job);
  });
  signal?.addEventListener("abort", stop);
  void work();
  return delivered.finally(() => signal?.removeEventListener("abort", stop));
}

async function work(): Promise<void> {
  const job = current ? undefined : line.shift();
  if (!job) return;
  current = job;
  clearTimeout(retirement);
  try {
    const worker = await hand();
    if (current !== job) return;
    const startedMs = performance.now();
    const answer = await worker.ask(job.question);
    if (current !== job) return;
    job.resolve({ answer, elapsedMs: performance.now() - startedMs });
    if (worker.memoryBytes() > RETIRE_ABOVE_BYTES) retirement = setTimeout(dismiss, RETIRE_AFTER_MS);
  } catch (failure) {
    if (current !== job) return;
    dismiss();
    job.reject(failure);
  }
  current = undefined;
  void work();
}

/** Takes a job out of the line; when it is at work, its hand is let go, and the others get a new one. */
function cancel(job: Job, reason: unknown): void {
  job.reject(reason);
  if (job === current) {
    dismiss();
    current = undefined;
    void work();
  } else if (line.includes(job)) {
    line.splice(line.indexOf(job), 1);
  }
}

async function hand(): Promise<Hand> {
  const hiring = (hired ??= hire(assets));
  try {
    const ready = await hiring;
    isLoaded = true;
    return ready;
  } catch (error) {
    // What could not be loaded is loaded anew the next time.
    if (hired === hiring) hired = undefined;
    throw error;
  }
}

function dismiss(): void {
  hired?.then((hand) => hand.end()).catch(() => {});
  hired = undefined;
}
