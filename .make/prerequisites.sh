#!/bin/sh
# Names the first missing prerequisite in one line, before anything is built.
set -eu

fail() {
	printf 'Missing: %s\n' "$1" >&2
	exit 1
}

command -v rustup >/dev/null 2>&1 || fail "rustup. Install it from https://rustup.rs and open a new terminal."
command -v cargo >/dev/null 2>&1 || fail "cargo. Run: rustup default stable"
command -v cc >/dev/null 2>&1 || fail "a C compiler (cc). On Debian or Ubuntu: apt-get install build-essential; on macOS: xcode-select --install"
command -v node >/dev/null 2>&1 || fail "Node.js 18 or newer. Install it from https://nodejs.org"
command -v npm >/dev/null 2>&1 || fail "npm. It comes with Node.js from https://nodejs.org"

minor=$(rustc --version | sed 's/^rustc 1\.\([0-9]*\).*/\1/')
[ "$minor" -ge 91 ] || fail "Rust 1.91 or newer (this is $(rustc --version)). Run: rustup update stable"
major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
[ "$major" -ge 18 ] || fail "Node.js 18 or newer (this is $(node --version))."
