// The package's face: check a file, send a file, and the sentences for whatever is refused.
export { CODES, sentence, type CodeName, type Language } from "./codes.js";
export { preflight } from "./preflight.js";
export { upload, UploadError, type Uploaded, type UploadOptions } from "./upload.js";
export type { MetadataKind, Refusal, Report, Verdict } from "./verdict.js";
