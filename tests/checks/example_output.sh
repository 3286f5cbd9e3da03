#!/usr/bin/env bash
# Runs a numbered example and compares what it prints with the block in its header comment:
#
#   // Output:
#   //   first line
#   //   second line
#
# up to the first line that is not a comment. A line that ends in `...` matches any line that starts
# so; a bare `//` is an empty line.
#
#   example_output.sh EXAMPLE.cc PROGRAMS
#
# PROGRAMS lists the paths of the built examples, one a line.
set -euo pipefail
example=$1
program=$(grep -E "/(example_)?$(basename "$example" .cc)\$" "$2") || {
  echo "no program was built from $example"
  exit 1
}
expected=$(mktemp)
trap 'rm -f "$expected"' EXIT
awk '
  /^\/\/ (Output|Prints):?[ \t]*$/ { inside = 1; next }
  !/^\/\// { if (inside || FNR > 1) exit }
  inside {  # by hand: mawk knows no intervals and gets `( )?` in a row wrong
    line = substr($0, 3)
    for (i = 0; i < 3 && substr(line, 1, 1) == " "; i++) line = substr(line, 2)
    print line
  }
' "$example" > "$expected"
[[ -s $expected ]] || { echo "$example does not say what it prints ('// Output:')"; exit 1; }
"$(dirname "$0")/compare_output.sh" "$expected" "$program"
