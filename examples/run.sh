#!/usr/bin/env bash
# Builds examples/ad_server and lets it decide recorded requests.
#
#   examples/run.sh [FILE] [ad_server options...]
#
# FILE holds one OpenRTB request a line (.ndjson, .xz too); without it the bundled samples are
# replayed. Installs what is missing first; a second run neither downloads nor builds anything.
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/common.sh"

if [[ ${1:-} == -h || ${1:-} == --help ]]; then sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; fi

bootstrap --examples
configure release ADAGENTS_BUILD_EXAMPLES=ON
build release ad_server

if (($#)) && [[ $1 != -* ]]; then
  if [[ ! -r $1 ]]; then echo "examples/run.sh: cannot read '$1'" >&2; exit 1; fi
  set -- --replay "$@"
fi
exec "$(program examples ad_server)" "$@"
