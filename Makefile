# The commands of this project. `make` alone lists them; each does what its line says and nothing by hand.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:
# One heavy build at a time: each uses all cores by itself.
.NOTPARALLEL:

PORT ?= 8787
ROLE ?= USER
SUB ?= 123
TTL ?= 3600
SECONDS ?= 60
DIR ?= ../shared/corpora
# What others published to try parsers with, where it is there; long tests send it, too.
CORPORA ?= $(abspath $(wildcard ../shared/corpora))
ENV ?= staging

TOOLS := target/tools/bin
STAMPS := target/stamps
# The versions go together: the wasm-bindgen crate (Cargo.toml) and its command line must be the same.
WASM_BINDGEN_VERSION := 0.2.130
WORKER_BUILD_VERSION := 0.8.7
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
CARGO_MUTANTS_VERSION := 27.0.0
S3S_FS_VERSION := 0.14.1
SCHEMATHESIS_VERSION := 4.32.5
REDBOT_VERSION := 2.7.1

export PATH := $(CURDIR)/node_modules/.bin:$(CURDIR)/$(TOOLS):$(PATH)
export WASM_BINDGEN_BIN := $(CURDIR)/$(TOOLS)/wasm-bindgen
export WASM_OPT_BIN := $(CURDIR)/node_modules/.bin/wasm-opt
export ESBUILD_BIN := $(CURDIR)/node_modules/.bin/esbuild
export WRANGLER_SEND_METRICS := false

