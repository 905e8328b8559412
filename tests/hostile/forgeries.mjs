// Forged tokens: the known attacks on JWTs, signed with the platform's real keys where that makes the attack stronger. The
// native tests (edge/auth/src/tests/forged) build theirs in Rust; these are built by another implementation (Node's crypto).
import { createHmac, sign } from "node:crypto";

import { encode, makeKey, mint, now, OURS, signature } from "../e2e/keys.mjs";

/** A signed token with this header and these claims, both given as text. */
function write(key, head, claims) {
  const text = `${encode(head)}.${encode(claims)}`;
  return `${text}.${signature[key.alg](key.privateKey, Buffer.from(text)).toString("base64url")}`;
}

const ALGORITHMS = "none HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 ES256K EdDSA Ed25519 Ed448 hs256 rs256 es256 eddsa A128KW dir";

function* heads(key, trap) {
  const { alg, kid } = key;
  const genuine = mint(key).split(".");
  for (const name of ["none", "None", "NONE", "nOnE", "", " "]) {
    yield [`unsigned as "${name}"`, `${encode({ alg: name, kid })}.${genuine[1]}.`];
    yield [`unsigned as "${name}", with its signature`, `${encode({ alg: name, kid })}.${genuine[1]}.${genuine[2]}`];
  }
  for (const name of ALGORITHMS.split(" ").filter((name) => name !== alg)) yield [`as ${name}`, mint(key, { head: { alg: name } })];
  for (const value of [null, 256, [alg], { name: alg }, true, undefined]) yield [`with alg ${JSON.stringify(value)}`, mint(key, { head: { alg: value } })];
  const unknown = makeKey(alg, kid);
  const members = { jwk: unknown.jwk, jku: trap, x5u: trap, x5c: ["MIIB"], crit: ["exp"], b64: false, zip: "DEF", epk: unknown.jwk };
  for (const [member, value] of Object.entries(members)) {
    yield [`another key, with ${member}`, mint(unknown, { head: { [member]: value } })];
    // `zip` and `epk` have no meaning for a signed token, so a token with a valid signature is accepted with them.
    if (!["zip", "epk"].includes(member)) yield [`valid signature, with ${member}`, mint(key, { head: { [member]: value } })];
  }
  yield ["with an empty crit", mint(key, { head: { crit: [] } })];
  for (const name of [trap, `${trap}#${kid}`, "../../../../dev/null", "/proc/self/environ", "x' UNION SELECT 'key", "", "${jndi:ldap://x}", "\0", "k".repeat(5000)]) {
    yield [`another key, with the kid ${name.slice(-40)}`, mint(unknown, { head: { kid: name } })];
  }
  yield ["another key, with a URL as the issuer", mint(unknown, { claims: { iss: trap } })];
  yield ["another key, without a kid", mint(unknown, { head: { kid: undefined } })];
  const claims = JSON.stringify({ sub: "123", exp: now() + 60, ...OURS });
  for (const head of [
    `{"alg":"${alg}","alg":"${alg}"}`, `{"alg":"none","alg":"${alg}"}`, `{"alg":"${alg}","\\u0061lg":"${alg}"}`, `{"alg":"${alg}","kid":"${kid}","kid":"${kid}"}`,
    `{"alg":"${alg}","x":1,"x":1}`, `{"alg":"${alg}","kid":7}`, `{"alg":"${alg}","typ":7}`, `{"alg":"${alg}","cty":"JWT"}`, `{"alg":"${alg}"} {}`, `{"alg":"${alg}"`,
    `["${alg}"]`, `"${alg}"`, `\ufeff{"alg":"${alg}"}`, `{"alg":"${alg}",}`, `{'alg':'${alg}'}`, `{"alg":"${alg}","x":${"[".repeat(500)}}`, "null", "",
  ]) yield [`with the header ${head.slice(0, 60)}`, write(key, head, claims)];
}

