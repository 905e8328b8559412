// The checks of `make doctor`, in order. A check reports each problem, and returns the sentence to print when there is none.
import { createPublicKey, verify } from "node:crypto";
import { connect } from "node:tls";

import { newPicture } from "./picture.mjs";

const TIMEOUT_MS = 15_000;
/** Tolerated difference between two clocks, as in the check of tokens. */
const LEEWAY_S = 30;
const RENEW_DAYS = 14;
/** Half a year. */
const HSTS_S = 15_552_000;
/** The sweep runs every five minutes; the alert of docs/monitoring has the same limit. */
const SWEEP_S = 1_800;
const DAY_MS = 86_400_000;

async function ask({ base, origin, version }, path, { headers = {}, ...options } = {}) {
  const url = new URL(path, base);
  const always = { Origin: origin, ...(version ? { "Cloudflare-Workers-Version-Overrides": version } : {}) };
  const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS), ...options, headers: { ...always, ...headers } });
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

/** Sentences for common error codes of Node. */
const CAUSES = {
  ENOTFOUND: "the name is not in DNS. Check the custom domain and its spelling.",
  ECONNREFUSED: "the connection is refused. Check that it is deployed, and the port.",
  ECONNRESET: "the connection was reset. Check firewalls and proxies on the way.",
  CERT_HAS_EXPIRED: "its certificate has expired. Check the domain's edge certificates.",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name. Check the domain's edge certificates.",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed. Check the domain's edge certificates.",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer in time.",
};

const isLocal = (base) => /^(127\.|localhost$|\[::1\]$)/.test(new URL(base).hostname);

async function reach(context, report) {
  try {
    const { status, json } = await ask(context, "/healthz");
    report.expect(status === 200 && json?.status === "alive", `${context.base}/healthz answers ${status} without "status": "alive". Check that URL is the address of the edge.`);
  } catch (error) {
    const cause = error.cause?.code ?? error.name;
    report.fail(`${context.base} cannot be reached: ${CAUSES[cause] ?? (cause === "TimeoutError" ? "it does not answer in time." : `${cause}.`)}`);
    return undefined;
  }
  return `${context.base} answers.`;
}

async function transport(context, report) {
  const { base } = context;
  const { protocol, hostname, port } = new URL(base);
  if (protocol === "http:") {
    report.expect(isLocal(base), "It is served without TLS, so tokens can be read on the network. Use the https address.");
    return "No TLS; a local server needs none.";
  }
  const socket = connect({ host: hostname, port: port || 443, servername: hostname });
  const certificate = await new Promise((resolve, reject) => socket.once("secureConnect", () => resolve(socket.getPeerCertificate())).once("error", reject));
  const version = socket.getProtocol();
  socket.destroy();
  const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
  report.expect(days >= RENEW_DAYS, `Its certificate expires in ${days} days and should have been renewed. Check the domain's edge certificates.`);
  // Browsers load names below workers.dev by https only.
  if (!hostname.endsWith(".workers.dev")) await plainText(hostname, report);
  const page = await ask(context, "/");
  const [, age] = /max-age=(\d+)/.exec(page.header("strict-transport-security")) ?? [];
  report.expect(Number(age) >= HSTS_S, `Strict-Transport-Security is "${page.header("strict-transport-security")}" on the page /, so browsers may come by http. Check for a rule that removes headers.`);
  return `${version}; the certificate is valid for ${days} more days, and browsers are kept on https.`;
}

/** Without TLS, a request must be redirected, or not be answered at all. */
async function plainText(hostname, report) {
  const url = `http://${hostname}:${process.env.DOCTOR_HTTP_PORT || 80}/healthz`;
  const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => undefined);
  if (!answer) return;
  const isSafe = [301, 302, 307, 308].includes(answer.status) && (answer.headers.get("location") ?? "").startsWith("https://");
  report.expect(isSafe, `${url} answers ${answer.status} and does not redirect to https, so tokens can be read on the network. Switch on "Always Use HTTPS" for the zone.`);
}

const PARTS = {
  storage: "The object store cannot be reached. With R2 check the bucket and the binding IMAGES; with STORAGE=s3 check S3_ENDPOINT, S3_REGION, S3_BUCKET and the keys.",
  registry: "The database cannot be reached. Check the binding REGISTRY, and that the migrations are applied (make deploy applies them).",
  ledger: "The ledger cannot be reached. Check the Durable Object binding LEDGER.",
};

