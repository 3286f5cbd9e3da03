#!/usr/bin/env bash
# Installs a build into an empty prefix, so that nothing from an earlier installation helps.
#
#   install.sh CMAKE BUILD_FOLDER PREFIX
set -euo pipefail
rm -rf "$3"
"$1" --install "$2" --prefix "$3"
