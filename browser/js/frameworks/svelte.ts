// Svelte: the store imageUploader and the action imageUpload. It also defines the element and its types for templates. The component, which Svelte
// compiles with the page, is in ImageUpload.svelte.
import type { ImageUpload as ImageUploadElement } from "../element/index.js";
import { Field, type ImageUploadFieldEvents, type ImageUploadFieldProps, type Keys } from "./field.js";
import type { ListProgress } from "../index.js";
import { type ImageUploaderActions, type ImageUploaderOptions, isBusy, keysOf, type UploadedPicture, UploadList } from "./list.js";

export * from "../element/index.js";
export type { ImageUploadFieldEvents, ImageUploadFieldProps } from "./field.js";
export type { ImageUploaderActions, ImageUploaderOptions, UploadedPicture } from "./list.js";

/** The properties and listeners of the component and of the action. */
export interface ImageUploadParameters extends ImageUploadFieldProps {
  /** The keys of the pictures. */
  value?: Keys | null | undefined;
  /** The keys have changed. */
  onkeys?: ((keys: string[]) => void) | undefined;
  onuploaded?: ((detail: ImageUploadFieldEvents["uploaded"]) => void) | undefined;
  onrefused?: ((detail: ImageUploadFieldEvents["refused"]) => void) | undefined;
  onfailed?: ((detail: ImageUploadFieldEvents["failed"]) => void) | undefined;
  onremoved?: ((detail: ImageUploadFieldEvents["removed"]) => void) | undefined;
}

/** Sets properties and listeners of an element of yours: `<image-upload use:imageUpload={{ token, onkeys }}>`. */
export function imageUpload(element: ImageUploadElement, parameters: ImageUploadParameters): { update(parameters: ImageUploadParameters): void; destroy(): void } {
  let latest = parameters;
  const field = new Field(
    element,
    (keys) => latest.onkeys?.(keys),
    (event, detail) => (latest[`on${event}`] as ((about: typeof detail) => void) | undefined)?.(detail),
  );
  const update = (parameters: ImageUploadParameters) => {
    latest = parameters;
    field.update(parameters, parameters.value);
  };
  update(parameters);
  return { update, destroy: () => field.disconnect() };
}

/** The list at one moment. */
export interface ImageUploads {
  /** The pictures in the order in which they were added. A picture that changes is another object. */
  readonly pictures: readonly UploadedPicture[];
  /** The keys of the stored pictures. */
  readonly keys: readonly string[];
  /** Whether a picture is on its way. */
  readonly isBusy: boolean;
  readonly progress: ListProgress;
}

export interface ImageUploaderStore extends ImageUploaderActions {
  subscribe(run: (uploads: ImageUploads) => void): () => void;
}

/**
 * A store of pictures that uploads what you add, for a list that you draw yourself. Uploads run while the store has a subscriber, so they end with the
 * component that uses `$store`.
 */
export function imageUploader(options: ImageUploaderOptions | (() => ImageUploaderOptions)): ImageUploaderStore {
  const list = new UploadList();
  let subscribers = 0;
  const latest = () => (typeof options === "function" ? options() : options);
  const current = (): ImageUploads => {
    const pictures = list.pictures();
    return { pictures, keys: keysOf(pictures), isBusy: isBusy(pictures), progress: list.progress() };
  };
  const subscribe = (run: (uploads: ImageUploads) => void) => {
    subscribers += 1;
    // A server renders the empty list.
    if (subscribers === 1 && typeof document !== "undefined") list.open(latest);
    run(current());
    const end = list.subscribe(() => run(current()));
    return () => {
      end();
      subscribers -= 1;
      if (subscribers === 0) list.close();
    };
  };
  const { add, retry, cancel, pause, resume, remove, delete: deletePicture, forgetToken, markSent } = list;
  return { subscribe, add, retry, cancel, pause, resume, remove, delete: deletePicture, forgetToken, markSent };
}
