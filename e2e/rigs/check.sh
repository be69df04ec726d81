#!/usr/bin/env bash
# make check: what can be said of the sources without running them.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"
cd "$root"

documentation() {
  RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --workspace --no-deps --document-private-items
}

[ "${STANDPIPE_SET_UP:-}" ] || stage 'setup' bash e2e/rigs/setup.sh test
stage 'format' cargo fmt --all --check
stage 'lints' cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
stage 'documentation' documentation
stage 'what comes in' "$tools/bin/cargo-deny" --log-level error check --hide-inclusion-graph bans licenses sources
