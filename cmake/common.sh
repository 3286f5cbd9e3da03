# What examples/run.sh, tests/run.sh and bench/run.sh share; sourced, not run. Configures the presets
# of CMakePresets.json into build/<preset> only when something changed, and builds with as many jobs
# as the cores and the memory allow.
set -euo pipefail

ADAGENTS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export CLICOLOR_FORCE=${CLICOLOR_FORCE:-0}

say() { printf '%s\n' "== $*" >&2; }

bootstrap() { "$ADAGENTS_ROOT/cmake/bootstrap.sh" "$@"; }

# Jobs: a translation unit of the tests peaks at about 1.5 GiB with optimisation and sanitizers.
job_count() {
  local cores memory_kib limit jobs
  cores=$(nproc)
  memory_kib=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
  if [[ $limit =~ ^[0-9]+$ ]] && ((limit / 1024 < memory_kib)); then memory_kib=$((limit / 1024)); fi
  jobs=$((memory_kib / 1572864))
  ((jobs <= cores)) || jobs=$cores
  ((jobs >= 1)) || jobs=1
  echo "${ADAGENTS_JOBS:-$jobs}"
}

build_dir() { echo "$ADAGENTS_ROOT/build/$1"; }

# cached DIR NAME: the value of a CMake variable in a configured build folder.
cached() { sed -n "s|^$2:[^=]*=||p" "$1/CMakeCache.txt"; }

# configure PRESET [NAME=VALUE...]: options that are already so are left alone, and those that are
# not named keep their value, so that building the tests does not undo building the examples.
configure() {
  local preset=$1 dir stamp setting current=1 arguments=()
  shift
  dir=$(build_dir "$preset")
  stamp=$dir/.configured
  if [[ -f $dir/CMakeCache.txt && $(cached "$dir" CMAKE_HOME_DIRECTORY) != "$ADAGENTS_ROOT" ]]; then
    rm -rf "$dir"  # the checkout was moved or copied: CMake refuses its old cache
  fi
  if [[ ! -f $stamp || $ADAGENTS_ROOT/CMakePresets.json -nt $stamp ]]; then current=; fi
  if [[ ! -f $dir/CMakeCache.txt ]]; then
    # Parts that nobody asked for yet would need packages that are not installed yet.
    arguments+=(-DADAGENTS_BUILD_TESTS=OFF -DADAGENTS_BUILD_EXAMPLES=OFF -DADAGENTS_BUILD_BENCH=OFF)
  fi
  for setting in "$@"; do
    arguments+=("-D$setting")
    if [[ -z $current || $(cached "$dir" "${setting%%=*}") != "${setting#*=}" ]]; then current=; fi
  done
  if [[ -n $current ]]; then return; fi
  say "configuring $preset"
  (cd "$ADAGENTS_ROOT" && cmake --preset "$preset" "${arguments[@]}") >&2 || return 1
  touch "$stamp"
}

# build PRESET [TARGET...]: everything in the preset without targets.
build() {
  local preset=$1 arguments=()
  shift
  if (($#)); then arguments=(--target "$@"); fi
  cmake --build "$(build_dir "$preset")" --parallel "$(job_count)" "${arguments[@]}" >&2
}

# program FOLDER NAME: the path of one of the Release programs of examples/ or bench/.
program() {
  local list
  list=$(build_dir release)/$1/programs.txt
  grep -x ".*/$2" "$list" && return
  echo "$1 has no program '$2'; there are: $(sed 's|.*/||' "$list" | xargs)" >&2
  return 1
}
