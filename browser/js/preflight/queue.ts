// The job queue: the runner prepares one file, or solves one puzzle, at a time. It starts with the first file, and again after it failed, was stopped in the
// middle of a file, or was stopped because its memory had grown.
import type { AssetUrls, Job, ResultOf } from "./messages.js";
import { type Runner, startRunner } from "./runner.js";

export interface Finished<J extends Job = Job> {
  result: ResultOf<J>;
  elapsedMs: number;
}

interface QueuedJob {
  job: Job;
  resolve(finished: { result: unknown; elapsedMs: number }): void;
  reject(reason: unknown): void;
}

/**
 * Wasm memory never shrinks. A phone's photo needs some 30 MB, so that everyday use keeps its worker; a large PNG (four bytes a pixel,
 * 48 MP) grows it to 200 MB and more, which a phone's tab needs back.
 */
const MAX_IDLE_MEMORY_BYTES = 96 * 1024 * 1024;
/** Longer than the pause between the files of a form. */
const IDLE_TIMEOUT_MS = 2_000;

const waiting: QueuedJob[] = [];
let current: QueuedJob | undefined;
let runner: Promise<Runner> | undefined;
let hasLoaded = false;
let assets: AssetUrls = {};
let idleTimer: ReturnType<typeof setTimeout> | undefined;

/** Where runners that start from now on find worker and wasm. */
export function setAssets(given: AssetUrls | undefined): void {
  if (given) assets = given;
}

/** Whether script and wasm have been loaded, so that the network does not delay a file. */
export function isReady(): boolean {
  return hasLoaded;
}

/** Starts the runner before there is a file. */
export async function start(): Promise<void> {
  await startedRunner();
}

/** Adds a job to the queue. */
export async function submit<J extends Job>(job: J, signal?: AbortSignal): Promise<Finished<J>> {
  signal?.throwIfAborted();
  let abort = () => {};
  const finished = new Promise<Finished<J>>((resolve, reject) => {
    const queued: QueuedJob = { job, resolve: resolve as QueuedJob["resolve"], reject };
    abort = () => cancel(queued, signal?.reason);
    waiting.push(queued);
  });
  signal?.addEventListener("abort", abort);
  void runNext();
  return finished.finally(() => signal?.removeEventListener("abort", abort));
}

async function runNext(): Promise<void> {
  const queued = current ? undefined : waiting.shift();
  if (!queued) return;
  current = queued;
  clearTimeout(idleTimer);
  try {
    const started = await startedRunner();
    if (current !== queued) return;
    const startedMs = performance.now();
    const result = await started.run(queued.job);
    if (current !== queued) return;
    queued.resolve({ result, elapsedMs: performance.now() - startedMs });
    if (started.memoryBytes() > MAX_IDLE_MEMORY_BYTES) idleTimer = setTimeout(stopRunner, IDLE_TIMEOUT_MS);
  } catch (error) {
    if (current !== queued) return;
    stopRunner();
    queued.reject(error);
  }
  current = undefined;
  void runNext();
}

/** Takes a job out of the queue. If it runs, its runner is stopped, because wasm cannot be interrupted; the next job gets a new one. */
function cancel(queued: QueuedJob, reason: unknown): void {
  queued.reject(reason);
  if (queued === current) {
    stopRunner();
    current = undefined;
    // Later, because the same signal may cancel the next jobs, too, and none of them should start a runner.
    queueMicrotask(() => void runNext());
  } else if (waiting.includes(queued)) {
    waiting.splice(waiting.indexOf(queued), 1);
  }
}

async function startedRunner(): Promise<Runner> {
  const starting = (runner ??= startRunner(assets));
  try {
    const started = await starting;
    hasLoaded = true;
    return started;
  } catch (error) {
    // The next job tries to load it again.
    if (runner === starting) runner = undefined;
    throw error;
  }
}

function stopRunner(): void {
  runner?.then((started) => started.stop()).catch(() => {});
  runner = undefined;
}
