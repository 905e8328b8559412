// What an edit does with a picture, in numbers: how large the turned picture is, and which crop fits a ratio.

/** An edit of a picture: flipped, then turned, then cropped. */
export interface Edit {
  /** Mirrors the upright picture left to right. */
  readonly flip?: boolean;
  /** Turns it clockwise, in degrees. */
  readonly rotate?: 0 | 90 | 180 | 270;
  /** What is kept, in whole pixels of the turned picture; all of it by default. */
  readonly crop?: Crop;
}

export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The tolerance of the policy's `aspectRatio`. */
const TOLERANCE = 0.01;

/** Width divided by height of a ratio such as `4:3`; undefined for none. */
export function ratioOf(aspectRatio: string | null | undefined): number | undefined {
  const [width, height] = (aspectRatio ?? "").split(":").map(Number);
  return width && height ? width / height : undefined;
}

export function fits({ width, height }: Size, ratio: number): boolean {
  return Math.abs(width / height / ratio - 1) <= TOLERANCE;
}

/** The size after flip and turn. */
export function turnedSize({ width, height }: Size, { rotate = 0 }: Edit): Size {
  return rotate % 180 === 0 ? { width, height } : { width: height, height: width };
}

/** The largest crop of this ratio, in the middle. */
export function cropTo({ width, height }: Size, ratio: number): Crop {
  const size = { width: Math.max(1, Math.min(width, Math.round(height * ratio))), height: Math.max(1, Math.min(height, Math.round(width / ratio))) };
  return { left: Math.floor((width - size.width) / 2), top: Math.floor((height - size.height) / 2), ...size };
}

/** A crop of whole pixels inside the picture. */
export function clamped({ left, top, width, height }: Crop, size: Size): Crop {
  const within = (value: number, least: number, most: number) => Math.min(Math.max(Math.round(value) || 0, least), most);
  const kept = { width: within(width, 1, size.width), height: within(height, 1, size.height) };
  return { left: within(left, 0, size.width - kept.width), top: within(top, 0, size.height - kept.height), ...kept };
}

/** The matrix (as for `setTransform`) that draws the upright picture as the edit turns it, with the left upper corner at 0, 0. */
export function matrixOf({ flip = false, rotate = 0 }: Edit, { width, height }: Size): [number, number, number, number, number, number] {
  const sign = flip ? -1 : 1;
  const x = flip ? width : 0;
  switch (rotate) {
    case 90:
      return [0, sign, -1, 0, height, x];
    case 180:
      return [-sign, 0, 0, -1, width - x, height];
    case 270:
      return [0, -sign, 1, 0, 0, width - x];
    default:
      return [sign, 0, 0, 1, x, 0];
  }
}
