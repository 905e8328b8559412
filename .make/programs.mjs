// Finds Chromium with its driver, Firefox, Prometheus with promtool, rclone and logrotate. `node .make/programs.mjs chromium` installs a missing
// program with apt when run as root on Debian, and otherwise prints how to install it. Tests import the finders.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** The paths of installed programs; an environment variable overrides each. */
export const findChromium = () =>
  process.env.CHROMIUM || firstOf("chromium", "chromium-browser", "google-chrome", "google-chrome-stable") || onMac("Google Chrome.app/Contents/MacOS/Google Chrome");
export const findDriver = () => process.env.CHROMEDRIVER || which("chromedriver");
export const findFirefox = () => process.env.FIREFOX || firstOf("firefox-esr", "firefox") || onMac("Firefox.app/Contents/MacOS/firefox");
/** Prometheus as `server`, its promtool as `tool`. */
export function findPrometheus() {
  const [server, tool] = [process.env.PROMETHEUS || which("prometheus"), process.env.PROMTOOL || which("promtool")];
  if (server && tool) return { server, tool };
  throw new Error(`Missing: ${PROGRAMS.prometheus.missing}`);
}

const PROGRAMS = {
  chromium: {
    isInstalled: () => findChromium() && findDriver(),
    packages: ["chromium", "chromium-driver"],
    missing:
      "Chromium (or Chrome) and chromedriver. Install both (Debian: apt-get install chromium chromium-driver; " +
      "macOS: brew install --cask google-chrome chromedriver) or set CHROMIUM and CHROMEDRIVER to their paths.",
  },
  firefox: {
    isInstalled: findFirefox,
    packages: ["firefox-esr"],
    missing: "Firefox. Install it (Debian: apt-get install firefox-esr; macOS: brew install --cask firefox) or set FIREFOX to its path.",
  },
  rclone: {
    isInstalled: () => which("rclone"),
    packages: ["rclone"],
    missing: "rclone 1.59 or newer. Install it (Debian: apt-get install rclone; macOS: brew install rclone; others: rclone.org/install).",
  },
  logrotate: {
    isInstalled: () => which("logrotate") || existsSync("/usr/sbin/logrotate"),
    packages: ["logrotate"],
    missing: "logrotate. Install it (Debian: apt-get install logrotate; macOS: brew install logrotate).",
  },
  prometheus: {
    isInstalled: () => (process.env.PROMETHEUS || which("prometheus")) && (process.env.PROMTOOL || which("promtool")),
    packages: ["prometheus"],
    missing:
      "prometheus and promtool. Install both (Debian: apt-get install prometheus; macOS: brew install prometheus; " +
      "others: prometheus.io/download) or set PROMETHEUS and PROMTOOL to their paths.",
  },
};

function which(name) {
  const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

function firstOf(...names) {
  return names.map(which).find(Boolean);
}

function onMac(path) {
  return existsSync(`/Applications/${path}`) ? `/Applications/${path}` : undefined;
}

function install(packages) {
  console.log(`==> Installing ${packages.join(" and ")} with apt (about a minute)`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...words) => execFileSync("apt-get", words, { stdio: ["ignore", "ignore", "inherit"], env });
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", ...packages);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { isInstalled, packages, missing } = PROGRAMS[process.argv[2]];
  if (!isInstalled() && which("apt-get") && process.getuid?.() === 0) install(packages);
  if (!isInstalled()) {
    console.error(`Missing: ${missing}`);
    process.exit(1);
  }
}
