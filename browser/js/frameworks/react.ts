// React: the component <ImageUpload> and the hook useImageUploader. It also defines the element and its types for JSX, for pages that use the tag.
import {
  createElement,
  type CSSProperties,
  type FocusEventHandler,
  forwardRef,
  type ForwardRefExoticComponent,
  type ReactNode,
  type RefAttributes,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";

import type { ImageUpload as ImageUploadElement } from "../element/index.js";
import { attributesOf, Field, type ImageUploadFieldEvents, type ImageUploadFieldProps, type Keys } from "./field.js";
import type { ListProgress } from "../index.js";
import { identityOf, type ImageUploaderActions, type ImageUploaderOptions, isBusy, keysOf, NO_PICTURES, type UploadedPicture, UploadList } from "./list.js";

export * from "../element/index.js";
export type { ImageUploadFieldEvents, ImageUploadFieldProps } from "./field.js";
export type { ImageUploaderActions, ImageUploaderOptions, UploadedPicture } from "./list.js";

export interface ImageUploadComponentProps extends ImageUploadFieldProps {
  /** The keys of the pictures. With it, your component stores them: set them in `onChange`. */
  value?: Keys | null | undefined;
  /** The keys at first, if your component does not store them. */
  defaultValue?: Keys | undefined;
  /** The keys have changed. */
  onChange?: ((keys: string[]) => void) | undefined;
  onUploaded?: ((detail: ImageUploadFieldEvents["uploaded"]) => void) | undefined;
  onRefused?: ((detail: ImageUploadFieldEvents["refused"]) => void) | undefined;
  onFailed?: ((detail: ImageUploadFieldEvents["failed"]) => void) | undefined;
  onRemoved?: ((detail: ImageUploadFieldEvents["removed"]) => void) | undefined;
  onFocus?: FocusEventHandler<ImageUploadElement> | undefined;
  onBlur?: FocusEventHandler<ImageUploadElement> | undefined;
  id?: string | undefined;
  className?: string | undefined;
  style?: CSSProperties | undefined;
  lang?: string | undefined;
  title?: string | undefined;
  "aria-label"?: string | undefined;
  "aria-labelledby"?: string | undefined;
  "aria-describedby"?: string | undefined;
  /** A file input for browsers without scripts. */
  children?: ReactNode;
}

/** On a server, effects do not run, and a layout effect would make React warn. */
const useBeforePaint = typeof document === "undefined" ? useEffect : useLayoutEffect;

/**
 * A field for pictures. It works with `value` and `onChange`, with `defaultValue`, and with `<Controller>` of react-hook-form. Its ref is the element.
 */
export const ImageUpload: ForwardRefExoticComponent<ImageUploadComponentProps & RefAttributes<ImageUploadElement>> = forwardRef<ImageUploadElement, ImageUploadComponentProps>((props, ref) => {
  const { endpoint, token, ticket, user, name, formId, maxFiles, offline, offlineKey, required, disabled, deleteOnRemove, directory, sortable, edit, texts, assets, ...others } = props;
  const { value, defaultValue, onChange: _, onUploaded: _1, onRefused: _2, onFailed: _3, onRemoved: _4, className, children, ...attributes } = others;
  const own = { endpoint, token, ticket, user, name, formId, maxFiles, offline, offlineKey, required, disabled, deleteOnRemove, directory, sortable, edit, texts, assets };
  const element = useRef<ImageUploadElement | null>(null);
  const field = useRef<Field | undefined>(undefined);
  const latest = useRef(props);
  useBeforePaint(() => {
    latest.current = props;
  });
  useBeforePaint(() => {
    const created = new Field(
      element.current!,
      (keys) => latest.current.onChange?.(keys),
      (event, detail) => {
        const { onUploaded, onRefused, onFailed, onRemoved } = latest.current;
        const listeners = { uploaded: onUploaded, refused: onRefused, failed: onFailed, removed: onRemoved };
        (listeners[event] as ((about: typeof detail) => void) | undefined)?.(detail);
      },
    );
    field.current = created;
    return () => created.disconnect();
  }, []);
  // The initial keys stay the same value, so they are set once.
  const [initial] = useState(defaultValue);
  useBeforePaint(() => field.current?.update(own, value === undefined ? initial : value));
  useImperativeHandle(ref, () => element.current!, []);
  return createElement("image-upload", { ...attributesOf(own), ...attributes, class: className, ref: element }, children);
});
ImageUpload.displayName = "ImageUpload";
/** The element, as a ref gets it. */
export type ImageUpload = ImageUploadElement;

export interface ImageUploader extends ImageUploaderActions {
  /** The pictures in the order in which they were added. A picture that changes is another object. */
  readonly pictures: readonly UploadedPicture[];
  /** The keys of the stored pictures. */
  readonly keys: readonly string[];
  /** Whether a picture is on its way. */
  readonly isBusy: boolean;
  readonly progress: ListProgress;
}

/**
 * Uploads the pictures that you add, for a list that you draw yourself. Uploads end with the component. Another `endpoint`, `formId`, `concurrency` or
 * owner of `offline` begins a new list; other options may change at any time.
 */
export function useImageUploader(options: ImageUploaderOptions): ImageUploader {
  const latest = useRef(options);
  useBeforePaint(() => {
    latest.current = options;
  });
  const [list] = useState(() => new UploadList());
  const identity = identityOf(options);
  useEffect(() => {
    list.open(() => latest.current);
    return () => list.close();
  }, [list, identity]);
  const pictures = useSyncExternalStore(list.subscribe, list.pictures, () => NO_PICTURES);
  return useMemo(() => {
    const { add, retry, cancel, pause, resume, remove, delete: deletePicture, forgetToken, markSent } = list;
    return { pictures, keys: keysOf(pictures), isBusy: isBusy(pictures), progress: list.progress(), add, retry, cancel, pause, resume, remove, delete: deletePicture, forgetToken, markSent };
  }, [list, pictures]);
}
