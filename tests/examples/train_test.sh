#!/usr/bin/env bash
# What examples/train promises on its command line: results, files, exit codes, errors.
#
#   train_test.sh TRAIN
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
# result NAME METRIC BOUND: of the last --json, which is one value a line.
result() {
  awk -v name="\"name\": \"$1\"" -v metric="\"$2\": {" -v bound="\"$3\":" '
    /^    \{/ || /^  "/ { metric_at = ""; }
    index($0, "\"auc\"") || index($0, "\"log_loss\"") || index($0, "\"calibration_error\"") {
      inside = index($0, metric) > 0 }
    inside && index($0, bound) { value = $2; sub(/,$/, "", value) }
    index($0, name) { print value; exit }' "$work/said"
}
true_that() { awk "BEGIN { exit !($1) }" || fail "not so: $1"; }

expect 0 "Exit codes" --help
expect 2 "name a file and --out" log.csv
expect 2 "needs --label and --features" log.csv --out x
expect 2 "--session and --token go together" log.csv --out x --label a --features b --session c
expect 2 "leave nothing to test on" log.csv --out x --label a --features b --train-share 0.9
expect 2 "no columns to name" log.libfm --out x --format libfm --label a
expect 2 "--epochs" log.csv --out x --epochs 0
expect 2 "--world takes the place of a file" log.csv --world music
expect 1 "nowhere" --world nowhere
expect 1 "cannot read '/nowhere'" /nowhere --label a --features b --out x

# Bad input is named by line and column.
csv=(--label click --features genre --time time --out "$work/out")
wrong() {
  printf 'time,genre,click\n1,pop,0\n\n%s\n' "$1" > "$work/wrong"
  expect 1 "wrong:4: $2" "$work/wrong" "${csv[@]}"
}
wrong '2,pop,yes' "column 3 (click): 'yes' is neither 0, 1 nor empty"
wrong '2,pop' "column 3: has 2 columns, the header 3"
wrong '2,pop,1,7' "column 4: has 4 columns, the header 3"
wrong ',pop,1' "column 1 (time): '' is no time"
wrong '2,"pop,1' "a quote is not closed"
printf 'time,genre,click\n1,pop,0\n' > "$work/wrong"
expect 1 "no outcomes in the training part" "$work/wrong" "${csv[@]}"
expect 1 "there is no column 'nope'; there are: time, genre, click" "$work/wrong" --label nope \
  --features genre --out x
expect 1 "column 2 (genre): 'pop' is no number" "$work/wrong" --label click --features genre --out x \
  --session time --token-numbers genre
: > "$work/empty"
expect 1 "no header line" "$work/empty" "${csv[@]}"
printf '1 3:0.5\n0 4:x\n' > "$work/wrong"
expect 1 "wrong:2: column 2: '4:x' is no index:value" "$work/wrong" --format libfm --out x
printf '1 3:0.5\n7 4:1\n' > "$work/wrong"
expect 1 "wrong:2: column 1: '7' is neither" "$work/wrong" --format libfm --out x
[[ ! -e $work/out ]] || fail "a model came of a file that is wrong"

# A made-up log, learned and written; the same twice.
"$program" --generate 4000 --seed 3 > "$work/log.csv"
log=("$work/log.csv" --label click --time time --session session --token kind,genre,hour,device
  --token-numbers energy --features offer_genre,brand --width 16 --layers 1 --trunk-epochs 6 --rate 0.005 --decay 0.1 --bootstrap 200
  --json)
expect 0 '"results"' "${log[@]}" --out "$work/a.model"
[[ $(grep -c 'on later data' "$work/said") -ge 4 ]] || fail "no progress"
true_that "$(result "model - constant" log_loss value) < -0.005"  # of what 3,200 outcomes tell
true_that "$(result model auc low) > 0.52"
true_that "$(result model calibration_error value) < 0.05"
expect 0 '"results"' "${log[@]}" --out "$work/b.model" --quiet
[[ $(grep -c 'on later data' "$work/said") -le 1 ]] || fail "progress in spite of --quiet"
cmp "$work/a.model" "$work/b.model" || fail "the same data and seed made another model"

# Another head on the same trunk; foreign and damaged trunks are refused.
expect 0 '"results"' "${log[@]}" --trunk "$work/a.model" --head second --out "$work/both.model" --quiet
[[ $(stat -c %s "$work/both.model") -gt $(stat -c %s "$work/a.model") ]] || fail "the first head is gone"
cp "$work/a.model" "$work/damaged.model"
printf 'x' | dd of="$work/damaged.model" bs=1 seek=700 conv=notrunc status=none
expect 1 "damaged.model: damaged: the digest" "${log[@]}" --trunk "$work/damaged.model" --out x --quiet
expect 1 "a.model: foreign: its token schema" "$work/log.csv" --label click --session session \
  --token kind --features brand --trunk "$work/a.model" --out x --quiet
expect 1 "cannot be made" "${log[@]}" --trunk "$work/a.model" --out "$work/no/where" --quiet

# libFM's format, where the label follows one feature.
awk 'BEGIN { srand(1); for (i = 0; i < 10000; i++) { a = int(rand() * 10); b = int(rand() * 50);
  print (rand() < (a < 3 ? 0.6 : 0.1)) + 0, a ":1", 100 + b ":0.5" } }' > "$work/log.libfm"
expect 0 '"results"' "$work/log.libfm" --format libfm --out "$work/c.model" --json --quiet --rate 0.01
true_that "$(result model auc low) > 0.65"
true_that "$(result model calibration_error value) < 0.05"
# All heads of the team from simulated listeners, the same twice.
world=(--world music --sessions 400 --seed 3 --width 16 --layers 1 --trunk-epochs 1 --epochs 2
  --bootstrap 20 --quiet)
expect 0 "intent: " "${world[@]}" --out "$work/team.model"
for head in click completion attention skip; do
  grep -q "^$head: .* outcomes to train on" "$work/said" || fail "no $head"
done
expect 0 "intent: " "${world[@]}" --out "$work/again.model"
cmp "$work/team.model" "$work/again.model" || fail "the same listeners made another model"
echo "train keeps its promises"
