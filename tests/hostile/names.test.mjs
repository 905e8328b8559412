// Hostile file names in every text field of a request: none changes a key, a header, a log line or another table, and the
// stored name is the documented one. CORPORA=/path adds the Big List of Naughty Strings.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "../e2e/pictures.mjs";
import { startServer } from "../e2e/server.mjs";
import { bytesAsText, send } from "../e2e/wire.mjs";
import { report, until } from "../faults/trial.mjs";
import { asText, cleaned, names, percentDecoded, percentEncoded } from "./names.mjs";

const AT_ONCE = 8;
/** Tables that no upload writes. */
const OTHERS = ["users", "refresh_families", "events", "job_cursors"];
const NAMES = names();

let server;
let requests = 0;
before(async () => {
  server = await startServer({ vars: { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000 } });
});
after(() => server?.stop());

const post = (path, sub, role, headers, body) =>
  send(server.url + path, {
    headers: {
      Authorization: `Bearer ${server.token({ sub, role })}`,
      // Each client IP may send 120 requests a minute.
      "CF-Connecting-IP": `198.18.4.${Math.floor(requests++ / 100)}`,
      ...headers,
    },
    body,
  });

const upload = (sub, headers, number, role = "USER") => post("/images", sub, role, { "Content-Type": "image/gif", ...headers }, gif(number));

/** Sends a raw form; `disposition` follows the field name in the Content-Disposition of the file's part. */
function sendForm(sub, disposition, number, field) {
  const before = field ? [Buffer.from('--b\r\nContent-Disposition: form-data; name="formId"\r\n\r\n'), field, Buffer.from("\r\n")] : [];
  const head = [Buffer.from('--b\r\nContent-Disposition: form-data; name="image"; '), disposition, Buffer.from("\r\nContent-Type: image/gif\r\n\r\n")];
  const body = Buffer.concat([...before, ...head, gif(number), Buffer.from("\r\n--b--\r\n")]);
  return post("/images", sub, "USER", { "Content-Type": "multipart/form-data; boundary=b" }, body);
}

const hasControl = (bytes) => bytes.some((byte) => (byte < 0x20 && byte !== 9) || byte === 0x7f);
const isText = (bytes) => Buffer.from(asText(bytes)).equals(bytes);
const MALFORMED = { code: "MALFORMED_REQUEST" };

