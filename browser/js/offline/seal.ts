// Encrypts pictures of the outbox with a key of the session, so that the next person at this device cannot read them. AES-GCM also authenticates
// the context of a picture: a record that was moved to another owner does not open.

/**
 * A key for AES-GCM with the usages `encrypt` and `decrypt`, or a function that returns it. While the function returns nothing or fails, because
 * nobody is signed in, no picture is written and none is read.
 */
export type QueueKey = CryptoKey | (() => CryptoKey | undefined | Promise<CryptoKey | undefined>);

/** The size that AES-GCM is specified for; random, so one key may seal billions of pictures. */
const IV_BYTES = 12;

export interface Sealed {
  iv: Uint8Array<ArrayBuffer>;
  bytes: ArrayBuffer;
}

/** What is sealed: facts as JSON, and bytes. */
export interface Contents<Facts> {
  facts: Facts;
  bytes: ArrayBuffer;
}

export async function seal<Facts>(key: CryptoKey, context: string, { facts, bytes }: Contents<Facts>): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  // JSON contains no line break.
  const plain = await new Blob([JSON.stringify(facts), "\n", bytes]).arrayBuffer();
  return { iv, bytes: await crypto.subtle.encrypt(parameters(iv, context), key, plain) };
}

/** Resolves with nothing when this key has not sealed it in this context. */
export async function unseal<Facts>(key: CryptoKey, context: string, { iv, bytes }: Sealed): Promise<Contents<Facts> | undefined> {
  try {
    const plain = new Uint8Array(await crypto.subtle.decrypt(parameters(iv, context), key, bytes));
    const end = plain.indexOf(0x0a);
    return { facts: JSON.parse(new TextDecoder().decode(plain.subarray(0, end))) as Facts, bytes: plain.slice(end + 1).buffer };
  } catch (error) {
    // Other errors are about the key itself, such as missing usages.
    if (error instanceof DOMException && error.name === "OperationError") return undefined;
    throw error;
  }
}

const parameters = (iv: Uint8Array<ArrayBuffer>, context: string) => ({ name: "AES-GCM", iv, additionalData: new TextEncoder().encode(context) });
