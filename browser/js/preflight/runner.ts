// Runs jobs in a Web Worker or, where a page may have none, in the page itself.
import { ConnectionBroken, connectionError, responds, SetupError } from "../errors.js";
import type { AssetUrls, Job, ResultOf, StartMessage, WorkerMessage } from "./messages.js";

export interface Runner {
  /** Runs one job at a time. Rejects when the runner failed; it cannot be used any more then. */
  run<J extends Job>(job: J): Promise<ResultOf<J>>;
  /** Stops at once, also in the middle of a job, whose promise then never settles. */
  stop(): void;
  /** The size of the wasm's memory. */
  memoryBytes(): number;
}

let compiling: Promise<WebAssembly.Module> | undefined;

/** A runner that is ready for its first job. Rejects with `ConnectionBroken` or `SetupError`, and the next call tries again. */
export async function startRunner({ worker, wasm }: AssetUrls): Promise<Runner> {
  // Compiled while the worker starts, and once for all runners.
  const compiled = (compiling ??= compile(wasm ?? new URL("./preflight.wasm", import.meta.url)));
  compiled.catch(() => (compiling = undefined));
  try {
    return await startWorker(worker, compiled);
  } catch {
    // No workers here, or a policy that forbids this one. Any other cause makes the page's own runner fail, too.
    return startInPage(await compiled);
  }
}

async function compile(wasm: string | URL): Promise<WebAssembly.Module> {
  const remedy = "Check `assets` and the Content-Security-Policy.";
  const response = await fetch(wasm).catch(async () => {
    throw await connectionError(wasm, remedy);
  });
  if (!response.ok) throw new SetupError(`${response.url} answered ${response.status}. ${remedy}`);
  try {
    const isTyped = response.headers.get("content-type") === "application/wasm";
    return await (isTyped ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  } catch (error) {
    // A body that breaks off throws a TypeError.
    throw error instanceof TypeError ? new ConnectionBroken() : new SetupError(`${response.url}: ${error}. ${remedy}`);
  }
}

function startWorker(script: string | URL | undefined, compiled: Promise<WebAssembly.Module>): Promise<Runner> {
  // Bundlers only follow the second form.
  const worker = script
    ? new Worker(script, { type: "module" })
    : new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  let memoryBytes = 0;
  let pending: { resolve(result: unknown): void; reject(reason: unknown): void } | undefined;
  let failure: { reason: unknown } | undefined;
  const runner: Runner = {
    run: <J extends Job>(job: J) =>
      new Promise<ResultOf<J>>((resolve, reject) => {
        if (failure) return reject(failure.reason);
        pending = { resolve: resolve as (result: unknown) => void, reject };
        worker.postMessage(job);
      }),
    stop: () => worker.terminate(),
    memoryBytes: () => memoryBytes,
  };
  return new Promise((resolve, reject) => {
    const fail = (reason: unknown) => {
      failure = { reason };
      worker.terminate();
      reject(reason);
      pending?.reject(reason);
    };
    compiled.then((wasm) => worker.postMessage({ wasm } satisfies StartMessage), fail);
    worker.addEventListener("error", (event) => fail(new Error(event.message || "The worker did not start.")));
    worker.addEventListener("message", ({ data }: MessageEvent<WorkerMessage>) => {
      if ("error" in data) return fail(data.error);
      if ("isReady" in data) return resolve(runner);
      memoryBytes = data.memoryBytes;
      pending?.resolve(data.result);
    });
  });
}

async function startInPage(wasm: WebAssembly.Module): Promise<Runner> {
  const { load, run } = await import("./engine.js").catch(async (error: unknown) => {
    if (!(await responds(location.href))) throw new ConnectionBroken();
    throw new SetupError(`${error}. Are the files of this build still there?`);
  });
  load(wasm);
  let isStopped = false;
  // A timer, so that the page can handle events between the steps.
  const pause = async () => {
    await new Promise((resolve) => setTimeout(resolve));
    if (isStopped) throw new DOMException("The job was stopped.", "AbortError");
  };
  return {
    run: <J extends Job>(job: J) => run(job, pause) as Promise<ResultOf<J>>,
    stop: () => {
      isStopped = true;
    },
    // The memory belongs to the page until it is left, so its size makes no difference.
    memoryBytes: () => 0,
  };
}
