// Tries a running Worker against openapi.json with schemathesis: requests that the description allows and
// requests that it does not, and every answer must be as described. API_EXAMPLES says how many an operation.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

import { startServer } from "../e2e/server.mjs";

const examples = process.env.API_EXAMPLES ?? "25";
// Nobody is held back here, and nobody shut out: limits have tests of their own.
const UNLIMITED = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 10_000_000, DAILY_BYTES: 2 ** 50, STRIKES_TO_BAN: 1000 };

async function ask(url, options) {
  const answer = await fetch(url, options);
  assert.ok(answer.ok, `${url}: ${answer.status}`);
  return (await answer.json()).data;
}

/** Puts a picture and a user there; what hooks.py tells schemathesis of. */
async function plant(server, token) {
  const body = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "image/jpeg" };
  const picture = await ask(`${server.url}/images`, { method: "POST", headers, body });
  const account = JSON.stringify({ email: "ann@example.org", password: "correct horse battery" });
  const { user } = await ask(`${server.url}/users/signup`, { method: "POST", headers: { "Content-Type": "application/json" }, body: account });
  const [, userId, , file] = picture.key.split("/");
  return {
    paths: {
      "/images/{id}": { id: picture.imageId },
      "/users/{id}": { id: user.id },
      "/users/{userId}/images/{file}": { userId, file },
      "/admin/api/users/{id}": { id: userId },
    },
    members: { key: picture.key, imageUrl: picture.imageUrl, email: "ann@example.org" },
  };
}

function schemathesis(server, environment) {
  const command = "target/schemathesis/bin/schemathesis";
  const words = ["--config-file", "tests/api/schemathesis.toml", "run", "www/openapi.json", "--url", server.url];
  const how = ["--max-examples", examples, "--generation-deterministic", "--no-color", "--workers", "2", ...process.argv.slice(2)];
  const env = { ...process.env, ...environment, SCHEMATHESIS_HOOKS: "hooks", PYTHONPATH: "tests/api", PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn(command, [...words, ...how], { env, stdio: "inherit" });
  return new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
}

const server = await startServer({ vars: UNLIMITED });
try {
  const LIFETIME_S = 7200;
  const service = server.token({ sub: "tester", role: "SERVICE" }, LIFETIME_S);
  const admin = server.token({ sub: "boss", role: "ADMIN" }, LIFETIME_S);
  const known = await plant(server, service);
  const environment = { API_SERVICE_TOKEN: service, API_ADMIN_TOKEN: admin, API_KNOWN: JSON.stringify(known) };
  process.exitCode = await schemathesis(server, environment);
} finally {
  await server.stop();
}
