#!/usr/bin/env bash
# make prove: the tests of `make test` with larger counts. Set any of them to change its size.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"

export STANDPIPE_KILL_CYCLES=${STANDPIPE_KILL_CYCLES:-1000}
export PROPTEST_CASES=${PROPTEST_CASES:-20000}
exec bash "$root/e2e/rigs/test.sh"
