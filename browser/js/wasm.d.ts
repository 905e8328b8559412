// The functions that the Rust crate exports, as the worker calls them (browser/src/lib.rs).
declare module "preflight-wasm" {
  /** Loads and compiles the wasm that lies beside this script. */
  export default function init(): Promise<unknown>;
  export function check(bytes: Uint8Array, declaredType: string, policy: string, language: string): string;
}
