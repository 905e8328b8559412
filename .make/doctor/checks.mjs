// What is looked at, in order. A check returns the sentence for when all is well and tells whatever is not.
import { createPublicKey, verify } from "node:crypto";
import { connect } from "node:tls";

import { newPicture } from "./picture.mjs";

const PATIENCE_MS = 15_000;
/** What tokens are forgiven, on either side. */
const LEEWAY_S = 30;
const RENEW_DAYS = 14;
const DAY_MS = 86_400_000;

async function ask({ base, origin }, path, { headers = {}, ...options } = {}) {
  const url = new URL(path, base);
  const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS), ...options, headers: { Origin: origin, ...headers } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const header = (name) => answer.headers.get(name) ?? "";
  let json;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    json = undefined;
  }
  return { status: answer.status, header, bytes, json, code: json?.code };
}

/** The causes that people meet, by the code that Node gives them. */
const CAUSES = {
  ENOTFOUND: "there is no such name in DNS: is the custom domain set up, and spelt right?",
  ECONNREFUSED: "nobody listens there: is it deployed, and is the port right?",
  ECONNRESET: "the connection is cut: is something between here and there in the way?",
  CERT_HAS_EXPIRED: "its certificate has expired: look at the domain's edge certificates.",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name: look at the domain's edge certificates.",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by nobody: look at the domain's edge certificates.",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer in time.",
};

const isLocal = (base) => /^(127\.|localhost$|\[::1\]$)/.test(new URL(base).hostname);

async function reach(found, tell) {
  try {
    const { status, json } = await ask(found, "/healthz");
    tell.holds(status === 200 && json?.status === "alive", `${found.base}/healthz answers ${status}, not that it is alive: is this the right address?`);
  } catch (error) {
    const cause = error.cause?.code ?? error.name;
    tell.fail(`${found.base} cannot be reached: ${CAUSES[cause] ?? (cause === "TimeoutError" ? "it does not answer in time." : `${cause}.`)}`);
    return undefined;
  }
  return `${found.base} is alive.`;
}

async function transport({ base }, tell) {
  const { protocol, hostname, port } = new URL(base);
  if (protocol === "http:") {
    tell.holds(isLocal(base), "It is served without TLS: tokens can be read on the way. Use the https address.");
    return "No TLS, and none needed on this machine.";
  }
  const socket = connect({ host: hostname, port: port || 443, servername: hostname });
  const certificate = await new Promise((resolve, reject) => socket.once("secureConnect", () => resolve(socket.getPeerCertificate())).once("error", reject));
  const version = socket.getProtocol();
  socket.destroy();
  const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
  tell.holds(days >= RENEW_DAYS, `Its certificate ends in ${days} days: it should have been renewed by now.`);
  return `${version}, and the certificate is good for ${days} days.`;
}

const PARTS = {
  storage: "The object store cannot be reached: with R2 look at the bucket and its binding IMAGES, with STORAGE=s3 at S3_ENDPOINT, S3_REGION, S3_BUCKET and its keys.",
  registry: "The database cannot be reached: look at the binding REGISTRY and whether its migrations are applied (make deploy does that).",
  ledger: "The ledger cannot be reached: look at the Durable Object binding LEDGER.",
};

/** What is wrong with the bucket; nothing with one that is bound, or that cannot be judged while a part is down. */
const BUCKETS = {
  unbound: "Neither the bucket nor the database holds an id of this deployment, so nobody can tell whether they belong together. If they do: make bind-bucket URL=… TOKEN=….",
  missing: "This is not the bucket of this database: only one of them holds the id of the deployment. Look at the binding IMAGES or at S3_ENDPOINT and S3_BUCKET. If it was copied or restored: make bind-bucket URL=… TOKEN=….",
  different: "This is the bucket of another deployment. Look at the binding IMAGES or at S3_ENDPOINT and S3_BUCKET. If it is to be this one's: make bind-bucket URL=… TOKEN=….",
  unreadable: "The object deployment-id in the bucket may not be read: allow it as in docs/deploy/iam-policy.json.",
};

async function ready(found, tell) {
  const { status, json = {} } = await ask(found, "/readyz");
  for (const { variable, expected } of json.configuration ?? []) tell.fail(`The variable ${variable} cannot be used. It should be ${expected}.`);
  for (const [part, sentence] of Object.entries(PARTS)) if (part in json) tell.holds(json[part] === "ok", sentence);
  if (json.bucket in BUCKETS) tell.fail(BUCKETS[json.bucket]);
  tell.holds(status === 200 || json.configuration || json.bucket in BUCKETS || Object.keys(PARTS).some((part) => json[part] !== "ok"), `/readyz answers ${status}.`);
  return "Object store, database and ledger answer, and the bucket is the database's own.";
}

