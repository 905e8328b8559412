// Sends one picture that is ready to be sent. For many, see the Uploader.
import type { Uploaded } from "./sending/answer.js";
import { Edge, type AttemptOptions, type EdgeOptions } from "./sending/edge.js";
import { patiently, type PatientOptions } from "./sending/patiently.js";

export interface UploadOptions extends EdgeOptions, AttemptOptions, PatientOptions {
  fileName?: string | null;
}

/** Sends `blob` to the edge. Rejects with `Refusal`, `ConnectionBroken` when it was never reached, or `SetupError`. */
export function upload(blob: Blob, options: UploadOptions): Promise<Uploaded> {
  const edge = new Edge(options);
  return patiently(() => edge.send({ blob, fileName: options.fileName ?? null }, options), options).catch(edge.explain);
}
