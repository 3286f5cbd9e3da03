#!/usr/bin/env bash
# Runs everything that a change must pass; CI runs it through .ci/run.
#
#   tests/run.sh [--unit] [--checks] [--asan] [--tsan] [--clang] [--fuzz SECONDS]
#
#   --unit    the unit tests and the examples, in Release
#   --checks  README code, consumer projects, headers alone, include direction, must-not-compile
#   --asan    AddressSanitizer and UndefinedBehaviorSanitizer on the unit tests, -Werror with g++
#   --tsan    ThreadSanitizer on our own concurrent structures
#   --clang   the libraries without a warning from clang
#   --fuzz    every fuzz target for so many seconds (only when asked for)
#
# Without options: all but --fuzz. Installs what is missing first; what did not change is not built
# again. The last line counts every test of every part: "N passed, N failed".
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/common.sh"

usage() { sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

parts=()
fuzz_seconds=0
while (($#)); do
  case $1 in
    --unit | --checks | --asan | --tsan | --clang) parts+=("${1#--}") ;;
    --fuzz)
      parts+=(fuzz)
      fuzz_seconds=${2:-}
      [[ $fuzz_seconds =~ ^[1-9][0-9]*$ ]] || { usage >&2; exit 2; }
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
((${#parts[@]})) || parts=(unit checks asan tsan clang)
wants() { [[ " ${parts[*]} " == *" $1 "* ]]; }

passed=0 failed=0
started=$SECONDS
count() {
  if (($2)); then say "FAILED: $1"; failed=$((failed + $2)); fi
  passed=$((passed + $3))
}
# step NAME COMMAND...: a step that is one test of its own, such as a build.
step() {
  local name=$1
  shift
  if "$@"; then count "$name" 0 1; else count "$name" 1 0; return 1; fi
}

# run_tests PRESET LABEL: the tests with this label, counted from CTest's closing line.
run_tests() {
  local preset=$1 label=$2 log closing bad all skipped begun=$SECONDS
  log=$(build_dir "$preset")/tests-$label.log
  "${wrapper[@]}" ctest --test-dir "$(build_dir "$preset")" --label-regex "^$label\$" \
    --no-tests=error --output-on-failure --parallel "$(job_count)" 2>&1 | tee "$log" || true
  closing=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log") || {
    count "$preset $label: CTest ran nothing" 1 0
    return
  }
  read -r _ _ _ bad _ _ _ _ all <<< "$closing"
  skipped=$(grep -cF '***Skipped' "$log" || true)
  count "$preset $label" "$bad" $((all - bad - skipped))
  say "$preset $label: $closing, $skipped of them skipped; $((SECONDS - begun)) s"
}
wrapper=()

# prepare PRESET [OPTIONS...]: configures and builds; a warning is a failure, and so is a build that
# does not end. A file that warned is compiled again next time only if it changed.
prepare() {
  local preset=$1 begun=$SECONDS log
  shift
  log=$(build_dir "$preset")/build.log
  step "configure $preset" configure "$preset" "$@" || return 1
  step "build $preset" logged "$log" build "$preset" || return 1
  step "$preset has no warnings" without_warnings "$log" || true
  say "$preset built; $((SECONDS - begun)) s"
}
logged() { local log=$1; shift; "$@" 2>&1 | tee "$log"; }
without_warnings() { ! grep -F ' warning: ' "$1"; }

needs=(--tests --bench)
if wants unit || wants checks; then needs+=(--torch); fi
if wants clang; then needs+=(--clang); fi
if wants fuzz; then needs+=(--fuzz); fi
bootstrap "${needs[@]}"
ADAGENTS_JOBS=$(job_count)
export ADAGENTS_JOBS  # for the builds inside tests

if wants unit || wants checks; then
  # Benchmarks are built, so that they cannot rot, but they run only in bench/run.sh.
  if prepare release ADAGENTS_{BUILD_TESTS,BUILD_EXAMPLES,BUILD_BENCH,TORCH}=ON; then
    if wants unit; then run_tests release unit; fi
    if wants checks; then run_tests release checks; fi
  fi
fi

if wants tsan; then
  # g++ 12's ThreadSanitizer cannot place its shadow memory when addresses have more than 28 random
  # bits, as newer kernels' do by default.
  if (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0) > 28)); then
    wrapper=(setarch "$(uname -m)" -R)
  fi
  if TSAN_OPTIONS=halt_on_error=1 prepare tsan ADAGENTS_BUILD_TESTS=ON; then
    TSAN_OPTIONS=halt_on_error=1 run_tests tsan unit
  fi
  wrapper=()
fi

if wants asan; then
  export UBSAN_OPTIONS=print_stacktrace=1
  if prepare asan-ubsan ADAGENTS_BUILD_TESTS=ON; then run_tests asan-ubsan unit; fi
fi

if wants clang; then prepare clang || true; fi

if wants fuzz; then
  if prepare fuzz ADAGENTS_BUILD_TESTS=ON ADAGENTS_BUILD_FUZZERS=ON; then
    found=
    for fuzzer in "$(build_dir fuzz)"/tests/*/*_fuzz "$(build_dir fuzz)"/tests/*_fuzz; do
      [[ -x $fuzzer ]] || continue
      found=1
      name=$(basename "$fuzzer" _fuzz)
      corpus=$(build_dir fuzz)/corpus/$name
      mkdir -p "$corpus"
      options=(-max_total_time="$fuzz_seconds" -artifact_prefix="$corpus-")
      dictionary=$ADAGENTS_ROOT/tests/fuzz/$name.dict
      if [[ -e $dictionary ]]; then options+=(-dict="$dictionary"); fi
      step "fuzz $name" "$fuzzer" "${options[@]}" \
        "$corpus" "$ADAGENTS_ROOT/tests/fuzz/corpus/$name" || true
    done
    if [[ -z $found ]]; then count "there is no fuzz target" 1 0; fi
  fi
fi

say "$((SECONDS - started)) s in all"
echo "$passed passed, $failed failed"
((failed == 0))
