#!/usr/bin/env bash
# Builds and runs the benchmarks; each row of their tables stands beside its floor and its peers.
#
#   bench/run.sh [NAME [options...]]
#
# Without NAME every benchmark runs, one after the other. Installs what is missing first; a second
# run neither downloads nor builds anything.
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/common.sh"

if [[ ${1:-} == -h || ${1:-} == --help ]]; then sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit; fi

bootstrap --bench
configure release ADAGENTS_BUILD_BENCH=ON
build release adagents_bench

if (($#)); then
  name=$1
  shift
  exec "$(program bench "$name")" "$@"
fi
while read -r program; do
  say "${program##*/}"
  "$program"
done < "$(build_dir release)/bench/programs.txt"
