# Format, lint, coverage, generated docs.

# The commit that changes are counted from: where this branch left main.
base_commit() {
  git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || git rev-parse HEAD
}

sources() { git ls-files -- '*.cc' '*.h'; }

changed_sources() {
  { git diff --name-only --diff-filter=d "$(base_commit)" -- '*.cc' '*.h'; git ls-files --others --exclude-standard -- '*.cc' '*.h'; } | sort -u
}

dev_format() {
  case ${1:-} in
    --all) timed "format every source" format_files $(sources) ;;
    --check) timed "check the format of changed sources" check_format ;;
    '') timed "format the lines changed since $(git rev-parse --short "$(base_commit)")" format_lines ;;
    *) fail "format takes --all, --check or nothing" ;;
  esac
}

format_files() { clang-format-19 -i "$@"; }

format_lines() { git-clang-format-19 --binary clang-format-19 --extensions cc,h --force "$(base_commit)" || true; }

check_format() {
  local files
  mapfile -t files < <(changed_sources)
  [[ ${#files[@]} -eq 0 ]] && { note "no source has changed"; return; }
  clang-format-19 --dry-run --Werror "${files[@]}"
}

dev_lint() {
  local files
  case ${1:-} in
    --all) mapfile -t files < <(sources | grep '\.cc$') ;;
    '') mapfile -t files < <(changed_sources | grep '\.cc$') ;;
    *) files=("$@") ;;
  esac
  [[ ${#files[@]} -eq 0 ]] && { note "no .cc file has changed"; return; }
  [[ -e build/dev/compile_commands.json ]] || timed "configure dev" configure dev
  # Headers that the build generates have to exist before a source that includes them can be read.
  timed "build what is generated" build_preset dev protos
  if [[ " ${files[*]}" == *" clients/cpp/"* ]]; then dev_client_cpp; fi
  timed "clang-tidy on ${#files[@]} files" lint_files "${files[@]}"
}

# The client for C++ is a build of its own.
lint_files() {
  local file build
  for file in "$@"; do
    build=dev
    [[ $file != clients/cpp/* ]] || build=cpp-client
    [[ $file != clients/cpp/examples/* ]] || build=cpp-client/examples
    printf '%s\0' "build/$build" "$file"
  done | xargs -0 -n 2 -P "$JOBS" clang-tidy-19 --quiet --warnings-as-errors='*' -p 2>/dev/null
}

# Each store's run of the conformance suite writes its column of the table in doc/stores.md.
dev_docs() {
  local programs="store_memory_test store_sqlite_test store_redis_test store_postgresql_test store_etcd_test store_memcached_test" program
  timed "configure dev" configure dev
  # shellcheck disable=SC2086
  timed "build the conformance programs" build_preset dev $programs
  export_store_servers
  for program in $programs; do
    HOLDFAST_UPDATE_DOCS=1 timed "$program" "$(find build/dev/src/stores -type f -name "$program")" \
      --gtest_brief=1 --gtest_filter='*TheDocumentationSaysWhatIsDeclared*'
  done
}

dev_coverage() {
  local profiles="$ROOT/build/coverage/profiles" programs=() arguments=() program
  timed "configure coverage" configure coverage
  timed "build coverage" build_preset coverage
  rm -rf "$profiles" && mkdir -p "$profiles"
  export LLVM_PROFILE_FILE="$profiles/%p-%4m.profraw"
  timed "unit and conformance tests" run_ctest coverage coverage
  if [[ -d test/system ]]; then
    HOLDFAST_BIN="$ROOT/build/coverage/holdfast" timed "system tests" run_system coverage-system -q
  fi
  timed "merge the profiles" llvm-profdata-19 merge -sparse -o build/coverage/all.profdata "$profiles"/*.profraw
  mapfile -t programs < <(find build/coverage -type f -perm -u+x \( -name '*_test' -o -name holdfast \))
  for program in "${programs[@]}"; do arguments+=(-object "$program"); done
  say "line coverage"
  llvm-cov-19 export -summary-only -instr-profile build/coverage/all.profdata "${arguments[@]}" \
    -ignore-filename-regex '(_test\.cc|/test/|/build/|/usr/)' >build/coverage/summary.json
  python3 tools/lib/coverage.py build/coverage/summary.json "$ROOT/src"
}
