#!/usr/bin/env bash
# Sees that what a target needs is there, and installs what is missing: setup.sh run|test|bench
#
# Packages of Debian or Ubuntu are installed as root or with sudo, and only when something is
# missing. Rust is never fetched behind your back: either the distribution has a new enough one or
# the one command to type is printed.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"

# rust-toolchain.toml names the toolchain that is tested; this is the oldest that can build
rust_minor=95
deny=0.20.2

is_there() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif is_there sudo; then
    sudo "$@"
  else
    fail "root is needed for: $*" "run it, then make again"
  fi
}

apt_install() {
  is_there apt-get || fail "missing, and there is no apt-get to install it with: $*"
  printf 'installing %s\n' "$*"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# the minor version of a `cargo 1.95.0 (…)` line
minor() {
  local version=${1#* 1.}
  printf '%s' "${version%%.*}"
}

cargo_is_new_enough() {
  local line
  is_there cargo && is_there rustc && line=$(cd "$root" && cargo --version 2>/dev/null) &&
    [[ $line == cargo\ 1.* ]] && [ "$(minor "$line")" -ge "$rust_minor" ]
}

# the distribution's cargo, if it is new enough: `cargo`, else a versioned `cargo-1.NN`
distribution_rust() {
  is_there apt-cache && is_there sed || return 1
  local candidate
  candidate=$(apt-cache policy cargo 2>/dev/null | sed -n 's/^ *Candidate: *\(.*\)/\1/p')
  candidate=${candidate#*:}
  if [[ $candidate =~ ^1\.([0-9]+)\. ]] && [ "${BASH_REMATCH[1]}" -ge "$rust_minor" ]; then
    printf 'cargo rustc rust-clippy rustfmt'
    return
  fi
  candidate=$(apt-cache pkgnames cargo-1. 2>/dev/null | sed -n 's/^cargo-1\.\([0-9][0-9]*\)$/\1/p' | sort -n | tail -n 1)
  if [ -n "$candidate" ] && [ "$candidate" -ge "$rust_minor" ]; then
    printf 'cargo-1.%s rustc-1.%s' "$candidate" "$candidate"
    return
  fi
  return 1
}

rust() {
  cargo_is_new_enough && return
  local packages
  if packages=$(distribution_rust); then
    # shellcheck disable=SC2086
    apt_install $packages
    cargo_is_new_enough && return
  fi
  fail "Rust 1.$rust_minor or newer is needed and this system's packages have none. Install it with" \
    "" \
    "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" \
    "" \
    "then run make again."
}

# commands KEY PACKAGE…: installs the packages whose command is missing
programs() {
  local missing=()
  while [ $# -gt 0 ]; do
    is_there "$1" || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

lints() {
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    is_there rustup || fail "cargo fmt and cargo clippy are missing: install rustfmt and clippy of the same version as cargo"
    rustup component add rustfmt clippy
  fi
}

cargo_deny() {
  [ "$("$tools/bin/cargo-deny" --version 2>/dev/null || true)" = "cargo-deny $deny" ] && return
  printf 'installing cargo-deny %s\n' "$deny"
  CARGO_TARGET_DIR=$tools/build cargo install --quiet --locked --debug --force \
    --root "$tools" --version "$deny" cargo-deny
  rm -rf "$tools/build"
}

boto3() {
  local wanted=$root/e2e/rigs/boto3/requirements.txt
  cmp -s "$wanted" "$venv/requirements.txt" && return
  # Debian's python3 comes without the part that venv needs
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
  printf 'installing boto3\n'
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$venv/requirements.txt"
}

for_run() {
  rust
  programs cc build-essential curl curl gzip gzip base64 coreutils
}

case ${1:-} in
run | bench) for_run ;;
test)
  for_run
  programs python3 python3 strace strace unshare util-linux nsenter util-linux \
    mount mount mkfs.ext4 e2fsprogs chattr e2fsprogs
  lints
  cargo_deny
  boto3
  ;;
*) fail "usage: setup.sh run|test|bench" ;;
esac
