# Configure and build. HOLDFAST_JOBS limits how many compilers run at once; HOLDFAST_BUILD_WRAPPER is put before
# cmake and ninja (nice, a lock, a distributor).

JOBS=${HOLDFAST_JOBS:-$(nproc)}
PRESETS="dev release profile tsan coverage"

# Paths below the tree are hashed as relative ones, so that a second clone finds the first one's objects.
export CCACHE_BASEDIR="$ROOT" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros

configure() {
  local preset=$1 log
  shift
  [[ " $PRESETS " == *" $preset "* ]] || fail "there is no preset \"$preset\"; there are: $PRESETS"
  command -v clang++-19 >/dev/null || fail "clang++-19 is not installed; run tools/dev deps"
  log="$ROOT/build/$preset-configure.log"
  mkdir -p "$ROOT/build"
  # shellcheck disable=SC2086
  ${HOLDFAST_BUILD_WRAPPER:-} cmake --preset "$preset" "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    fail "cmake cannot configure preset $preset"
  }
}

# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1 began
  shift
  began=$(now_ms)
  # shellcheck disable=SC2086
  NINJA_STATUS="[%f/%t %es] " ${HOLDFAST_BUILD_WRAPPER:-} ninja -C "build/$preset" -j "$JOBS" "$@" | thin_out ||
    fail "preset $preset does not build; the compiler's message is above"
  note "build/$preset $* built in $(seconds_since "$began")"
}

# On a terminal ninja rewrites one line; elsewhere every 25th line of progress is enough, and all that is not progress.
thin_out() {
  if [[ -t 1 ]]; then cat; else
    awk '/^\[[0-9]+\/[0-9]+ / { if (++n % 25 == 1) { print; fflush() } next } { print; fflush() }'
  fi
}

dev_build() {
  local preset=${1:-dev}
  [[ $# -gt 0 ]] && shift
  timed "configure $preset" configure "$preset"
  timed "build $preset" build_preset "$preset" "$@"
}
