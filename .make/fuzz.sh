#!/bin/sh
# Fuzzes each target for SECONDS, seeded with the fixtures. A crash ends it and names its file.
set -eu
seconds=$1

rustup run nightly cargo --version >/dev/null 2>&1 || {
	echo 'Missing: the nightly toolchain, which fuzzing needs. Run: rustup toolchain install nightly' >&2
	exit 1
}
seeds=target/fuzz/seeds
mkdir -p "$seeds"
find tests/fixtures -type f ! -name '*.py' ! -name '*.md' ! -name '*.json' -exec cp {} "$seeds" \;
tools=$PWD/target/tools/bin
cd shared
for target in $(rustup run nightly "$tools/cargo-fuzz" list); do
	echo "==> Fuzzing $target for $seconds s"
	mkdir -p "../target/fuzz/$target"
	PATH="$tools:$PATH" cargo +nightly fuzz run "$target" "../target/fuzz/$target" "../$seeds" -- \
		-dict=fuzz/picture.dict -max_len=8192 -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20
done
