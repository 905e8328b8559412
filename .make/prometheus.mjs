// Finds Prometheus and its promtool, or installs both where it may (Debian as root), or says what to do.
// Others import `findPrometheus`; run as a program it makes sure that both are there.
import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";

import { which } from "./chromium.mjs";

/** The paths of an installed Prometheus and its tool; `PROMETHEUS` and `PROMTOOL` override. */
export function findPrometheus() {
  const server = process.env.PROMETHEUS || which("prometheus");
  const tool = process.env.PROMTOOL || which("promtool");
  if (server && tool) return { server, tool };
  throw new Error(
    "Missing: prometheus and promtool. Install both (Debian: apt-get install prometheus; macOS: brew install prometheus; " +
      "others: prometheus.io/download) or set PROMETHEUS and PROMTOOL to their paths.",
  );
}

function isThere() {
  try {
    return Boolean(findPrometheus());
  } catch {
    return false;
  }
}

function install() {
  console.log("==> Installing Prometheus with apt (about half a minute)");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...words) => execFileSync("apt-get", words, { stdio: ["ignore", "ignore", "inherit"], env });
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", "prometheus");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!isThere() && which("apt-get") && process.getuid?.() === 0) install();
  try {
    findPrometheus();
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