/** Sentences for the states of the bucket. A bound bucket, or one whose state is unknown during an outage, has none. */
const BUCKETS = {
  unbound: "Neither the bucket nor the database has a deployment id, so it is unknown whether they belong together. If they do, run: make bind-bucket URL=… TOKEN=…",
  missing: "This is not the bucket of this database: only one of them has a deployment id. Check the binding IMAGES, or S3_ENDPOINT and S3_BUCKET. If it was copied or restored, run: make bind-bucket URL=… TOKEN=…",
  different: "This is the bucket of another deployment. Check the binding IMAGES, or S3_ENDPOINT and S3_BUCKET. To bind it to this one, run: make bind-bucket URL=… TOKEN=…",
  unreadable: "Reading the object deployment-id in the bucket is denied. Allow it as in docs/deploy/iam-policy.json.",
};

async function ready(context, report) {
  const { status, json = {} } = await ask(context, "/readyz");
  for (const { variable, expected } of json.configuration ?? []) report.fail(`The variable ${variable} is invalid. It should be ${expected}.`);
  for (const [part, sentence] of Object.entries(PARTS)) if (part in json) report.expect(json[part] === "ok", sentence);
  if (json.bucket in BUCKETS) report.fail(BUCKETS[json.bucket]);
  report.expect(status === 200 || json.configuration || json.bucket in BUCKETS || Object.keys(PARTS).some((part) => json[part] !== "ok"), `/readyz answers ${status}.`);
  return "Object store, database and ledger answer, and the bucket belongs to the database.";
}

async function policy(context, report) {
  const query = context.form ? `?formId=${encodeURIComponent(context.form)}` : "";
  const { status, json, code } = await ask(context, `/policy${query}`);
  if (context.form && !report.expect(code !== "FORM_NOT_FOUND" && (status !== 200 || json.form), `There is no form ${context.form}. Write its policy with PUT /forms/${context.form}, or check FORM.`)) return undefined;
  report.expect(status === 200 && json?.limits?.maxBytes > 0, `/policy answers ${status}, so the browser package cannot check files before an upload.`);
  if (json?.form) report.expect(json.form.state === "open", `The form ${context.form} takes no pictures now: it is ${json.form.state.replaceAll("_", " ")} (opensAt ${json.form.opensAt}, closesAt ${json.form.closesAt}).`);
  context.policy = json;
  return `Up to ${Math.round((json?.limits?.maxBytes ?? 0) / 1024)} KiB per image${json?.requireTicket ? ", with a ticket" : ""}.`;
}

async function cors(context, report) {
  const { origin } = context;
  const allows = (answer) => ["*", origin].includes(answer.header("access-control-allow-origin"));
  const remedy = `Add ${origin} to ALLOWED_ORIGINS, or set ORIGIN=… to the origin of your pages.`;
  const headers = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type,x-filename" };
  const preflight = await ask(context, "/images", { method: "OPTIONS", headers });
  report.expect(preflight.status === 204, `The preflight answers ${preflight.status}, not 204. Check whether a rule or proxy in front of the Worker handles OPTIONS.`);
  if (!report.expect(allows(preflight), `Pages at ${origin} are not allowed to call the API. ${remedy}`)) return undefined;
  report.expect(/\bPOST\b/.test(preflight.header("access-control-allow-methods")), "The preflight does not allow POST.");
  const allowed = preflight.header("access-control-allow-headers").toLowerCase().split(/\s*,\s*/);
  for (const name of ["authorization", "content-type", "x-filename"]) report.expect(allowed.includes(name), `The preflight does not allow the header ${name}.`);
  for (const [path, method] of [["/images", "POST"], ["/nowhere-at-all", "GET"]]) {
    const refusal = await ask(context, path, { method });
    report.expect(allows(refusal), `The error ${refusal.status} of ${method} ${path} has no CORS headers, so pages cannot read its reason.`);
  }
  const foreign = await ask({ ...context, origin: "https://foreign.example" }, "/images", { method: "OPTIONS", headers });
  const open = foreign.header("access-control-allow-origin") !== "";
  if (open && !isLocal(context.base)) report.note("Pages of any origin can call the API (ALLOWED_ORIGINS is *). List your origins in production.");
  return `Pages at ${origin} can call the API and read its errors.`;
}

