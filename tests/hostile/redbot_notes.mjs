// REDbot notes that are accepted: each with the reason and the resources that it concerns. A note that is not listed here fails
// the test, and so does an entry that REDbot no longer reports.

const PICTURES = ["picture", "thumbnail"];
const OURS = [...PICTURES, "no picture", "policy", "keys", "health"];
/** Static files, which the platform serves. */
const FILES = ["description", "demo", "script"];

/** Paths of static files that other origins may read. */
export const OPEN_FILES = ["/openapi.json"];

export const ACCEPTED_NOTES = {
  DATE_CLOCKLESS: { of: [...OURS, ...FILES], why: "Cloudflare adds Date to every response; workerd alone, as in this test, does not" },
  DATE_CLOCKLESS_BAD_HDR: { of: PICTURES, why: "no Date, see DATE_CLOCKLESS" },
  NO_DATE_304: { of: [...PICTURES, ...FILES], why: "no Date, see DATE_CLOCKLESS" },
  STORE_PUBLIC_UNNECESSARY: {
    of: [...PICTURES, "policy", "keys", ...FILES],
    why: "public lets shared caches store the response also when the request has Authorization (RFC 9111, 3.5)",
  },
  CONNEG_NO_VARY: { of: ["health"], why: "the response is no-store, so no cache would use Vary" },
  CONNEG_GZIP_BAD: { of: ["health"], why: "the platform compresses all JSON; this response has about forty bytes" },
  VARY_ETAG_DOESNT_CHANGE: { of: FILES, why: "Cloudflare makes the ETag weak when it compresses; the local platform does not" },
  HSTS_INVALID: { of: FILES, why: "static files have HSTS over http as well, as in this test; browsers ignore it there (RFC 6797, 8.1)" },
  HEADER_SHOULD_NOT_BE_IN_304: { of: FILES, why: "the platform serves static files and repeats Content-Type in a 304" },
};
