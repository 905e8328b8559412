// Drives Firefox with WebDriver BiDi over its socket, because playwright-core uses commands that the extended support release does not have.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findFirefox } from "../../.make/programs.mjs";

/** No access to the internet, and no dialogs of a first start. */
const PREFERENCES = {
  "app.update.disabledForTesting": true,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.systemAddon.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

/** `preferences` are added to those above. */
export async function startFirefox(preferences = {}) {
  const profile = mkdtempSync(join(tmpdir(), "the-form-firefox-"));
  const lines = Object.entries({ ...PREFERENCES, ...preferences }).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
  writeFileSync(join(profile, "user.js"), lines.join("\n"));
  const child = spawn(findFirefox(), ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, HOME: profile },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const socket = await connect(await address(child));
  const send = commands(socket);
  await send("session.new", { capabilities: {} });
  const { contexts } = await send("browsingContext.getTree", {});
  const context = contexts[0].context;
  return {
    goto: (url) => send("browsingContext.navigate", { context, url, wait: "complete" }),
    /** Runs a function in every page before its own scripts. */
    prepare: (work) => send("script.addPreloadScript", { functionDeclaration: String(work) }),
    /** Runs an async function in the page; arguments and result are JSON. */
    evaluate: async (work, ...given) => {
      const expression = `(${work})(...${JSON.stringify(given)}).then((value) => JSON.stringify(value))`;
      const reply = await send("script.evaluate", { expression, target: { context }, awaitPromise: true });
      if (reply.type !== "success") throw new Error(reply.exceptionDetails.text);
      return JSON.parse(reply.result.value);
    },
    stop: async () => {
      socket.close();
      child.kill();
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The address of its socket, from its output. */
function address(child) {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stderr.on("data", (text) => {
      output += text;
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(output);
      if (found) resolve(`${found[1]}/session`);
    });
    child.once("exit", () => reject(new Error(`Firefox did not start:\n${output}`)));
  });
}

function connect(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.addEventListener("open", () => resolve(socket), { once: true });
    socket.addEventListener("error", () => reject(new Error(`Firefox does not answer at ${url}.`)), { once: true });
  });
}

function commands(socket) {
  const waiting = new Map();
  socket.addEventListener("message", ({ data }) => {
    const { id, type, result, error, message } = JSON.parse(data);
    const asker = waiting.get(id);
    waiting.delete(id);
    if (type === "success") asker?.resolve(result);
    else asker?.reject(new Error(`${error}: ${message}`));
  });
  let last = 0;
  return (method, params) => {
    const id = ++last;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  };
}
