# The commands of this project; `make` alone lists those to start with. Tools are installed by .make/tools.mk, deployments are
# operated by .make/operate.mk, and long trials and benches are in tests/trials.mk (`make help-all` lists these as well).
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:
# One heavy build at a time, because each uses all cores.
.NOTPARALLEL:

PORT ?= 8787
ROLE ?= USER
SUB ?= 123
TTL ?= 3600

TOOLS := target/tools/bin
STAMPS := target/stamps
export PATH := $(CURDIR)/node_modules/.bin:$(CURDIR)/$(TOOLS):$(PATH)
export WASM_BINDGEN_BIN := $(CURDIR)/$(TOOLS)/wasm-bindgen
export WASM_OPT_BIN := $(CURDIR)/node_modules/.bin/wasm-opt
export ESBUILD_BIN := $(CURDIR)/node_modules/.bin/esbuild
export WRANGLER_SEND_METRICS := false

RULES_SOURCES := $(shell find shared/src shared/crc32fast -name '*.rs') shared/Cargo.toml Cargo.toml Cargo.lock .cargo/config.toml
EDGE_SOURCES := $(shell find $(wildcard edge/*/src) -name '*.rs') $(wildcard edge/*/Cargo.toml)
BROWSER_RUST := $(shell find browser/src -name '*.rs') browser/Cargo.toml
BROWSER_SCRIPTS := $(shell find browser/js browser/types -name '*.ts' -o -name '*.svelte')
SERVER_SCRIPTS := $(wildcard server/js/*.ts)
PAGES := $(shell find www -type f -not -path '*/node_modules/*')
DOCUMENTS := $(shell find docs -type f) $(wildcard *.md) server/README.md browser/README.md .make/site.mjs
MIGRATIONS := $(wildcard edge/migrations/*.sql)
# The npm tarball of the browser package.
TARBALL := target/the-form-preflight.tgz
# That of the package for back ends.
SERVER_TARBALL := target/the-form-server.tgz
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help help-all
# Prints the documented targets in these files.
list = @sed -n 's/^\([a-z-]*\):.*\#\# \(.*\)/\1|\2/p' $(1) | while IFS='|' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done
help:
	@printf 'The-Form Images: start with make dev; before you propose a change, run make check and make test.\n\n'
	$(call list,$(firstword $(MAKEFILE_LIST)))
	@printf '\nmake help-all lists the rest: deployments, long trials and benches.\n'

help-all:
	$(call list,$(MAKEFILE_LIST))

include .make/tools.mk

# --- Serving -----------------------------------------------------------------------------------------

SCHEME := $(if $(HTTPS),https,http)
.PHONY: dev dev-all
# With HTTPS=1, wrangler makes the certificate, which no program knows.
dev: setup .wrangler/migrated edge www ## Install, build, migrate and serve on http://127.0.0.1:8787 (PORT=… changes it, HTTPS=1 serves https)
	$(call say,Serving on $(SCHEME)://127.0.0.1:$(PORT))
	@TOKEN=$$(node .make/token.mjs --role SERVICE --sub demo) $(if $(HTTPS),NODE_NO_WARNINGS=1 NODE_TLS_REJECT_UNAUTHORIZED=0) node .make/demo-forms.mjs --url $(SCHEME)://127.0.0.1:$(PORT) & \
		exec wrangler dev --ip 127.0.0.1 --port $(PORT) --show-interactive-dev-session=false $(if $(HTTPS),--local-protocol https)

dev-all: setup edge www prometheus $(TOOLS)/s3s-fs ## Serve together with an S3 server as the store and Prometheus with the alerts, in temporary folders
	$(call say,Starting the Worker and an S3 server and Prometheus)
	@exec node --disable-warning=ExperimentalWarning .make/stack.mjs

.PHONY: token
token: $(STAMPS)/node .dev.vars ## Print a token for the local server (ROLE=USER SUB=123 TTL=3600)
	@node .make/token.mjs --role "$(ROLE)" --sub "$(SUB)" --ttl "$(TTL)"

# --- Testing -----------------------------------------------------------------------------------------

.PHONY: test test-rust test-browser test-server test-e2e test-api test-tidy
test: test-tidy test-rust test-browser test-server test-e2e test-api ## Run all tests: unit tests, the browser package in Chromium and Firefox, end to end
	$(call say,All tests passed)

test-tidy: | $(STAMPS)/node
	$(call say,Tidy: sources and imports and documents and workflows)
	node --test tests/tidy/*.test.mjs

test-rust: | $(STAMPS)/targets
	$(call say,Rust: unit tests and request tests and fixtures)
	cargo test --workspace --all-features

test-browser: $(TOOLS)/wasm-bindgen browser chromium firefox $(STAMPS)/browser-node | $(STAMPS)/targets
	$(call say,The browser module in Chromium)
	@sh tests/browser/wasm.sh
	$(call say,The browser package in Chromium and Firefox and through Vite)
	node tests/run.mjs $(filter-out tests/browser/templates.test.mjs,$(wildcard tests/browser/*.test.mjs))

test-server: server $(STAMPS)/browser-node
	$(call say,The package for back ends)
	node --test tests/server/*.test.mjs

test-e2e: setup edge www server chromium firefox prometheus $(TOOLS)/s3s-fs $(STAMPS)/browser-node $(STAMPS)/redbot-$(REDBOT_VERSION)
	$(call say,End to end: wrangler dev and Chromium and Prometheus)
	node tests/run.mjs tests/e2e/*.test.mjs tests/conformance/*.test.mjs tests/hostile/polyglots.test.mjs tests/hostile/tokens.test.mjs \
		tests/faults/kill.test.mjs tests/faults/storage.test.mjs tests/load/memory.test.mjs

API_EXAMPLES ?= 10
test-api: setup edge www $(STAMPS)/schemathesis-$(SCHEMATHESIS_VERSION) ## Test every operation of the API against its description (API_EXAMPLES=500)
	$(call say,The API against its description ($(API_EXAMPLES) examples an operation))
	API_EXAMPLES=$(API_EXAMPLES) node tests/api/run.mjs

# With all features, as for `cargo test`, so that no dependency is built again.
CODES := cargo build --quiet --workspace --all-features --example codes_ts && target/debug/examples/codes_ts
.PHONY: check
check: $(STAMPS)/node $(STAMPS)/targets $(STAMPS)/browser-node test-tidy ## Check documents, imports, formatting, lints, types, generated files, no_std, packages
	$(call say,Formatting and lints)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	cargo clippy --workspace --all-features --target wasm32-unknown-unknown -- -D warnings
	$(call say,The rules, resizing and orientation without std)
	cargo clippy --quiet -p image-rules --target wasm32v1-none -- -D warnings
	$(call say,Generated codes and types)
	$(CODES) | diff -u browser/js/codes.ts - \
		|| { echo 'browser/js/codes.ts is not what the Rust codes say: run make codes'; exit 1; }
	node .make/api-types.mjs | diff -u server/js/api.ts - \
		|| { echo 'server/js/api.ts is not what www/openapi.json says: run make api-types'; exit 1; }
	tsc -p browser
	tsc -p server
	$(MAKE) packages

.PHONY: audit
audit: $(TOOLS)/cargo-deny ## Check licences, sources and advisories of the dependencies
	$(call say,Licences and sources and advisories)
	@sh .make/deny.sh

.PHONY: packages
packages: browser server $(STAMPS)/browser-node ## Build both npm packages, and check them as their users install them
	$(call say,Packages)
	@node tests/browser/check-packages.mjs $(TARBALL) $(SERVER_TARBALL)

.PHONY: sbom
sbom: browser $(TOOLS)/cargo-cyclonedx ## Write the bills of materials (CycloneDX) of the Worker and the browser package to target/sbom/
	$(call say,Bills of materials)
	@node .make/sbom.mjs

.PHONY: release
release: edge www packages sbom ## Write the archives, npm packages, bills of materials and checksums of a release to target/dist/
	$(call say,Release)
	@node .make/archives.mjs

# The generated file is committed for readers and editors; `make check` fails when it is out of date.
.PHONY: codes
codes: ## Generate browser/js/codes.ts from the codes in Rust
	$(CODES) > browser/js/codes.ts.new
	@mv browser/js/codes.ts.new browser/js/codes.ts

.PHONY: api-types
api-types: $(STAMPS)/browser-node ## Generate server/js/api.ts from www/openapi.json
	node .make/api-types.mjs > server/js/api.ts.new
	@mv server/js/api.ts.new server/js/api.ts

# --- Set-up: installs into this folder, except for the wasm targets of rustup ------------------------

.PHONY: setup
setup: $(STAMPS)/node $(STAMPS)/targets $(TOOLS)/wasm-bindgen $(TOOLS)/worker-build .dev.vars ## Install what building and serving need

.PHONY: prerequisites
prerequisites:
	@sh .make/prerequisites.sh

$(STAMPS)/node: package.json package-lock.json | prerequisites
	$(call say,Installing the JavaScript tools (about half a minute))
	npm ci --no-fund --no-audit --loglevel=error
	@mkdir -p $(@D) && touch $@

$(STAMPS)/targets: | prerequisites
	$(call say,Adding the wasm targets of Rust)
	rustup target add wasm32-unknown-unknown wasm32v1-none
	@mkdir -p $(@D) && touch $@

.dev.vars: .make/dev-vars.mjs | $(STAMPS)/node
	@node .make/dev-vars.mjs

# The wasm features of workerd and current browsers.
WASM_FEATURES := --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
	--enable-mutable-globals --enable-reference-types --enable-multivalue --enable-exception-handling

# --- Building ----------------------------------------------------------------------------------------

.PHONY: edge browser server www
edge: target/edge/index.js
browser: target/browser/index.js $(TARBALL)
server: $(SERVER_TARBALL)
www: $(STAMPS)/www

# Workers stops polling a disconnected request without dropping it, so its slot and its memory would leak. Therefore each request
# runs to completion under waitUntil, for at most 30 seconds more.
target/edge/index.js: $(EDGE_SOURCES) $(RULES_SOURCES) | $(STAMPS)/node $(STAMPS)/targets $(TOOLS)/worker-build
	$(call say,Building the Worker (a minute or two))
	RUN_TO_COMPLETION=1 worker-build --release --out-dir ../../target/edge edge/worker
	wasm-opt -Os --strip-debug --strip-producers $(WASM_FEATURES) -o $(@D)/stripped.wasm $(@D)/index_bg.wasm
	@mv $(@D)/stripped.wasm $(@D)/index_bg.wasm
	@touch $@

# As in .cargo/config.toml, with a low inline threshold, because pages download this module.
BROWSER_FLAGS := -C target-feature=+simd128 -C llvm-args=-inline-threshold=50
# The module as built by Rust; the package in target/browser contains its files.
MODULE := target/browser-module
$(MODULE)/preflight_bg.wasm: $(BROWSER_RUST) $(RULES_SOURCES) | $(STAMPS)/node $(STAMPS)/targets $(TOOLS)/wasm-bindgen
	$(call say,Building the browser module)
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS='$(BROWSER_FLAGS)' cargo build --profile browser --target wasm32-unknown-unknown -p preflight
	wasm-bindgen --target web --omit-default-module-path --out-dir $(@D) target/wasm32-unknown-unknown/browser/preflight.wasm
	wasm-opt -O3 --code-folding -O3 --reorder-functions --strip-producers $(WASM_FEATURES) -o $@.opt $@ && mv $@.opt $@

target/browser/index.js: $(MODULE)/preflight_bg.wasm $(BROWSER_SCRIPTS) browser/package.json browser/README.md browser/CHANGELOG.md .make/package.mjs .make/manifest.mjs
	@node .make/package.mjs $(MODULE) $(@D) $(TARBALL)

# Packed together with the folder, and again when the file is missing.
$(TARBALL): target/browser/index.js
	@test -f $@ || node .make/package.mjs $(MODULE) target/browser $@
	@touch $@

$(SERVER_TARBALL): $(SERVER_SCRIPTS) server/package.json server/README.md server/CHANGELOG.md server/tsconfig.json .make/server-package.mjs .make/manifest.mjs | $(STAMPS)/node
	$(call say,Building the package for back ends)
	@node .make/server-package.mjs target/server $@

$(STAMPS)/www: target/browser/index.js $(PAGES) $(DOCUMENTS)
	@rm -rf target/www && mkdir -p target/www/preflight $(STAMPS)
	@cp -R www/. target/www/
	@rm -rf $(addprefix target/www/examples/,README.md react vue svelte) # built by their own bundlers
	@cp -R target/browser/. target/www/preflight/
	@node .make/site.mjs target/www >/dev/null
	@touch $@

.wrangler/migrated: $(MIGRATIONS) | $(STAMPS)/node
	@node --disable-warning=ExperimentalWarning .make/local-state.mjs
	$(call say,Migrating the local database)
	@CI=1 wrangler d1 migrations apply REGISTRY --local >.wrangler-migrate.log 2>&1 || { cat .wrangler-migrate.log; exit 1; }
	@rm -f .wrangler-migrate.log
	@mkdir -p $(@D) && touch $@

.PHONY: clean
clean: ## Remove build output and the local state; keep the installed tools
	rm -rf .wrangler target/edge target/browser $(TARBALL) target/server $(SERVER_TARBALL) target/browser-module target/www target/bench $(STAMPS)
	cargo clean --quiet --workspace

include .make/operate.mk tests/trials.mk
