// An Uppy plugin: each file is checked and shrunk before any uploader of Uppy's has it. What is refused is told with its
// reason and not sent. Uppy's own base class is handed in, so that this package depends on no version of Uppy.
import { preflight, type PreflightOptions } from "../preflight.js";

/** What this needs of Uppy. */
interface Uppy {
  getFile(id: string): { name?: string; data?: unknown };
  setFileState(id: string, state: object): void;
  setFileMeta(id: string, meta: object): void;
  addPreProcessor(act: (ids: string[]) => Promise<unknown>): void;
  removePreProcessor(act: (ids: string[]) => Promise<unknown>): void;
  emit(event: string, ...details: unknown[]): void;
}

type Plugin = new (...facts: any[]) => any;
/** The class that was handed in, with our options. */
type PreflightPlugin<Base extends Plugin> = Base & (new (uppy: ConstructorParameters<Base>[0], options?: PreflightOptions) => InstanceType<Base>);

/** `uppy.use(preflightPlugin(BasePlugin), { policy, language })` with the `BasePlugin` of `@uppy/core`. */
export function preflightPlugin<Base extends Plugin>(BasePlugin: Base): PreflightPlugin<Base> {
  return class extends BasePlugin {
    // This form of constructor is what lets a class extend one that it does not know.
    constructor(...facts: any[]) {
      super(...facts);
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
  // A file that lies elsewhere is not here to be looked at.
  if (!(file.data instanceof Blob)) return;
  uppy.emit("preprocess-progress", file, { mode: "indeterminate" });
  try {
    const { blob, fileName, contentType } = await preflight(file.data, options);
    const name = fileName ?? file.name;
    uppy.setFileState(id, { data: blob, size: blob.size, type: contentType, name });
    uppy.setFileMeta(id, { name, type: contentType });
    uppy.emit("preprocess-complete", uppy.getFile(id));
  } catch (error) {
    // This is how Uppy learns that a file is not to be uploaded.
    uppy.emit("upload-error", uppy.getFile(id), error);
  }
}
