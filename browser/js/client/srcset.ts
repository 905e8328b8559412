// Sources of an <img>: the service makes a picture in each width once, and the browser loads the one that fits the page and the screen.
import type { Uploaded } from "./api-client.js";

/** The default of `VARIANT_WIDTHS`. */
const WIDTHS = [160, 320, 480, 640, 960, 1280, 1600, 2048];

export interface SrcsetOptions {
  /** The widths that your deployment offers, if it sets `VARIANT_WIDTHS`. */
  widths?: readonly number[];
  /** `auto` (the default) takes WebP for browsers that show it, if it has fewer bytes. */
  format?: "auto" | "jpeg" | "png" | "webp";
}

/**
 * The `srcset` of a picture: `img.srcset = srcset(image)`. Also set `img.sizes`, and `width` and `height`, so that the page does not shift when
 * the picture arrives. The result is empty for a picture that only signed URLs can read: use its `signedUrl`.
 */
export function srcset(image: Pick<Uploaded, "imageUrl" | "width"> & { signedUrl?: string | null }, options: SrcsetOptions = {}): string {
  if (image.signedUrl) return "";
  const { widths = WIDTHS, format = "auto" } = options;
  const source = (width: number, query: string) => `${image.imageUrl}?${query}format=${format} ${width}w`;
  const smaller = widths.filter((width) => width < image.width).sort((a, b) => a - b);
  return [...smaller.map((width) => source(width, `w=${width}&`)), source(image.width, "")].join(", ");
}
