#!/usr/bin/env bash
# What examples/ad_server promises on its command line: results, exit codes, errors.
#
#   ad_server_test.sh AD_SERVER SAMPLES_FOLDER
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
samples=$2

expect 0 "decisions per second"
expect 0 "Exit codes" --help
expect 1 "cannot read '/nowhere'" --replay /nowhere
expect 1 "cannot read '/nowhere'" --campaigns /nowhere
expect 1 "cannot write" --out /nowhere/out
expect 2 "neither a positive number" --rate fast
expect 2 "--mode" --mode hasty
expect 2 "--inline decides on one thread" --inline --threads 2
expect 2 "no valid request has the id" --explain nobody
expect 2 "--ledger: must not be empty" --ledger ""
expect 2 "only --mode async has decisions in flight" --in-flight 3
expect 2 "--open requires --generate-campaigns" --open 0.4
expect 2 "needs --simulate-events or --events-out" --event-delay 3
expect 2 "--out excludes --explain" --explain nobody --out "$work/none"
expect 0 "mean price, CPM in EUR"
echo '{"campaigns": [{"id": "x"}]}' > "$work/wrong.json"
echo kept > "$work/kept"
expect 1 "line 1, campaigns[0]" --campaigns "$work/wrong.json" --out "$work/kept"
[[ $(cat "$work/kept") == kept ]] || fail "--out is emptied although nothing was decided"
: > "$work/empty.ndjson"
expect 1 "holds no lines" --replay "$work/empty.ndjson"
full
full --help
full --json
full --explain req-0001-4bf9af41

# Bad lines are counted and named, and the others decided; a wrapped request is taken out.
{
  sed -n 1p "$samples/sample-requests.ndjson"
  echo '{"id": "no-imps"}'
  echo 'not json'
  echo "{\"source\": \"a test\", \"request\": $(sed -n 2p "$samples/sample-requests.ndjson")}"
} > "$work/mixed.ndjson"
expect 0 "line      2: imp" --replay "$work/mixed.ndjson"
"$program" --replay "$work/mixed.ndjson" --json > "$work/json"
for part in '"requests":4' '"decided":2' '"refused_total":2' '"no_bids":{' '"late":0' '"p50_us":' \
  '"p99_us":' '"p999_us":' '"max_us":' '"decisions_per_s":' '"cpu_us_per_decision":'; do
  tail -1 "$work/json" | grep -qF -- "$part" || fail "--json does not say $part"
done

# The same recording and seed give the same decisions, byte for byte.
for run in a b; do
  "$program" --inline --seed 3 --generate-campaigns 500 --out "$work/$run" > /dev/null
done
cmp "$work/a" "$work/b" || fail "two runs with --inline differ"
[[ $(wc -l < "$work/a") == $(wc -l < "$samples/sample-requests.ndjson") ]] || fail "--out lacks lines"
expect 0 "240 are decided alike" --diff "$work/a" "$work/b"
[[ $(grep -c "sum of prices, CPM in" "$work/said") -ge 2 ]] || fail "--diff adds up currencies"
grep -q '"loss":102' "$work/a" || fail "--out does not say why losers lost"
grep -q '"sequence":2' "$work/a" || fail "--out does not say in which order a pod plays"

# The host's rule of prices.
expect 2 "--pricing" --pricing third
for pricing in first second gsp; do
  "$program" --inline --pricing $pricing --out "$work/$pricing" > /dev/null
done
expect 0 "have the same winner at another price" --diff "$work/first" "$work/second"
sed 's/"max_cpm": *[0-9.]*/"max_cpm": 0.01/' "$samples/sample-campaigns.json" > "$work/poor.json"
expect 0 "have a bid only in A" --diff "$samples/sample-campaigns.json" "$work/poor.json"

# What is JSON, but no whole decision, is named by file, line and field.
# no_decision WHAT LINE
no_decision() {
  { head -1 "$work/a"; echo "$2"; } > "$work/no_decision"
  expect 1 "$work/no_decision, line 2$1" --diff "$work/a" "$work/no_decision"
}
no_decision ": is no decision of --out" '[1]'
no_decision ", line: must be a whole number from 0, and is missing" '{}'
no_decision ", line: must be a whole number" '{"line":"x","bids":[]}'
no_decision ", request: must be a text, and is missing" '{"line":1}'
no_decision ", request: must be a text" '{"line":1,"request":5,"bids":[]}'
no_decision ", bids: must be an array" '{"line":1,"request":"r","bids":{}}'
no_decision ", bids[0]: must be an object" '{"line":1,"request":"r","bids":[3]}'
no_decision ", bids[0].price: must be a number" \
  '{"line":1,"request":"r","bids":[{"creative":"c","campaign":"d","cur":"USD","price":"1"}]}'
no_decision ", why: must be a text" '{"line":1,"request":"r","bids":[]}'

id=$(sed -n 's/.*"request":"\([^"]*\)".*"bids":\[{.*/\1/p' "$work/a" | head -1)
expect 0 "wins at" --inline --seed 3 --generate-campaigns 500 --explain "$id"
expect 0 "is not in the catalog" --explain "$id" --why-not nobody

