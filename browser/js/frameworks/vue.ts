// Vue: the component <ImageUpload> with v-model and the composable useImageUploader. It also defines the element and its types for templates, for
// pages that use the tag.
import {
  computed,
  type ComputedRef,
  defineComponent,
  h,
  type HTMLAttributes,
  type MaybeRefOrGetter,
  onBeforeUnmount,
  onMounted,
  onScopeDispose,
  type PublicProps,
  shallowRef,
  type ShallowRef,
  toValue,
  watch,
} from "vue";

import type { ImageUpload as ImageUploadElement } from "../element/index.js";
import { attributesOf, Field, type ImageUploadFieldEvents, type ImageUploadFieldProps, type Keys } from "./field.js";
import type { ListProgress } from "../index.js";
import { identityOf, type ImageUploaderActions, type ImageUploaderOptions, isBusy, keysOf, NO_PICTURES, type UploadedPicture, UploadList } from "./list.js";

export * from "../element/index.js";
export type { ImageUploadFieldEvents, ImageUploadFieldProps } from "./field.js";
export type { ImageUploaderActions, ImageUploaderOptions, UploadedPicture } from "./list.js";

export interface ImageUploadComponentProps extends ImageUploadFieldProps {
  /** The keys of the pictures, as `v-model`. */
  modelValue?: Keys | null | undefined;
  "onUpdate:modelValue"?: ((keys: string[]) => void) | undefined;
  onUploaded?: ((detail: ImageUploadFieldEvents["uploaded"]) => void) | undefined;
  onRefused?: ((detail: ImageUploadFieldEvents["refused"]) => void) | undefined;
  onFailed?: ((detail: ImageUploadFieldEvents["failed"]) => void) | undefined;
  onRemoved?: ((detail: ImageUploadFieldEvents["removed"]) => void) | undefined;
}

type Attributes = Omit<HTMLAttributes, keyof ImageUploadComponentProps>;
interface ImageUploadInstance {
  $props: ImageUploadComponentProps & Attributes & PublicProps;
  $slots: { default?: () => unknown };
  /** The element. */
  readonly element: ImageUploadElement | null;
}

const NAMES = ["endpoint", "token", "ticket", "user", "name", "formId", "maxFiles", "offline", "offlineKey", "required", "disabled", "deleteOnRemove", "directory", "sortable", "edit", "texts", "assets"] as const;

/** A field for pictures: `<ImageUpload v-model="keys" endpoint="…" :token="token" />`. */
export const ImageUpload = defineComponent({
  name: "ImageUpload",
  // Without `type: Boolean`, because a missing one would become false.
  props: Object.fromEntries([...NAMES, "modelValue"].map((name) => [name, ["required", "disabled", "deleteOnRemove", "directory", "sortable"].includes(name) ? { type: Boolean, default: undefined } : name === "edit" ? { type: [Boolean, String], default: undefined } : { type: null, default: undefined }])),
  emits: ["update:modelValue", "uploaded", "refused", "failed", "removed"],
  setup(props: ImageUploadComponentProps, { emit, expose, slots }) {
    const element = shallowRef<ImageUploadElement | null>(null);
    let field: Field | undefined;
    const own = () => Object.fromEntries(NAMES.map((name) => [name, props[name]])) as ImageUploadFieldProps;
    const update = () => field?.update(own(), props.modelValue);
    onMounted(() => {
      field = new Field(element.value!, (keys) => emit("update:modelValue", keys), emit);
      update();
    });
    onBeforeUnmount(() => field?.disconnect());
    watch(() => [...NAMES.map((name) => props[name]), JSON.stringify(props.modelValue)], update, { flush: "post" });
    expose({ element });
    return () => h("image-upload", { ...attributesOf(props), ref: element }, slots["default"]?.());
  },
}) as unknown as new () => ImageUploadInstance;
/** The element, as `element` of a template ref. */
export type ImageUpload = ImageUploadElement;

export interface ImageUploader extends ImageUploaderActions {
  /** The pictures in the order in which they were added. A picture that changes is another object. */
  readonly pictures: Readonly<ShallowRef<readonly UploadedPicture[]>>;
  /** The keys of the stored pictures. */
  readonly keys: ComputedRef<string[]>;
  /** Whether a picture is on its way. */
  readonly isBusy: ComputedRef<boolean>;
  readonly progress: ComputedRef<ListProgress>;
}

/**
 * Uploads the pictures that you add, for a list that you draw yourself. Uploads end with the component. `options` may be a getter: another `endpoint`,
 * `formId`, `concurrency` or owner of `offline` begins a new list.
 */
export function useImageUploader(options: MaybeRefOrGetter<ImageUploaderOptions>): ImageUploader {
  const list = new UploadList();
  const pictures = shallowRef<readonly UploadedPicture[]>(NO_PICTURES);
  const end = list.subscribe(() => (pictures.value = list.pictures()));
  const open = () => list.open(() => toValue(options));
  onMounted(open);
  watch(() => identityOf(toValue(options)), () => list.isOpen && open());
  onScopeDispose(() => {
    end();
    list.close();
  });
  const { add, retry, cancel, pause, resume, remove, delete: deletePicture, forgetToken, markSent } = list;
  return { pictures, keys: computed(() => keysOf(pictures.value)), isBusy: computed(() => isBusy(pictures.value)), progress: computed(() => (pictures.value, list.progress())), add, retry, cancel, pause, resume, remove, delete: deletePicture, forgetToken, markSent };
}
