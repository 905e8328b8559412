// An Uppy plugin: each file is checked and shrunk before any uploader of Uppy's has it. What is refused is told with its
// reason and not sent. It imports nothing of Uppy's, so it goes with whatever version has preprocessors.
import { preflight, type PreflightOptions } from "../preflight.js";

interface UppyFile {
  id: string;
  name?: string | undefined;
  data: Blob | { size: number | null };
  meta: Record<string, unknown>;
}

/** What this needs of Uppy. */
interface Uppy {
  getFile(id: string): UppyFile;
  setFileState(id: string, state: Record<string, unknown>): void;
  setFileMeta(id: string, meta: Record<string, unknown>): void;
  addPreProcessor(act: (ids: string[]) => Promise<unknown>): void;
  removePreProcessor(act: (ids: string[]) => Promise<unknown>): void;
  emit(event: string, ...details: unknown[]): void;
}

/** `uppy.use(Preflight, { policy, language })` */
export class Preflight {
  readonly id = "Preflight";
  readonly type = "modifier";
  readonly uppy: Uppy;
  opts: PreflightOptions;

  constructor(uppy: Uppy, options: PreflightOptions = {}) {
    this.uppy = uppy;
    this.opts = options;
  }

  setOptions(options: PreflightOptions): void {
    this.opts = { ...this.opts, ...options };
  }

  install(): void {
    this.uppy.addPreProcessor(this.#prepareAll);
  }

  uninstall(): void {
    this.uppy.removePreProcessor(this.#prepareAll);
  }

  /** Uppy calls these of every plugin. */
  update(): void {}
  afterUpdate(): void {}

  readonly #prepareAll = (ids: string[]): Promise<unknown> => Promise.all(ids.map((id) => this.#prepare(id)));

  async #prepare(id: string): Promise<void> {
    const { uppy } = this;
    const file = uppy.getFile(id);
    if (!(file.data instanceof Blob)) return;
    uppy.emit("preprocess-progress", file, { mode: "indeterminate" });
    try {
      const { blob, fileName, contentType } = await preflight(file.data, this.opts);
      const name = fileName ?? file.name;
      uppy.setFileState(id, { data: blob, size: blob.size, type: contentType, name });
      uppy.setFileMeta(id, { name, type: contentType });
      uppy.emit("preprocess-complete", uppy.getFile(id));
    } catch (error) {
      // This is how Uppy learns that a file is not to be uploaded.
      uppy.emit("upload-error", uppy.getFile(id), error);
    }
  }
}