RULES_SOURCES := $(shell find shared/src shared/crc32fast -name '*.rs') shared/Cargo.toml Cargo.toml Cargo.lock .cargo/config.toml
EDGE_SOURCES := $(shell find edge/src -name '*.rs') edge/Cargo.toml
BROWSER_RUST := $(shell find browser/src -name '*.rs') browser/Cargo.toml
BROWSER_SCRIPTS := $(shell find browser/js browser/types -name '*.ts')
PAGES := $(shell find www -type f -not -path '*/node_modules/*')
MIGRATIONS := $(wildcard edge/migrations/*.sql)
# What `npm install` takes of the browser package.
TARBALL := target/the-form-preflight.tgz
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## Say what there is
	@printf 'The-Form Images. Two commands do it all: make dev, make test.\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; \
		do printf '  make %-9s %s\n' "$$name" "$$text"; done

# --- Set-up: everything lands in this folder, but for the wasm targets of rustup ---------------------

.PHONY: setup
setup: $(STAMPS)/node $(STAMPS)/targets $(TOOLS)/wasm-bindgen $(TOOLS)/worker-build .dev.vars ## Install all that building and serving need

.PHONY: prerequisites
prerequisites:
	@sh .make/prerequisites.sh

$(STAMPS)/node: package.json package-lock.json | prerequisites
	$(call say,Installing the JavaScript tools (about half a minute))
	npm ci --no-fund --no-audit --loglevel=error
	@mkdir -p $(@D) && touch $@

# What is measured against, apart from what building needs.
$(STAMPS)/bench-node: tests/bench/package.json tests/bench/package-lock.json | prerequisites
	$(call say,Installing the peers to compare with)
	cd tests/bench && npm ci --no-fund --no-audit --loglevel=error
	@mkdir -p $(@D) && touch $@

# What the tests of the browser package need: a bundler that takes it, an encoder of what it does not read,
# and the uploaders of others, which are tried against the edge.
$(STAMPS)/browser-node: tests/browser/package.json tests/browser/package-lock.json | prerequisites
	$(call say,Installing what the tests of the browser package need)
	cd tests/browser && npm ci --no-fund --no-audit --loglevel=error
	@mkdir -p $(@D) && touch $@

$(STAMPS)/targets: | prerequisites
	$(call say,Adding the wasm targets of Rust)
	rustup target add wasm32-unknown-unknown wasm32v1-none
	@mkdir -p $(@D) && touch $@

# One folder for all tools, so that what they share is compiled once. They run for seconds, so whoever starts
# here need not wait for the last of the optimiser.
install = CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	CARGO_TARGET_DIR=target/tools/build cargo install --root target/tools

$(TOOLS)/wasm-bindgen: | prerequisites
	$(call say,Building wasm-bindgen $(WASM_BINDGEN_VERSION) (once; about four minutes))
	$(install) wasm-bindgen-cli@$(WASM_BINDGEN_VERSION)

$(TOOLS)/worker-build: | $(TOOLS)/wasm-bindgen
	$(call say,Building worker-build $(WORKER_BUILD_VERSION) (once; about three minutes))
	$(install) --locked worker-build@$(WORKER_BUILD_VERSION)

$(TOOLS)/cargo-deny: | prerequisites
	$(call say,Building cargo-deny $(CARGO_DENY_VERSION) (once; about four minutes))
	$(install) --locked cargo-deny@$(CARGO_DENY_VERSION)

$(TOOLS)/cargo-fuzz: | prerequisites
	$(call say,Building cargo-fuzz $(CARGO_FUZZ_VERSION) (once; about a minute))
	$(install) --locked cargo-fuzz@$(CARGO_FUZZ_VERSION)

$(TOOLS)/cargo-mutants: | prerequisites
	$(call say,Building cargo-mutants $(CARGO_MUTANTS_VERSION) (once; about two minutes))
	$(install) --locked cargo-mutants@$(CARGO_MUTANTS_VERSION)

# A real S3 server to test against; it verifies signatures.
$(TOOLS)/s3s-fs: | prerequisites
	$(call say,Building s3s-fs $(S3S_FS_VERSION) (once; about two minutes))
	$(install) --locked s3s-fs@$(S3S_FS_VERSION) --features binary

# A command of Python's, with its packages in a folder of its own: its name and its version.
define python_command
	$(call say,Installing $(1) $(2) (once; about half a minute))
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { echo 'Missing: Python 3.10 or newer with venv. On Debian or Ubuntu: apt-get install python3-venv'; exit 1; }
	python3 -m venv target/$(1)
	target/$(1)/bin/pip install --quiet --disable-pip-version-check $(1)==$(2)
	@mkdir -p $(@D) && touch $@
endef

# Tries the API against its description.
$(STAMPS)/schemathesis-$(SCHEMATHESIS_VERSION):
	$(call python_command,schemathesis,$(SCHEMATHESIS_VERSION))

# Looks at answers as a reader of the HTTP specifications does.
$(STAMPS)/redbot-$(REDBOT_VERSION):
	$(call python_command,redbot,$(REDBOT_VERSION))

.PHONY: chromium
chromium: | $(STAMPS)/node
	@node .make/chromium.mjs

.PHONY: firefox
firefox: | $(STAMPS)/node
	@node .make/firefox.mjs

.PHONY: prometheus
prometheus: | $(STAMPS)/node
	@node .make/prometheus.mjs

.dev.vars: .make/dev-vars.mjs | $(STAMPS)/node
	@node .make/dev-vars.mjs

# What workerd and today's browsers take.
WASM_FEATURES := --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
	--enable-mutable-globals --enable-reference-types --enable-multivalue --enable-exception-handling

# --- Building ----------------------------------------------------------------------------------------

.PHONY: edge browser www
edge: target/edge/index.js
browser: target/browser/index.js $(TARBALL)
www: $(STAMPS)/www

# A request whose caller hangs up is never polled again and never dropped, with all that it holds of places and memory;
# so each runs to its end (waitUntil), for which the platform gives it 30 seconds more.
target/edge/index.js: $(EDGE_SOURCES) $(RULES_SOURCES) | $(STAMPS)/node $(STAMPS)/targets $(TOOLS)/worker-build
	$(call say,Building the Worker (a minute or two))
	RUN_TO_COMPLETION=1 worker-build --release --out-dir ../target/edge edge
	wasm-opt --strip-debug --strip-producers $(WASM_FEATURES) -o $(@D)/stripped.wasm $(@D)/index_bg.wasm
	@mv $(@D)/stripped.wasm $(@D)/index_bg.wasm
	@touch $@

# As in .cargo/config.toml, and functions are put into each other a fifth as readily: a page waits for these bytes.
BROWSER_FLAGS := -C target-feature=+simd128 -C llvm-args=-inline-threshold=50
# The module as Rust has it; what is shipped of it lies in target/browser.
MODULE := target/browser-module
$(MODULE)/preflight_bg.wasm: $(BROWSER_RUST) $(RULES_SOURCES) | $(STAMPS)/node $(STAMPS)/targets $(TOOLS)/wasm-bindgen
	$(call say,Building the browser module)
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS='$(BROWSER_FLAGS)' cargo build --profile browser --target wasm32-unknown-unknown -p preflight
	wasm-bindgen --target web --omit-default-module-path --out-dir $(@D) target/wasm32-unknown-unknown/browser/preflight.wasm
	wasm-opt -O3 --code-folding -O3 --reorder-functions --strip-producers $(WASM_FEATURES) -o $@.opt $@ && mv $@.opt $@

target/browser/index.js: $(MODULE)/preflight_bg.wasm $(BROWSER_SCRIPTS) browser/package.json browser/README.md .make/package.mjs
	@node .make/package.mjs $(MODULE) $(@D) $(TARBALL)

# Made with the folder; packed anew when it went missing.
$(TARBALL): target/browser/index.js
	@test -f $@ || node .make/package.mjs $(MODULE) target/browser $@
	@touch $@

$(STAMPS)/www: target/browser/index.js $(PAGES)
	@rm -rf target/www && mkdir -p target/www/preflight $(STAMPS)
	@cp -R www/. target/www/
	@rm -rf $(addprefix target/www/examples/,README.md react vue svelte) # made by their own bundler
	@cp -R target/browser/. target/www/preflight/
	@touch $@

# The generated face of the public codes; committed, so that readers and editors have it. `make check`
# says when it has to be written anew.
.PHONY: codes
codes: ## Write browser/js/codes.ts from the codes in Rust
	cargo run --quiet -p image-rules --example codes_ts > browser/js/codes.ts.new
	@mv browser/js/codes.ts.new browser/js/codes.ts

# --- Serving -----------------------------------------------------------------------------------------

.wrangler/migrated: $(MIGRATIONS) | $(STAMPS)/node
	$(call say,Migrating the local database)
	@CI=1 wrangler d1 migrations apply REGISTRY --local >.wrangler-migrate.log 2>&1 || { cat .wrangler-migrate.log; exit 1; }
	@rm -f .wrangler-migrate.log
	@mkdir -p $(@D) && touch $@

.PHONY: dev
dev: setup edge www .wrangler/migrated ## Install, build, migrate and serve on http://127.0.0.1:8787 (PORT=… changes it)
	$(call say,Serving on http://127.0.0.1:$(PORT))
	@exec wrangler dev --ip 127.0.0.1 --port $(PORT) --show-interactive-dev-session=false

.PHONY: token
token: $(STAMPS)/node .dev.vars ## Print a token for the local server (ROLE=USER SUB=123 TTL=3600)
	@node .make/token.mjs --role "$(ROLE)" --sub "$(SUB)" --ttl "$(TTL)"

.PHONY: admin
admin: $(STAMPS)/node .wrangler/migrated ## Make an account an administrator (EMAIL=…; locally, or ENV=staging REMOTE=1)
	@node .make/admin.mjs --email "$(EMAIL)" $(if $(REMOTE),--env "$(ENV)") $(if $(STATE),--state "$(STATE)")

.PHONY: bind-bucket
# By the environment, as arguments are seen by every process of the machine.
bind-bucket: export BIND_URL = $(URL)
bind-bucket: export BIND_TOKEN = $(TOKEN)
bind-bucket: $(STAMPS)/node ## Say that the bucket of a deployment belongs to its database (URL=…, TOKEN=… of an administrator)
	@node .make/bind-bucket.mjs

# --- Testing -----------------------------------------------------------------------------------------

.PHONY: test test-rust test-browser test-e2e test-api test-tidy test-long
test: test-tidy test-rust test-browser test-e2e test-api ## Run every layer: units, wasm in Chromium, and the whole thing end to end
	$(call say,All tests passed)

test-tidy: | $(STAMPS)/node
	$(call say,Tidy: the rooms keep to their rules)
	node --test tests/tidy/*.test.mjs

test-rust: | $(STAMPS)/targets
	$(call say,Rust: units and fixtures)
	cargo test --workspace --all-features

test-browser: $(TOOLS)/wasm-bindgen browser chromium firefox $(STAMPS)/browser-node | $(STAMPS)/targets
	$(call say,The browser module in Chromium)
	@sh .make/wasm-test.sh
	$(call say,The browser package in Chromium and Firefox and through Vite)
	node .make/run-tests.mjs tests/browser/*.test.mjs

test-e2e: setup edge www chromium firefox prometheus $(TOOLS)/s3s-fs $(STAMPS)/browser-node $(STAMPS)/redbot-$(REDBOT_VERSION)
	$(call say,End to end: wrangler dev and Chromium and Prometheus)
	LANES=$${LANES:-2} node .make/run-tests.mjs tests/e2e/*.test.mjs tests/conformance/*.test.mjs tests/faults/*.test.mjs \
		tests/load/memory.test.mjs tests/load/overload.test.mjs tests/hostile/*.test.mjs

API_EXAMPLES ?= 25
test-api: setup edge www $(STAMPS)/schemathesis-$(SCHEMATHESIS_VERSION) ## Try every operation of the API against its description (API_EXAMPLES=500)
	$(call say,The API against its description ($(API_EXAMPLES) examples an operation))
	API_EXAMPLES=$(API_EXAMPLES) node tests/api/run.mjs

LONG := node --test --test-concurrency=1 --test-timeout=1500000
FUZZ_SECONDS ?= 3600
LONG_PARTS := faults hostile load api corpora fuzz mutants
# One that fails does not keep the others from being counted: the table at the end says what holds.
test-long: setup edge www chromium prometheus $(TOOLS)/s3s-fs $(TOOLS)/cargo-fuzz $(TOOLS)/cargo-mutants $(STAMPS)/bench-node $(STAMPS)/browser-node \
	$(STAMPS)/schemathesis-$(SCHEMATHESIS_VERSION) $(STAMPS)/redbot-$(REDBOT_VERSION) ## Everything at length, and the table of docs/reliability.md (hours)
	@for part in $(LONG_PARTS); do $(MAKE) test-long-$$part || failed="$$failed $$part"; done; \
		$(MAKE) reliability || failed="$$failed (see the table)"; test -z "$$failed" || { echo "Failed:$$failed"; exit 1; }

# Each part alone; only these keep what they count.
.PHONY: $(addprefix test-long-,$(LONG_PARTS))
$(addprefix test-long-,$(LONG_PARTS)): export KEEP_COUNTS := 1
test-long-faults: setup edge www $(TOOLS)/s3s-fs
	$(call say,Faults at length (ten minutes))
	FAULT_CYCLES=50 FAULT_CALLS=1000 $(LONG) tests/faults/*.test.mjs

test-long-hostile: setup edge www chromium $(STAMPS)/browser-node $(STAMPS)/redbot-$(REDBOT_VERSION)
	$(call say,Hostile input (ten minutes))
	CORPORA='$(CORPORA)' $(LONG) tests/hostile/*.test.mjs tests/e2e/guesses.test.mjs tests/e2e/tokens.test.mjs

test-long-load: setup edge www $(STAMPS)/browser-node
	$(call say,Load and memory (twenty minutes))
	CORPORA='$(CORPORA)' LOAD_SECONDS=600 $(LONG) tests/load/*.test.mjs

test-long-api:
	$(MAKE) test-api API_EXAMPLES=500

test-long-corpora:
	$(if $(CORPORA),$(MAKE) corpora DIR='$(CORPORA)',$(call say,No corpora beside this folder: set CORPORA))

test-long-fuzz:
	$(MAKE) fuzz SECONDS=$(FUZZ_SECONDS)

test-long-mutants:
	$(MAKE) mutants

.PHONY: reliability
reliability: | $(STAMPS)/node ## Write the table of docs/reliability.md from what was counted
	@node .make/reliability.mjs

.PHONY: check
check: $(TOOLS)/cargo-deny $(STAMPS)/node $(STAMPS)/targets test-tidy ## Documents, formatting, lints, types, generated files, no_std, dependencies
	$(call say,Formatting and lints)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	cargo clippy -p image-edge -p preflight --target wasm32-unknown-unknown -- -D warnings
	$(call say,The rules and resizing and orientation without std)
	cargo build --quiet -p image-rules --target wasm32v1-none
	$(call say,Generated codes and types)
	cargo run --quiet -p image-rules --example codes_ts | diff -u browser/js/codes.ts - \
		|| { echo 'browser/js/codes.ts is not what the Rust codes say: run make codes'; exit 1; }
	tsc -p browser
	$(call say,Licences and sources and advisories)
	@sh .make/deny.sh

.PHONY: bench bench-image bench-browser bench-upload
bench: bench-image bench-browser bench-upload ## Compare with others; writes target/bench/*.json

bench-image: $(STAMPS)/bench-node $(STAMPS)/targets $(TOOLS)/wasm-bindgen
	$(call say,Measuring beside sharp and photon and jSquash (some minutes))
	node tests/bench/image.mjs

bench-browser: browser chromium $(STAMPS)/bench-node
	$(call say,Measuring in Chromium beside compressorjs and others (two minutes))
	node tests/bench/browser.mjs

bench-upload: setup edge www $(STAMPS)/bench-node $(TOOLS)/s3s-fs
	$(call say,Measuring whole uploads beside Express and multer and sharp (five minutes))
	node tests/bench/upload.mjs

.PHONY: corpora
corpora: setup edge www $(STAMPS)/bench-node chromium ## Compare verdicts and pixels over a folder of files (DIR=…)
	cargo run --quiet --release -p image-rules --features codec --example corpora -- $(DIR)
	$(call say,Pixels beside those of libpng and libwebp and libjpeg-turbo)
	node tests/conformance/pixels.mjs $(DIR)
	$(call say,Chromium beside native code)
	node tests/conformance/browser.mjs $(DIR)
	$(call say,The running Worker beside native code and sharp)
	node tests/conformance/worker.mjs $(DIR)

.PHONY: fuzz
fuzz: $(TOOLS)/cargo-fuzz $(STAMPS)/node ## Fuzz all targets at once (SECONDS=60; needs the nightly toolchain)
	@node .make/fuzz.mjs $(SECONDS)

.PHONY: fuzz-corpus
fuzz-corpus: $(TOOLS)/cargo-fuzz $(STAMPS)/node
	@node .make/fuzz.mjs keep

AREA ?=
SHARD ?=
AGAIN ?=
.PHONY: mutants
mutants: $(TOOLS)/cargo-mutants | $(STAMPS)/node ## Break the code in a thousand places and count what the tests notice (AREA=auth SHARD=1/4, AGAIN=1; hours)
	@node .make/mutants.mjs "$(AREA)" $(if $(SHARD),--shard $(SHARD)) $(if $(AGAIN),--again)

# --- Shipping ----------------------------------------------------------------------------------------

.PHONY: deploy
deploy: setup edge www ## Put it on Cloudflare (ENV=staging or production)
	wrangler d1 migrations apply REGISTRY --remote --env $(ENV)
	wrangler deploy --env $(ENV)

.PHONY: rotate
rotate: $(STAMPS)/node ## Change the signing key of a deployment (ENV=…, LEAKED=1 if it leaked, FIRST=1 if it has none, DRY_RUN=1)
	@node .make/rotate.mjs --env "$(ENV)" $(if $(URL),--url "$(URL)") $(if $(LEAKED),--leaked) $(if $(FIRST),--first) $(if $(DRY_RUN),--dry-run)

.PHONY: doctor
# By the environment, as arguments are seen by every process of the machine.
doctor: export DOCTOR_TOKEN = $(TOKEN)
doctor: $(STAMPS)/node ## Look at a deployment from outside and say what is wrong (URL=…, ORIGIN=… of your pages, TOKEN=… of a user)
	@node .make/doctor.mjs --url "$(URL)" $(if $(ORIGIN),--origin "$(ORIGIN)")

.PHONY: clean
clean: ## Remove what was built and the local state; keeps the installed tools
	rm -rf .wrangler target/edge target/browser target/the-form-preflight.tgz target/browser-module target/www target/bench $(STAMPS)
	cargo clean --quiet --workspace