async function policy(found, tell) {
  const { status, json } = await ask(found, "/policy");
  tell.holds(status === 200 && json?.limits?.maxBytes > 0, `/policy answers ${status}: the browser module cannot check before it sends.`);
  found.policy = json;
  return `Up to ${Math.round((json?.limits?.maxBytes ?? 0) / 1024)} KiB a picture${json?.requireTicket ? ", with a ticket" : ""}.`;
}

async function cors(found, tell) {
  const { origin } = found;
  const allows = (answer) => ["*", origin].includes(answer.header("access-control-allow-origin"));
  const remedy = `Add ${origin} to ALLOWED_ORIGINS, or say with ORIGIN=… where your pages lie.`;
  const asking = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type,x-filename" };
  const preflight = await ask(found, "/images", { method: "OPTIONS", headers: asking });
  tell.holds(preflight.status === 204, `The preflight answers ${preflight.status}, not 204: something in front of the Worker takes OPTIONS.`);
  if (!tell.holds(allows(preflight), `Pages at ${origin} may not call. ${remedy}`)) return undefined;
  tell.holds(/\bPOST\b/.test(preflight.header("access-control-allow-methods")), "The preflight does not allow POST.");
  const allowed = preflight.header("access-control-allow-headers").toLowerCase().split(/\s*,\s*/);
  for (const name of ["authorization", "content-type", "x-filename"]) tell.holds(allowed.includes(name), `The preflight does not allow the header ${name}.`);
  for (const [path, method] of [["/images", "POST"], ["/nowhere-at-all", "GET"]]) {
    const refusal = await ask(found, path, { method });
    tell.holds(allows(refusal), `The refusal ${refusal.status} of ${method} ${path} carries no CORS headers: a browser would see no reason.`);
  }
  const stranger = await ask({ ...found, origin: "https://stranger.example" }, "/images", { method: "OPTIONS", headers: asking });
  const open = stranger.header("access-control-allow-origin") !== "";
  if (open && !isLocal(found.base)) tell.note("Pages of any origin may call (ALLOWED_ORIGINS is *): name yours in production.");
  return `Pages at ${origin} may call, and are told of refusals.`;
}

async function refusals(found, tell) {
  const answer = await ask(found, "/images", { method: "POST", headers: { "Accept-Language": "ko", "Content-Type": "image/png" } });
  tell.holds(answer.status === 401 && answer.code === "TOKEN_MISSING", `An upload without a token answers ${answer.status} ${answer.code ?? ""}, not 401 TOKEN_MISSING.`);
  tell.holds(answer.header("content-type") === "application/problem+json", "Refusals are not application/problem+json: something in front of the Worker writes them anew.");
  tell.holds(/[가-힣]/.test(answer.json?.detail ?? ""), "A refusal to a Korean reader is not in Korean.");
  return "Without a token nothing goes, and people are told why in their language.";
}

async function token(found, tell) {
  const answer = await ask(found, "/auth/guest-token");
  if (!tell.holds(answer.status === 200, `A guest gets ${answer.status} ${answer.code ?? ""} for a token.`)) return undefined;
  const { data } = answer.json;
  const [head, payload, signature] = data.token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const { kid } = JSON.parse(Buffer.from(head, "base64url").toString());
  const keys = (await ask(found, "/.well-known/jwks.json")).json?.keys ?? [];
  const jwk = keys.find((key) => key.kid === kid);
  if (tell.holds(jwk, "The key that signs guest tokens is not published at /.well-known/jwks.json.")) {
    const key = { key: createPublicKey({ format: "jwk", key: jwk }), dsaEncoding: "ieee-p1363" };
    tell.holds(verify("sha256", Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, "base64url")), "The guest token does not verify with the published key.");
  }
  tell.holds(claims.role === "GUEST" && claims.exp - claims.iat === data.expiresIn, "The guest token does not say what its answer says.");
  Object.assign(found, { guest: data.token, claims, told: answer.json.timestamp, date: answer.header("date") });
  return `A guest's token is good for ${data.expiresIn} s and verifies with the published key.`;
}

async function clock({ claims, told, date }, tell) {
  const now = Date.now() / 1000;
  const clocks = { "its answers": Date.parse(told) / 1000, "its tokens": claims.iat, ...(date ? { "its Date header": Date.parse(date) / 1000 } : {}) };
  for (const [whose, seconds] of Object.entries(clocks)) {
    const off = Math.round(seconds - now);
    const way = off > 0 ? "ahead of" : "behind";
    tell.holds(Math.abs(off) <= LEEWAY_S, `The clock of ${whose} is ${Math.abs(off)} s ${way} this machine's: tokens live too long or are refused. Set this clock, or look at what is in between.`);
  }
  return "The clocks agree.";
}

