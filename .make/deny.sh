#!/bin/sh
# Checks licences and sources always, and advisories where their database can be fetched. If it cannot, the check does not fail
# (it would say nothing about this code), but says so: here, and in the summary of a GitHub job.
set -eu

cargo deny --all-features check licenses bans sources
if cargo deny fetch db 2>/dev/null; then
	cargo deny --all-features check advisories
else
	sentence='NOT CHECKED: advisories of dependencies (RustSec). Their database cannot be fetched from here.'
	echo "$sentence"
	if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then printf '> [!WARNING]\n> %s\n' "$sentence" >>"$GITHUB_STEP_SUMMARY"; fi
fi
