#!/bin/sh
# Fuzzes each target for SECONDS, seeded with the fixtures. A crash ends it and names its file.
set -eu
seconds=$1

rustup run nightly cargo --version >/dev/null 2>&1 || {
	echo 'Missing: the nightly toolchain, which fuzzing needs. Run: rustup toolchain install nightly' >&2
	exit 1
}
cd shared
for target in inspect scrub process; do
	echo "==> Fuzzing $target for $seconds s (the first build takes some minutes)"
	mkdir -p "../target/fuzz/$target"
	cargo +nightly fuzz run "$target" "../target/fuzz/$target" ../tests/fixtures/jpeg ../tests/fixtures/png \
		../tests/fixtures/gif ../tests/fixtures/webp -- \
		-dict=fuzz/picture.dict -max_len=8192 -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20
done
