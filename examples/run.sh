#!/usr/bin/env bash
# Builds examples/ad_server and lets it decide recorded requests.
#
#   examples/run.sh [FILE] [ad_server options...]
#   examples/run.sh inspect|inspect_demo REGION [options...]
#   examples/run.sh train LOG [options...]
#   examples/run.sh market_sim [options...]
#   examples/run.sh replay_auctions LOG --budget-fraction F [options...]
#
# FILE holds one OpenRTB request a line (.ndjson, .xz too); without it the bundled samples are
# replayed. inspect shows a region that another process writes, such as inspect_demo. train makes
# models of a log, on LibTorch. market_sim compares who decides on simulated listening sessions,
# replay_auctions who bids in a recorded log of auctions.
# Installs what is missing first; a second run neither downloads nor builds anything.
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/common.sh"

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  if ad_server=$(program examples ad_server 2> /dev/null) && [[ -x $ad_server ]]; then
    exec "$ad_server" --help
  fi
  echo "ad_server's own options stand here, too, once a first run has built it."
  exit
fi

needs=(--examples) settings=(ADAGENTS_BUILD_EXAMPLES=ON)
if [[ ${1:-} == train || " $* " == *+models* ]]; then needs+=(--torch) settings+=(ADAGENTS_TORCH=ON); fi
bootstrap "${needs[@]}" >&2  # what a program prints may go to a file
configure release "${settings[@]}"
case ${1:-} in
  inspect | inspect_demo | market_sim | replay_auctions | train)
    build release "$1"
    exec "$(program examples "$1")" "${@:2}"
    ;;
esac
build release ad_server

if (($#)) && [[ $1 != -* ]]; then
  if [[ ! -r $1 ]]; then echo "examples/run.sh: cannot read '$1'" >&2; exit 1; fi
  set -- --replay "$@"
fi
exec "$(program examples ad_server)" "$@"
