// Recognises the same bytes chosen twice, so that they are sent once. Only files of the same size are read and compared.

const digests = new WeakMap<Blob, Promise<string | undefined>>();

/** The first of `others` whose file has the same bytes and type. */
export async function findDuplicate<Item extends { file: Blob }>({ file }: Item, others: Iterable<Item>): Promise<Item | undefined> {
  for (const other of others) {
    if (other.file.size !== file.size || other.file.type !== file.type) continue;
    const [one, two] = await Promise.all([digestOf(file), digestOf(other.file)]);
    if (one !== undefined && one === two) return other;
  }
  return undefined;
}

function digestOf(file: Blob): Promise<string | undefined> {
  let digest = digests.get(file);
  if (!digest) digests.set(file, (digest = sha256(file)));
  return digest;
}

/** Undefined where it cannot be computed; the edge recognises the duplicate then. */
async function sha256(file: Blob): Promise<string | undefined> {
  // Only secure contexts have it.
  if (!globalThis.crypto?.subtle) return undefined;
  try {
    return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
  } catch {
    // The file was deleted after it was chosen; the check reports it.
    return undefined;
  }
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
