# The tests. `test` is what CI runs.

RESULTS="$ROOT/build/results"  # JUnit files; tally.py adds them up
TEST_STEPS="build unit concurrency fuzz release package system newcomer"
# What is worth the price of ThreadSanitizer: the programs whose tests use more than one thread.
TSAN_TESTS="store_memory_test store_sqlite_test net_test base_test secrets_test telemetry_test tcp_gate_test"

# run_ctest PRESET NAME [CTEST-ARGUMENT...]: NAME is the folder of the results. Two programs a core at a time, because
# most of them wait: for times to live, for servers. What cannot stand company takes all places (PROCESSORS).
run_ctest() {
  local preset=$1 results="$RESULTS/$2"
  shift 2
  rm -rf "$results" && mkdir -p "$results/gtest"
  export_store_servers
  GTEST_OUTPUT="xml:$results/gtest/" ctest --test-dir "build/$preset" -j "$((2 * JOBS))" --output-on-failure --timeout 600 \
    --no-tests=error --output-junit "$results/ctest.xml" "$@"
}

# Sanitizers end the process on the first finding, with a stack.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}

test_build() {
  configure dev -DHOLDFAST_WERROR=ON
  build_preset dev
}

# Unit tests wait most of the time. What later steps build and fetch is built and fetched beside them, by processors that
# nobody else wants just then. Those steps do what is left, and say what fails.
test_unit() {
  export_store_servers  # before anybody else asks apt
  start_ahead
  run_ctest dev unit
  end_ahead
}

wants() { [[ " ${WANTED_STEPS:-} " == *" $1 "* ]]; }

build_ahead() {
  if wants release || wants package || wants system; then test_release; fi
  if wants concurrency; then build_concurrency; fi
}

fetch_ahead() {
  wants system || return 0
  prepare_system
  h2spec_binary
  zipkin_jar
  prometheus_folder
}

# ahead FUNCTION: in the background, in a group of processes of its own. Sets AHEAD.
ahead() {
  local log="$STEP_LOGS/$1.log"
  set -m
  { chrt --idle --pid 0 "$BASHPID" && "$1"; } >"$log" 2>&1 </dev/null &
  set +m
  AHEAD=$!
}

start_ahead() {
  ahead build_ahead
  BUILD_AHEAD=$AHEAD
  ahead fetch_ahead
  trap end_ahead EXIT
}

# A build can be ended anywhere, and goes on from there. What installs packages cannot.
end_ahead() {
  trap - EXIT
  kill -- "-$BUILD_AHEAD" 2>/dev/null || true
  wait "$BUILD_AHEAD" || true
  wait "$AHEAD" || true
  grep -h ' built in ' "$STEP_LOGS/build_ahead.log" | sed 's/$/ beside these tests/' || true
}

build_concurrency() {
  configure tsan -DHOLDFAST_WERROR=ON
  # shellcheck disable=SC2086
  build_preset tsan $TSAN_TESTS
}

test_concurrency() {
  local pattern
  build_concurrency
  pattern="^(${TSAN_TESTS// /|})\$"
  run_ctest tsan concurrency -R "$pattern"
}

test_fuzz() {
  configure dev -DHOLDFAST_WERROR=ON
  build_fuzz
  fuzz_all 10
}

test_release() {
  configure release -DHOLDFAST_WERROR=ON
  build_preset release holdfast
  note "build/release/holdfast is $(stat -c %s build/release/holdfast | numfmt --to=iec) and says version $(build/release/holdfast --version)"
}

# python_environment NAME FOLDER: what test/NAME/requirements.txt lists, in FOLDER; made once for one such file.
python_environment() {
  local requirements="test/$1/requirements.txt" folder=$2 wanted
  wanted=$(sha256sum "$requirements" | cut -c1-64)
  [[ $(cat "$folder/made-for" 2>/dev/null) == "$wanted" ]] && return
  note "installing $requirements into ${folder#"$ROOT"/}"
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  echo "$wanted" >"$folder/made-for"
}

# python_client FOLDER: the package of clients/python in this environment; built again when something of it has changed.
python_client() {
  local folder=$1 wanted
  wanted=$({ git ls-files -z -co --exclude-standard clients/python proto/holdfast | sort -z | xargs -0 sha256sum; } | sha256sum | cut -c1-64)
  [[ $(cat "$folder/client-made-for" 2>/dev/null) == "$wanted" ]] && return
  note "installing clients/python into ${folder#"$ROOT"/}"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps ./clients/python
  "$folder/bin/pip" check --quiet
  echo "$wanted" >"$folder/client-made-for"
}

