// FilePond's `server` option: checks, resizes and uploads as the Uploader does, and shows the reason of a refusal. The id that FilePond keeps, and
// puts into the form, is the picture's key.
import { ApiClient, type ClientOptions, type TokenOrTicket } from "../client/api-client.js";
import { type FormPolicy, selectableTypes } from "../client/policy.js";
import { retry, type RetriedOptions } from "../client/retry.js";
import { sentenceOf, textsFor } from "../element/texts.js";
import { logForDevelopers } from "../errors.js";
import { preflight, type PreflightOptions } from "../preflight/preflight.js";

export type FilePondOptions = ClientOptions & TokenOrTicket & Pick<RetriedOptions, "retry"> & Pick<PreflightOptions, "policy" | "effort" | "assets">;

type Process = (
  fieldName: string,
  file: Blob,
  metadata: unknown,
  load: (id: string) => void,
  error: (reason: string) => void,
  progress: (isComputable: boolean, loaded: number, total: number) => void,
  abort: () => void,
) => { abort(): void };

/** `FilePond.create(input, { server: filePondServer({ endpoint, token }), labelFileProcessingError: (error) => error.body })` */
export function filePondServer(options: FilePondOptions): { process: Process; revert: null } {
  const client = new ApiClient(options);
  const { language = globalThis.navigator?.language ?? "" } = options;
  const process: Process = (_fieldName, file, _metadata, load, error, progress, abort) => {
    const stop = new AbortController();
    const { signal } = stop;
    const upload = async () => {
      const { effort, assets } = options;
      const policy = (await options.policy) ?? (await client.policy());
      const { blob, fileName } = await preflight(file, { ...(policy && { policy }), ...(effort && { effort }), language, assets, signal });
      const onProgress = (sentBytes: number, totalBytes: number) => progress(true, sentBytes, totalBytes);
      return retry(() => client.upload({ blob, fileName }, { signal, onProgress }), { retry: options.retry, signal }).catch(client.explain);
    };
    upload().then(
      ({ key }) => load(key),
      (reason: unknown) => {
        if (signal.aborted) return;
        logForDevelopers(reason);
        error(sentenceOf(reason, textsFor(language)));
      },
    );
    return {
      abort() {
        stop.abort();
        abort();
      },
    };
  };
  // Removing a picture from the form does not delete it: your back end decides that, by its key.
  return { process, revert: null };
}

/** What a form allows, as options of FilePond: `pond.setOptions(filePondRestrictions(await loadPolicy({ endpoint, formId })))` */
export function filePondRestrictions(policy: FormPolicy): { acceptedFileTypes: string[]; maxFiles: number | null } {
  return { acceptedFileTypes: selectableTypes(policy), maxFiles: policy.form?.maxFilesPerUser ?? null };
}