/** How a name is sent, and the expected result: the stored name, the form id, or a code. */
const WAYS = {
  "X-Filename, encoded": (bytes, sub, at) => [upload(sub, { "X-Filename": percentEncoded(bytes) }, at), { name: cleaned(asText(bytes)) }],
  "X-Filename, raw": (bytes, sub, at) => {
    // A header cannot contain control characters; the encoded form covers them.
    if (hasControl(bytes)) return undefined;
    const isAscii = bytes.every((byte) => byte < 0x80);
    return [upload(sub, { "X-Filename": bytesAsText(bytes) }, at), { name: isAscii ? cleaned(percentDecoded(bytes)) : null }];
  },
  "filename, as browsers write it": (bytes, sub, at) => {
    const escaped = bytes.toString("latin1").replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
    const written = Buffer.from(escaped, "latin1");
    // A backslash at the end escapes the quote: browsers do not escape backslashes, other clients do, and both look the same.
    const [quoted] = /^(?:\\[\\"]|[^"])*/.exec(`${asText(written)}"`);
    const read = quoted.replace(/\\([\\"])/g, "$1").replaceAll("%22", '"').replaceAll("%0D", "\r").replaceAll("%0A", "\n");
    const sent = sendForm(sub, Buffer.concat([Buffer.from('filename="'), written, Buffer.from('"')]), at);
    return [sent, hasControl(written) ? MALFORMED : { name: cleaned(read) }];
  },
  // Unescaped quotes and line ends change the form, so any result is allowed; it affects only the sender's own request.
  "filename, unescaped": (bytes, sub, at) => [sendForm(sub, Buffer.concat([Buffer.from('filename="'), bytes, Buffer.from('"')]), at), undefined],
  "filename*": (bytes, sub, at) => {
    const sent = sendForm(sub, Buffer.from(`filename="plain.gif"; filename*=UTF-8''${percentEncoded(bytes)}`), at);
    return [sent, { name: isText(bytes) ? cleaned(asText(bytes)) : "plain.gif" }];
  },
  formId: (bytes, sub, at) => {
    const id = asText(bytes).replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
    const isId = isText(bytes) && id && [...id].length <= 128 && !/\p{Cc}/u.test(id);
    return [sendForm(sub, Buffer.from('filename="plain.gif"'), at, bytes), isId ? { name: "plain.gif", formId: id } : MALFORMED];
  },
  "originalFilename in JSON": (bytes, sub, at) => [claim(asText(bytes), sub, at), { name: cleaned(asText(bytes)) }],
};

/** Uploads a guest image and claims it for the user with this name. */
async function claim(originalFilename, sub, number) {
  const { data } = (await upload(`guest-${sub}`, {}, number, "GUEST")).json();
  const body = Buffer.from(JSON.stringify({ key: data.key, userId: sub, originalFilename }));
  return post("/images/metadata", "platform", "SERVICE", { "Content-Type": "application/json" }, body);
}

/** The response headers without the parts that differ between two ordinary requests. */
function shape({ headers }, owner) {
  const { date, "server-timing": timing, ...others } = headers;
  assert.match(timing, /^[\w;=., "]+$/);
  return Object.entries(others).map(([name, value]) => [name, value.replaceAll(owner, "owner").replace(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/g, "#")]);
}

const LINE = {
  level: /^(info|warn)$/, event: /^request$/, requestId: /^[0-9a-f-]{36}$/, method: /^(POST|GET)$/, route: /^[a-z_]+$/, status: /^\d{3}$/, outcome: /^[A-Z_]+$/,
  bytesIn: /^\d+$/, bytesOut: /^\d+$/, tookMs: /^\d+$/, stagesMs: /^[a-z]*(,[a-z]+)*$/, user: /^[0-9a-f]{16}$/, role: /^(USER|GUEST|SERVICE|ADMIN)$/,
};

function assertLogged(lines) {
  for (const line of lines) {
    for (const [field, value] of Object.entries(line)) {
      const text = field === "stagesMs" ? Object.keys(value).join() : String(value);
      assert.match(text, LINE[field] ?? /^$/, `${field} of ${JSON.stringify(line)}`);
    }
  }
  const log = server.log();
  for (const name of NAMES.map(asText).filter((name) => name.trim().length >= 10)) assert.ok(!log.includes(name), name);
}

test(`${NAMES.length} hostile names in ${Object.keys(WAYS).length} fields are stored as documented and change no key, header, log line or table`, { timeout: 900_000 }, async (t) => {
  const plain = await upload("plain", {}, 0xffff);
  assert.equal(plain.status, 201);
  const others = OTHERS.map((table) => server.rows(table));
  const [kept, differ, counts] = [new Map(), [], { names: NAMES.length, requests: 0, kept: 0, refused: 0, faults: 0 }];
  let wayAt = 0;
  for (const [way, sendName] of Object.entries(WAYS)) {
    const sub = `way-${++wayAt}`;
    const waiting = [...NAMES.entries()];
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [at, bytes] = next;
        const request = sendName(bytes, sub, at + 1);
        if (!request) continue;
        const [answer, expected] = [await request[0], request[1]];
        const what = `${way}: ${JSON.stringify(asText(bytes)).slice(0, 80)}`;
        counts.requests += 1;
        if (answer.status >= 500) counts.faults += 1;
        assert.ok(answer.status < 500, `${what}: ${answer.status}`);
        const { code, data } = answer.json();
        if (code) {
          counts.refused += 1;
          assert.equal(answer.status, 400, what);
          if (expected && expected.code !== code) differ.push(`${what}: rejected`);
          continue;
        }
        assert.equal(answer.status, 201, what);
        const owner = way.includes("JSON") ? `guest-${sub}` : sub;
        assert.match(data.key, new RegExp(`^users/${owner}/images/\\d{13}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\\.gif$`), what);
        if (way.includes("JSON")) assert.ok(!("location" in answer.headers), what);
        else assert.deepEqual(shape(answer, owner), shape(plain, "plain"), what);
        if (expected?.code) differ.push(`${what}: accepted`);
        else if (expected && !way.includes("JSON") && data.originalFilename !== expected.name) differ.push(`${what}: ${JSON.stringify([data.originalFilename, expected.name])}`);
        kept.set(data.key, { what, ...(expected ?? { name: data.originalFilename }) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  assert.deepEqual(differ, []);

  const rows = server.rows().filter(({ owner }) => owner !== "plain");
  assert.equal(rows.length, kept.size, "a row for each stored image");
  for (const { key, original_name: name, form_id: formId } of rows) {
    const expected = kept.get(key);
    assert.deepEqual([name, formId], [expected.name, expected.formId ?? null], expected.what);
  }
  assert.deepEqual(OTHERS.map((table) => server.rows(table)), others, "no other table has changed");
  assert.equal(server.objects().size, kept.size + 1);

  const written = () => server.lines().filter(({ event, route }) => event === "request" && route !== "healthz");
  await until(() => written().length >= requests, 60, "a log line for each request");
  assert.equal(written().length, requests, "one log line for each request");
  assertLogged(written());
  report(t, "names", { ...counts, kept: kept.size, rows: rows.length, lines: written().length });
});
