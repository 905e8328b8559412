// Keys and tokens of a platform, made with node:crypto, and a server that publishes keys.
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";

export const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
export const now = () => Math.floor(Date.now() / 1000);

/** How to create a key pair for each algorithm. */
const makers = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};
export const algorithms = Object.keys(makers);
export const signature = {
  RS256: (key, text) => sign("sha256", text, key),
  ES256: (key, text) => sign("sha256", text, { key, dsaEncoding: "ieee-p1363" }),
  EdDSA: (key, text) => sign(null, text, key),
  HS256: (key, text) => createHmac("sha256", key).update(text).digest(),
};

export function makeKey(alg, kid) {
  const { publicKey, privateKey } = makers[alg]();
  return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" } };
}

/** Issuer and audience of the platform's tokens, and the variables that require them. */
export const OURS = { iss: "https://login.example", aud: "images" };
export const ISSUER = { AUTH_ISSUER: OURS.iss, AUTH_AUDIENCE: OURS.aud };

let users = 0;
/** A token signed with this key, for a new user each time; `head` and `claims` override members. */
export function mint({ alg, kid, privateKey }, { head = {}, claims = {} } = {}) {
  const payload = { sub: `user-${++users}`, exp: now() + 60, ...OURS, ...claims };
  const text = `${encode({ alg, kid, ...head })}.${encode(payload)}`;
  return `${text}.${signature[alg](privateKey, Buffer.from(text)).toString("base64url")}`;
}

/** A server that publishes keys, records requests, and can stall, redirect or send too much (`mode`). */
export async function startKeyServer(keys = []) {
  const state = { asked: 0, paths: [], keys, mode: "answer" };
  const server = createServer((request, response) => {
    state.asked += 1;
    state.paths.push(request.url);
    if (state.mode === "hang") return;
    if (state.mode === "drip") return void response.writeHead(200).write('{"keys":[');
    if (state.mode === "redirect") return void response.writeHead(302, { Location: "/elsewhere.json" }).end();
    if (state.mode === "flood") return void response.end(" ".repeat(1_000_000) + JSON.stringify({ keys: state.keys }));
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ keys: state.keys }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.url = `http://127.0.0.1:${server.address().port}/jwks.json`;
  state.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return state;
}
