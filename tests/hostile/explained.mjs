// What REDbot notes and what we leave as it is: each note with the reason, and the addresses that it is about. A note that is not
// here fails the test, and so does a reason that explains nothing any more.

const PICTURES = ["picture", "thumbnail"];
const OURS = [...PICTURES, "no picture", "policy", "keys", "health"];
/** Served by the platform from the folder of pages. */
const FILES = ["description", "demo", "script"];

/** Files that other sites may read, by their path. */
export const OPEN_FILES = ["/openapi.json"];

export const EXPLAINED = {
  DATE_CLOCKLESS: { of: [...OURS, ...FILES], why: "Cloudflare's front writes Date on every answer; workerd alone, as here, does not" },
  DATE_CLOCKLESS_BAD_HDR: { of: PICTURES, why: "the same" },
  NO_DATE_304: { of: [...PICTURES, ...FILES], why: "the same" },
  STORE_PUBLIC_UNNECESSARY: {
    of: [...PICTURES, "policy", "keys", ...FILES],
    why: "it lets shared caches keep what is everybody's also when a page asks for it with its Authorization (RFC 9111, 3.5)",
  },
  CONNEG_NO_VARY: { of: ["health"], why: "no-store: there is no cache that Vary could tell anything" },
  CONNEG_GZIP_BAD: { of: ["health"], why: "the platform compresses whatever is JSON; it is some forty bytes" },
  VARY_ETAG_DOESNT_CHANGE: { of: FILES, why: "Cloudflare makes the tag weak when it compresses; the local platform leaves it" },
  HSTS_INVALID: { of: FILES, why: "files have it over http as well, as here, where browsers ignore it (RFC 6797, 8.1)" },
  HEADER_SHOULD_NOT_BE_IN_304: { of: FILES, why: "the platform answers for files and repeats their type" },
};
