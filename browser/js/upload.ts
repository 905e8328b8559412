// Sends one file and reports how far it is. XMLHttpRequest, because fetch tells no upload progress.
import type { Code } from "./codes.js";
import { Refusal } from "./refusal.js";
import type { MetadataKind } from "./report.js";

export interface Uploaded {
  imageUrl: string;
  key: string;
  imageId: number;
  fileSize: number;
  originalFilename: string | null;
  contentType: string;
  width: number;
  height: number;
  sha256: string;
  /** A thumbhash, base64: a blurred picture of some 25 bytes to show while the real one loads. */
  placeholder: string;
  /** Bytes of the file as it was sent. */
  originalSize: number;
  /** Which kinds of private data were taken out. */
  removed: MetadataKind[];
  uploadedAt: string;
  expiresAt: string | null;
}

export interface UploadOptions {
  endpoint: string;
  token: string;
  fileName?: string | null;
  language?: string;
  onProgress?(sentBytes: number, totalBytes: number): void;
}

/**
 * Sends `file` to `POST /images`. Rejects with the edge's `Refusal`, and with a `NetworkError` when the
 * connection broke or something else than the edge answered.
 */
export function upload(file: Blob, options: UploadOptions): Promise<Uploaded> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", options.endpoint);
    request.responseType = "json";
    request.setRequestHeader("Authorization", `Bearer ${options.token}`);
    request.setRequestHeader("Content-Type", file.type);
    if (options.language) request.setRequestHeader("Accept-Language", options.language);
    if (options.fileName) {
      request.setRequestHeader("X-Filename", encodeURIComponent(options.fileName));
    }
    request.upload.onprogress = (event) => options.onProgress?.(event.loaded, event.total);
    request.onerror = () => reject(new DOMException("The connection broke.", "NetworkError"));
    request.onload = () => {
      const { status, response } = request;
      if (status >= 200 && status < 300 && response?.data) resolve(response.data as Uploaded);
      else reject(refusal(request));
    };
    request.send(file);
  });
}

interface Problem {
  detail?: string;
  code?: Code;
  requestId?: string;
}

/** What the edge says against it; whoever stands between answers without a code. */
function refusal(request: XMLHttpRequest): Refusal | DOMException {
  const { status } = request;
  const problem: Problem | null = request.response;
  if (!problem?.code) return new DOMException(`The server answered ${status}.`, "NetworkError");
  const retryAfterS = Number(request.getResponseHeader("Retry-After"));
  return new Refusal(problem.detail ?? problem.code, problem.code, {
    status,
    ...(problem.requestId && { requestId: problem.requestId }),
    ...(retryAfterS > 0 && { retryAfterS }),
  });
}
