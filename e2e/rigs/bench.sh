#!/usr/bin/env bash
# make bench: the wal by itself, then the agent from the socket to files, in one run on one disk.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"
cd "$root"

export STANDPIPE_AGENT=$CARGO_TARGET_DIR/release/standpipe-agent

stage 'setup' bash e2e/rigs/setup.sh bench
stage 'agent' cargo build --quiet --locked --release --package agent
mkdir -p "$cache"
stage 'wal' cargo bench --quiet --locked --package agent --benches
stage 'intake' cargo bench --quiet --locked --package e2e --bench intake
