// The package's face: check a file, send a file, and the sentences for whatever is refused.
export { BROWSER_POLICY, CODES, EDGE_POLICY, type Code, type CodeMeaning, type Policy } from "./codes.js";
export { preflight, type PreflightOptions } from "./preflight.js";
export { upload, UploadError, type Uploaded, type UploadOptions } from "./upload.js";
export type { MetadataKind, Refusal, Report, Verdict } from "./verdict.js";
