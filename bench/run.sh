#!/usr/bin/env bash
# Builds and runs the benchmarks; each row of their tables stands beside its floor and its peers.
#
#   bench/run.sh [NAME [options...]]
#
# Without NAME every program of this folder runs, one after the other, in some twenty minutes. What
# they measure is kept in build/release/bench/results, a file per run, and build/release/bench/page.html
# shows it beside earlier runs on the same processor. Installs what is missing first; a second run
# neither downloads nor builds anything.
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/common.sh"

if [[ ${1:-} == -h || ${1:-} == --help ]]; then sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit; fi

bootstrap --bench --torch
configure release ADAGENTS_BUILD_BENCH=ON ADAGENTS_TORCH=ON
if (($#)); then
  program=$(program bench "$1")  # before it is built: there may be none
  build release "$1"
  exec "$program" "${@:2}"
fi
build release adagents_bench bench_page

bench=$(build_dir release)/bench
results=$bench/results
written=$(mktemp -d)
trap 'rm -rf "$written"' EXIT
mkdir -p "$results"
# A program writes its figures as JSON when the environment names a file, those on Google Benchmark
# by themselves; the bars that it prints are read, too.
failed=()
measured=()
while read -r program; do
  name=${program##*/}
  say "$name"
  ADAGENTS_BENCH_JSON=$written/$name.json BENCHMARK_OUT=$written/$name.json BENCHMARK_OUT_FORMAT=json \
    "$program" < /dev/null | tee "$written/$name.txt" || failed+=("$name")
  if [[ -s $written/$name.json ]]; then measured+=("$name=$written/$name.json"); fi
  measured+=("$name=$written/$name.txt")
done < "$bench/programs.txt"

commit=$(git -C "$ADAGENTS_ROOT" describe --always --dirty 2> /dev/null || echo unknown)
"$bench/page/bench_page" collect "$commit" "$results/$(date -u +%Y%m%dT%H%M%SZ)-$commit.json" "${measured[@]}"
"$bench/page/bench_page" draw "$results" "$bench/page.html"
say "the plots are in $bench/page.html"
if ((${#failed[@]})); then
  say "failed, or missed a bar: ${failed[*]}"
  exit 1
fi