async function refusals(context, report) {
  const answer = await ask(context, "/images", { method: "POST", headers: { "Accept-Language": "ko", "Content-Type": "image/png" } });
  report.expect(answer.status === 401 && answer.code === "TOKEN_MISSING", `An upload without a token answers ${answer.status} ${answer.code ?? ""}, not 401 TOKEN_MISSING.`);
  report.expect(answer.header("content-type") === "application/problem+json", "Errors are not application/problem+json. Check whether a rule or proxy in front of the Worker replaces them.");
  report.expect(/[가-힣]/.test(answer.json?.detail ?? ""), "With Accept-Language: ko an error is not in Korean.");
  return "An upload without a token gets 401, with a sentence in the caller's language.";
}

async function token(context, report) {
  if (context.policy.guests === false) return void report.note(`Guests are refused (GUESTS, or "guests" of the form), so no guest token was requested.`);
  const answer = await ask(context, "/auth/guest-token");
  if (!report.expect(answer.status === 200, `A request for a guest token answers ${answer.status} ${answer.code ?? ""}.`)) return undefined;
  const { data } = answer.json;
  const [head, payload, signature] = data.token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const { kid } = JSON.parse(Buffer.from(head, "base64url").toString());
  const keys = (await ask(context, "/.well-known/jwks.json")).json?.keys ?? [];
  const jwk = keys.find((key) => key.kid === kid);
  if (report.expect(jwk, "The key that signs guest tokens is not published at /.well-known/jwks.json.")) {
    const key = { key: createPublicKey({ format: "jwk", key: jwk }), dsaEncoding: "ieee-p1363" };
    report.expect(verify("sha256", Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, "base64url")), "The guest token does not verify with the published key.");
  }
  report.expect(claims.role === "GUEST" && claims.exp - claims.iat === data.expiresIn, "The guest token has another role or lifetime than its response says.");
  Object.assign(context, { guest: data.token, claims, timestamp: answer.json.timestamp, date: answer.header("date") });
  return `A guest token is valid for ${data.expiresIn} s and verifies with the published key.`;
}

async function clock({ claims, timestamp, date }, report) {
  if (!claims) return undefined;
  const now = Date.now() / 1000;
  const clocks = { "its responses": Date.parse(timestamp) / 1000, "its tokens": claims.iat, ...(date ? { "its Date header": Date.parse(date) / 1000 } : {}) };
  for (const [whose, seconds] of Object.entries(clocks)) {
    const off = Math.round(seconds - now);
    const way = off > 0 ? "ahead of" : "behind";
    report.expect(Math.abs(off) <= LEEWAY_S, `The clock of ${whose} is ${Math.abs(off)} s ${way} this machine's, so tokens live too long or are rejected. Set this machine's clock, or check proxies in between.`);
  }
  return "The clocks agree.";
}

async function upload(context, report) {
  if (context.policy?.uploads === "off") return void report.note("Uploads are switched off (UPLOADS=off), so none was tested.");
  let bearer = context.token || context.guest;
  if (context.policy?.requireTicket) {
    if (!context.token) return void report.note("Uploads need a ticket, which only back ends get. Set TOKEN=… with the role SERVICE to test an upload.");
    const options = { method: "POST", headers: { Authorization: `Bearer ${context.token}`, "Content-Type": "application/json" }, body: "{}" };
    bearer = (await ask(context, "/uploads/tickets", options)).json?.data?.ticket;
  }
  if (!bearer) return void report.note("Without guests, set TOKEN=… of a user to test an upload.");
  if (context.policy?.requireForm && !context.form) return void report.note("Pictures need a form (REQUIRE_FORM). Set FORM=… to test an upload.");
  if (context.policy?.acceptedTypes && !context.policy.acceptedTypes.includes("image/png")) return void report.note("PNG is not accepted, so no upload was tested.");
  context.picture = newPicture(context.policy);
  const send = (bytes) => {
    const headers = { Authorization: `Bearer ${bearer}` };
    if (!context.form) return ask(context, "/images", { method: "POST", body: bytes, headers: { ...headers, "Content-Type": "image/png", "X-Filename": "doctor.png" } });
    const body = new FormData();
    body.append("formId", context.form);
    body.append("image", new Blob([bytes], { type: "image/png" }), "doctor.png");
    return ask(context, "/images", { method: "POST", body, headers });
  };
  const answer = await send(context.picture);
  if (!report.expect(answer.status === 201, `The upload answers ${answer.status} ${answer.code ?? ""}: ${answer.json?.detail ?? ""}`)) return undefined;
  const { data } = answer.json;
  context.stored = data;
  const at = new URL(data.imageUrl).origin;
  report.expect(at === context.base, `The image's URL begins with ${at}, not with ${context.base}. Check PUBLIC_BASE_URL.`);
  for (const name of ["ratelimit-policy", "ratelimit"]) report.expect(answer.header(name), `The response has no ${name} field, so clients do not know their limits.`);
  if (!context.policy?.requireTicket) {
    const again = await send(context.picture);
    // A guest's token that allows one upload (GUEST_SINGLE_USE).
    if (!context.token && again.code === "TICKET_SPENT") bearer = (await ask(context, "/auth/guest-token")).json?.data?.token;
    else report.expect(again.status === 200 && again.json?.data.key === data.key, `Uploading the same image again answers ${again.status}, so a retry would store a second one.`);
    // A truncated image and not a disguised file, which would be a strike against this machine's client IP.
    const cut = await send(context.picture.subarray(0, context.picture.length - 20));
    report.expect(cut.code === "IMAGE_CORRUPT", `A truncated image answers ${cut.status} ${cut.code ?? ""}, not IMAGE_CORRUPT.`);
  }
  report.expect(context.token || data.expiresAt, "A guest image has no expiry, so anyone can fill the store. Check PENDING_ROLES.");
  if (data.expiresAt) report.note(`The uploaded image expires at ${data.expiresAt}.`);
  return `Stored; a retry gets the same image, and a truncated one is rejected. Limits: ${answer.header("ratelimit-policy")}.`;
}

