// What the Rust crate exports, as the engine uses it (browser/src).
declare module "preflight-wasm" {
  type Policy = import("./messages.js").PreflightJob["policy"];
  type Result = import("./messages.js").PreflightResult;
  type Refused = import("./messages.js").Refused;
  type ForeignType = import("./messages.js").ForeignType;

  /** Starts the compiled wasm. */
  export function initSync(options: { module: WebAssembly.Module }): { memory: WebAssembly.Memory };
  /** The refusal of a file that has too many bytes to be read. */
  export function checkSize(file: Blob, policy: Policy, language: string): Refused | undefined;
  /** The refusal of a file that the browser could not decode. */
  export function undecoded(file: Blob, head: Uint8Array, isSupported: boolean, language: string): Refused;

  /** The number that solves a puzzle (`edge/auth/src/proof_of_work.rs`). */
  export function solvePuzzle(salt: Uint8Array, index: number, bits: number): number | undefined;

  /** Prepares a file in steps. */
  export class Preparation {
    constructor(file: Blob, bytes: Uint8Array, policy: Policy, language: string);
    /** Makes the next step; returns whether there is another. */
    step(): boolean;
    /** Takes the result after the last step; before it, only a refusal or a foreign type. The object cannot be used any more. */
    result(): Result | ForeignType | undefined;
    free(): void;
  }

  /** Collects the rows that the browser decoded. */
  export class PixelBuffer {
    constructor(file: Blob, head: Uint8Array, width: number, height: number, orientation: number, policy: Policy, language: string);
    /** Whether it takes pixels; otherwise `prepare` refuses. */
    readonly isOpen: boolean;
    push(rows: Uint8Array): void;
    /** Resizes and encodes the pixels. The object cannot be used any more. */
    prepare(): Result;
  }
}
