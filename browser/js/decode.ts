// The browser's own decoders, as a source of rows. ImageDecoder where there is one: it hands over the pixels as
// they are. Otherwise a bitmap, read through a canvas a few rows high: large canvases fail silently on phones,
// and some browsers add noise to what is read from one, against which nothing can be done there.

/** Pixels as they are coded, before they are turned. */
export interface Decoded {
  width: number;
  height: number;
  /** The eight values of EXIF tag 0x0112. */
  orientation: number;
  /** Red, green, blue, alpha; not premultiplied. */
  rows(first: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** Nothing when the browser cannot; `isKnown` when it knows the type, so that the file must be broken. */
export async function decode(bytes: Uint8Array<ArrayBuffer>, mediaType: string): Promise<{ decoded?: Decoded; isKnown: boolean }> {
  const isKnown = typeof ImageDecoder !== "undefined" && (await ImageDecoder.isTypeSupported(mediaType));
  for (const way of isKnown && "rotation" in VideoFrame.prototype ? [frame, bitmap] : [bitmap]) {
    try {
      return { decoded: await way(bytes, mediaType), isKnown };
    } catch {
      // The next way, if there is one.
    }
  }
  return { isKnown };
}

async function frame(bytes: Uint8Array<ArrayBuffer>, mediaType: string): Promise<Decoded> {
  const decoder = new ImageDecoder({ data: bytes, type: mediaType, preferAnimation: false });
  const { image } = await decoder.decode().finally(() => decoder.close());
  const { x, y, width, height } = image.visibleRect ?? new DOMRectReadOnly(0, 0, image.codedWidth, image.codedHeight);
  const rows = async (first: number, count: number) => {
    const rows = new Uint8Array(width * count * 4);
    await image.copyTo(rows, { format: "RGBA", rect: { x, y: y + first, width, height: count } });
    return rows;
  };
  try {
    // Whether its pixels can be had shows here.
    await rows(0, Math.min(2, height));
  } catch (reason) {
    image.close();
    throw reason;
  }
  return { width, height, orientation: orientation(image), rows, close: () => image.close() };
}

/** Mirrored first, then turned clockwise (WebCodecs, section 9.4.4), as EXIF numbers it. */
function orientation(image: VideoFrame): number {
  const { rotation, flip } = image as VideoFrame & { rotation: number; flip: boolean };
  const [upright, mirrored] = { 0: [1, 2], 90: [6, 7], 180: [3, 4], 270: [8, 5] }[rotation] ?? [1, 2];
  return (flip ? mirrored : upright) ?? 1;
}

async function bitmap(bytes: Uint8Array<ArrayBuffer>, mediaType: string): Promise<Decoded> {
  // Turned upright by the browser.
  const image = await createImageBitmap(new Blob([bytes], { type: mediaType }), { premultiplyAlpha: "none" });
  const { width, height } = image;
  const rows = async (first: number, count: number) => {
    const context = new OffscreenCanvas(width, count).getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("There is no canvas to read from.");
    context.drawImage(image, 0, -first);
    return new Uint8Array(context.getImageData(0, 0, width, count).data.buffer as ArrayBuffer);
  };
  return { width, height, orientation: 1, rows, close: () => image.close() };
}
