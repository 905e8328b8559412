// Valid and malformed multipart bodies, each compared with undici's parser (Node's `formData()`). A case whose result is meant
// to differ says how (`ours`) and why.
import { gif } from "../e2e/pictures.mjs";

let pictures = 0x2000;
/** A different image for each file, so that stored files can be distinguished. */
const picture = () => gif(++pictures);
/** An image whose bytes contain the start of a boundary. */
const boundaryInside = () => gif(Buffer.from("\r\n--bo").readUIntBE(0, 6));

const bytes = (...pieces) => Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
const part = (head, content, { end = "\r\n" } = {}) => bytes("--bound\r\n", head, "\r\n\r\n", content, end);
const FILE = 'Content-Disposition: form-data; name="image"; filename="a.gif"';
const GIF = "Content-Type: image/gif";
const file = (content = picture(), head = `${FILE}\r\n${GIF}`) => part(head, content);
const field = (name, value) => part(`Content-Disposition: form-data; name="${name}"`, value);
const END = "--bound--\r\n";
const replaced = (body, what, by) => Buffer.from(body.toString("latin1").replaceAll(what, by), "latin1");
const form = (...parts) => bytes(...parts, END);

const list = [];
const add = (what, body, more = {}) => list.push({ what, body, type: "multipart/form-data; boundary=bound", ...more });

