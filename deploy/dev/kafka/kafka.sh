#!/usr/bin/env bash
# A real Kafka (KRaft) on loopback without containers: for tests and for `npm run cluster`.
#
#   kafka.sh fetch                     gets the jars through Maven, once (start does it when needed)
#   kafka.sh start [1|3]               formats, starts, waits until ready; prints the bootstrap list
#   kafka.sh stop                      stops every broker cleanly and removes the directory
#   kafka.sh stop NODE                 stops one broker cleanly: leadership moves first
#   kafka.sh kill NODE                 SIGKILL, a crash
#   kafka.sh pause NODE, resume NODE   SIGSTOP and SIGCONT, a hung broker
#   kafka.sh restart NODE              starts a stopped or killed broker on its old data and waits
#   kafka.sh destroy                   SIGKILL for every broker, and removes the directory
#   kafka.sh quota BYTES               how many bytes a second a producer may send to a broker; 0: any number
#   kafka.sh user NAME [PASSWORD]      lets a user log in by SCRAM with that password; without one, no more
#   kafka.sh status                    one line per broker; exit code 0 only when all run
#
#   KAFKA_PORT       broker of node n listens on KAFKA_PORT+2(n-1), its controller on the port above  [20092]
#   KAFKA_DIR        data, logs and pids                                    [skein-kafka-PORT in the temp directory]
#   KAFKA_CACHE      where the jars are kept                                [~/.cache/skein]
#   KAFKA_HEAP       memory options of each broker                          [-Xms192m -Xmx256m]
#   KAFKA_WAIT       seconds to wait for readiness and for a stop           [90]
#   KAFKA_OWNER      a pid: the brokers are destroyed once that process is gone    [none]
#   KAFKA_PROPERTIES a file with more properties of every broker; they beat those of this script   [none]
#   KAFKA_AUTO_CREATE  true lets brokers create topics on first use         [false]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${KAFKA_PORT:-20092}
dir=${KAFKA_DIR:-${TMPDIR:-/tmp}/skein-kafka-$port}
wait_seconds=${KAFKA_WAIT:-90}
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
jars=${KAFKA_CACHE:-$HOME/.cache/skein}/kafka/$version
# Small and quick to start rather than fast: C1 only, one collector thread.
jvm=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -XX:MaxDirectMemorySize=64m -Djava.awt.headless=true)
read -ra heap <<<"${KAFKA_HEAP:--Xms192m -Xmx256m}"
# What is started so outlives the terminal and the process group of the caller.
detach=(nohup)
command -v setsid >/dev/null && detach=(setsid nohup)

fail() { echo "kafka.sh: $*" >&2; exit 1; }
usage() { sed -n '2,25s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
need() { command -v "$1" >/dev/null || fail "$1 is missing: install $2"; }
broker_port() { echo $((port + 2 * ($1 - 1))); }
controller_port() { echo $((port + 2 * ($1 - 1) + 1)); }

# The jars are complete or absent: they are gathered beside and moved into place.
fetch() {
  [ -f "$jars/kafka_2.13-$version.jar" ] && return
  need mvn "Maven (Debian: apt-get install maven)"
  mkdir -p "$(dirname "$jars")"
  local part; part=$(mktemp -d "$jars.XXXXXX")
  echo "kafka.sh: fetching Kafka $version" >&2
  if ! mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part" >&2; then
    rm -rf "$part"; fail "Maven could not fetch Kafka $version"
  fi
  # Another start may have won the race; its jars are as good.
  mv -T "$part" "$jars" 2>/dev/null || rm -rf "$part"
  [ -f "$jars/kafka_2.13-$version.jar" ] || fail "no Kafka $version in $jars"
}

properties() { # NODE COUNT
  local node=$1 count=$2 voters='' other in_sync=1
  [ "$count" -ge 3 ] && in_sync=2
  for other in $(seq "$count"); do voters+="${voters:+,}$other@127.0.0.1:$(controller_port "$other")"; done
  cat <<END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$(broker_port "$node"),CONTROLLER://127.0.0.1:$(controller_port "$node")
advertised.listeners=PLAINTEXT://127.0.0.1:$(broker_port "$node")
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/node$node/data
num.network.threads=2
num.io.threads=2
num.replica.fetchers=1
background.threads=2
num.partitions=3
default.replication.factor=$count
min.insync.replicas=$in_sync
unclean.leader.election.enable=false
auto.create.topics.enable=${KAFKA_AUTO_CREATE:-false}
offsets.topic.num.partitions=3
offsets.topic.replication.factor=$count
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=$count
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=3
share.coordinator.state.topic.replication.factor=$count
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
log.segment.bytes=16777216
log.retention.ms=3600000
log.cleaner.dedupe.buffer.size=4194304
broker.session.timeout.ms=6000
replica.lag.time.max.ms=6000
controlled.shutdown.enable=true
END
  if [ -n "${KAFKA_PROPERTIES:-}" ]; then cat "$KAFKA_PROPERTIES"; fi
}

# A pid counts as ours only while its command line names our properties file: pids are used again.
alive() {
  local pid; pid=$(cat "$dir/node$1/pid" 2>/dev/null) || return 1
  case $(ps -o args= -p "$pid" 2>/dev/null) in *"$dir/node$1/server.properties"*) ;; *) return 1 ;; esac
}
signal() { alive "$2" || fail "node $2 does not run"; kill "-$1" "$(cat "$dir/node$2/pid")"; }
nodes() { seq "$(cat "$dir/count" 2>/dev/null || echo 0)"; }

launch() { # NODE
  local home=$dir/node$1
  : >"$home/log"
  "${detach[@]}" java "${heap[@]}" "${jvm[@]}" -cp "$jars/*" kafka.Kafka "$home/server.properties" \
    >>"$home/log" 2>&1 </dev/null &
  echo $! >"$home/pid"
}

