#!/usr/bin/env bash
# make test: the checks, then every test of the workspace, those of the built agent among them.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"
cd "$root"

results=$cache/test-output
agent=$CARGO_TARGET_DIR/release/standpipe-agent

tests() {
  STANDPIPE_AGENT=$agent STANDPIPE_PYTHON=$venv/bin/python \
    cargo test --locked --workspace --no-fail-fast 2>&1 | tee "$results"
}

stage 'setup' bash e2e/rigs/setup.sh test
mkdir -p "$cache"
export STANDPIPE_SET_UP=yes
bash e2e/rigs/check.sh
stage 'agent, as it is shipped' cargo build --quiet --locked --release --package agent
stage 'tests' tests
printf '== all stages: %s s\n' "$SECONDS"
grep -E '^ +(Running|Doc-tests) |^test result:' "$results"
