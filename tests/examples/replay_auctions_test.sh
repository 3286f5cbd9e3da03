#!/usr/bin/env bash
# What examples/replay_auctions promises on its command line: results, exit codes, errors.
#
#   replay_auctions_test.sh REPLAY_AUCTIONS
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
# field BIDDER NAME: of the last --json.
field() {
  sed 's/{"auctions"/\n&/g' "$work/said" | grep -F "\"bidder\":\"$1\"" |
    sed -E "s/.*[{,]\"$2\":([-+.0-9e]+).*/\1/"
}
# true_that EXPRESSION: arithmetic of awk.
true_that() { awk "BEGIN { exit !($1) }" || fail "not so: $1"; }

expect 0 "Exit codes" --help
expect 2 "name a log and a --budget-fraction"
expect 1 "cannot read '/nowhere'" /nowhere --budget-fraction 0.1
expect 1 "which is a folder" "$work" --budget-fraction 0.1
expect 2 "--budget-fraction" /nowhere --budget-fraction nothing
expect 2 "--bidder" /nowhere --budget-fraction 0.1 --bidder clever
: > "$work/empty"
expect 1 "holds no auction" "$work/empty" --budget-fraction 0.1

# Bad lines are named.
wrong() {
  printf '0 10 0.1\n\n%s\n' "$1" > "$work/wrong"
  expect 1 "wrong:3: $2" "$work/wrong" --budget-fraction 0.1
}
wrong "0 10" "has 2 columns"
wrong "0 10 0.1 7" "has too many columns"
wrong "2 10 0.1" "click is '2'"
wrong "yes 10 0.1" "click is 'yes'"
wrong "0 -1 0.1" "price is '-1'"
wrong "0 10x 0.1" "price is '10x'"
wrong "0 nan 0.1" "price is 'nan'"
wrong "0 10 1.5" "predicted_ctr is '1.5'"
wrong "0 10 inf" "predicted_ctr is 'inf'"

# The rules, by hand. Training costs 20 on average, so an episode of four has 4 * 20 * 0.25 = 20, and
# one of two has 10, which wins nothing there: constant and linear keep to the highest bid. Of prices 5,
# 16, 15, 15 the first and the third can be paid, for 16 is more than the 15 that are left then; the
# next episode wins 20, has nothing left, and gets what is free.
printf '1 20 0.5\n1 20 0.5\n' > "$work/train"
printf '1\t5 0.5\r\n0 16 0.5\n1 15 0.5\n0 15 0.5\n1 20 0.5\n1 1 0.5\n1 0 0.5\n1 1 0.5\n' > "$work/test"
for bidder in constant linear; do
  expect 0 '"episode_budget":20.0' "$work/test" --train "$work/train" --budget-fraction 0.25 \
    --episode 4 --bidder "$bidder" --max-bid 30 --json
  [[ $(field "$bidder" auctions) == 8 ]] || fail "$bidder: auctions"
  [[ $(field "$bidder" impressions) == 4 ]] || fail "$bidder: impressions"
  [[ $(field "$bidder" clicks) == 4 ]] || fail "$bidder: clicks"
  [[ $(field "$bidder" cost) == 40.0 ]] || fail "$bidder: cost"
done
# A bid of at most 4 wins none of the first episode's and those at 1, 0 and 1 of the second.
expect 0 '"max_bid":4.0' "$work/test" --train "$work/train" --budget-fraction 0.25 --episode 4 \
  --max-bid 4 --json
[[ $(field constant impressions) == 3 && $(field constant cost) == 2.0 ]] || fail "max-bid"
true_that "$(field adagents cost) <= 2 && $(field adagents impressions) <= 3"

# A made-up log is the same for the same seed, packed or not, and nobody overspends.
"$program" --generate 40000 --seed 7 > "$work/log"
"$program" --generate 40000 --seed 7 | cmp - "$work/log" || fail "two logs of one seed differ"
[[ $(wc -l < "$work/log") == 40000 ]] || fail "not 40000 lines"
full --generate 1
full --generate 40000
full "$work/log" --budget-fraction 0.125
full "$work/log" --budget-fraction 0.125 --json
expect 0 "cost per click" "$work/log" --budget-fraction 0.125
cp "$work/said" "$work/table"
if command -v xz > /dev/null; then
  xz -k "$work/log"
  expect 0 "cost per click" "$work/log.xz" --budget-fraction 0.125
  cmp "$work/said" "$work/table" || fail "the packed log replays differently"
fi
expect 0 '"bidders"' "$work/log" --budget-fraction 0.125 --json
episode_budget=$(sed -E 's/.*"episode_budget":([-+.0-9e]+).*/\1/' "$work/said")
for bidder in constant linear adagents; do
  true_that "$(field "$bidder" cost) <= 20 * $episode_budget"
done
# The library buys more than a constant bid, and spends its budget.
true_that "$(field adagents expected_clicks) > 1.3 * $(field constant expected_clicks)"
true_that "$(field adagents cost) > 0.95 * $(field constant cost)"
# And more than a linear one, whatever share of the auctions the budget pays for.
for fraction in 0.5 0.25 0.125 0.0625 0.03125 0.015625; do
  expect 0 '"bidders"' "$work/log" --budget-fraction "$fraction" --json
  true_that "$(field adagents expected_clicks) > $(field linear expected_clicks)"
  true_that "$(field adagents cost) <= $(field adagents auctions) / 1000 * $(sed -E 's/.*"episode_budget":([-+.0-9e]+).*/\1/' "$work/said")"
done
echo "replay_auctions keeps its promises"
