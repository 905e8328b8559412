// What a form asks of pictures: the response of `GET /policy`. The image rules check with it, the element describes it.
import type { Policy } from "../codes.js";
import { ConnectionBroken, Refusal } from "../errors.js";
import { dataOf, urlOf } from "./http.js";

/** The policy of a form, or of the deployment when no form is named. */
export interface FormPolicy extends Policy {
  /** Whether people without an account may upload. */
  readonly guests: boolean;
  /** Null without a form, and for a form without a policy. */
  readonly form: {
    readonly formId: string;
    readonly state: "open" | "not_yet_open" | "closed";
    readonly opensAt: string | null;
    readonly closesAt: string | null;
    /** How many pictures the form takes, and how many of one person; null for no limit. */
    readonly maxFiles: number | null;
    readonly maxFilesPerUser: number | null;
    /** How long a picture is kept unless your back end claims it; null as the deployment says. */
    readonly pendingSeconds: number | null;
    /** Whether only signed URLs can read the pictures, and whether they wait for a review first. */
    readonly visibility: "public" | "private";
    readonly review: "none" | "held";
  } | null;
}

/** A policy is loaded again after this time: back ends change forms while pages are open, and the edge caches policies for as long. */
export const POLICY_MAX_AGE_MS = 30_000;

export interface PolicyOptions {
  /** Where the edge is, such as `https://image.the-form`; this page's own origin when empty. */
  endpoint: string;
  /** The form; the policy of the deployment without it. */
  formId?: string | undefined;
  /** The language of sentences: a tag such as `ko`. */
  language?: string | undefined;
}

/**
 * Loads a policy; with `cache`, as that option of `fetch` says. Rejects with `Refusal` (`FORM_NOT_FOUND`), `ConnectionBroken` or `SetupError`.
 */
export async function loadPolicy({ endpoint, formId, language }: PolicyOptions, cache: RequestCache = "default"): Promise<FormPolicy> {
  const url = urlOf(endpoint, formId === undefined ? "policy" : `policy?formId=${encodeURIComponent(formId)}`);
  const response = await fetch(url, { cache, headers: language ? { "Accept-Language": language } : {} }).catch(() => {
    throw new ConnectionBroken();
  });
  const { ok, status, headers } = response;
  const json: unknown = await response.json().catch(() => null);
  // The policy is not wrapped in `data` as other responses are.
  return dataOf({ url, status, json: ok ? { data: json } : json, header: (name) => headers.get(name) }) as FormPolicy;
}

/** Whether the form itself takes no picture of this person: it is unknown, not open, or full, or takes none of guests. */
export function isAboutForm(error: unknown): error is Refusal {
  return error instanceof Refusal && /^(FORM_|GUEST_NOT_ALLOWED)/.test(error.code);
}

/** Types that some browsers convert to an accepted type. Systems that do not know HEIC give its files no type, only an extension. */
const CONVERTED = ["image/heic", "image/heif", ".heic", ".heif", "image/avif", "image/bmp", "image/tiff", "image/jxl"];

/** The types and extensions of files that a person may choose, as for the attribute `accept`. */
export function selectableTypes({ acceptedTypes }: FormPolicy): string[] {
  return [...acceptedTypes, ...CONVERTED];
}
