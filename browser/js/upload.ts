// Sends one picture that is ready to be sent. For many, see the Uploader.
import type { Uploaded } from "./sending/answer.js";
import { Edge, type EdgeOptions } from "./sending/edge.js";
import { sendPatiently, type PatientOptions } from "./sending/patiently.js";

export interface UploadOptions extends EdgeOptions, PatientOptions {
  fileName?: string | null;
}

/** Sends `blob` to the edge. Rejects with `Refusal`, or `ConnectionBroken` when it was never reached. */
export function upload(blob: Blob, options: UploadOptions): Promise<Uploaded> {
  return sendPatiently(new Edge(options), { blob, fileName: options.fileName ?? null }, options);
}
