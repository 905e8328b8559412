// An account at Cloudflare that wrangler talks to through CLOUDFLARE_API_BASE_URL. It keeps Workers with their versions and secrets, databases and
// buckets, and answers what the commands of this project ask. Nothing runs on it.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { resolve } from "node:path";

const ACCOUNT = "0".repeat(32);

/** Starts an empty account. `state` has what exists, `asked` the requests that change something. */
export async function startAccount({ subdomain = "people" } = {}) {
  const state = { workers: new Map(), databases: new Map(), buckets: new Map() };
  const asked = [];
  const unknown = [];

  const worker = (name) => state.workers.get(name);
  const addVersion = (name, metadata) => {
    const it = worker(name) ?? { secrets: new Set(), versions: [], deployments: [] };
    state.workers.set(name, it);
    for (const { type, name: binding, text } of metadata.bindings ?? []) if (type === "secret_text" && text) it.secrets.add(binding);
    const version = { id: randomUUID(), number: it.versions.length + 1, metadata: { created_on: new Date().toISOString(), source: "wrangler", author_email: "a@example.com" }, resources: { bindings: metadata.bindings, script: { etag: "e", handlers: ["fetch"] }, script_runtime: {} }, bindings: metadata.bindings };
    it.versions.push(version);
    it.migration = metadata.migrations?.new_tag ?? it.migration;
    return version;
  };
  const deployTo = (name, versions) => {
    const deployment = { id: randomUUID(), source: "wrangler", strategy: "percentage", author_email: "a@example.com", created_on: new Date().toISOString(), annotations: {}, versions };
    worker(name).deployments.unshift(deployment);
    return deployment;
  };
  const failure = (status, code, message) => ({ status, errors: [{ code, message }] });
  const noWorker = failure(404, 10007, "This Worker does not exist on your account.");

  const routes = [
    ["GET", /^\/workers\/scripts\/([^/]+)\/secrets$/, ([name]) => (worker(name) ? { result: [...worker(name).secrets].map((secret) => ({ name: secret, type: "secret_text" })) } : noWorker)],
    ["GET", /^\/workers\/scripts\/([^/]+)\/deployments$/, ([name]) => (worker(name) ? { result: { deployments: worker(name).deployments } } : noWorker)],
    ["POST", /^\/workers\/scripts\/([^/]+)\/deployments$/, ([name], { versions }) => ({ result: deployTo(name, versions) })],
    ["GET", /^\/workers\/scripts\/([^/]+)\/versions\/([^/]+)$/, ([name, id]) => ({ result: worker(name)?.versions.find((version) => version.id === id) })],
    ["GET", /^\/workers\/scripts\/([^/]+)\/versions$/, ([name]) => (worker(name) ? { result: { items: worker(name).versions } } : noWorker)],
    ["POST", /^\/workers\/scripts\/([^/]+)\/versions$/, ([name], body) => ({ result: { ...addVersion(name, body), startup_time_ms: 10 } })],
    ["GET", /^\/workers\/services\/([^/]+)$/, ([name]) => (worker(name) ? { result: { default_environment: { environment: "production", script: { last_deployed_from: "wrangler", tag: "t", tags: [], migration_tag: worker(name).migration } } } } : failure(404, 10090, "workers.api.error.service_not_found"))],
    ["GET", /^\/workers\/scripts\/([^/]+)\/settings$/, ([name]) => (worker(name) ? { result: { bindings: worker(name).versions.at(-1)?.bindings ?? [] } } : noWorker)],
    ["GET", /^\/workers\/services\/([^/]+)\/environments\/[^/]+\/settings$/, () => ({ result: { bindings: [] } })],
    ["PATCH", /^\/workers\/scripts\/([^/]+)\/(?:script-)?settings$/, () => ({ result: {} })],
    ["PUT", /^\/workers\/scripts\/([^/]+)$/, ([name], body) => {
      const version = addVersion(name, body);
      deployTo(name, [{ version_id: version.id, percentage: 100 }]);
      return { result: { id: name, tag: "t", etag: "e", pipeline_hash: "h", mutable_pipeline_id: "m", deployment_id: version.id, available_on_subdomain: true, startup_time_ms: 10 } };
    }],
    ["DELETE", /^\/workers\/(?:scripts|services)\/([^/]+)$/, ([name]) => (state.workers.delete(name) ? { result: null } : noWorker)],
    ["GET", /^\/workers\/scripts$/, () => ({ result: [...state.workers.keys()].map((id) => ({ id })) })],
    ["POST", /^\/workers\/scripts\/([^/]+)\/assets-upload-session$/, () => ({ result: { jwt: "done", buckets: [] } })],
    ["GET", /^\/workers\/workers\/([^/]+)$/, ([name]) => ({ result: { id: "w", name, subdomain: { enabled: true, previews_enabled: true }, observability: {}, tags: [], logpush: false, tail_consumers: [] } })],
    ["PATCH", /^\/workers\/workers\/([^/]+)$/, ([name]) => ({ result: { id: "w", name } })],
    ["GET", /^\/storage\/kv\/namespaces$/, () => ({ result: [] })],
    ["GET", /^\/workers\/durable_objects\/namespaces$/, () => ({ result: [] })],
    ["GET", /^\/workers\/subdomain$/, () => ({ result: { subdomain } })],
    ["GET", /^\/workers\/(?:scripts|services)\/([^/]+)\/(?:environments\/[^/]+\/)?subdomain$/, () => ({ result: { enabled: true, previews_enabled: true } })],
    ["POST", /^\/workers\/(?:scripts|services)\/([^/]+)\/(?:environments\/[^/]+\/)?subdomain$/, () => ({ result: { enabled: true, previews_enabled: true } })],
    ["PUT", /^\/workers\/scripts\/([^/]+)\/schedules$/, () => ({ result: { schedules: [] } })],
    ["GET", /^\/d1\/database$/, () => ({ result: [...state.databases].map(([name, uuid]) => ({ name, uuid, version: "production" })), result_info: { page: 1, per_page: 100, count: state.databases.size, total_count: state.databases.size } })],
    ["POST", /^\/d1\/database$/, (_, { name }) => {
      state.databases.set(name, randomUUID());
      return { result: { name, uuid: state.databases.get(name), created_in_region: "APAC" } };
    }],
    ["GET", /^\/d1\/database\/([^/]+)$/, ([id]) => {
      const found = [...state.databases].find((it) => it.includes(id));
      return found ? { result: { name: found[0], uuid: found[1], version: "production" } } : failure(404, 7404, "The database was not found");
    }],
    ["POST", /^\/d1\/database\/([^/]+)\/query$/, () => ({ result: [{ success: true, results: [], meta: { duration: 1 } }] })],
    ["DELETE", /^\/d1\/database\/([^/]+)$/, ([id]) => {
      for (const [name, uuid] of state.databases) if (uuid === id) state.databases.delete(name);
      return { result: null };
    }],
    ["GET", /^\/r2\/buckets\/([^/]+)$/, ([name]) => (state.buckets.has(name) ? { result: { name } } : failure(404, 10006, "The specified bucket does not exist."))],
    ["GET", /^\/r2\/buckets$/, () => ({ result: { buckets: [...state.buckets.keys()].map((name) => ({ name })) } })],
    ["POST", /^\/r2\/buckets$/, (_, { name }) => {
      state.buckets.set(name, 0);
      return { result: { name } };
    }],
    ["DELETE", /^\/r2\/buckets\/([^/]+)$/, ([name]) => {
      if (!state.buckets.has(name)) return failure(404, 10006, "The specified bucket does not exist.");
      if (state.buckets.get(name) > 0) return failure(409, 10008, "The bucket you tried to delete is not empty.");
      state.buckets.delete(name);
      return { result: {} };
    }],
  ];

  const server = createServer(async (request, answer) => {
    const { pathname, search } = new URL(request.url, "http://api");
    const path = pathname.replace(`/accounts/${ACCOUNT}`, "");
    const body = await read(request);
    const [, pattern, handle] = routes.find(([method, pattern]) => method === request.method && pattern.test(path)) ?? [];
    if (!handle) unknown.push(`${request.method} ${path}${search}`);
    const { status = 200, errors = [], result, result_info } = handle ? handle(pattern.exec(path).slice(1), body) : failure(404, 7003, `No route ${request.method} ${path}`);
    if (request.method !== "GET") asked.push({ method: request.method, path, body });
    answer.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify({ success: errors.length === 0, errors, messages: [], result, result_info }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    state,
    asked,
    unknown,
    env: { ...process.env, CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${server.address().port}`, CLOUDFLARE_API_TOKEN: "test-token", CLOUDFLARE_ACCOUNT_ID: ACCOUNT, CI: "1", NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", NODE_COMPILE_CACHE: resolve("target/tmp/compiled") },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The body of a request: JSON, or the metadata of an uploaded Worker. */
async function read(request) {
  const bytes = Buffer.concat(await request.toArray());
  const type = request.headers["content-type"] ?? "";
  if (type.startsWith("multipart/form-data")) {
    const form = await new Response(bytes, { headers: { "Content-Type": type } }).formData();
    return JSON.parse(await new Response(form.get("metadata")).text());
  }
  return bytes[0] === "{".charCodeAt(0) ? JSON.parse(bytes) : undefined;
}
