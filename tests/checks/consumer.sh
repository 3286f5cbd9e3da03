#!/usr/bin/env bash
# Configures, builds and runs a consumer project, whose program is called `consumer`.
#
#   consumer.sh CMAKE PROJECT_FOLDER BUILD_FOLDER [CMake options...]
set -euo pipefail
cmake=$1 project=$2 folder=$3
shift 3
"$cmake" -S "$project" -B "$folder" "$@"
"$cmake" --build "$folder" --target consumer --parallel "${ADAGENTS_JOBS:-1}"
"$folder/consumer"
