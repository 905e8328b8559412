// FilePond's `server`: checks, shrinks and sends as the Uploader does, and shows the reason of a refusal. The id that FilePond keeps
// (and puts into the form) is the picture's key.
import { preflight, type PreflightOptions } from "../preflight.js";
import { Edge, type EdgeOptions } from "../sending/edge.js";
import { patiently, type PatientOptions } from "../sending/patiently.js";

export type FilePondOptions = EdgeOptions & Pick<PatientOptions, "retry"> & Pick<PreflightOptions, "policy" | "effort" | "assets">;

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
  const edge = new Edge(options);
  const process: Process = (_fieldName, file, _metadata, load, error, progress, abort) => {
    const stop = new AbortController();
    const { signal } = stop;
    const send = async () => {
      const { policy, language, effort, assets } = options;
      const check = { ...(policy !== undefined && { policy }), ...(language !== undefined && { language }), ...(effort && { effort }) };
      const { blob, fileName } = await preflight(file, { ...check, assets, signal });
      const onProgress = (sent: number, total: number) => progress(true, sent, total);
      return patiently(() => edge.send({ blob, fileName }, { signal, onProgress }), { retry: options.retry, signal }).catch(edge.explain);
    };
    send().then(
      ({ key }) => load(key),
      (reason: unknown) => signal.aborted || error(reason instanceof Error ? reason.message : String(reason)),
    );
    return {
      abort() {
        stop.abort();
        abort();
      },
    };
  };
  // Taking a picture out of the form is not deleting it: that is your back end's to decide, by its key.
  return { process, revert: null };
}
