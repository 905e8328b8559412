// The package's face: check a file, send one or many, and the sentences for whatever is refused.
export { BROWSER_POLICY, CODES, EDGE_POLICY, type Code, type CodeMeaning, type Effort, type Policy } from "./codes.js";
export { SetupError } from "./fault.js";
export type { AssetUrls } from "./messages.js";
export { preflight, type Prepared, type PreflightOptions, warmUp } from "./preflight.js";
export { Refusal } from "./refusal.js";
export type { MetadataKind, Report } from "./report.js";
export type { OutboxOptions } from "./offline/outbox.js";
export type { Uploaded } from "./sending/answer.js";
export { ConnectionBroken } from "./sending/broken.js";
export type { TokenRequest, TokenSource } from "./sending/credentials.js";
export { guestToken } from "./sending/guest.js";
export type { RetryOptions } from "./sending/retry.js";
export { upload, type UploadOptions } from "./upload.js";
export type { UploaderEvents } from "./uploader/events.js";
export type { ItemState, UploadItem } from "./uploader/item.js";
export { Uploader, type UploaderOptions } from "./uploader/uploader.js";
