# Sourced by the other scripts: where things are, and how a stage tells its seconds.
# Before `setup.sh` has run nothing but bash itself can be relied on, so nothing else is used here.

set -euo pipefail

root=${BASH_SOURCE[0]%/*}/../..
root=$(cd "$root" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?HOME must be set}/.cache}/standpipe
tools=$cache/tools
venv=$cache/venv

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
# where the language's own installer puts it, for shells that were open before
export PATH=${PATH:+$PATH:}$HOME/.cargo/bin:/usr/sbin:/sbin

# stage NAME COMMAND…: runs it and prints how long it took
stage() {
  local name=$1 from=$SECONDS
  shift
  printf '== %s\n' "$name"
  "$@"
  printf '== %s: %s s\n' "$name" $((SECONDS - from))
}

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}
