// The package's face: check a file, send a file, and the sentences for whatever is refused.
export { BROWSER_POLICY, CODES, EDGE_POLICY, type Code, type CodeMeaning, type Effort, type Policy } from "./codes.js";
export { preflight, type Prepared, type PreflightOptions, warmUp } from "./preflight.js";
export { Refusal } from "./refusal.js";
export type { MetadataKind, Report } from "./report.js";
export { upload, type Uploaded, type UploadOptions } from "./upload.js";
