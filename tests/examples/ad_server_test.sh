#!/usr/bin/env bash
# What examples/ad_server promises on its command line: results, exit codes, errors.
#
#   ad_server_test.sh AD_SERVER SAMPLES_FOLDER
set -euo pipefail
ad_server=$1
samples=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $1" >&2
  exit 1
}
# expect CODE WORDS ARGS...: exits with CODE and says WORDS.
expect() {
  local code=$1 words=$2 got=0
  shift 2
  "$ad_server" "$@" > "$work/said" 2>&1 || got=$?
  [[ $got == "$code" ]] || { cat "$work/said"; fail "ad_server $* exits with $got, not $code"; }
  grep -qF -- "$words" "$work/said" || { cat "$work/said"; fail "ad_server $* does not say '$words'"; }
}

expect 0 "decisions per second"
expect 0 "Exit codes" --help
expect 1 "cannot read '/nowhere'" --replay /nowhere
expect 1 "cannot read '/nowhere'" --campaigns /nowhere
expect 1 "cannot write" --out /nowhere/out
expect 2 "neither a positive number" --rate fast
expect 2 "--mode" --mode hasty
expect 2 "--inline decides on one thread" --inline --threads 2
expect 2 "no valid request has the id" --explain nobody
echo '{"campaigns": [{"id": "x"}]}' > "$work/wrong.json"
expect 1 "line 1, campaigns[0]" --campaigns "$work/wrong.json"
: > "$work/empty.ndjson"
expect 1 "holds no lines" --replay "$work/empty.ndjson"

# Bad lines are counted and named, and the others decided; a wrapped request is taken out.
{
  sed -n 1p "$samples/sample-requests.ndjson"
  echo '{"id": "no-imps"}'
  echo 'not json'
  echo "{\"source\": \"a test\", \"request\": $(sed -n 2p "$samples/sample-requests.ndjson")}"
} > "$work/mixed.ndjson"
expect 0 "line      2: imp" --replay "$work/mixed.ndjson"
"$ad_server" --replay "$work/mixed.ndjson" --json > "$work/json"
for part in '"requests":4' '"decided":2' '"refused_total":2' '"no_bids":{' '"late":0' '"p50_us":' \
  '"p99_us":' '"p999_us":' '"max_us":' '"decisions_per_s":' '"cpu_us_per_decision":'; do
  tail -1 "$work/json" | grep -qF -- "$part" || fail "--json does not say $part"
done

# The same recording and seed give the same decisions, byte for byte.
for run in a b; do
  "$ad_server" --inline --seed 3 --generate-campaigns 500 --out "$work/$run" > /dev/null
done
cmp "$work/a" "$work/b" || fail "two runs with --inline differ"
[[ $(wc -l < "$work/a") == $(wc -l < "$samples/sample-requests.ndjson") ]] || fail "--out lacks lines"
expect 0 "240 are decided alike" --diff "$work/a" "$work/b"
grep -q '"loss":102' "$work/a" || fail "--out does not say why losers lost"
grep -q '"sequence":2' "$work/a" || fail "--out does not say in which order a pod plays"

# The host's rule of prices.
expect 2 "--pricing" --pricing third
for pricing in first second gsp; do
  "$ad_server" --inline --pricing $pricing --out "$work/$pricing" > /dev/null
done
expect 0 "have the same winner at another price" --diff "$work/first" "$work/second"
sed 's/"max_cpm": *[0-9.]*/"max_cpm": 0.01/' "$samples/sample-campaigns.json" > "$work/poor.json"
expect 0 "have a bid only in A" --diff "$samples/sample-campaigns.json" "$work/poor.json"

id=$(sed -n 's/.*"request":"\([^"]*\)".*"bids":\[{.*/\1/p' "$work/a" | head -1)
expect 0 "wins at" --inline --seed 3 --generate-campaigns 500 --explain "$id"
expect 0 "is not in the catalog" --explain "$id" --why-not nobody

for mode in strict async; do
  "$ad_server" --mode $mode --threads 2 --json > "$work/json"
  tail -1 "$work/json" | grep -qF '"decided":240' || fail "--mode $mode does not decide all"
done
"$ad_server" --rate 2000 --json | tail -1 | grep -qF '"decided":240' || fail "--rate does not decide all"

# What ran where, as JSON of Chrome's trace format, and the plan as a graph.
"$ad_server" --trace "$work/trace.json" --trace-every 10 --plan "$work/plan.dot" > "$work/said"
grep -q '24 decisions traced in' "$work/said" || fail "--trace does not trace every tenth of 240"
for part in '{"displayTimeUnit":"ns","traceEvents":[' '"ph":"X","cat":"agent","name":"auction"' \
  '"name":"thread_name"' '"name":"settled: decided"'; do
  grep -qF -- "$part" "$work/trace.json" || fail "--trace does not write $part"
done
[[ $(tail -1 "$work/trace.json") == ']}' ]] || fail "--trace does not end its file"
for part in 'digraph plan {' 'label="auction\nmean' '-> answer'; do
  grep -qF -- "$part" "$work/plan.dot" || fail "--plan does not write $part"
done
expect 1 "cannot write '/nowhere/trace.json'" --trace /nowhere/trace.json
expect 1 "cannot write '/nowhere/plan'" --plan /nowhere/plan
expect 2 "--trace-every requires --trace" --trace-every 5
