// Tests a running Worker against openapi.json with schemathesis: it sends valid and invalid requests, and every response must
// match the description. API_EXAMPLES is the number of examples per operation.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

import { startServer } from "../e2e/server.mjs";
import { writeReport } from "../report.mjs";

const examples = process.env.API_EXAMPLES ?? "10";
// High limits prevent rejections and bans; limits have their own tests.
const UNLIMITED = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, SERVICE_PER_MINUTE: 100_000, DAILY_COUNT: 10_000_000, DAILY_BYTES: 2 ** 50, STRIKES_TO_BAN: 1000 };

const FIXTURES = new URL("../fixtures/jpeg/", import.meta.url);

async function ask(url, options) {
  const answer = await fetch(url, options);
  assert.ok(answer.ok, `${url}: ${answer.status}`);
  return (await answer.json()).data;
}

/** Creates images and a user; returns their ids and keys for hooks.py. */
async function createResources(server, token) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "image/jpeg" };
  const pictures = [];
  for (const name of readdirSync(FIXTURES)) {
    const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body: readFileSync(new URL(name, FIXTURES)) });
    if (answer.ok) pictures.push((await answer.json()).data);
  }
  const account = JSON.stringify({ email: "owner@example.org", password: "correct horse battery" });
  const { user } = await ask(`${server.url}/users/signup`, { method: "POST", headers: { "Content-Type": "application/json" }, body: account });
  // Operations with an id may delete its image; the first one is used only in bodies and for delivery.
  const [shown, ...deletable] = pictures;
  const [, userId, , file] = shown.key.split("/");
  return {
    paths: {
      "/images/{id}": deletable.map(({ imageId }) => ({ id: imageId })),
      "/users/{id}": [{ id: user.id }],
      "/users/{userId}/images/{file}": [{ userId, file }],
      "/admin/api/users/{id}": [{ id: userId }],
    },
    members: { key: shown.key, imageUrl: shown.imageUrl, email: "owner@example.org" },
  };
}

function schemathesis(server, environment) {
  const command = "target/schemathesis/bin/schemathesis";
  const words = ["--config-file", "tests/api/schemathesis.toml", "run", "www/openapi.json", "--url", server.url];
  const how = ["--max-examples", examples, "--generation-deterministic", "--no-color", ...process.argv.slice(2)];
  const env = { ...process.env, ...environment, SCHEMATHESIS_HOOKS: "hooks", PYTHONPATH: "tests/api", PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn(command, [...words, ...how], { env, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (text) => {
    process.stdout.write(text);
    output += text;
  });
  return new Promise((resolve, reject) => child.once("error", reject).once("close", (status) => resolve({ status, output })));
}

/** The counts in the summary of schemathesis. */
function count(output) {
  const after = (pattern) => Number(pattern.exec(output)?.[1] ?? NaN);
  const [operations, cases, passed] = [after(/Tested: (\d+)/), after(/(\d+) generated/), after(/generated, (\d+) passed/)];
  return { operations, cases, failed: cases - passed };
}

const server = await startServer({ vars: UNLIMITED });
try {
  const LIFETIME_S = 7200;
  const service = server.token({ sub: "tester", role: "SERVICE" }, LIFETIME_S);
  const admin = server.token({ sub: "boss", role: "ADMIN" }, LIFETIME_S);
  const known = await createResources(server, service);
  const environment = { API_SERVICE_TOKEN: service, API_ADMIN_TOKEN: admin, API_KNOWN: JSON.stringify(known) };
  const { status, output } = await schemathesis(server, environment);
  writeReport("api", count(output));
  process.exitCode = status;
} finally {
  await server.stop();
}
