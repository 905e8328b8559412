// The edge's policy as the wasm takes it (browser/src/policy.rs).
import type { Effort, Policy } from "./codes.js";

const EFFORTS: readonly string[] = ["fast", "balanced", "small"] satisfies Effort[];

/** What a caller may give: what `GET /policy` answers, as text or read, or the promise of it. */
export type GivenPolicy = Policy | string | Promise<Policy | string>;

/** The numbers of a policy; what it does not say, or cannot be had, is NaN. */
export async function numbers(given: GivenPolicy | undefined, effort: Effort | undefined): Promise<Float64Array> {
  const { limits = {}, maxEdge, quality, targetBytes, ...rest } = await read(given);
  const { maxBytes, maxPixels, maxFrames, maxAnimationPixels, maxResizePixels, maxPeakBytes } = limits;
  const place = EFFORTS.indexOf(effort ?? rest.effort ?? "");
  const said = [maxBytes, maxPixels, maxFrames, maxAnimationPixels, maxResizePixels, maxPeakBytes, maxEdge, quality, place, targetBytes];
  return Float64Array.from(said, (number) => (typeof number === "number" ? number : NaN));
}

type Said = Partial<Omit<Policy, "limits"> & { limits: Partial<Policy["limits"]> }>;

async function read(given: GivenPolicy | undefined): Promise<Said> {
  try {
    const said = await given;
    return (typeof said === "string" ? JSON.parse(said) : said) ?? {};
  } catch {
    return {};
  }
}
