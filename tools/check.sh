#!/usr/bin/env bash
# Checks the source: all that can be checked without running Quipu, then the unit tests.
#
# Usage: tools/check.sh [--static] [check...]
#   --static   without the unit tests
#   check      only these: format layers tidy spelling shell python compile unit
#
# compile builds all layers with clang 14, lock annotations and warnings as errors, and compiles
# every header alone (the `thread-safety` preset; where x.cpp includes its x.h first, that does it).
# A tool that is not installed leaves its check out, and says so; with $CI set that is a failure.
# Exit status: 0 when every check passed. Results for tools/run_tests go to build/results.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

passed=0
failed=0
skipped=0
failures=()

have() { command -v "$1" >/dev/null 2>&1; }

# The project's files of some kinds, whether git knows them yet or not.
files() {
  local file
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard -- "$@" |
    while IFS= read -r -d '' file; do
      if [[ -f $file ]]; then printf '%s\0' "$file"; fi
    done
}

check_format() {
  files 'include/*.h' 'src/*.h' 'src/*.cpp' 'tests/*.h' 'tests/*.cpp' 'bench/*.h' 'bench/*.cpp' \
    'fuzz/*.h' 'fuzz/*.cpp' |
    xargs -0 -r -n 16 -P "$(nproc)" clang-format-14 --dry-run --Werror --ferror-limit=1
}
check_layers() { python3 tools/check_layers.py; }
check_tidy() { python3 tools/check_tidy.py; }
check_spelling() {
  # Recorded data is not prose.
  files | grep -zvE '^(LICENSE|tests/golden/|fuzz/corpus/|docs/benchmarks/)|\.(svg|json|bin)$' |
    xargs -0 -r codespell --ignore-words tools/spelling.txt
}
check_shell() {
  local scripts
  mapfile -d '' scripts < <(files | xargs -0 grep -lZ -m 1 -E '^#!.*\b(ba)?sh$' 2>/dev/null)
  local script
  for script in "${scripts[@]}"; do bash -n "$script" || return 1; done
  if have shellcheck; then shellcheck --severity=warning "${scripts[@]}"; fi
}
check_python() {
  local cache
  cache=$(mktemp -d)
  files '*.py' tools/run_tests |
    PYTHONPYCACHEPREFIX=$cache PYTHONWARNINGS=error xargs -0 -r python3 -m py_compile
  local status=$?
  rm -rf "$cache"
  return $status
}
check_compile() {
  [[ -e build/thread-safety/build.ninja ]] || cmake --preset thread-safety >/dev/null || return 1
  cmake --build --preset thread-safety
}
check_unit() { tools/run_tests unit; }

# Runs one check; its output is shown only when it fails.
run() {
  local name=$1 tool=$2
  if ! have "$tool"; then
    if [[ -z ${CI:-} ]]; then
      printf 'skip  %-9s %s is not installed (make setup)\n' "$name" "$tool"
      skipped=$((skipped + 1))
    else
      printf 'FAIL  %-9s %s is not installed\n' "$name" "$tool"
      failed=$((failed + 1))
      failures+=("$name")
    fi
    return
  fi
  local log=build/results/check_$name.log start=$SECONDS
  if "check_$name" >"$log" 2>&1 </dev/null; then
    printf 'ok    %-9s %4d s\n' "$name" $((SECONDS - start))
    passed=$((passed + 1))
  else
    printf 'FAIL  %-9s %4d s\n' "$name" $((SECONDS - start))
    grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | head -n 100
    failed=$((failed + 1))
    failures+=("$name")
  fi
}

main() {
  local static=0
  if [[ ${1:-} == --static ]]; then
    static=1
    shift
  fi
  mkdir -p build/results
  local all=(format layers tidy spelling shell python compile unit)
  [[ $static == 0 ]] || unset 'all[-1]'
  [[ $# == 0 ]] || all=("$@")
  local name
  for name in "${all[@]}"; do
    case $name in
      format) run format clang-format-14 ;;
      layers | tidy | python) run "$name" python3 ;;
      spelling) run spelling codespell ;;
      shell) run shell bash ;;
      compile) run compile clang++-14 ;;
      unit) run unit ctest ;;
      *)
        echo "tools/check.sh: no check named $name (there are: ${all[*]})" >&2
        exit 2
        ;;
    esac
  done
  printf '{"suite": "check", "passed": %d, "failed": %d, "skipped": %d, "failures": [%s]}\n' \
    "$passed" "$failed" "$skipped" \
    "$(printf '"check %s",' "${failures[@]}" | sed -e 's/"check ",//' -e 's/,$//')" >build/results/check.json
  echo "checks: $passed passed, $failed failed, $skipped left out"
  [[ $failed == 0 ]]
}

main "$@"