# h2spec, built once from the versions pinned in tools/h2spec. Without it its test is skipped, and says so.
h2spec_binary() {
  local binary="$ROOT/.cache/h2spec"
  if [[ ! -x $binary ]]; then
    command -v go >/dev/null || as_root apt-get install -y -q --no-install-recommends golang-go >&2 || true
    note "building h2spec into .cache" >&2
    (cd tools/h2spec && go build -o "$binary" github.com/summerwind/h2spec/cmd/h2spec) >&2 ||
      note "h2spec cannot be built here; its test will be skipped" >&2
  fi
  [[ ! -x $binary ]] || echo "$binary"
}

# What the system tests need beside servers and the sidecar.
prepare_system() {
  python_environment system "$ROOT/.cache/venv"
  python_client "$ROOT/.cache/venv"
  sdk_clients
  "$ROOT/examples/run" --install
  cpp_client || true  # its tests fail, and say so
  tool chromium chromium || note "the dashboard's tests will fail without Chromium"
}

# run_system NAME [PYTEST-ARGUMENT...]: files of tests side by side, two more than there are cores, because they wait
# for servers.
run_system() {
  local results="$RESULTS/$1"
  shift
  rm -rf "$results" && mkdir -p "$results"
  prepare_system
  export_store_servers
  HOLDFAST_H2SPEC=${HOLDFAST_H2SPEC:-$(h2spec_binary)} HOLDFAST_ZIPKIN_JAR=$(zipkin_jar) \
    HOLDFAST_PROMETHEUS=$(prometheus_folder) HOLDFAST_BIN=${HOLDFAST_BIN:-$ROOT/build/release/holdfast} \
    .cache/venv/bin/python -m pytest --rootdir "$ROOT" -n "$((JOBS + 2))" --dist loadfile test/system clients/python/tests \
    -ra --junitxml "$results/pytest.xml" "$@"
}

test_package() {
  [[ -x build/release/holdfast ]] || test_release
  make_packages all
  test_packages -q
}

test_system() {
  [[ -x build/release/holdfast ]] || test_release
  run_system system -q
}

# What a newcomer types first, in a clone of what is committed: the sidecar shown at work, an example, a check of a file
# with three mistakes. Packages are step `package`'s.
test_newcomer() {
  local clone="$ROOT/build/newcomer" findings
  rm -rf "$clone"
  git clone -q --no-hardlinks "$ROOT" "$clone"
  # With the options of step `release`, so that what that one has compiled is found in ccache.
  (cd "$clone" && CI=true HOLDFAST_WERROR=ON HOLDFAST_LTO_CACHE=$ROOT/build/release/lto tools/dev run --stop-after)
  (cd "$clone" && examples/run cart)
  mkdir -p "$clone/build/mistakes"
  cat >"$clone/build/mistakes/orders.yaml" <<'YAML'
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: orders
spec:
  type: state.sqlit
  version: v1
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: carts
spec:
  type: state.sqlite
  version: v1
  metadata:
  - name: conectionString
    value: data.db
  - name: timeout
    value: soon
YAML
  findings=$(cd "$clone" && build/release/holdfast check build/mistakes) && fail "three mistakes were not found"
  printf '%s\n' "$findings"
  local place
  for place in 'orders.yaml:6: .*state.sqlite' 'orders.yaml:17: .*connectionString' 'orders.yaml:20: .*duration'; do
    grep -q "$place" <<<"$findings" || fail "holdfast check did not say \"$place\""
  done
  rm -rf "$clone"
}

# dev_test [STEP...]: all steps, or those named.
dev_test() {
  local name began wanted=${*:-$TEST_STEPS}
  began=$(now_ms)
  WANTED_STEPS=$wanted
  for name in $wanted; do
    [[ " $TEST_STEPS " == *" $name "* ]] || fail "there is no step \"$name\"; the steps are: $TEST_STEPS"
  done
  rm -rf "$RESULTS" && mkdir -p "$RESULTS"
  step deps dev_deps
  for name in $wanted; do
    if [[ $name == system && ! -d test/system ]]; then note "no test/system: step system is left out"; continue; fi
    step "$name" "test_$name"
  done
  finish_steps "$began"
}

# The totals: each test case of the JUnit files, each fuzz target, and each step that failed without naming a case.
finish_steps() {
  local began=$1 i arguments=() code=0
  echo
  say "steps (all of them took $(seconds_since "$began"))"
  steps_table
  for i in "${!STEP_NAMES[@]}"; do arguments+=("${STEP_NAMES[i]}=${STEP_CODES[i]}"); done
  python3 "$ROOT/tools/lib/tally.py" "$RESULTS" "${arguments[@]}" || code=1
  exit "$code"
}

