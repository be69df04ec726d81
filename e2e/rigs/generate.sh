#!/usr/bin/env bash
# make generate: writes the generated files; a test of crds holds them equal.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"
cd "$root"

crd=manifests/crds/deliverystreams.yaml
mkdir -p "${crd%/*}"
cargo run --quiet --locked --package crds --features kube --bin crdgen >"$crd.new"
mv "$crd.new" "$crd"
printf 'wrote %s\n' "$crd"