for mode in strict async; do
  "$program" --mode $mode --threads 2 --json > "$work/json"
  tail -1 "$work/json" | grep -qF '"decided":240' || fail "--mode $mode does not decide all"
done
"$program" --rate 2000 --json | tail -1 | grep -qF '"decided":240' || fail "--rate does not decide all"

# What ran where, as JSON of Chrome's trace format, and the plan as a graph.
"$program" --trace "$work/trace.json" --trace-every 10 --plan "$work/plan.dot" > "$work/said"
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

# Money from end to end on the virtual clock: a day of bids, a simulated exchange, a ledger in a file.
money=(--inline --inline-step 10000 --loop 36 --budget-share 0.02 --pacing --json)
money+=(--durability process)
# money_run NAME ARGS...: leaves its JSON in $work/NAME.json and its decisions in $work/NAME.out.
money_run() {
  local name=$1
  shift
  "$program" "${money[@]}" --out "$work/$name.out" "$@" > "$work/said" || {
    cat "$work/said"
    fail "$name: ad_server ${money[*]} $* fails"
  }
  tail -1 "$work/said" > "$work/$name.json"
}
# part NAME KEY: the object or number behind the first "KEY": in the JSON of a run.
part() { grep -oE "\"$2\":(\{[^}]*\}|[-0-9.e]+|true|false)" "$work/$1.json" | head -1 | sed 's/^[^:]*://'; }
says() { grep -qF -- "$2" "$work/$1.json" || { cat "$work/$1.json"; fail "$1 does not say $2"; }; }
silent() { if grep -qF -- "$2" "$work/$1.json"; then cat "$work/$1.json"; fail "$1 says $2"; fi; }

money_run live --ledger "$work/live.db" --simulate-events --events-out "$work/events"
says live '"balanced":true'
silent live '"balanced":false'
says live '"leasing":true'
says live '"pacing":{"budget":'
[[ $(part live lost_notices) -gt 0 ]] || fail "no simulated notice was lost"
grep -q '"late":{"count":[1-9]' "$work/live.json" || fail "no win came late"
grep -q '"duplicate":{"count":[1-9]' "$work/live.json" || fail "no win came twice"
grep -q '"caps":{"reserved":[1-9]' "$work/live.json" || fail "no place under a cap was taken"
[[ $(part live lines) == $(wc -l < "$work/events") ]] || fail "--events-out lacks lines"

# The same lines from a file have the same effect, to the byte; so they were read and kept in order.
money_run again --ledger "$work/again.db" --events "$work/events"
cmp "$work/live.out" "$work/again.out" || fail "the same events make other decisions"
sums() { grep -oE '"campaigns":\[\{.*\],"sold_nothing":[0-9]+' "$work/$1.json"; }
[[ $(sums live) == "$(sums again)" ]] || fail "the same events leave other budgets"
xz -k "$work/events"
money_run packed --ledger :memory: --events "$work/events.xz"
[[ $(sums live | sed 's/"all_runs":{[^}]*}//g') == "$(sums packed | sed 's/"all_runs":{[^}]*}//g')" ]] ||
  fail "packed events leave other budgets"

# Notices that a process did not live to see are charged to it by the next.
money_run heard_late --ledger "$work/late.db" --events-out "$work/unheard"
[[ $(part heard_late lines) == 0 ]] || fail "--events-out alone applies events"
money_run heard_late --ledger "$work/late.db" --events "$work/unheard"
grep -q '"carried_over":{"count":[1-9]' "$work/heard_late.json" || fail "no win was carried over"

# Bad lines are named with file, line and field, and nothing else suffers.
{
  head -1 "$work/events"
  echo 'no json'
  echo '[]'
  echo '{"event": "impresion", "decision": "1"}'
  echo
  echo '{"event": "click", "decision": "xyz"}'
  echo '{"event": "impression", "decision": "1", "campaign": "a", "price": -1}'
  echo '{"event": "loss", "decision": "1"}'
  echo '{"event": "win", "decision": "1", "bet": 2}'
  echo '{"event": "win", "decision": "1", "at": "soon"}'
  echo '{"notice": "https://ads.example.com/notice?v=1"}'
  echo '{"notice": 5}'
  head -1 "$work/events" | sed 's/&p=/\&p=9/'
  printf '{"event": "win", "decision": "1"}'
} > "$work/bad"
for wrong in 'line 2, the line: is no JSON object' 'line 3, the line: is no JSON object' \
  'line 4, event: must be one of win, impression, click' \
  'line 6, decision: must be an id of up to 16 hexadecimal digits' \
  'line 7, price: must be an amount of money from 0, got -1'; do
  expect 0 "$work/bad: $wrong" --inline --events "$work/bad"
done
tail -n +8 "$work/bad" > "$work/bad2"
for wrong in 'line 1, campaign: is missing' 'line 2, "bet": unknown field' 'line 3, at: must be a time' \
  'line 4, notice: parameter k is absent' 'line 5, notice: must be a notice'; do
  expect 0 "$work/bad2: $wrong" --inline --events "$work/bad2"
