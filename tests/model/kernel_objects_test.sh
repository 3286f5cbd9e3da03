#!/usr/bin/env bash
# The object files that are compiled for wider instruction sets define nothing that the linker could
# choose over another file's version of it, and nothing that runs when the program starts: on a
# machine without those instructions either would end it.
#
#   kernel_objects_test.sh OBJECT...
set -euo pipefail
checked=0
for object in "$@"; do
  [[ $object == *kernels_avx* ]] || continue
  checked=$((checked + 1))
  symbols=$(nm "$object")
  if grep -E ' [WVuw] |_GLOBAL__sub_I' <<< "$symbols"; then
    echo "FAILED: $object shares the above, or runs it at the start" >&2
    exit 1
  fi
  grep -q 'kAvx' <<< "$symbols" || { echo "FAILED: no kernels in $object" >&2; exit 1; }
done
((checked == 2)) || { echo "FAILED: $checked of 2 objects" >&2; exit 1; }