async function delivery(context, report) {
  if (!context.stored) return void report.note("Skipped, because no image was uploaded.");
  const path = `/${context.stored.key}`;
  const whole = await ask(context, path);
  report.expect(whole.status === 200 && whole.bytes.equals(context.picture), `Reading the image answers ${whole.status} with ${whole.bytes.length} bytes, not the ${context.picture.length} that were sent. Check for a service that changes images, such as Polish or Mirage.`);
  const head = await ask(context, path, { method: "HEAD" });
  report.expect(head.status === 200 && head.header("content-length") === String(context.picture.length), `HEAD answers ${head.status} with Content-Length ${head.header("content-length") || "missing"}.`);
  const etag = whole.header("etag");
  report.expect(etag, "The image has no ETag.");
  const unchanged = await ask(context, path, { headers: { "If-None-Match": etag } });
  report.expect(unchanged.status === 304, `A request with its ETag answers ${unchanged.status}, not 304.`);
  const part = await ask(context, path, { headers: { Range: "bytes=0-7" } });
  report.expect(part.status === 206 && part.bytes.equals(context.picture.subarray(0, 8)), `A range of 8 bytes answers ${part.status} with ${part.bytes.length} bytes, not 206.`);
  report.expect(/^public, max-age=\d+, s-maxage=\d+$/.test(whole.header("cache-control")), `Cache-Control is "${whole.header("cache-control")}", not "public, max-age=…, s-maxage=…". Check for a rule that changes headers, such as a Browser Cache TTL.`);
  const expected = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cross-origin-resource-policy": "cross-origin" };
  for (const [name, value] of Object.entries(expected)) report.expect(whole.header(name) === value, `The image's ${name} is "${whole.header(name)}", not "${value}". Check for a rule that changes headers.`);
  report.expect(/default-src 'none'.*sandbox/.test(whole.header("content-security-policy")), "The image has no Content-Security-Policy that forbids scripts.");
  report.expect(whole.header("content-type") === "image/png", `The image is served as ${whole.header("content-type")}, not image/png.`);
  return "The image is served byte for byte; HEAD, 304, 206, caching and security headers are right.";
}

/** The limits that are enforced are those that are announced. */
async function limits(context, report) {
  const { policy, guest, token } = context;
  if (!context.stored || policy.requireTicket) return void report.note("Skipped, because no image was uploaded without a ticket.");
  const bearer = token || (await ask(context, "/auth/guest-token")).json?.data?.token || guest;
  const headers = { Authorization: `Bearer ${bearer}`, "Content-Type": "image/png" };
  const answer = await ask(context, "/images", { method: "POST", headers, body: new Uint8Array(policy.limits.maxBytes + 1) });
  report.expect(answer.code === "FILE_TOO_LARGE", `A file one byte above the ${policy.limits.maxBytes} of /policy answers ${answer.status} ${answer.code ?? ""}, not FILE_TOO_LARGE. Check that all traffic is on one version, and for a body limit in front of the Worker.`);
  const most = policy.form ? undefined : policy.maxEdge;
  if (most) report.expect(context.stored.width <= most && context.stored.height <= most, `The stored image has ${context.stored.width} by ${context.stored.height} pixels, above the maxEdge of /policy (${most}).`);
  return "A file above the announced size is refused.";
}

