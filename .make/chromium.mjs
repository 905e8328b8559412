// Finds Chromium and its driver, or installs both where it may (Debian as root), or says what to do.
// Others import `findChromium`; run as a program it makes sure that both are there.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/** The path of an installed Chromium or Chrome; `CHROMIUM` overrides. */
export function findChromium() {
  return process.env.CHROMIUM || BROWSERS.map(which).find(Boolean) || existing(MAC_CHROME);
}

/** The path of the driver that goes with it; `CHROMEDRIVER` overrides. */
export function findDriver() {
  return process.env.CHROMEDRIVER || which("chromedriver");
}

/** The path of a program, when it is installed. */
export function which(name) {
  const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

function existing(path) {
  return existsSync(path) ? path : undefined;
}

function install() {
  console.log("==> Installing Chromium and its driver with apt (about a minute)");
  const apt = (...args) =>
    execFileSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", "chromium", "chromium-driver");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!(findChromium() && findDriver()) && which("apt-get") && process.getuid?.() === 0) install();
  if (!(findChromium() && findDriver())) {
    console.error(
      "Missing: Chromium (or Chrome) and chromedriver. Install both (Debian: apt-get install chromium chromium-driver; " +
        "macOS: brew install --cask google-chrome chromedriver) or set CHROMIUM and CHROMEDRIVER to their paths.",
    );
    process.exit(1);
  }
}
