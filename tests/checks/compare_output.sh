#!/usr/bin/env bash
# Runs a program and compares what it prints with what its documentation says.
#
#   compare_output.sh EXPECTED PROGRAM [ARGUMENTS...]
#
# An expected line that ends in `...` matches any line that starts so (times and versions differ).
# Without the file EXPECTED the program only has to exit with 0.
set -euo pipefail
expected=$1
shift
output=$(timeout 60 "$@") || { echo "exit code $?"; printf '%s\n' "$output"; exit 1; }
[[ -e $expected ]] || exit 0

awk -v name="${expected##*/}" '
  FNR == NR { wanted[++count] = $0; next }
  {
    line++
    prefix = wanted[line]
    if (prefix ~ /\.\.\.$/) {
      prefix = substr(prefix, 1, length(prefix) - 3)
      same = substr($0, 1, length(prefix)) == prefix
    } else {
      same = $0 == prefix && line <= count
    }
    if (!same) { printf "line %d is\n  %s\nbut the documentation says\n  %s\n", line, $0, wanted[line]; wrong = 1; exit 1 }
  }
  END {
    if (!wrong && line < count) { printf "line %d is missing:\n  %s\n", line + 1, wanted[line + 1]; exit 1 }
  }
' "$expected" <(printf '%s\n' "$output")
