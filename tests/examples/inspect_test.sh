#!/usr/bin/env bash
# What examples/inspect promises: it shows a live region, never disturbs its writer, and survives
# whatever becomes of the file.
#
#   inspect_test.sh INSPECT INSPECT_DEMO
set -euo pipefail
inspect=$1
demo=$2
work=$(mktemp -d -p "$([[ -d /dev/shm ]] && echo /dev/shm || echo /tmp)")
region=$work/region
writer=
watcher=
# No process is left behind, however this ends.
trap 'kill -9 $writer $watcher 2> /dev/null || true; rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $1" >&2
  exit 1
}
# until_true SECONDS COMMAND...: repeats it until it succeeds.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" > "$work/said" 2>&1; do
    ((SECONDS < end)) || { cat "$work/said"; fail "not within the time: $*"; }
    sleep 0.02
  done
}
says() { "$inspect" "$region" --once "${@:2}" 2>&1 | grep -qE -- "$1"; }
# expect CODE WORDS ARGS...
expect() {
  local code=$1 words=$2 got=0
  shift 2
  "$inspect" "$@" > "$work/said" 2>&1 || got=$?
  [[ $got == "$code" ]] || { cat "$work/said"; fail "inspect $* exits with $got, not $code"; }
  grep -qE -- "$words" "$work/said" || { cat "$work/said"; fail "inspect $* does not say '$words'"; }
}

expect 1 "$work/none: open: No such file" "$work/none" --once
expect 2 "region is required" --once
expect 2 "interval" "$region" --interval 0
echo "some notes" > "$work/text"
expect 1 "not a region" "$work/text" --once

cd "$work"
for words in --help "region 1s" "region 0" "region 1 2"; do
  got=0
  # shellcheck disable=SC2086  # the words are arguments
  "$demo" $words > "$work/said" 2>&1 || got=$?
  [[ $got == 2 ]] || { cat "$work/said"; fail "inspect_demo $words exits with $got, not 2"; }
done
[[ ! -e $region && ! -e $work/--help ]] || fail "inspect_demo made a region of a misspelt argument"

"$demo" "$region" > "$work/writer" &
writer=$!
until_true 20 says "sessions +[1-9]"
until_true 20 says "outcomes +[1-9]"  # what is won comes more seldom
expect 0 "writer $writer \(running\)" "$region" --once
expect 0 "forecast .*requests_per_s=[0-9.e+]+ floor_micros=[0-9]+" "$region" --once
expect 0 "budget.micros +[0-9,]+ +5,000,000,000 " "$region" --once
expect 0 "unsigned long -> demo::Session" "$region" --once
expect 0 "[0-9]+ -> requests=[0-9]+ genre=[a-z]+ .*\(expires in (30m|29m[0-9.]+s)\)" "$region" --once
expect 0 "[0-9]+ -> 8 bytes [0-9a-f]{16} " "$region" --once  # fields that were not told
expect 0 "outcomes +[0-9,]+ +4,096 +campaign=[0-9]+ clicked=(true|false) price" "$region" --once
expect 0 "caps/windows +[0-9,~]+ .* ttl_s=900$" "$region" --once
# Of large objects it looks at a part, which the first windows may miss.
until_true 20 says '"name":"caps/windows","kind":"windows".*"terms":"lines=2 ttl_s=900".*"opened":[1-9]' --json
expect 0 '^\{"path":.*"name":"sessions","kind":"table".*"value":\{"requests":[0-9]+' "$region" --once --json
expect 0 "^requests " "$region" --once --object requests
expect 1 "has no object 'nobody'" "$region" --once --object nobody
if "$inspect" "$region" --once --object requests | grep -q sessions; then fail "--object shows others"; fi

# It looks as often as it can: the writer goes on, and rates are shown.
"$inspect" "$region" --interval 0.01 > "$work/watched" 2>&1 &
watcher=$!
until_true 20 grep -qE "^requests +[0-9,]+ +[1-9][0-9.]+" "$work/watched"
kill -0 "$writer" || fail "the writer has ended"

kill -9 "$writer"
wait "$writer" 2> /dev/null || true
expect 0 "writer $writer \(gone\)" "$region" --once
before=$(sha256sum < "$region")
expect 0 "sessions" "$region" --once --sets 0 --entries 100000
[[ $(sha256sum < "$region") == "$before" ]] || fail "looking changed the file"

# Truncated, damaged, removed and replaced under a watcher, which sees it all and lives.
cp "$region" "$work/image"
for _ in {1..60}; do
  truncate -s $((RANDOM * 4)) "$region"
  cp "$work/image" "$region"
done
truncate -s 5000 "$region"
until_true 20 grep -q "truncated inside the header" "$work/watched"
head -c 200000 /dev/urandom > "$region"
until_true 20 grep -q "not a region" "$work/watched"
rm "$region"
until_true 20 grep -q "No such file" "$work/watched"
kill -0 "$watcher" || fail "the watcher has died"

# The next process: what was there is there, and the watcher sees it.
cp "$work/image" "$work/other"
mv "$work/other" "$region"
"$demo" "$region" > "$work/writer" &
writer=$!
until_true 20 grep -q "reopened .*, [1-9][0-9]* requests so far" "$work/writer"
until_true 20 grep -q "writer $writer (running)  epoch 2" "$work/watched"
kill "$writer"
wait "$writer" || fail "the writer ends with $? when it is asked to end"
expect 0 "writer $writer \(closed\)" "$region" --once
kill "$watcher"
wait "$watcher" || fail "the watcher ends with $? when it is asked to end"
