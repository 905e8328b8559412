// A real Chromium, offline but for this machine.
import { chromium } from "playwright-core";

import { findChromium } from "../../.make/chromium.mjs";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function startBrowser() {
  return chromium.launch({ executablePath: findChromium(), headless: true, args: ARGUMENTS });
}