await_ready() { # NODE: the line is written once the broker is registered and unfenced
  local deadline=$((SECONDS + wait_seconds))
  until grep -q 'Kafka Server started' "$dir/node$1/log"; do
    kill -0 "$(cat "$dir/node$1/pid")" 2>/dev/null || { tail -n 30 "$dir/node$1/log" >&2; fail "node $1 ended"; }
    [ $SECONDS -lt $deadline ] || { tail -n 30 "$dir/node$1/log" >&2; fail "node $1 not ready in $wait_seconds s"; }
    sleep 0.1
  done
}

await_end() { # NODE
  local deadline=$((SECONDS + wait_seconds))
  while alive "$1"; do
    [ $SECONDS -lt $deadline ] || { signal KILL "$1"; fail "node $1 did not stop in $wait_seconds s and was killed"; }
    sleep 0.1
  done
}

start() {
  local count=${1:-1} node list='' pids=()
  [[ $count = 1 || $count = 3 ]] || fail "start 1 or 3 brokers, not $count"
  need java "Java 17 (Debian: apt-get install openjdk-17-jre-headless)"
  fetch
  if [ -e "$dir" ]; then
    [ -f "$dir/count" ] || fail "$dir exists and is not ours: set KAFKA_DIR"
    for node in $(nodes); do alive "$node" && fail "already running in $dir: stop it, or set KAFKA_PORT"; done
    rm -rf "$dir"
  fi
  mkdir -p "$dir"; echo "$count" >"$dir/count"
  if [ -n "${KAFKA_OWNER:-}" ]; then
    KAFKA_DIR=$dir "${detach[@]}" "${BASH_SOURCE[0]}" guard >/dev/null 2>&1 </dev/null &
  fi
  for node in $(seq "$count"); do
    mkdir -p "$dir/node$node"
    properties "$node" "$count" >"$dir/node$node/server.properties"
    java -Xmx128m "${jvm[@]}" -cp "$jars/*" kafka.tools.StorageTool format -t 4L6g3nShT-eMCtK--X86sw \
      -c "$dir/node$node/server.properties" >"$dir/node$node/format.log" 2>&1 & pids+=($!)
  done
  for node in $(seq "$count"); do
    wait "${pids[$((node - 1))]}" || { cat "$dir/node$node/format.log" >&2; fail "node $node could not be formatted"; }
  done
  for node in $(seq "$count"); do launch "$node"; list+="${list:+,}127.0.0.1:$(broker_port "$node")"; done
  for node in $(seq "$count"); do await_ready "$node"; done
  echo "kafka.sh: $count broker(s) ready after $SECONDS s" >&2
  echo "$list"
}

# Whoever starts Kafka for itself may be killed before it can stop it.
guard() {
  while kill -0 "$KAFKA_OWNER" && [ -f "$dir/count" ]; do sleep 1; done
  destroy
}

destroy() {
  local node
  for node in $(nodes); do if alive "$node"; then signal KILL "$node"; fi; done
  for node in $(nodes); do await_end "$node"; done
  rm -rf "$dir"
}

quota() { # BYTES
  local change=(--add-config "producer_byte_rate=$1")
  [[ $1 =~ ^[0-9]+$ ]] || fail "quota takes a number of bytes a second"
  [ "$1" -gt 0 ] || change=(--delete-config producer_byte_rate)
  java -Xmx128m "${jvm[@]}" -cp "$jars/*" kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$(broker_port 1)" \
    --alter --entity-type clients --entity-default "${change[@]}" >&2
}

user() { # NAME [PASSWORD]
  local mechanism change
  [ -n "$1" ] || fail "user takes a name, and a password"
  # Kafka changes one credential of a user at a time.
  for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
    change=(--delete-config "$mechanism")
    [ -z "$2" ] || change=(--add-config "$mechanism=[password=$2]")
    java -Xmx128m "${jvm[@]}" -cp "$jars/*" kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$(broker_port 1)" \
      --alter --entity-type users --entity-name "$1" "${change[@]}" >&2
  done
}

stop_all() {
  local node
  [ -f "$dir/count" ] || return 0
  # A paused broker takes the signal only when it runs.
  for node in $(nodes); do if alive "$node"; then signal CONT "$node"; signal TERM "$node"; fi; done
  for node in $(nodes); do await_end "$node"; done
  rm -rf "$dir"
}

status() {
  local node all=0
  [ -f "$dir/count" ] || { echo "no cluster in $dir"; return 1; }
  for node in $(nodes); do
    if alive "$node"; then echo "node $node 127.0.0.1:$(broker_port "$node") runs"; else echo "node $node stopped"; all=1; fi
  done
  return $all
}

node_of() { [[ ${1:-} =~ ^[1-3]$ && -d $dir/node$1 ]] || fail "name a node of the cluster in $dir"; }
case "${1:-}" in
  fetch) fetch ;;
  start) start "${2:-1}" ;;
  stop) if [ -n "${2:-}" ]; then node_of "$2"; signal TERM "$2"; await_end "$2"; else stop_all; fi ;;
  kill) node_of "${2:-}"; signal KILL "$2"; await_end "$2" ;;
  pause) node_of "${2:-}"; signal STOP "$2" ;;
  resume) node_of "${2:-}"; signal CONT "$2" ;;
  restart) node_of "${2:-}"; alive "$2" && fail "node $2 runs"; launch "$2"; await_ready "$2" ;;
  destroy) destroy ;;
  guard) guard ;;
  quota) quota "${2:-}" ;;
  user) user "${2:-}" "${3:-}" ;;
  status) status ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
