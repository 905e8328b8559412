// Hostile file names, and a model of the documented cleaning: folders, control characters, invisible and bidirectional
// characters and surrounding white space are removed, and at most 255 bytes are kept.
import { readFileSync } from "node:fs";

const repeat = (text, times) => text.repeat(times);

/** Hostile names of this project: strings, and bytes that are no valid string. */
const OWN = [
  "plain.gif", "", " ", ".", "..", "...", "/", "\\", "//", "a//b", "../../etc/passwd", "..\\..\\windows\\win.ini", "..%2f..%2fsecret", "%2e%2e%2f%2e%2e%2f", "%252e%252e%252f",
  "/etc/passwd\0.gif", "a\0b", "\0", "\r\n", "a\r\nSet-Cookie: owned=1", "a\r\n\r\n<script>alert(1)</script>", "a\nX-Injected: yes", "%0d%0aX-Injected:%20yes", "\x01\x02\x03\x1b[31mred\x07", "\x7f", "\x85\x9b",
  "'; DROP TABLE images; --", "' OR '1'='1", '" OR ""="', "1; SELECT * FROM users", "\\'); DELETE FROM images; --", "Robert'); ATTACH DATABASE 'x' AS y;--", "`backticks`", "%s%s%s%n", "%x%d", "{{7*7}}", "${jndi:ldap://127.0.0.1/a}", "$(touch x)", "`id`", "| id", "; ls -la", "&& true",
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>.gif", "\"><svg onload=alert(1)>", "javascript:alert(1)", "a&b<c>d\"e'f.gif", "]]>", "<!-- ", "{\"event\":\"request\",\"level\":\"error\"}", "\"}\n{\"event\":\"forged\"}",
  "CON", "PRN.gif", "AUX", "NUL.txt", "COM1", "LPT9.gif", "con.gif", "a.gif.", "a.gif ", " a.gif", "a:b.gif", "a.gif::$DATA", "*?|<>.gif", "~", "-rf", "--help", ".htaccess", "desktop.ini",
  "gpj.\u202eexe.gif", "\u202d\u202e\u202c", "\u2066a\u2069", "\u061c", "\u200b", "\u200b a.gif", "a\u200db", "\ufeffbom.gif", "\u2028\u2029", "\u00a0", "\u3000가\u3000", "\u180e",
  "👩‍👩‍👧‍👦.gif", "🏳️‍🌈.gif", "🇰🇷.gif", "👍🏿", "\u{1f4a9}", "프로필 사진.gif", "\u1112\u1161\u11ab\u1100\u1173\u11af.gif", "한글.gif", "\u00e9.gif", "e\u0301.gif", "ﬁ.gif", "ß", "İı", "Ω\u2126", "\u212b\u00c5",
  "Z\u0351\u036b\u0343a\u0327\u0321l\u0334g\u0321o\u0336" + repeat("\u0300\u0316", 60), repeat("a", 255), repeat("a", 256), repeat("가", 85), repeat("가", 86), repeat("👍", 64), repeat("a", 4000), repeat("%20", 500), repeat("../", 300),
  "表ポあA鷗", "田中さん", "ﷺﷺﷺ", "הָיְתָהtest", "ثم نفس", "null", "undefined", "NaN", "true", "0", "-1", "1e1000", "__proto__", "constructor", "toString", "hasOwnProperty",
  "100%.gif", "50%25 off.gif", "%", "%%", "%zz", "%ED%95%9C.gif", "%FF", "%22quoted%22.gif", "a\\\"b.gif", "a\"b.gif", "a\\\\b", "a;b=c;d.gif", "filename*=UTF-8''x.gif", "\t tab \t", "\ud800.gif", "\udc00\ud800",
  Buffer.from([0xed, 0xa0, 0x80, 0x2e, 0x67]), Buffer.from([0xff, 0xfe, 0x00, 0x61]), Buffer.from([0xc0, 0xae, 0xc0, 0xaf]), Buffer.from([0xf8, 0x88, 0x80, 0x80, 0x80]), Buffer.from([0x61, 0xe9, 0x2e, 0x67]), Buffer.from([0xe2, 0x82]),
];

/** Our names, and those of the corpus with CORPORA. */
export function names() {
  const { CORPORA } = process.env;
  const list = CORPORA ? [...JSON.parse(readFileSync(`${CORPORA}/names/blns/blns.json`)), ...OWN] : OWN;
  return list.map((name) => Buffer.from(name));
}

export const asText = (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

const HIDDEN = /[\p{Cc}\p{Bidi_Control}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
const MOST_BYTES = 255;

/** The name that is stored, or null. */
export function cleaned(text) {
  const seen = text.split(/[/\\]/).at(-1).replace(HIDDEN, "").replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
  let name = "";
  for (const character of seen) {
    if (Buffer.byteLength(name + character) > MOST_BYTES) break;
    name += character;
  }
  return name || null;
}

/** Percent-encodes every byte that is no letter or digit. */
export const percentEncoded = (bytes) => [...bytes].map((byte) => (/[A-Za-z0-9]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`)).join("");

/** Percent-decodes once, as a header value is decoded; other text stays. */
export const percentDecoded = (bytes) => asText(Buffer.from(bytes.toString("latin1").replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))), "latin1"));
