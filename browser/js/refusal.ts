// Why a picture is not taken, whoever says so: the image rules in the browser or the edge.
import type { Code } from "./codes.js";

/** Its message says what is wrong and what to do, in the language that was asked for. */
export class Refusal extends Error {
  readonly code: Code;
  /** The status of the edge's answer; 0 when the browser said it and nothing was sent. */
  readonly status: number;
  /** Under which the edge has it in its log. */
  readonly requestId?: string;
  /** When the edge wants to be asked again. */
  readonly retryAfterS?: number;

  constructor(sentence: string, code: Code, answer: { status?: number; requestId?: string; retryAfterS?: number } = {}) {
    super(sentence);
    this.name = "Refusal";
    this.code = code;
    this.status = answer.status ?? 0;
    if (answer.requestId !== undefined) this.requestId = answer.requestId;
    if (answer.retryAfterS !== undefined) this.retryAfterS = answer.retryAfterS;
  }
}
