#!/bin/sh
# Runs the browser crate's tests in headless Chromium through chromedriver.
set -eu

find_with() { node -e "import('./.make/programs.mjs').then((m) => console.log(m.$1()))"; }

# The runner starts what chromedriver takes for Chrome; the capabilities name ours and keep it offline.
capabilities=$(mktemp -d)/webdriver.json
cat >"$capabilities" <<JSON
{"goog:chromeOptions": {"binary": "$(find_with findChromium)", "args": ["--headless=new", "--no-sandbox", "--disable-gpu",
  "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]}}
JSON

CHROMEDRIVER=$(find_with findDriver) WASM_BINDGEN_TEST_WEBDRIVER_JSON="$capabilities" WASM_BINDGEN_TEST_TIMEOUT=120 \
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=wasm-bindgen-test-runner \
	cargo test --target wasm32-unknown-unknown -p preflight --tests
