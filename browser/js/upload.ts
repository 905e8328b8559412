// Sends one file and reports how far it is. XMLHttpRequest, because fetch tells no upload progress.
import type { Code } from "./codes.js";
import type { MetadataKind } from "./verdict.js";

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

/** A refusal of the edge (RFC 9457), or a connection that broke (`code` is then undefined). */
export class UploadError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code?: Code,
    readonly requestId?: string,
  ) {
    super(message);
    this.name = "UploadError";
  }
}

export interface UploadOptions {
  endpoint: string;
  token: string;
  fileName?: string;
  language?: string;
  onProgress?(sentBytes: number, totalBytes: number): void;
}

/** Sends `file` to `POST /images`. */
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
    request.onerror = () => reject(new UploadError("The connection broke.", 0));
    request.onload = () => {
      const { status, response } = request;
      if (status >= 200 && status < 300 && response?.data) resolve(response.data as Uploaded);
      else reject(refusal(status, response));
    };
    request.send(file);
  });
}

interface Problem {
  detail?: string;
  code?: Code;
  requestId?: string;
}

function refusal(status: number, problem: Problem | null): UploadError {
  const detail = problem?.detail ?? `The server answered ${status}.`;
  return new UploadError(detail, status, problem?.code, problem?.requestId);
}