/** The job that compares database and store ran within the last half hour. Its time is in the metrics. */
async function sweep({ adminToken, ...context }, report) {
  if (!adminToken) return void report.note("Skipped: set ADMIN_TOKEN=… of an administrator to read when the last sweep ran.");
  const answer = await ask(context, "/metrics", { headers: { Authorization: `Bearer ${adminToken}` } });
  if (!report.expect(answer.status === 200, `/metrics answers ${answer.status} ${answer.code ?? ""}. ADMIN_TOKEN must be a token with the role ADMIN.`)) return undefined;
  const text = answer.bytes.toString();
  const [, seconds] = /^image_edge_swept_timestamp_seconds(?:\{[^}]*\})? ([\d.e+]+)$/m.exec(text) ?? [];
  if (!Number(seconds)) return void report.note("No sweep has run yet. It runs every five minutes (crons in wrangler.toml).");
  const age = Math.round(Date.now() / 1000 - Number(seconds));
  report.expect(age <= SWEEP_S, `The last sweep ended ${age} s ago. Check the cron trigger, and image_edge_sweeps_total at /metrics.`);
  return `The last sweep ended ${age} s ago.`;
}

/** A private picture is refused by the Worker, and not looked for among the pages. */
async function privacy(context, report) {
  const path = "/private/users/doctor/images/1-00000000-0000-4000-8000-000000000000.png";
  for (const query of ["", "?exp=9999999999&sig=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]) {
    const answer = await ask(context, path + query);
    report.expect(answer.code === "SIGNATURE_INVALID", `${path} without a valid signature answers ${answer.status} ${answer.code ?? ""}, not SIGNATURE_INVALID. Check that /private/* is in run_worker_first.`);
    report.expect(answer.header("cache-control") === "no-store", `${path} has Cache-Control "${answer.header("cache-control")}", not no-store. Check for a rule that caches everything.`);
  }
  return "Private pictures need a signature.";
}

/** Deletes the image of a user; a guest image expires. */
async function removal({ token, stored, ...context }, report) {
  if (!token || !stored) return undefined;
  const answer = await ask(context, `/images?${new URLSearchParams({ key: stored.key })}`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
  report.expect([200, 202].includes(answer.status), `Deleting the image answers ${answer.status} ${answer.code ?? ""}. Delete ${stored.key} at /admin/.`);
  return "The user's image is deleted.";
}

/** Sentences for what a back end answers to an event. */
const EVENT_CAUSES = {
  unreachable: "Check WEBHOOK_URL, and that the back end accepts connections from Cloudflare.",
  "no answer in time": "The back end must answer within 15 s; do slow work after the response.",
  "status 401": "The signature was refused: set the same WEBHOOK_SECRET at both ends, and verify the raw body.",
  "status 403": "Check whether a firewall in front of the back end blocks the request.",
  "status 404": "Check the path in WEBHOOK_URL.",
};

/** Sends a test event to the back end, which also starts deliveries again that were stopped. */
async function events({ adminToken, ...context }, report) {
  if (!adminToken) return void report.note("Skipped: set ADMIN_TOKEN=… of an administrator to send a test event to the back end.");
  const headers = { Authorization: `Bearer ${adminToken}` };
  const answer = await ask(context, "/admin/api/webhooks/ping", { method: "POST", headers });
  if (answer.status === 404) return void report.note("No back end gets events (WEBHOOK_URL is not set).");
  if (!report.expect(answer.status === 200, `The test event answers ${answer.status} ${answer.code ?? ""}. ADMIN_TOKEN must be a token with the role ADMIN.`)) return undefined;
  const { delivered, error, tookMs } = answer.json.data;
  const redirect = /^status 3/.test(error) ? "Redirects are not followed; set WEBHOOK_URL to the last address." : "";
  report.expect(delivered, `The back end does not take the test event (${error}). ${EVENT_CAUSES[error] ?? redirect}`.trim());
  const { failed, dead } = (await ask(context, "/admin/api/webhooks", { headers })).json?.data ?? {};
  if (failed + dead > 0) report.note(`${failed} events are being repeated and ${dead} were given up; see /admin/.`);
  return `The back end took a test event in ${tookMs} ms.`;
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
  { name: "limits", needs: ["upload"], run: limits },
  { name: "privacy", needs: ["policy"], run: privacy },
  { name: "removal", needs: ["upload"], run: removal },
  { name: "sweep", needs: ["ready"], run: sweep },
  { name: "events", needs: ["policy"], run: events },
];
