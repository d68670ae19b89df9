# The sidecar on the embedded store, shown at work and left running.

RUN_DIR="$ROOT/build/run"

write_component() {
  mkdir -p "$RUN_DIR/components"
  [[ -e $RUN_DIR/components/statestore.yaml ]] && return
  cat >"$RUN_DIR/components/statestore.yaml" <<YAML
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.sqlite
  version: v1
  metadata:
    - name: connectionString
      value: $RUN_DIR/state.db
YAML
}

# The process that `run` left behind, if it still is one of ours.
running_pid() {
  local pid
  pid=$(cat "$RUN_DIR/pid" 2>/dev/null) || return 1
  [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == "$ROOT"/build/*/holdfast* ]] && echo "$pid"
}

wait_until() {  # wait_until SECONDS COMMAND...
  local tries=$(($1 * 20))
  shift
  until "$@"; do
    [[ $((tries--)) -gt 0 ]] || return 1
    sleep 0.05
  done
}

is_gone() { [[ ! -e /proc/$1 ]]; }
is_ready() { curl -fs -o /dev/null "http://127.0.0.1:$HTTP_PORT/v1.0/healthz"; }
knows_ports() { grep -q 'dapr initialized' "$RUN_DIR/log" || is_gone "$SIDECAR"; }
port_of() { sed -nE "s/.*$1 server is running on port ([0-9]+).*/\1/p" "$RUN_DIR/log" | tail -1; }

# start_sidecar [FLAG...]: sets SIDECAR, HTTP_PORT and GRPC_PORT.
start_sidecar() {
  local began
  began=$(now_ms)
  : >"$RUN_DIR/log"
  setsid "$ROOT/build/release/holdfast" serve --resources-path "$RUN_DIR/components" "$@" \
    </dev/null >>"$RUN_DIR/log" 2>&1 &
  SIDECAR=$!
  disown  # it outlives this script, and bash need not report its end
  echo "$SIDECAR" >"$RUN_DIR/pid"
  wait_until 20 knows_ports || fail "the sidecar said nothing in 20 s; see $RUN_DIR/log"
  HTTP_PORT=$(port_of HTTP) GRPC_PORT=$(port_of gRPC)
  if [[ -z $HTTP_PORT ]] || ! wait_until 10 is_ready; then
    cat "$RUN_DIR/log" >&2
    fail "the sidecar did not start; its log is above"
  fi
  note "process $SIDECAR answers on http://127.0.0.1:$HTTP_PORT (gRPC: $GRPC_PORT), ready after $(seconds_since "$began")"
}

show() {
  printf '   $ %s\n' "$1"
  printf '     %s\n' "$(eval "$1")"
}

save_and_get() {
  local base="http://127.0.0.1:$HTTP_PORT/v1.0/state/statestore"
  show "curl -s -o /dev/null -w '%{http_code}' -X POST $base -d '[{\"key\":\"greeting\",\"value\":{\"hello\":\"$1\"}}]'"
  show "curl -s $base/greeting"
}

expect_greeting() {
  local got
  got=$(curl -s "http://127.0.0.1:$HTTP_PORT/v1.0/state/statestore/greeting")
  [[ $got == "{\"hello\":\"$1\"}" ]] || fail "expected {\"hello\":\"$1\"}, got: $got"
}

kill_and_return() {
  local port=$HTTP_PORT grpc=$GRPC_PORT
  note "kill -9 $SIDECAR"
  kill -9 "$SIDECAR"
  wait_until 10 is_gone "$SIDECAR" || fail "process $SIDECAR is still there"
  start_sidecar --dapr-http-port "$port" --dapr-grpc-port "$grpc"
}

dev_stop() {
  local pid
  if ! pid=$(running_pid); then note "no sidecar of tools/dev run is running"; return; fi
  kill -TERM "$pid"
  wait_until 15 is_gone "$pid" || fail "process $pid did not stop in 15 s"
  note "process $pid has stopped"
}

dev_run() {
  local began stop_after=${CI:-false} word
  [[ ${1:-} == --stop-after ]] && stop_after=true
  began=$(now_ms)
  word="world $RANDOM"
  say "packages" && dev_deps
  timed "configure release" configure release
  timed "build release" build_preset release holdfast
  if running_pid >/dev/null; then timed "stop the sidecar of the last run" dev_stop; fi
  write_component
  say "start the sidecar on SQLite ($RUN_DIR/components/statestore.yaml)" && start_sidecar
  timed "save a value and read it" save_and_get "$word"
  expect_greeting "$word"
  say "kill -9, start again, read again" && kill_and_return
  show "curl -s http://127.0.0.1:$HTTP_PORT/v1.0/state/statestore/greeting"
  expect_greeting "$word"
  note "the value is there"
  if [[ $stop_after == true || $stop_after == 1 ]]; then timed "stop" dev_stop && say "all of it took $(seconds_since "$began")" && return; fi
  say "the sidecar is running (all of it took $(seconds_since "$began"))"
  cat <<TEXT
   HTTP   http://127.0.0.1:$HTTP_PORT        gRPC   127.0.0.1:$GRPC_PORT        log   $RUN_DIR/log
   Next:
     export DAPR_HTTP_PORT=$HTTP_PORT DAPR_GRPC_PORT=$GRPC_PORT
     curl -s http://127.0.0.1:$HTTP_PORT/v1.0/metadata
     curl -s http://127.0.0.1:$HTTP_PORT/v2/stores
     edit $RUN_DIR/components/statestore.yaml and run this again
     tools/dev stop
TEXT
}
