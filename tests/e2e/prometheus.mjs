// Starts a real Prometheus in a temporary folder, which scrapes the Worker, and queries and stops it.
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findPrometheus } from "../../.make/programs.mjs";
import { freePort } from "./server.mjs";

const START_MS = 60_000;

/** Starts Prometheus with the configuration of docs/monitoring; it scrapes `target` (host and port) every two seconds. */
export async function startPrometheus(target, token) {
  const folder = mkdtempSync(join(tmpdir(), "the-form-prometheus-"));
  const [config, port] = [join(folder, "prometheus.yml"), await freePort()];
  const ours = readFileSync("docs/monitoring/prometheus.yml", "utf8");
  const local = ours.replace("https", "http").replace('"image.the-form"', `"${target}"`).replaceAll("30s", "2s");
  writeFileSync(config, local);
  writeFileSync(join(folder, "metrics-token"), token, { mode: 0o600 });
  for (const name of ["alerts.yml", "objectives.yml"]) copyFileSync(join("docs/monitoring", name), join(folder, name));
  const options = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`, `--web.listen-address=127.0.0.1:${port}`];
  let log = "";
  const child = spawn(findPrometheus().server, options, { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log += text));
  const url = `http://127.0.0.1:${port}`;
  const ask = async (path) => {
    const answer = await fetch(url + path);
    const { status, data, error } = await answer.json();
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  };
  const prometheus = {
    url,
    ask,
    /** The current result of an expression: a list of labels with their values. */
    query: async (expression) => (await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`)).result,
    /** The single value of an expression, or undefined. */
    value: async (expression) => {
      const [found] = await prometheus.query(expression);
      return found && Number(found.value[1]);
    },
    stop: async () => {
      if (child.exitCode === null && child.pid) {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  const deadline = Date.now() + START_MS;
  while (!(await fetch(`${url}/-/ready`).catch(() => undefined))?.ok) {
    if (Date.now() > deadline || child.exitCode !== null) {
      await prometheus.stop();
      throw new Error(`Prometheus did not answer:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return prometheus;
}
