// Brings up the whole system on this machine: the Worker with an S3 server as its store, and Prometheus with the alerts of docs/monitoring. Everything is
// in temporary folders and ends with this command. It uses the servers of the tests.
import { randomBytes } from "node:crypto";

import { startPrometheus } from "../tests/e2e/prometheus.mjs";
import { startS3 } from "../tests/e2e/s3.mjs";
import { createDemoForms, startServer } from "../tests/e2e/server.mjs";

const TOKEN_S = 86_400;
const stops = [];
let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  for (const end of stops.reverse()) await end();
  process.exit();
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stop);

try {
  const metricsToken = randomBytes(32).toString("base64url");
  const s3 = await startS3();
  stops.push(s3.stop);
  const server = await startServer({ vars: s3.vars(), secrets: { METRICS_TOKEN: metricsToken } });
  stops.push(server.stop);
  createDemoForms(server);
  const prometheus = await startPrometheus(new URL(server.url).host, metricsToken);
  stops.push(prometheus.stop);
  console.log(`
Demo          ${server.url}/
Documents     ${server.url}/docs/
Administrator ${server.url}/admin/   token: ${server.token({ sub: "me", role: "ADMIN" }, TOKEN_S)}
User          token: ${server.token({}, TOKEN_S)}
Object store  ${s3.url} (S3)
Prometheus    ${prometheus.url}   alerts: ${prometheus.url}/alerts

Ctrl-C ends everything and deletes its data.`);
  // The cron trigger does not run by itself here.
  setInterval(() => void server.runCron().catch(() => {}), 300_000);
} catch (error) {
  console.error(error.message);
  await stop();
}
