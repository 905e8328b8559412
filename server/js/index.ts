// What a back end needs to work with the service: tokens, calls, signed URLs, user ids, events.
export {
  type ClaimedImage,
  type ClaimOptions,
  type Decision,
  type DeletedImage,
  type Form,
  type FormPolicy,
  type Forms,
  type FormsQuery,
  type Image,
  type Images,
  ImageService,
  type ImageSelection,
  type ImageServiceOptions,
  type ImagesQuery,
  type ListedForm,
  type Removal,
  type SignedUrl,
  type TicketRequest,
  type TokenSource,
  type UserExport,
  type WaitOptions,
} from "./client.js";
export { type LocalCode, type ServiceCode, ServiceError } from "./errors.js";
export { type PrivateJwk, type Role, type SigningKey, signToken, type TokenOptions } from "./tokens.js";
export { type SignedUrlOptions, signUrl } from "./urls.js";
export { type Issuer, userIdOf } from "./users.js";
export { type EventImage, type RequestHeaders, type VerifyOptions, verifyWebhook, type WebhookAnswer, type WebhookEvent, type WebhookEventType } from "./webhooks.js";