function* bodies(key) {
  // Issuer and audience are right, so that only the tested claim is wrong.
  const ours = JSON.stringify(OURS).slice(1, -1);
  const exp = `${now() + 60},${ours}`;
  const subs = [null, 123, ["123"], { id: "123" }, true, "", "../other", "a/b", "a b", "사용자", "x\0", "x".repeat(65), "a'--", "a%2fb"];
  for (const sub of subs) yield [`sub ${JSON.stringify(sub).slice(0, 20)}`, mint(key, { claims: { sub } })];
  for (const role of [3, ["ADMIN", 7], { ADMIN: null }]) yield [`role ${JSON.stringify(role)}`, mint(key, { claims: { role } })];
  for (const claims of [{ iss: 7 }, { iss: ["a"] }, { iss: "urn:the-form:images" }, { aud: 7 }, { aud: ["a", 7] }, { aud: { a: "b" } }]) yield [JSON.stringify(claims), mint(key, { claims })];
  const head = JSON.stringify({ alg: key.alg, kid: key.kid });
  for (const text of [
    `{"sub":"123","sub":"123","exp":${exp}}`, `{"sub":"123","exp":1,"exp":${exp}}`, `{"sub":"123","exp":${exp},"role":"USER","role":"ADMIN"}`,
    `{"sub":"123","exp":${exp},"rol\\u0065":"USER","role":"USER"}`, `{"sub":"123","exp":${exp},"x":[{"y":1,"y":2}]}`, `{"exp":${exp}}`,
    `["123",${exp}]`, `{"sub":"123","exp":${exp}}x`, `{"sub":"123","exp":${exp}`, "123", "{}", "",
  ]) yield [`claims ${text}`, write(key, head, text)];
  const times = ['"9999999999"', "null", "true", "[9999999999]", "{}", "-1", "-9999999999", "1e400", "1e300", "-1e300", "18446744073709551615", "18446744073709551616", "9223372036854775807", "NaN", "Infinity", "0x7fffffff"];
  for (const member of ["exp", "nbf", "iat"]) {
    for (const time of times) yield [`${member} ${time}`, write(key, head, `{"sub":"123","${member}":${time}${member === "exp" ? `,${ours}` : `,"exp":${exp}`}}`)];
  }
  yield ["no expiry", mint(key, { claims: { exp: undefined } })];
  yield ["not valid yet", mint(key, { claims: { nbf: now() + 600 } })];
  yield ["issued in the future", mint(key, { claims: { iat: now() + 86_400 } })];
}

function* encodings(key) {
  const good = mint(key);
  const [head, body, end] = good.split(".");
  const changed = (text, at) => text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
  yield* Object.entries({
    "one part": head, "two parts": `${head}.${body}`, "no signature": `${head}.${body}.`, "no header": `.${body}.${end}`, "no claims": `${head}..${end}`, "only dots": "..",
    "five parts": `${good}.${body}.${end}`, "a dot at the end": `${good}.`, "a dot at the start": `.${good}`, "a padded header": `${head}=.${body}.${end}`, "padded claims": `${head}.${body}==.${end}`,
    "a padded signature": `${good}=`, "a plus": `${head}.${body}.+${end.slice(1)}`, "a slash": `${head}.${body}./${end.slice(1)}`, "a space": `${head}. ${body}.${end}`, "a tab": `${head}.${body}\t.${end}`,
    "percent signs": good.replaceAll(".", "%2E"), "a byte outside ASCII": `${good}\xe9`, "quotes": `"${good}"`, "a second token": `${good}, ${good}`,
    "JSON": JSON.stringify({ payload: body, protected: head, signature: end }), "a header changed": `${changed(head, 12)}.${body}.${end}`, "claims changed": `${head}.${changed(body, 9)}.${end}`,
    "a signature's first byte changed": `${head}.${body}.${changed(end, 0)}`, "a signature's late byte changed": `${head}.${body}.${changed(end, end.length - 4)}`,
    "a signature cut short": good.slice(0, -4), "a signature twice": good + end, "a signature of zeros": `${head}.${body}.${"A".repeat(end.length)}`,
    "another message's signature": `${head}.${body}.${mint(key).split(".")[2]}`, "9,000 bytes": mint(key, { claims: { x: "y".repeat(9000) } }),
    ...(key.alg === "ES256" && { "a DER signature": `${head}.${body}.${sign("sha256", Buffer.from(`${head}.${body}`), key.privateKey).toString("base64url")}` }),
  });
}

/** HMAC tokens whose secret is the public key (algorithm confusion). */
function* secrets(key) {
  const { publicKey, kid } = key;
  const candidates = [JSON.stringify(key.jwk), JSON.stringify({ keys: [key.jwk] }), publicKey.export({ format: "pem", type: "spki" }), publicKey.export({ format: "der", type: "spki" })];
  for (const part of [key.jwk.n, key.jwk.x, key.jwk.y]) if (part) candidates.push(part, Buffer.from(part, "base64url"));
  for (const [at, secret] of candidates.entries()) yield [`its public key as the secret, encoding ${at}`, mint({ alg: "HS256", kid, privateKey: secret })];
}

function* weak() {
  for (const secret of ["", "secret", "changeme", "HS256", "0", "\0", "your-256-bit-secret", "a".repeat(32)]) {
    const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: "123", exp: now() + 60, ...OURS })}`;
    yield [`the secret ${JSON.stringify(secret)}`, `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`];
  }
}

/** `[what, token]` of each forgery; `trap` is the URL of a server that must receive no request. */
export function* forgeries(keys, trap) {
  for (const key of keys) {
    for (const kind of [heads(key, trap), bodies(key), encodings(key), secrets(key)]) for (const [what, token] of kind) yield [`${key.alg}, ${what}`, token];
  }
  yield* weak();
}