add("one file", form(file()));
add("a field before the file", form(field("formId", "f-1"), file()));
add("a field after the file", form(file(), field("formId", "f-2")));
add("unknown fields", form(field("x", "1"), file(), field("y", ""), field("x", "2")));
add("two files", form(file(), file()));
add("ten files", form(...Array.from({ length: 10 }, () => file())));
add("eleven files", form(...Array.from({ length: 11 }, () => file())), { ours: "MALFORMED_REQUEST", why: "ten files a request" });
add("128 parts", form(...Array.from({ length: 127 }, (_, at) => field(`f${at}`, "")), file()));
add("129 parts", form(...Array.from({ length: 128 }, (_, at) => field(`f${at}`, "")), file()), { ours: "MALFORMED_REQUEST", why: "128 parts a request" });
add("a file that contains the start of the boundary", form(file(boundaryInside())));
add("a file that contains line ends and dashes", form(file(gif(Buffer.from("\r\n\r\n--").readUIntBE(0, 6)))));
add("a file field without a chosen file", form(part('Content-Disposition: form-data; name="image"; filename=""\r\nContent-Type: application/octet-stream', "")));
add("no file", form(field("formId", "f")));
add("no part", bytes(END));
add("an empty body", bytes(""));
add("only the boundary", bytes("--bound"));
add("a body that is no form", bytes("hello"));
add("cut in the boundary", bytes(file(), "--bou"));
add("cut before the end", file());
add("cut in the content", part(`${FILE}\r\n${GIF}`, picture().subarray(0, 20), { end: "" }));
add("cut in the header", bytes("--bound\r\nContent-Disposition: form-data; na"));
add("cut after the header", bytes(`--bound\r\n${FILE}\r\n${GIF}\r\n\r\n`));
add("no line end after the last boundary", bytes(file(), "--bound--"));
add("one dash after the last boundary", bytes(file(), "--bound-\r\n"));
add("another boundary at the end", bytes(file(), "--other--\r\n"));
add("an epilogue", bytes(file(), END, "epilogue"), { ours: "accepted", why: "preamble and epilogue are ignored (RFC 2046, 5.1)" });
add("a file after the end", bytes(file(), END, file(), END), { ours: "accepted", why: "preamble and epilogue are ignored (RFC 2046, 5.1)" });
add("a preamble", bytes("preamble\r\n", form(file())), { ours: "accepted", why: "preamble and epilogue are ignored (RFC 2046, 5.1)" });
add("line ends before the first boundary", bytes("\r\n", form(file())));
add("bare line feeds", replaced(form(file()), "\r\n", "\n"));
add("bare carriage returns", replaced(form(file()), "\r\n", "\r"));
add("a space after a boundary", bytes(`--bound \r\n${FILE}\r\n${GIF}\r\n\r\n`, picture(), "\r\n", END), { ours: "accepted", why: "transport padding (RFC 2046, 5.1.1)" });
add("letters after a boundary", bytes(`--boundary\r\n${FILE}\r\n${GIF}\r\n\r\n`, picture(), "\r\n", END));
add("two boundaries in a row", bytes("--bound\r\n", form(file())));
add("no name", form(file(picture(), `Content-Disposition: form-data; filename="a.gif"\r\n${GIF}`)));
add("no disposition", form(file(picture(), GIF)));
add("no header at all", bytes("--bound\r\n\r\n", picture(), "\r\n", END));
add("an attachment", form(file(picture(), `Content-Disposition: attachment; name="image"; filename="a.gif"\r\n${GIF}`)));
add("two dispositions", form(file(picture(), `${FILE}\r\nContent-Disposition: form-data; name="other"\r\n${GIF}`)));
add("headers in capitals", form(file(picture(), `CONTENT-DISPOSITION: form-data; name="image"; filename="a.gif"\r\nCONTENT-TYPE: image/gif`)));
add("headers in another order", form(file(picture(), `${GIF}\r\n${FILE}`)));
add("unknown headers", form(file(picture(), `${FILE}\r\nX-More: 1\r\n${GIF}\r\nContent-Length: 3`)));
add("a transfer encoding, which browsers ignore", form(file(picture(), `${FILE}\r\n${GIF}\r\nContent-Transfer-Encoding: binary`)));
add("a header without a colon", form(file(picture(), `${FILE}\r\n${GIF}\r\nnonsense`)));
add("a header with a space before the colon", form(file(picture(), `Content-Disposition : form-data; name="image"; filename="a.gif"\r\n${GIF}`)), { ours: "MALFORMED_REQUEST", why: "parsers disagree on it" });
add("a folded header", form(file(picture(), `Content-Disposition: form-data;\r\n name="image"; filename="a.gif"\r\n${GIF}`)));
add("a NUL in a header", form(file(picture(), `${FILE}\r\nX-More: a\0b\r\n${GIF}`)), { ours: "MALFORMED_REQUEST", why: "a header must not contain NUL (RFC 9110, 5.5)" });
add("33 headers", form(file(picture(), `${FILE}\r\n${GIF}\r\n${Array.from({ length: 31 }, (_, at) => `X-${at}: 1`).join("\r\n")}`)), { ours: "MALFORMED_REQUEST", why: "32 headers a part" });
add("a header of 12,000 bytes", form(file(picture(), `${FILE}\r\n${GIF}\r\nX-Long: ${"a".repeat(12_000)}`)));
add("a header of 50,000 bytes", form(file(picture(), `${FILE}\r\n${GIF}\r\nX-Long: ${"a".repeat(50_000)}`)), { ours: "MALFORMED_REQUEST", why: "16 KB of headers a part" });
add("a name without quotes", form(file(picture(), `Content-Disposition: form-data; name=image; filename=a.gif\r\n${GIF}`)), { ours: "accepted", why: "a token needs no quotes (RFC 2183, 2)" });
add("no type", form(file(picture(), FILE)));
add("another type", form(file(picture(), `${FILE}\r\nContent-Type: text/plain`)));
add("a name in UTF-8", form(file(picture(), `Content-Disposition: form-data; name="image"; filename="프로필.gif"\r\n${GIF}`)));
add("a name escaped as browsers do", form(file(picture(), `Content-Disposition: form-data; name="image"; filename="a%22b%0D%0A.gif"\r\n${GIF}`)));
add("a nested form", form(part('Content-Disposition: form-data; name="image"\r\nContent-Type: multipart/mixed; boundary=in', `--in\r\n${FILE}\r\n${GIF}\r\n\r\nx\r\n--in--\r\n`)));
add("the same form id twice", form(field("formId", "f"), file(), field("formId", "f")));
add("two form ids", form(field("formId", "f"), file(), field("formId", "g")), { ours: "MALFORMED_REQUEST", why: "a field with two values is ambiguous" });
add("a quoted boundary", form(file()), { type: 'multipart/form-data; boundary="bound"' });
add("a type in capitals", form(file()), { type: "Multipart/Form-Data; BOUNDARY=bound" });
add("a charset before the boundary", form(file()), { type: "multipart/form-data; charset=utf-8; boundary=bound" });
add("no boundary", form(file()), { type: "multipart/form-data" });
add("an empty boundary", form(file()), { type: "multipart/form-data; boundary=" });
add("another boundary", form(file()), { type: "multipart/form-data; boundary=other" });
add("a boundary of 70 letters", replaced(form(file()), "bound", "b".repeat(70)), { type: `multipart/form-data; boundary=${"b".repeat(70)}` });
add("a boundary that starts with its own delimiter", replaced(form(file()), "bound", "--bound--"), { type: "multipart/form-data; boundary=--bound--" });

export const bodies = list;

/** What undici reads: the chosen files and the form id, or null when it rejects the body. */
export async function oracle({ body, type }) {
  let entries;
  try {
    entries = [...(await new Response(body, { headers: { "Content-Type": type } }).formData())];
  } catch {
    return null;
  }
  const files = entries.filter(([, value]) => typeof value !== "string" && (value.name || value.size));
  const formId = entries.findLast(([name, value]) => name === "formId" && typeof value === "string")?.[1] ?? null;
  const read = files.map(async ([, value]) => ({ name: value.name, type: value.type, bytes: Buffer.from(await value.arrayBuffer()) }));
  return { formId, files: await Promise.all(read) };
}
