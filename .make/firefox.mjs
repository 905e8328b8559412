// Finds Firefox, or installs it where it may (Debian as root), or says what to do. Others import `findFirefox`;
// run as a program it makes sure that it is there.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

const MAC_FIREFOX = "/Applications/Firefox.app/Contents/MacOS/firefox";

/** The path of an installed Firefox; `FIREFOX` overrides. */
export function findFirefox() {
  const onPath = ["firefox-esr", "firefox"].map(which).find(Boolean);
  return process.env.FIREFOX || onPath || (existsSync(MAC_FIREFOX) ? MAC_FIREFOX : undefined);
}

function which(name) {
  const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

function install() {
  console.log("==> Installing Firefox with apt (about a minute)");
  const apt = (...args) =>
    execFileSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", "firefox-esr");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!findFirefox() && existsSync("/etc/debian_version") && process.getuid?.() === 0) install();
  if (!findFirefox()) {
    console.error("Missing: Firefox. Install it (Debian: apt-get install firefox-esr; macOS: brew install --cask firefox) or set FIREFOX to its path.");
    process.exit(1);
  }
}
