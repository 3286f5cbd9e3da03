#!/usr/bin/env bash
# Checks that includes point downwards: base < blackboard < runtime < ads < ads/agents <
# ads/engine.h < adapters, ads_models < testing < adagents.h, and model beside ads (below ads/agents).
#
#   include_direction.sh ROOT
#
# A header under internal/ may be included only from its own layer's headers and from src/ and
# tests/. Prints every wrong include with file and line; the exit code says whether there was one.
set -euo pipefail
cd "$1"

mapfile -t files < <(find include src -name '*.h' -o -name '*.cc' -o -name '*.inc' | sort)
[[ ${#files[@]} -gt 0 ]] || { echo "no sources under $1" >&2; exit 1; }

awk '
  # The rank of the layer that a path relative to include/adagents/ or src/ belongs to.
  function rank(path) {
    if (path ~ /^version\.h/) return 0
    if (path ~ /^base\//) return 1
    if (path ~ /^blackboard\//) return 2
    if (path ~ /^runtime\//) return 3
    if (path ~ /^ads\/(engine|why_not)/) return 6  # the engine, and what explains its decisions
    if (path ~ /^ads\/agents\//) return 5
    if (path ~ /^(ads|model)\//) return 4
    if (path ~ /^(adapters|ads_models)\//) return 7
    if (path ~ /^testing\//) return 8
    if (path ~ /^adagents\.h/) return 9
    return -1
  }
  function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; wrong = 1 }
  FNR == 1 {
    own = FILENAME
    sub(/^include\/adagents\//, "", own)
    sub(/^src\//, "", own)
    own_rank = rank(own)
    if (own_rank < 0) complain("this file is in no layer of DESIGN: " own)
    split(own, parts, "/")
    layer = parts[1]
    public = FILENAME ~ /^include\// && own !~ /\/internal\//
  }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    target = quoted[2]
    checked++
    if (target ~ /^adagents\//) {
      sub(/^adagents\//, "", target)
    } else if (rank(target) < 0 || FILENAME ~ /^include\//) {
      next  # a library of others, or a private header next to its source
    }
    target_rank = rank(target)
    if (target_rank < 0) complain("includes " target ", which is in no layer")
    else if (target_rank > own_rank) complain("includes " target ", which is a layer above")
    split(target, parts, "/")
    if (target ~ /\/internal\// && parts[1] != layer && FILENAME ~ /^include\//)
      complain("includes " target ", which is internal to another layer")
  }
  END {
    if (!checked) { print "no include was checked"; exit 1 }
    exit wrong
  }
' "${files[@]}"
