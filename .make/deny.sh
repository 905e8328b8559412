#!/bin/sh
# Checks licences and sources, and advisories if their database can be fetched. If it cannot, the check prints a warning here and
# in the summary of a GitHub job, and passes, because the failure is not one of this code.
set -eu

cargo deny --all-features check licenses bans sources
if cargo deny fetch db 2>/dev/null; then
	cargo deny --all-features check advisories
else
	sentence='NOT CHECKED: advisories of dependencies (RustSec). Their database could not be fetched.'
	echo "$sentence"
	if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then printf '> [!WARNING]\n> %s\n' "$sentence" >>"$GITHUB_STEP_SUMMARY"; fi
fi
