// An Uppy plugin: checks and resizes each file before any of Uppy's uploaders sends it, by the policy of a form. A refused file is not sent, and
// Uppy shows the reason. The page passes Uppy's own base class, so that this package depends on no version of Uppy. And options of XHRUpload that
// send each file with a ticket.
import { ApiClient } from "../client/api-client.js";
import { requestCredential, type TicketSource } from "../client/credentials.js";
import { type FormPolicy, type PolicyOptions, selectableTypes } from "../client/policy.js";
import { isTemporaryStatus } from "../client/retry.js";
import { sentenceOf, textsFor, whyClosed } from "../element/texts.js";
import { logForDevelopers, Refusal } from "../errors.js";
import { preflight, type PreflightOptions } from "../preflight/preflight.js";

/** The methods of Uppy that the plugin calls. */
interface Uppy {
  getFile(id: string): { name?: string; data?: unknown };
  setFileState(id: string, state: object): void;
  setFileMeta(id: string, meta: object): void;
  addPreProcessor(run: (ids: string[]) => Promise<unknown>): void;
  removePreProcessor(run: (ids: string[]) => Promise<unknown>): void;
  setMeta(meta: object): void;
  setOptions(options: object): void;
  emit(event: string, ...details: unknown[]): void;
}

/** With `endpoint`, the plugin loads the policy of the form `formId`, and restricts what people can choose. */
export interface PreflightPluginOptions extends PreflightOptions, Partial<Pick<PolicyOptions, "endpoint" | "formId">> {}

type Plugin = new (...args: any[]) => any;
/** The given class with the options of this plugin. */
type PreflightPlugin<Base extends Plugin> = Base & (new (uppy: ConstructorParameters<Base>[0], options?: PreflightPluginOptions) => InstanceType<Base>);

/** `uppy.use(preflightPlugin(BasePlugin), { endpoint, formId, language })` with the `BasePlugin` of `@uppy/core`. */
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
      const { endpoint, formId, language } = this.opts as PreflightPluginOptions;
      if (endpoint === undefined) return;
      if (formId !== undefined) this.uppy.setMeta({ formId });
      this.client = new ApiClient({ endpoint, formId, language });
      // A form that is unknown or cannot be reached restricts nothing here; its uploads have the reason.
      this.client.policy().then((policy?: FormPolicy) => policy && this.uppy.setOptions({ restrictions: uppyRestrictions(policy) }), () => {});
    }

    uninstall(): void {
      this.uppy.removePreProcessor(this.prepareAll);
    }

    readonly prepareAll = (ids: string[]) => Promise.all(ids.map((id) => prepare(this.uppy, id, this.opts, this.client)));
  };
}

/** What a form allows, as Uppy's `restrictions`. Sizes are not among them, because larger files are made smaller. */
export function uppyRestrictions(policy: FormPolicy): { allowedFileTypes: string[]; maxNumberOfFiles: number | null } {
  return { allowedFileTypes: selectableTypes(policy), maxNumberOfFiles: policy.form?.maxFilesPerUser ?? null };
}

async function prepare(uppy: Uppy, id: string, options: PreflightOptions, client?: ApiClient): Promise<void> {
  const file = uppy.getFile(id);
  // A remote file has no data here.
  if (!(file.data instanceof Blob)) return;
  uppy.emit("preprocess-progress", file, { mode: "indeterminate" });
  const texts = textsFor(options.language ?? globalThis.navigator?.language ?? "");
  try {
    const policy = await client?.policy();
    const closed = policy && whyClosed(policy, texts);
    if (closed) throw new Refusal(closed, "FORM_CLOSED");
    const { blob, fileName, contentType } = await preflight(file.data, { ...(policy && { policy }), ...options });
    const name = fileName ?? file.name;
    uppy.setFileState(id, { data: blob, size: blob.size, type: contentType, name });
    uppy.setFileMeta(id, { name, type: contentType });
    uppy.emit("preprocess-complete", uppy.getFile(id));
  } catch (error) {
    logForDevelopers(error);
    const sentence = sentenceOf(error, texts);
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
