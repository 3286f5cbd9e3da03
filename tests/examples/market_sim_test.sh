#!/usr/bin/env bash
# What examples/market_sim promises on its command line: figures, files, exit codes, errors.
#
#   market_sim_test.sh MARKET_SIM
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
short=(--seeds 2 --sessions 200)

expect 0 "Exit codes" --help
expect 2 "--arms: there is no arm 'clever'; there are random blended" --arms random,clever
expect 2 "no world is named 'rain'; there are music, direct, podcasts, flat" --world rain
expect 2 "--seeds" --seeds 0
expect 2 "--sessions" --sessions none
expect 2 "--warmup" --warmup 1
expect 2 "--blended: 'speed' is no setting of the blended model" --blended speed=1
expect 2 "rate must be from" --blended rate=fast
expect 1 "cannot make" "${short[@]}" --arms random --plots /dev/null/plots

# Tables: each arm, its distance from the blended model, and the share of the gap.
expect 0 "world 'music': 2 seeds from 1, 200 sessions each" "${short[@]}" --ablate --jobs 1
for words in "world 'flat'" "above blended" "of the gap" specialists-relevance; do
  grep -qF "$words" "$work/said" || fail "the table lacks '$words'"
done
cp "$work/said" "$work/table"
expect 0 "click-through" "${short[@]}" --ablate --jobs 2
cmp "$work/said" "$work/table" || fail "two jobs give another table than one"
! grep -q $'\r' "$work/said" || fail "progress, but no terminal"

# Models, where there is LibTorch; the same with two jobs.
models=(--seeds 2 --sessions 800 --world direct --arms specialists+models)
if "$program" "${models[@]}" --jobs 2 > "$work/models" 2> "$work/complaint"; then
  expect 0 "specialists+models" "${models[@]}" --jobs 1
  cmp "$work/said" "$work/models" || fail "two jobs train another model than one"
else
  grep -q "was not built" "$work/complaint" || fail "$(cat "$work/complaint")"
fi

# One seed, no baseline: nothing to compare with, and no words about it.
expect 0 "random" --seeds 1 --sessions 100 --world podcasts --arms random
! grep -q "above" "$work/said" || fail "a comparison with nobody"

expect 0 '"share_of_gap"' --seeds 4 --sessions 200 --world music --arms random,blended,oracle --json \
  --plots "$work/plots"
[[ $(wc -l < "$work/said") == 1 ]] || fail "more than one line of JSON"
for plot in learning calibration fatigue; do
  file=$work/plots/music-$plot.svg
  [[ $(head -c 4 "$file") == "<svg" && $(tail -c 7 "$file") == "</svg>" ]] || fail "$file"
  [[ $(grep -c "<polyline" "$file") == 3 ]] || fail "$file has not three lines"
  ! grep -q "nan\|inf" "$file" || fail "$file has a point that is none"
done
echo "market_sim keeps its promises"
