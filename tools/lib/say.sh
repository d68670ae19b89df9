# Saying what happens, and how long it took.

if [[ -t 1 ]]; then BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'; else BOLD='' RED='' GREEN='' PLAIN=''; fi

say() { printf '%s\n' "${BOLD}== $*${PLAIN}"; }
note() { printf '   %s\n' "$*"; }
fail() {
  printf '%s\n' "${RED}tools/dev: $*${PLAIN}" >&2
  exit 1
}

now_ms() { date +%s%3N; }
seconds_since() { awk -v ms="$(($(now_ms) - $1))" 'BEGIN { printf "%.1f s", ms / 1000 }'; }

# timed WHAT COMMAND...: says what is done, does it, says how long it took. The command's failure ends the script.
timed() {
  local what=$1 began
  shift
  say "$what"
  began=$(now_ms)
  "$@"
  note "took $(seconds_since "$began")"
}

# Steps of a longer run. Each runs in a shell of its own, its output goes to the terminal and to a log, and a failed
# one does not end the run: finish_steps does, at the end.
STEP_NAMES=() STEP_TIMES=() STEP_CODES=()
STEP_LOGS="$ROOT/build/logs"

# Call it as a plain command, never inside `if` or `||`: bash switches `set -e` off there.
step() {
  local name=$1 began code log
  shift
  mkdir -p "$STEP_LOGS"
  log="$STEP_LOGS/${name// /-}.log"
  say "$name"
  began=$(now_ms)
  set +e
  (
    set -e
    "$@"
  ) 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  set -e
  STEP_NAMES+=("$name") STEP_CODES+=("$code") STEP_TIMES+=("$(seconds_since "$began")")
  if [[ $code -eq 0 ]]; then note "took ${STEP_TIMES[-1]}"; else
    printf '%s\n' "${RED}   FAILED after ${STEP_TIMES[-1]} (exit code $code); its output is in $log${PLAIN}"
  fi
  LAST_STEP_CODE=$code
}

# A step that cannot run because an earlier one failed counts as failed.
skip_step() {
  STEP_NAMES+=("$1") STEP_CODES+=(1) STEP_TIMES+=("not run: $2")
  say "$1: not run, because $2"
}

steps_table() {
  local i mark
  for i in "${!STEP_NAMES[@]}"; do
    if [[ ${STEP_CODES[i]} -eq 0 ]]; then mark="${GREEN}ok    ${PLAIN}"; else mark="${RED}FAILED${PLAIN}"; fi
    printf '   %s  %-34s %s\n' "$mark" "${STEP_NAMES[i]}" "${STEP_TIMES[i]}"
  done
}
