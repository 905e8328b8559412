// The entry for bundlers that compile Svelte: what svelte.ts has, and the component.
export { default as ImageUpload } from "./ImageUpload.svelte";
export * from "./svelte.js";
