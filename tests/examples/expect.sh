# For tests of command lines; sourced with the program as $1. Makes a folder, $work, that goes away.
set -euo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $1" >&2
  exit 1
}
# full ARGS...: the program says that it cannot write, and exits with 1, when the disk is full.
full() {
  local got=0
  if [[ ! -w /dev/full ]]; then return; fi
  "$program" "$@" > /dev/full 2> "$work/said" || got=$?
  [[ $got == 1 ]] || { cat "$work/said"; fail "$* on a full disk exits with $got, not 1"; }
  grep -qF "cannot write standard output: No space left" "$work/said" ||
    { cat "$work/said"; fail "$* on a full disk does not say so"; }
}
# expect CODE WORDS ARGS...: the program exits with CODE and says WORDS, which are in $work/said.
expect() {
  local code=$1 words=$2 got=0
  shift 2
  "$program" "$@" > "$work/said" 2>&1 || got=$?
  [[ $got == "$code" ]] || { cat "$work/said"; fail "$* exits with $got, not $code"; }
  grep -qF -- "$words" "$work/said" || { cat "$work/said"; fail "$* does not say '$words'"; }
}
