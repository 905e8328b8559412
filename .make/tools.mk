# Tools for building, checking and testing: their versions and their installation into target/ when a target needs them.

# The wasm-bindgen crate (Cargo.toml) and its command line must have the same version.
WASM_BINDGEN_VERSION := 0.2.130
WORKER_BUILD_VERSION := 0.8.7
CARGO_DENY_VERSION := 0.20.2
CARGO_CYCLONEDX_VERSION := 0.5.9
CARGO_FUZZ_VERSION := 0.13.2
CARGO_MUTANTS_VERSION := 27.0.0
S3S_FS_VERSION := 0.14.1
SCHEMATHESIS_VERSION := 4.32.5
REDBOT_VERSION := 2.7.1

# The libraries that the benchmarks compare with; building does not need them.
$(STAMPS)/bench-node: tests/bench/package.json tests/bench/package-lock.json | prerequisites
	$(call say,Installing the libraries of the benchmarks)
	cd tests/bench && npm ci --no-fund --no-audit --loglevel=error
	@mkdir -p $(@D) && touch $@

# For the tests of the browser package: a bundler, an encoder of a format that it does not decode, and other uploaders, which
# are tested against the edge.
$(STAMPS)/browser-node: tests/browser/package.json tests/browser/package-lock.json | prerequisites
	$(call say,Installing the packages of the browser tests)
	cd tests/browser && npm ci --no-fund --no-audit --loglevel=error
	@mkdir -p $(@D) && touch $@

# One folder for all tools, so that shared dependencies are compiled once. The tools run for seconds, so they are built with
# little optimisation, which is faster.
install = CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	CARGO_TARGET_DIR=target/tools/build cargo install --root target/tools

# Without --locked: its lock file names webpki-roots 1.0.11, which the registry did not have in November 2026.
$(TOOLS)/wasm-bindgen: | prerequisites
	$(call say,Building wasm-bindgen $(WASM_BINDGEN_VERSION) (once; about four minutes))
	$(install) wasm-bindgen-cli@$(WASM_BINDGEN_VERSION)

$(TOOLS)/worker-build: | $(TOOLS)/wasm-bindgen
	$(call say,Building worker-build $(WORKER_BUILD_VERSION) (once; about three minutes))
	$(install) --locked worker-build@$(WORKER_BUILD_VERSION)

$(TOOLS)/cargo-deny: | prerequisites
	$(call say,Building cargo-deny $(CARGO_DENY_VERSION) (once; about four minutes))
	$(install) --locked cargo-deny@$(CARGO_DENY_VERSION)

$(TOOLS)/cargo-cyclonedx: | prerequisites
	$(call say,Building cargo-cyclonedx $(CARGO_CYCLONEDX_VERSION) (once; about two minutes))
	$(install) --locked cargo-cyclonedx@$(CARGO_CYCLONEDX_VERSION)

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

# Installs a Python command with its packages into its own folder. Arguments: name and version.
define python_command
	$(call say,Installing $(1) $(2) (once; about half a minute))
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { echo 'Missing: Python 3.10 or newer with venv. On Debian or Ubuntu: apt-get install python3-venv'; exit 1; }
	python3 -m venv target/$(1)
	target/$(1)/bin/pip install --quiet --disable-pip-version-check $(1)==$(2)
	@mkdir -p $(@D) && touch $@
endef

# Tests the API against its description.
$(STAMPS)/schemathesis-$(SCHEMATHESIS_VERSION):
	$(call python_command,schemathesis,$(SCHEMATHESIS_VERSION))

# Checks responses against the HTTP specifications.
$(STAMPS)/redbot-$(REDBOT_VERSION):
	$(call python_command,redbot,$(REDBOT_VERSION))

.PHONY: chromium firefox prometheus rclone logrotate
chromium firefox prometheus rclone logrotate: | $(STAMPS)/node
	@node .make/programs.mjs $@
