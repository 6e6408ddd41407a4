#!/usr/bin/env bash
# A mock Kafka cluster with faults on demand: compiles mockd.c when it has changed, and runs it. mockd.c names its commands.
#
#   mockd.sh [BROKERS]                 runs until its input ends  [3]
#
#   KAFKA_CACHE      where the program is kept   [~/.cache/skein]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$here/mockd.c
fail() { echo "mockd.sh: $*" >&2; exit 1; }

case "${1:-}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
command -v cc >/dev/null || fail 'a C compiler is missing: install gcc (Debian: apt-get install gcc libc6-dev)'
cache=${KAFKA_CACHE:-$HOME/.cache/skein}/mockd
program=$cache/mockd-$(sha256sum "$source" | cut -c 1-16)
if [ ! -x "$program" ]; then
  mkdir -p "$cache"
  # Compiled beside and moved into place: another start may do the same just now.
  part=$(mktemp "$program.XXXXXX")
  cc -O2 -Wall -Wextra -Werror -o "$part" "$source" -lrdkafka ||
    { rm -f "$part"; fail 'could not compile: install librdkafka-dev (Debian: apt-get install librdkafka-dev)'; }
  mv "$part" "$program"
fi
exec "$program" "${1:-3}"