async function upload(found, tell) {
  let bearer = found.token || found.guest;
  if (found.policy?.requireTicket) {
    if (!found.token) return void tell.note("Uploads insist on a ticket, and a guest gets none: give TOKEN=… of a user to try one.");
    const options = { method: "POST", headers: { Authorization: `Bearer ${found.token}`, "Content-Type": "application/json" }, body: "{}" };
    bearer = (await ask(found, "/uploads/tickets", options)).json?.data?.ticket;
  }
  found.picture = newPicture();
  const send = (body) => ask(found, "/images", { method: "POST", body, headers: { Authorization: `Bearer ${bearer}`, "Content-Type": "image/png", "X-Filename": "doctor.png" } });
  const answer = await send(found.picture);
  if (!tell.holds(answer.status === 201, `The upload answers ${answer.status} ${answer.code ?? ""}: ${answer.json?.detail ?? ""}`)) return undefined;
  const { data } = answer.json;
  found.stored = data;
  const at = new URL(data.imageUrl).origin;
  tell.holds(at === found.base, `The picture's address begins with ${at}, not with ${found.base}: look at PUBLIC_BASE_URL.`);
  for (const name of ["ratelimit-policy", "ratelimit"]) tell.holds(answer.header(name), `The answer has no ${name} field: callers cannot pace themselves.`);
  if (!found.policy?.requireTicket) {
    const again = await send(found.picture);
    tell.holds(again.status === 200 && again.json?.data.key === data.key, `The same picture again answers ${again.status}: a retry would make a second one.`);
    // Not a disguised file, which would be a strike against this machine's client IP.
    const cut = await send(found.picture.subarray(0, found.picture.length - 20));
    tell.holds(cut.code === "IMAGE_CORRUPT", `A picture that breaks off answers ${cut.status} ${cut.code ?? ""}, not IMAGE_CORRUPT.`);
  }
  tell.holds(found.token || data.expiresAt, "A guest's picture has no end (PENDING_ROLES): whoever comes by can fill the store.");
  if (data.expiresAt) tell.note(`What was uploaded here goes away at ${data.expiresAt}.`);
  return `Stored; a retry is the same picture, a broken one is refused. Limits: ${answer.header("ratelimit-policy")}.`;
}

async function delivery(found, tell) {
  if (!found.stored) return void tell.note("Nothing was uploaded that could be read.");
  const path = `/${found.stored.key}`;
  const whole = await ask(found, path);
  tell.holds(whole.status === 200 && whole.bytes.equals(found.picture), `Reading it back answers ${whole.status} and ${whole.bytes.length} bytes, not the ${found.picture.length} that were sent: something in between changes pictures (such as Polish or Mirage).`);
  const head = await ask(found, path, { method: "HEAD" });
  tell.holds(head.status === 200 && head.header("content-length") === String(found.picture.length), `HEAD answers ${head.status} with Content-Length ${head.header("content-length") || "missing"}.`);
  const etag = whole.header("etag");
  tell.holds(etag, "The picture has no ETag.");
  const kept = await ask(found, path, { headers: { "If-None-Match": etag } });
  tell.holds(kept.status === 304, `Asking with its ETag answers ${kept.status}, not 304.`);
  const part = await ask(found, path, { headers: { Range: "bytes=0-7" } });
  tell.holds(part.status === 206 && part.bytes.equals(found.picture.subarray(0, 8)), `A range answers ${part.status} and ${part.bytes.length} bytes, not 206 and 8.`);
  tell.holds(/max-age=31536000.*immutable/.test(whole.header("cache-control")), `Cache-Control is "${whole.header("cache-control")}": copies should be kept for a year, immutable.`);
  const expected = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cross-origin-resource-policy": "cross-origin" };
  for (const [name, value] of Object.entries(expected)) tell.holds(whole.header(name) === value, `The picture's ${name} is "${whole.header(name)}", not "${value}": look for a rule that changes headers.`);
  tell.holds(/default-src 'none'.*sandbox/.test(whole.header("content-security-policy")), "The picture has no Content-Security-Policy that keeps it from running anything.");
  tell.holds(whole.header("content-type") === "image/png", `The picture is served as ${whole.header("content-type")}.`);
  return "Read back byte for byte; HEAD, 304, 206, caching and security headers are right.";
}

/** A guest's picture expires by itself; one of a user is deleted here. */
async function removal({ token, stored, ...found }, tell) {
  if (!token || !stored) return undefined;
  const answer = await ask(found, `/images/${stored.imageId}`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
  tell.holds([200, 202].includes(answer.status), `Deleting the picture answers ${answer.status} ${answer.code ?? ""}: delete ${stored.key} at /admin/.`);
  return "The user's picture is deleted again.";
}

export const checks = [
  { name: "reach", run: reach },
  { name: "tls", needs: ["reach"], run: transport },
  { name: "ready", needs: ["reach"], run: ready },
  { name: "policy", needs: ["reach"], run: policy },
  { name: "cors", needs: ["reach", "policy"], run: cors },
  { name: "refusals", needs: ["policy"], run: refusals },
  { name: "token", needs: ["policy"], run: token },
  { name: "clock", needs: ["token"], run: clock },
  { name: "upload", needs: ["token"], run: upload },
  { name: "delivery", needs: ["upload"], run: delivery },
  { name: "removal", needs: ["upload"], run: removal },
];
