#!/bin/sh
# Checks licences and sources, and advisories against the newest copy of their database (RustSec) that there is: fetched now, or from
# the last time. ADVISORY_DB names a git repository to fetch it from instead, such as a mirror without access to the internet. The date
# of the copy is printed. A copy that is older than 30 days, or none at all, is a warning here and in the summary of a GitHub job, and no
# failure, because that is not one of this code.
set -eu

MOST_DAYS=30
URL=https://github.com/RustSec/advisory-db

warn() {
	echo "$1"
	if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then printf '> [!WARNING]\n> %s\n' "$1" >>"$GITHUB_STEP_SUMMARY"; fi
}

cargo deny --all-features check licenses bans sources
if [ -n "${ADVISORY_DB:-}" ]; then
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.$ADVISORY_DB.insteadOf" GIT_CONFIG_VALUE_0="$URL"
fi
cargo deny fetch db 2>/dev/null || true
copy=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/advisory-dbs/advisory-db-* 2>/dev/null | head -n 1)
if [ -z "$copy" ]; then
	warn 'NOT CHECKED: advisories of dependencies (RustSec). Their database could not be fetched, and there is no copy.'
	exit 0
fi
# The database changes every few days, so its last change tells how old it is.
days=$((($(date +%s) - $(git -C "$copy" log -1 --format=%ct)) / 86400))
sentence="Advisories of dependencies (RustSec) are those of $(git -C "$copy" log -1 --format=%cs), $days days ago."
if [ "$days" -gt "$MOST_DAYS" ]; then warn "STALE: $sentence"; else echo "$sentence"; fi
cargo deny --offline --all-features check advisories
