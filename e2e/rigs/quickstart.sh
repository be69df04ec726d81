#!/usr/bin/env bash
# make run: starts the agent on the example manifest, sends it 400 flight departures through the
# Firehose API with curl, shows the first delivered file and the accounting, and leaves the agent
# serving until Ctrl-C. Data lie in ./.standpipe of the current directory; a second run goes on.
#
# STANDPIPE_AGENT: a built agent to use; STANDPIPE_BIND: another address than 127.0.0.1.

# shellcheck source=env.sh
source "${BASH_SOURCE[0]%/*}/env.sh"

manifest=$root/manifests/examples/quickstart.yaml
records=$root/e2e/data/flights.ndjson
address=${STANDPIPE_BIND:-127.0.0.1}
delivered=.standpipe/delivered
per_batch=100

if [ -z "${STANDPIPE_AGENT:-}" ]; then
  bash "$root/e2e/rigs/setup.sh" run
  printf 'building the agent (a few minutes the first time) …\n'
  (cd "$root" && cargo build --quiet --locked --release --package agent)
  STANDPIPE_AGENT=$CARGO_TARGET_DIR/release/standpipe-agent
fi

# the first value of a member of the manifest
member() { sed -n "/^ *$1: */{s///;s/ .*//;p;q}" "$manifest"; }

stream=$(member streamName)
port=$(member port)
endpoint=http://$address:${port:-8080}
admin=http://$address:8081

# a PutRecordBatch body of the lines on standard input
batch() {
  local separator= line
  printf '{"DeliveryStreamName":"%s","Records":[' "$stream"
  while IFS= read -r line; do
    printf '%s{"Data":"%s"}' "$separator" "$(printf '%s' "$line" | base64 -w 0)"
    separator=,
  done
  printf ']}'
}

send() {
  local first
  for ((first = 1; first <= $(wc -l <"$records"); first += per_batch)); do
    sed -n "$first,$((first + per_batch - 1))p" "$records" | batch |
      curl --silent --show-error --fail-with-body --output /dev/null \
        --header 'Content-Type: application/x-amz-json-1.1' \
        --header 'X-Amz-Target: Firehose_20150804.PutRecordBatch' \
        --data-binary @- "$endpoint" || return
  done
}

# within 60 s, COMMAND… succeeds
within_a_minute() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    "$@" && return
    sleep 0.2
  done
  return 1
}

is_ready() { curl --silent --fail --output /dev/null "$admin/readyz"; }

# a number of the accounting in /report
number() { sed -n "/\"$1\":/{s/.*\"$1\": *//;s/[^0-9].*//;p;q}" <<<"$report"; }

all_delivered() {
  report=$(curl --silent --fail "$admin/report") && [ "$(number accepted)" -gt 0 ] && [ "$(number inWal)" = 0 ]
}

# the first file of this run that readers see, error output apart
first_file() {
  find "$delivered" -name .standpipe -prune -o -path "$delivered/errors" -prune -o \
    -type f -newer .standpipe/started -printf '%T@ %p\n' | sort | sed -n 1p | cut -d ' ' -f 2-
}

show() {
  local file
  within_a_minute is_ready || fail 'the agent does not get ready; its log is above'
  send || fail 'the records could not be sent; why is above'
  within_a_minute all_delivered || fail "not delivered within a minute; ask $admin/report why"
  file=$(first_file)
  # one write, so that the status line and this don't mix
  printf '\r\033[K\n%s\n' "$(
    printf 'sent %s flight departures with curl; delivered, first lines of\n  %s\n' "$(wc -l <"$records")" "$file"
    gzip -dc "$file" | sed -n 1,3p | cut -c 1-150 | sed 's/^/    /'
    printf 'accounting: accepted %s = delivered %s + error output %s + given up %s + filtered %s + lost %s + in the wal %s\n' \
      "$(number accepted)" "$(number delivered)" "$(number errorOutput)" "$(number givenUp)" \
      "$(number filtered)" "$(number lost)" "$(number inWal)"
    printf 'more at %s/report; Ctrl-C drains and stops\n' "$admin"
  )"
}

mkdir -p "$delivered"
: >.standpipe/started

agent=("$STANDPIPE_AGENT" run "$manifest" --bind "$address" --admin-bind "$address:8081")
status=0
if [ -t 0 ] && [ -t 1 ]; then
  # a job of its own: Ctrl-C reaches the agent alone, and its exit code is ours
  set -m
  show &
  "${agent[@]}" || status=$?
  kill %1 2>/dev/null || true
else
  show &
  "${agent[@]}" &
  child=$!
  trap 'kill -INT "$child"' INT
  trap 'kill -TERM "$child"' TERM
  # a trapped signal ends a wait early
  while kill -0 "$child" 2>/dev/null; do
    wait "$child" || true
  done
  wait "$child" || status=$?
fi
exit "$status"