build_fuzz() {
  local targets
  mapfile -t targets < <(fuzz_targets)
  build_preset dev "${targets[@]}"
}

# As test/fuzz/CMakeLists.txt names them.
fuzz_targets() { sed -nE 's/^holdfast_fuzz\((fuzz_[a-z0-9_]+).*/\1/p' test/fuzz/CMakeLists.txt; }

# fuzz_one TARGET SECONDS: the seeds of the tree are read, what is found on the way is kept in build/dev/fuzzing/corpus.
fuzz_one() {
  local target=$1 seconds=$2 name=${1#fuzz_} log="$ROOT/build/dev/fuzzing/$1.log" found="$ROOT/build/dev/fuzzing/corpus/${1#fuzz_}"
  local seeds=()
  mkdir -p "$found" "$ROOT/build/dev/fuzzing/artifacts"
  [[ -d test/fuzz/corpus/$name ]] && seeds=("test/fuzz/corpus/$name")
  if "build/dev/test/fuzz/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3072 -print_final_stats=1 \
    -artifact_prefix="$ROOT/build/dev/fuzzing/artifacts/$name-" "$found" "${seeds[@]}" >"$log" 2>&1; then
    note "$target: $(sed -nE 's/^stat::number_of_executed_units: *//p' "$log") inputs, $(grep -oE 'cov: [0-9]+' "$log" | tail -1), nothing found"
  else
    tail -60 "$log"
    note "$target FOUND something; the input is in build/dev/fuzzing/artifacts, the log is $log"
    return 1
  fi
}

# fuzz_all SECONDS: every target, one on each core at a time; writes a JUnit file.
fuzz_all() {
  local seconds=$1 target failed=0 cases='' results="$RESULTS/fuzz"
  rm -rf "$results" && mkdir -p "$results"
  for target in $(fuzz_targets); do
    while [[ $(jobs -rp | wc -l) -ge $JOBS ]]; do wait -n || true; done
    { fuzz_one "$target" "$seconds" && touch "$results/$target.ok"; } &
  done
  wait
  for target in $(fuzz_targets); do
    if [[ -e $results/$target.ok ]]; then cases+="<testcase name='$target'/>"; else
      cases+="<testcase name='$target'><failure/></testcase>"
      failed=1
    fi
  done
  echo "<testsuite>$cases</testsuite>" >"$results/fuzz.xml"
  return "$failed"
}

dev_fuzz() {
  local target=${1:-all} seconds=${2:-60}
  if [[ $target =~ ^[0-9]+$ ]]; then seconds=$target target=all; fi
  [[ $target == all || $target == fuzz_* ]] || target=fuzz_$target
  timed "configure dev" configure dev
  if [[ $target == all ]]; then
    timed "build the fuzz targets" build_fuzz
    timed "fuzz every target for $seconds s" fuzz_all "$seconds"
    return
  fi
  fuzz_targets | grep -qx "$target" || fail "there is no fuzz target $target; there are: $(fuzz_targets | tr '\n' ' ')"
  timed "build $target" build_preset dev "$target"
  timed "fuzz $target for $seconds s" fuzz_one "$target" "$seconds"
}

# The system tests again and again, for as long as told, with the release binary and with the one that has sanitizers in
# turn; each round is a test result of its own.
soak_system() {
  local end=$((SECONDS + $1)) round=0 preset
  while [[ $SECONDS -lt $end ]]; do
    round=$((round + 1))
    preset=release
    [[ $((round % 2)) -eq 1 ]] || preset=dev
    note "round $round, build/$preset"
    HOLDFAST_TEST_KILLS=500 HOLDFAST_SOAK_SECONDS=120 HOLDFAST_GRPC_FUZZ_EXAMPLES=1000 \
      HOLDFAST_BIN="$ROOT/build/$preset/holdfast" run_system "system-$round" -q
  done
}

# Servers that fail under load, each test for as long as told and cuts at every byte; on etcd also a million saves on
# leases.
soak_faults() {
  HOLDFAST_SOAK_SECONDS=$1 run_ctest dev faults -R '^(redis_(faults|moving)|postgresql_faults|etcd_faults)_test$'
}

# Sessions over two sidecars and replicas that lag: so many random histories, and the other promises for as long as told.
soak_sessions() {
  HOLDFAST_SESSION_HISTORIES=$1 HOLDFAST_SOAK_SECONDS=$2 run_ctest dev sessions -R '^redis_sessions_test$' --verbose
}

# A million records from SQLite to Redis and back, killed five times each way.
soak_migration() {
  HOLDFAST_MIGRATE_RECORDS=1000000 HOLDFAST_BIN="$ROOT/build/release/holdfast" \
    run_system migration -n 0 -q -s -k test_there_and_back_killed_five_times_each_way
}

# A million keys of each store listed page by page: each once, memory that stays, time that does not grow.
soak_listing() {
  HOLDFAST_LIST_RECORDS=1000000 HOLDFAST_BIN="$ROOT/build/release/holdfast" run_system listing -n 0 -q -s -k test_listing
}

soak_conformance() {
  run_ctest dev conformance -R 'store_.*_test' --repeat "until-fail:$1"
}

# Stores that have several deployments on each of them, over each protocol, through the sidecar.
soak_remote() {
  HOLDFAST_SOAK_SECONDS=1 run_ctest dev remote -R '^remote_conformance_test_(etcd|memcached|TtlConformance_.*)_$'
}

SOAK_PARTS="stores remote faults sessions migration listing fuzz system"

soak_part() {
  local seconds=$2 rounds=$(($2 / 60)) fault_seconds=$(($2 / 10))
  # Ten times in a row, unless the soak is a short one.
  [[ $rounds -ge 2 ]] || rounds=2
  [[ $rounds -le 10 ]] || rounds=10
  [[ $fault_seconds -ge 1 ]] || fault_seconds=1
  case $1 in
    stores) step "stores, $rounds times over" soak_conformance "$rounds" ;;
    remote) step "stores through the sidecar" soak_remote ;;
    faults) step "faults of servers, $fault_seconds s a test" soak_faults "$fault_seconds" ;;
    sessions) step "10,000 session histories" soak_sessions 10000 "$fault_seconds" ;;
    migration) step "a million records moved" soak_migration ;;
    listing) step "a million keys listed" soak_listing ;;
    fuzz) step "fuzz, $seconds s a target" soak_fuzz "$seconds" ;;
    system) step "system, for $seconds s" soak_system "$seconds" ;;
  esac
}

