// The functions that the Rust crate exports, as the engine calls them (browser/src/lib.rs).
declare module "preflight-wasm" {
  /** Loads and compiles the wasm that lies beside this script. */
  export default function init(): Promise<{ memory: WebAssembly.Memory }>;
  export function prepare(bytes: Uint8Array, declaredType: string, policy: string, language: string): Outcome;
  export function too_large(sizeBytes: number, policy: string, language: string): string | undefined;

  export class Outcome {
    /** JSON: `Told`. */
    readonly told: string;
    /** Takes the outcome apart; it is not to be used after. */
    bytes(): Uint8Array<ArrayBuffer> | undefined;
  }
}
