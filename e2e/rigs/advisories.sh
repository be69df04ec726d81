#!/usr/bin/env bash
# make advisories: apart from `make test`, because its answer changes without a change of ours.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"
cd "$root"

stage 'setup' bash e2e/rigs/setup.sh test
stage 'advisories' "$tools/bin/cargo-deny" check advisories
