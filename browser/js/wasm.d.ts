// The functions that the Rust crate exports, as the engine calls them (browser/src/lib.rs).
declare module "preflight-wasm" {
  /** Compiles the wasm. */
  export default function init(given: { module_or_path: Response }): Promise<{ memory: WebAssembly.Memory }>;
  export function too_large(sizeBytes: number, policy: Float64Array, language: string): string | undefined;

  export function undecoded(head: Uint8Array, declaredType: string, isKnown: boolean, language: string): Outcome;

  export class Job {
    constructor(bytes: Uint8Array, declaredType: string, policy: Float64Array, language: string);
    /** Whether there is another step. */
    step(): boolean;
    /** Takes the job apart; nothing as long as a step is left. */
    outcome(): Outcome | undefined;
    free(): void;
  }

  export class Canvas {
    constructor(
      head: Uint8Array,
      declaredType: string,
      width: number,
      height: number,
      orientation: number,
      sizeBytes: number,
      policy: Float64Array,
      language: string,
    );
    readonly wanted: boolean;
    push(rows: Uint8Array): void;
    /** Takes the canvas apart; it is not to be used after. */
    prepare(): Outcome;
  }

  export class Outcome {
    /** JSON: `Told`, or `ForeignType` where a file was given. */
    readonly told: string;
    /** Takes the outcome apart; it is not to be used after. */
    bytes(): Uint8Array<ArrayBuffer> | undefined;
  }
}
