// An Uppy plugin: checks and resizes each file before any of Uppy's uploaders sends it. A refused file is not sent, and Uppy shows the reason. The
// page passes Uppy's own base class, so that this package depends on no version of Uppy.
import { sentenceOf, textsFor } from "../element/texts.js";
import { logForDevelopers, Refusal } from "../errors.js";
import { preflight, type PreflightOptions } from "../preflight/preflight.js";

/** The methods of Uppy that the plugin calls. */
interface Uppy {
  getFile(id: string): { name?: string; data?: unknown };
  setFileState(id: string, state: object): void;
  setFileMeta(id: string, meta: object): void;
  addPreProcessor(run: (ids: string[]) => Promise<unknown>): void;
  removePreProcessor(run: (ids: string[]) => Promise<unknown>): void;
  emit(event: string, ...details: unknown[]): void;
}

type Plugin = new (...args: any[]) => any;
/** The given class with the options of this plugin. */
type PreflightPlugin<Base extends Plugin> = Base & (new (uppy: ConstructorParameters<Base>[0], options?: PreflightOptions) => InstanceType<Base>);

/** `uppy.use(preflightPlugin(BasePlugin), { policy, language })` with the `BasePlugin` of `@uppy/core`. */
export function preflightPlugin<Base extends Plugin>(BasePlugin: Base): PreflightPlugin<Base> {
  return class extends BasePlugin {
    // TypeScript requires this signature of a class that extends a type parameter.
    constructor(...args: any[]) {
      super(...args);
      this.id = "Preflight";
      this.type = "modifier";
    }

    install(): void {
      this.uppy.addPreProcessor(this.prepareAll);
    }

    uninstall(): void {
      this.uppy.removePreProcessor(this.prepareAll);
    }

    readonly prepareAll = (ids: string[]) => Promise.all(ids.map((id) => prepare(this.uppy, id, this.opts)));
  };
}

async function prepare(uppy: Uppy, id: string, options: PreflightOptions): Promise<void> {
  const file = uppy.getFile(id);
  // A remote file has no data here.
  if (!(file.data instanceof Blob)) return;
  uppy.emit("preprocess-progress", file, { mode: "indeterminate" });
  try {
    const { blob, fileName, contentType } = await preflight(file.data, options);
    const name = fileName ?? file.name;
    uppy.setFileState(id, { data: blob, size: blob.size, type: contentType, name });
    uppy.setFileMeta(id, { name, type: contentType });
    uppy.emit("preprocess-complete", uppy.getFile(id));
  } catch (error) {
    logForDevelopers(error);
    const sentence = sentenceOf(error, textsFor(options.language ?? globalThis.navigator?.language ?? ""));
    // Uppy does not upload a file after this event, and shows the message.
    uppy.emit("upload-error", uppy.getFile(id), error instanceof Refusal ? error : new Error(sentence, { cause: error }));
  }
}
