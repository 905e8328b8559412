// A small model of RFC 9110: the response to a GET or HEAD with conditions and ranges. Sections 13.2.2 (precedence), 13.1
// (conditions), 14.2 (ranges), 15.3.7 (206) and 15.5.17 (416). Where the specification leaves a choice, a comment states the
// choice of this service.

/** A list of entity tags; `*` is "any". */
function tags(text) {
  if (text.trim() === "*") return "any";
  return [...text.matchAll(/(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)].map(([, weak, opaque]) => ({ isWeak: Boolean(weak), opaque }));
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const FORMS = [
  /^\w{3}, (?<day>\d\d) (?<month>\w{3}) (?<year>\d{4}) (?<h>\d\d):(?<m>\d\d):(?<s>\d\d) GMT$/,
  /^\w+day, (?<day>\d\d)-(?<month>\w{3})-(?<year>\d\d) (?<h>\d\d):(?<m>\d\d):(?<s>\d\d) GMT$/,
  /^\w{3} (?<month>\w{3}) (?<day>[ \d]\d) (?<h>\d\d):(?<m>\d\d):(?<s>\d\d) (?<year>\d{4})$/,
];

/** Seconds of a date in one of its three forms (5.6.7), or undefined. */
function date(text) {
  const found = FORMS.map((form) => form.exec(text)).find(Boolean)?.groups;
  if (!found) return undefined;
  const year = found.year.length === 2 ? 2000 + Number(found.year) : Number(found.year);
  return Date.UTC(year, MONTHS.indexOf(found.month) / 3, Number(found.day), found.h, found.m, found.s) / 1000;
}

/** One range (14.1.2). Multiple ranges, other units and malformed values are ignored, which the specification allows. */
function range(text, size) {
  const found = /^bytes=(\d*)-(\d*)$/i.exec(text);
  if (!found || (found[1] === "" && found[2] === "")) return { status: 200 };
  const [first, last] = [found[1], found[2]].map((digits) => (digits === "" ? undefined : Number(digits)));
  if (first === undefined) return last === 0 ? { status: 416 } : { status: 206, from: Math.max(0, size - last), to: size - 1 };
  if (last !== undefined && last < first) return { status: 200 };
  return first >= size ? { status: 416 } : { status: 206, from: first, to: Math.min(last ?? size - 1, size - 1) };
}

/** The expected status, and for 206 the first and last byte. `known` is the image's etag, modification time in seconds and size. */
export function expected(method, headers, known) {
  const has = (name) => headers[name] !== undefined;
  const names = (list, isStrong) => list === "any" || list.some((tag) => tag.opaque === known.etag && !(isStrong && tag.isWeak));
  if (has("If-Match")) {
    if (!names(tags(headers["If-Match"]), true)) return { status: 412 };
  } else if (known.modified > (date(headers["If-Unmodified-Since"]) ?? Infinity)) return { status: 412 };
  if (has("If-None-Match")) {
    if (names(tags(headers["If-None-Match"]), false)) return { status: 304 };
  } else if (known.modified <= (date(headers["If-Modified-Since"]) ?? -Infinity)) return { status: 304 };
  if (!has("Range") || method !== "GET") return { status: 200 };
  const validator = headers["If-Range"];
  const isSame = validator === undefined || validator === known.etag || date(validator) === known.modified;
  return isSame ? range(headers.Range, known.size) : { status: 200 };
}
