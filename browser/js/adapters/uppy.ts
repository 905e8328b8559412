// An Uppy plugin: checks and resizes each file before any of Uppy's uploaders sends it. A refused file is not sent, and Uppy shows the reason. The
// page passes Uppy's own base class, so that this package depends on no version of Uppy. And options of XHRUpload that send each file with a ticket.
import { requestCredential, type TicketSource } from "../client/credentials.js";
import { isTemporaryStatus } from "../client/retry.js";
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

/** The file of a request as XHRUpload passes it. */
interface SentFile {
  type?: string;
  size?: number | null;
  meta?: { formId?: unknown };
}

/**
 * Options of XHRUpload that send each file with its own ticket. The ticket is requested right before each attempt. A ticket that the service refused as
 * spent or expired is replaced once. `formId` of the ticket is that of the file's metadata. `uppy.use(XHRUpload, { endpoint, ...ticketOptions(ticket) })`
 */
export function ticketOptions(ticket: TicketSource) {
  const attempts = new WeakMap<XMLHttpRequest, number>();
  return {
    async onBeforeRequest(xhr: XMLHttpRequest, attempt: number, files: SentFile[]): Promise<void> {
      attempts.set(xhr, attempt);
      const [file] = files;
      const formId = file?.meta?.formId;
      const picture = { ...(typeof formId === "string" && { formId }), contentType: file?.type ?? "", maxBytes: file?.size ?? 0 };
      try {
        xhr.setRequestHeader("Authorization", `Bearer ${await requestCredential("ticket", () => ticket(picture))}`);
      } catch (error) {
        // Uppy would never end a request that fails here. Without a ticket the service refuses it.
        logForDevelopers(error);
      }
    },
    shouldRetry(xhr: XMLHttpRequest): boolean {
      const isRefused = /"code":"(TICKET_SPENT|TOKEN_EXPIRED)"/.test(xhr.responseText);
      return isRefused ? attempts.get(xhr) === 0 : xhr.status === 0 || isTemporaryStatus(xhr.status);
    },
  };
}
