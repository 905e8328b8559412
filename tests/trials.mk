# Long trials, benchmarks, fuzzing and mutation testing. Their counts are in target/reliability.json, from which `make reliability`
# writes the table of docs/reliability.md.

SECONDS ?= 60
DIR ?= ../shared/corpora
# Public collections of test files; if this folder exists, the long tests send them as well.
CORPORA ?= $(abspath $(wildcard ../shared/corpora))

.PHONY: test-long
LONG := node --test --test-concurrency=1 --test-timeout=1500000
FUZZ_SECONDS ?= 3600
LONG_PARTS := faults hostile load pages api ship corpora fuzz mutants
# A failed part does not stop the others; the table at the end has all results.
test-long: setup edge www chromium prometheus $(TOOLS)/s3s-fs $(TOOLS)/cargo-fuzz $(TOOLS)/cargo-mutants $(STAMPS)/bench-node $(STAMPS)/browser-node \
	$(STAMPS)/schemathesis-$(SCHEMATHESIS_VERSION) $(STAMPS)/redbot-$(REDBOT_VERSION)
test-long: ## Run all long trials and write the table of docs/reliability.md (hours)
	@for part in $(LONG_PARTS); do $(MAKE) test-long-$$part || failed="$$failed $$part"; done; \
		$(MAKE) reliability || failed="$$failed (see the table)"; test -z "$$failed" || { echo "Failed:$$failed"; exit 1; }

# One target for each part; only these store their counts.
.PHONY: $(addprefix test-long-,$(LONG_PARTS))
$(addprefix test-long-,$(LONG_PARTS)): export KEEP_COUNTS := 1
test-long-faults: setup edge www $(TOOLS)/s3s-fs
	$(call say,Faults (ten minutes))
	FAULT_CYCLES=50 FAULT_CALLS=1000 $(LONG) tests/faults/*.test.mjs

test-long-hostile: setup edge www chromium $(STAMPS)/browser-node $(STAMPS)/redbot-$(REDBOT_VERSION)
	$(call say,Hostile input (ten minutes))
	CORPORA='$(CORPORA)' GUESSES=10000 $(LONG) tests/hostile/*.test.mjs tests/e2e/token-guessing.test.mjs tests/e2e/tokens.test.mjs

test-long-load: setup edge www $(STAMPS)/browser-node
	$(call say,Load and memory (half an hour))
	CORPORA='$(CORPORA)' LOAD_SECONDS=600 $(LONG) tests/load/*.test.mjs

test-long-pages: export EVERY_MODE := 1
test-long-pages: setup edge www chromium $(STAMPS)/browser-node
	$(call say,Pages in every language and colour and the types of templates (ten minutes))
	$(LONG) tests/e2e/accessibility.test.mjs tests/e2e/uploaders.test.mjs tests/browser/templates.test.mjs

test-long-api:
	$(MAKE) test-api API_EXAMPLES=500

test-long-ship: setup edge www server sbom prometheus rclone logrotate $(TOOLS)/s3s-fs $(STAMPS)/browser-node
	$(call say,Deployment and release (half an hour))
	$(LONG) tests/ship/*.test.mjs

test-long-corpora:
	$(if $(CORPORA),$(MAKE) corpora DIR='$(CORPORA)',$(call say,No corpora: set CORPORA to their folder))

test-long-fuzz:
	$(MAKE) fuzz SECONDS=$(FUZZ_SECONDS)

test-long-mutants:
	$(MAKE) mutants

.PHONY: reliability
reliability: | $(STAMPS)/node ## Write the table of docs/reliability.md from the counts
	@node tests/reliability.mjs

.PHONY: bench bench-image bench-browser bench-upload bench-codecs bench-webp bench-work bench-challenge
bench: bench-image bench-browser bench-upload ## Compare with other libraries and servers; writes target/bench/*.json

bench-image: $(STAMPS)/bench-node $(STAMPS)/targets $(TOOLS)/wasm-bindgen
	$(call say,Comparing with sharp and photon and jSquash (some minutes))
	node tests/bench/image.mjs

bench-browser: browser chromium $(STAMPS)/bench-node
	$(call say,Comparing with compressorjs and others in Chromium (two minutes))
	node tests/bench/browser.mjs

bench-codecs: ## Compare the JPEG decoder and the resizer with other crates (PHOTOS=… for your own folder; some minutes)
	$(call say,Comparing with zune-jpeg and jpeg-decoder and pic-scale and fast_image_resize)
	cargo run --quiet --release --manifest-path tests/bench/codecs/Cargo.toml --target-dir target/bench-codecs -- $(PHOTOS)

bench-webp: $(STAMPS)/bench-node $(STAMPS)/targets $(TOOLS)/wasm-bindgen ## Compare small photos as WebP with JPEG and libwebp at equal quality (PHOTOS=… for your own folder; some minutes)
	$(call say,Comparing lossy WebP with JPEG and libwebp)
	node tests/bench/webp.mjs

bench-work: $(STAMPS)/bench-node $(STAMPS)/targets $(TOOLS)/wasm-bindgen ## Compare the estimated CPU time of plans with the measured one (PHOTOS=… for your own folder; ten minutes)
	$(call say,Measuring what Plan::work estimates (ten minutes))
	node tests/bench/work.mjs

bench-challenge: setup edge www chromium ## Measure how long a proof of work takes in Chromium (RUNS=50, BITS=21; some minutes)
	$(call say,Solving proofs of work in Chromium)
	node tests/bench/challenge.mjs

bench-upload: setup edge www $(STAMPS)/bench-node $(TOOLS)/s3s-fs
	$(call say,Comparing whole uploads with Express and multer and sharp (five minutes))
	node tests/bench/upload.mjs

.PHONY: corpora
corpora: setup edge www $(STAMPS)/bench-node chromium ## Compare verdicts and pixels over a folder of files (DIR=…)
	cargo run --quiet --release -p image-rules --features codec --example corpora -- $(DIR)
	$(call say,Comparing pixels with libpng and libwebp and libjpeg-turbo)
	node tests/conformance/pixels.mjs $(DIR)
	$(call say,Comparing Chromium with native code)
	node tests/conformance/browser.mjs $(DIR)
	$(call say,Comparing the running Worker with native code and sharp)
	node tests/conformance/worker.mjs $(DIR)

.PHONY: fuzz
fuzz: $(TOOLS)/cargo-fuzz $(STAMPS)/node ## Fuzz all targets at once (SECONDS=60; needs the nightly toolchain)
	@node shared/fuzz/run.mjs $(SECONDS)

.PHONY: fuzz-corpus
fuzz-corpus: $(TOOLS)/cargo-fuzz $(STAMPS)/node
	@node shared/fuzz/run.mjs keep

AREA ?=
SHARD ?=
AGAIN ?=
.PHONY: mutants
mutants: $(TOOLS)/cargo-mutants | $(STAMPS)/node ## Change the code in one place at a time and count what the tests catch (AREA=auth SHARD=1/4, AGAIN=1; hours)
	@node tests/mutants.mjs "$(AREA)" $(if $(SHARD),--shard $(SHARD)) $(if $(AGAIN),--again)
