#!/usr/bin/env bash
# Checks one case of tests/checks/must_not_compile: a file with a good version of a use of the API
# and, under #ifdef ADAGENTS_BAD, the mistake that the compiler has to refuse.
#
#   must_not_compile.sh CASE.cc COMPILER FLAGS_FILE
#
# The good version has to compile. The bad one must not, and the compiler's message has to match the
# extended regular expression of the case's comment `// error: REGEX`, so that it fails for the
# reason that is meant and not for a typing error.
set -euo pipefail
case_file=$1 compiler=$2 flags=$3

compile() { LC_ALL=C "$compiler" "@$flags" -fsyntax-only "$@" "$case_file" 2>&1; }

expected=$(sed -n 's|^// error: ||p' "$case_file")
if [[ -z $expected ]]; then echo "$case_file says no '// error: REGEX'"; exit 1; fi
grep -qE '^#ifn?def ADAGENTS_BAD' "$case_file" || { echo "$case_file has no bad version"; exit 1; }

if ! output=$(compile); then
  printf 'the good version does not compile:\n%s\n' "$output"
  exit 1
fi
if output=$(compile -DADAGENTS_BAD); then
  echo "the bad version compiles: $(sed -n '1s|^// ||p' "$case_file")"
  exit 1
fi
if ! grep -qE -e "$expected" <<< "$output"; then
  printf 'the bad version fails, but not with /%s/:\n%s\n' "$expected" "$output"
  exit 1
fi
