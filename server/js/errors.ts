// The error of every call that fails: the service refused the request, it was not reached, or an event is not genuine.
import type { components } from "./api.js";

/** A code of the service. */
export type ServiceCode = components["schemas"]["Code"];

/** The codes of this package itself. */
export type LocalCode =
  /** The service did not answer in time, or not at all. */
  | "UNREACHABLE"
  /** Something else answered in its place: check `endpoint`, and what stands before the service. */
  | "UNEXPECTED_RESPONSE"
  /** The signature of an event does not verify, or its time is too far off. */
  | "WEBHOOK_INVALID";

export class ServiceError extends Error {
  /** The value by which your program decides. */
  readonly code: ServiceCode | LocalCode;
  /** A sentence for people, in the language of the client. */
  readonly detail: string;
  /** The status of the response; 0 without a response. */
  readonly status: number;
  /** The seconds that the service asks the client to wait. */
  readonly retryAfter: number | undefined;
  /** The id of the request in the log of the service. */
  readonly requestId: string | undefined;

  constructor(code: ServiceCode | LocalCode, detail: string, response: { status?: number; retryAfter?: number | undefined; requestId?: string | undefined; cause?: unknown } = {}) {
    super(`${code}: ${detail}`, response.cause === undefined ? {} : { cause: response.cause });
    this.name = "ServiceError";
    this.code = code;
    this.detail = detail;
    this.status = response.status ?? 0;
    this.retryAfter = response.retryAfter;
    this.requestId = response.requestId;
  }
}