# The long runs, or some of them. The report names the commit, the machine, the steps, what was left out and the totals.
dev_soak() {
  local seconds=${1:-600} part began report="$ROOT/build/soak-report.txt" left_out=""
  [[ $# -eq 0 ]] || shift
  [[ $seconds =~ ^[0-9]+$ ]] || fail "soak takes a number of seconds, not \"$seconds\""
  # shellcheck disable=SC2086
  [[ $# -gt 0 ]] || set -- $SOAK_PARTS
  for part in "$@"; do
    [[ " $SOAK_PARTS " == *" $part "* ]] || fail "soak has no part \"$part\": they are $SOAK_PARTS"
  done
  for part in $SOAK_PARTS; do
    [[ " $* " == *" $part "* ]] || left_out+=" $part"
  done
  began=$(now_ms)
  rm -rf "$RESULTS" && mkdir -p "$RESULTS"
  step deps dev_deps
  step "build dev" test_build
  step "build release" test_release
  for part in "$@"; do soak_part "$part" "$seconds"; done
  {
    echo "Soak of $(git rev-parse --short HEAD 2>/dev/null || echo 'no commit'), $(date -u +%Y-%m-%dT%H:%MZ), $(nproc) cores"
    [[ -z $left_out ]] || echo "Left out:$left_out"
    finish_steps "$began"
  } 2>&1 | tee "$report"
  exit "${PIPESTATUS[0]}"
}

soak_fuzz() {
  configure dev
  build_fuzz
  fuzz_all "$1"
}

# measure [ARGUMENT...]: those of holdfast_bench (test/bench/main.cc), which has been built.
measure() {
  export_store_servers
  build_client etcd_by_hand "$ETCD_BY_HAND"
  [[ ! -x $CLIENTS/etcd_by_hand/client ]] || export HOLDFAST_BENCH_ETCD_CLIENT="$CLIENTS/etcd_by_hand/client"
  "$(find build/release -type f -name holdfast_bench)" "$@"
}

dev_bench() {
  timed "configure release" configure release
  timed "build release" build_preset release holdfast holdfast_bench
  timed "measure" measure "$@"
}

# What a build for release is optimised by: the benchmark's load on a sidecar that counts (doc/adr/0019).
dev_profile() {
  local profile="$ROOT/cmake/profile/release.profdata"
  timed "configure release" configure release
  timed "build the load" build_preset release holdfast_bench
  timed "configure profile" configure profile
  timed "build what records" build_preset profile holdfast
  rm -rf build/profile/recorded
  timed "run" measure --holdfast build/profile/holdfast --seconds 0.5 "$@"
  llvm-profdata-19 merge --sparse -o "$profile" build/profile/recorded
  note "recorded in ${profile#"$ROOT"/}; build release again to use it"
}