done
"$program" --inline --json --events "$work/bad" | tail -1 > "$work/bad.json"
says bad '"events":{"lines":13,"refused":11,'
head -1 "$work/events" | sed 's/&p=/\&p=9/' > "$work/forged"
expect 0 "line 1, notice: parameter s, wrong signature" --inline --events "$work/forged"

# What nests deeply and what never ends harms nobody; nor does a time that never comes.
deep() {
  printf '{"event": '
  head -c "$1" /dev/zero | tr '\0' '['
  head -c "$1" /dev/zero | tr '\0' ']'
  echo '}'
}
{
  deep 30000
  deep 200000
  echo '{"event": {"win": 1}, "decision": "1"}'
  for time in infinite-future infinite-past 9999-12-31T00:00:00Z 1969-12-31T00:00:00Z; do
    echo "{\"event\": \"win\", \"decision\": \"1\", \"at\": \"$time\"}"
  done
  echo '{"event": "win", "decision": "1"}'
  head -c 70000 /dev/zero | tr '\0' ' '
} > "$work/hostile"
for wrong in 'line 1, event: must be a text, got an array' 'line 2, the line: is longer than 65536' \
  'line 3, event: must be a text, got an object' 'line 4, at: must be a time' \
  'line 5, at: must be a time'; do
  expect 0 "$work/hostile: $wrong" --inline --events "$work/hostile"
done
"$program" --inline --json --events "$work/hostile" | tail -1 > "$work/hostile.json"
says hostile '"events":{"lines":9,"refused":8,"by_name":{"win":1}'

# To explain costs nothing, however often, and happens when the request came.
for i in 1 2 3; do
  expect 0 "bid: imp '1' gets creative 'evergreen-house-30'" --inline --explain req-0001-4bf9af41 \
    --ledger "$work/explained.db" --budget-share 0.00005
done
sed 's/"flight": {[^}]*},//; s/"budget":/"flight": {"start": "2026-06-01"}, "budget":/' \
  "$samples/sample-campaigns.json" > "$work/june.json"
expect 0 "bid: imp '1' gets creative 'evergreen-house-30'" --inline --explain req-0001-4bf9af41 \
  --ledger :memory: --pacing --campaigns "$work/june.json"

# The table: agents by their whole names, and as many shown as were paid for.
"$program" "${money[@]/--json/--inline}" --ledger :memory: --events "$work/events" > "$work/table"
grep -q '^      frequency_cap_counter  *[0-9]' "$work/table" || fail "the table cuts agents' names"
count() { grep -oE "\"$1\":\{\"count\":[0-9]+" "$work/live.json" | head -1 | grep -oE '[0-9]+$'; }
shown=$(($(count committed) + $(count late)))
[[ $(count late) -gt 0 ]] || fail "no win of the biggest spender came late"
[[ $(grep -A1 '^  budgets ' "$work/table" | awk 'END {print $6}') == "$shown" ]] ||
  fail "the table does not say that $shown were shown"

# In real time, on threads, from a pipe; and plain events.
for mode in trusted strict async; do
  "$program" --mode $mode --threads 2 --loop 20 --ledger :memory: --pacing --simulate-events \
    --event-delay 0.01 --json | tail -1 > "$work/threads.json"
  says threads '"decided":4800'
  says threads '"balanced":true'
  silent threads '"balanced":false'
  grep -q '"committed":{"count":[1-9]' "$work/threads.json" || fail "--mode $mode charges nothing"
done
"$program" --ledger "$work/pipe.db" --out "$work/pipe.out" > /dev/null
bid=$(grep -m1 '"bids":\[{' "$work/pipe.out")
decision=$(sed 's/.*"decision":"\([0-9a-f]*\)".*/\1/' <<< "$bid")
campaign=$(sed 's/.*"bids":\[{"imp":"[^"]*","campaign":"\([^"]*\)".*/\1/' <<< "$bid")
issued=$(date -u +%Y-%m-%dT%H:%M:%SZ)
event="\"decision\": \"$decision\", \"campaign\": \"$campaign\", \"price\": 0.5, \"issued\": \"$issued\""
for name in impression impression click; do echo "{\"event\": \"$name\", $event}"; done |
  "$program" --ledger "$work/pipe.db" --events - --json | tail -1 > "$work/pipe.json"
says pipe '"by_name":{"click":1,"impression":2}'
grep -q '"carried_over":{"count":1,"amount":0.0005' "$work/pipe.json" ||
  fail "an impression of an earlier run is not charged once"

expect 1 "cannot read '/nowhere'" --events /nowhere
expect 1 "cannot read '$work'" --events "$work"
expect 1 "cannot write '/nowhere/events'" --events-out /nowhere/events
expect 1 "--ledger /nowhere/db" --ledger /nowhere/db
head -c 5000 /dev/urandom > "$work/no.db"
expect 1 "--ledger $work/no.db" --ledger "$work/no.db"
expect 2 "--pacing requires --ledger" --pacing
expect 2 "--inline-step requires --inline" --inline-step 5
: > "$work/no_events"
expect 0 "decisions per second" --events "$work/no_events"
