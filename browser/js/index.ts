// The package's main entry: check a file, upload one or many, and the codes and sentences of refusals.
export { BROWSER_POLICY, CODES, EDGE_POLICY, type Code, type CodeMeaning, type Effort, type Policy } from "./codes.js";
export { ConnectionBroken, Refusal, SetupError } from "./errors.js";
export type { AssetUrls, MetadataKind, Report } from "./preflight/messages.js";
export { type Crop, cropTo, type Edit, ratioOf, turnedSize } from "./preflight/edit.js";
export { preflight, type Prepared, type PreflightOptions, warmUp } from "./preflight/preflight.js";
export { type PictureRecord, type Review, type TokenOrTicket, upload, type Uploaded, type UploadOptions } from "./client/api-client.js";
export { type ChallengeOptions, type ChallengePurpose, withChallenge } from "./client/challenge.js";
export { guestToken, type TicketRequest, type TicketSource, type TokenRequest, type TokenSource } from "./client/credentials.js";
export { type FormPolicy, loadPolicy, type PolicyOptions } from "./client/policy.js";
export type { RetryOptions } from "./client/retry.js";
export { describePolicy } from "./element/texts.js";
export { clearQueue, type OutboxOptions } from "./offline/outbox.js";
export type { QueueKey } from "./offline/seal.js";
export { srcset, type SrcsetOptions } from "./client/srcset.js";
export type { ItemState, UploadItem } from "./uploader/task.js";
export { type ListProgress, Uploader, type UploaderEvents, type UploaderOptions } from "./uploader/uploader.js";
