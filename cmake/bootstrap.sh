#!/usr/bin/env bash
# Installs the Debian packages that adagents needs and that are missing; Debian 12 and 13.
#
#   cmake/bootstrap.sh [--tests] [--bench] [--examples] [--torch] [--fuzz] [--clang] [--sanitizers] [--all]
#
# Without options: what the library itself needs. Nothing is downloaded, and no root is needed, when
# everything is there. apt's sources are used as they are. ADAGENTS_SKIP_BOOTSTRAP=1 turns the
# script off for hosts that get their libraries elsewhere.
set -euo pipefail

# The library: compiler and build tools, then one line per dependency of src/CMakeLists.txt.
packages=(g++ cmake ninja-build
  libabsl-dev libtbb-dev libfmt-dev libxxhash-dev
  libsimdjson-dev nlohmann-json3-dev libssl-dev
  libsqlite3-dev)
optional=()  # nice to have: a missing one is reported and left out

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
add_examples() { packages+=(libcli11-dev liblzma-dev xz-utils); }
add_tests() { packages+=(catch2); add_examples; }
add_bench() { packages+=(libbenchmark-dev); optional+=(libcaf-dev); add_examples; }
# Training. LibTorch comes with the reference BLAS, on which it is many times slower; the serial
# OpenBLAS takes its place and starts no threads.
add_torch() { packages+=(libtorch-dev libopenblas-serial-dev libopenblas0-serial); }
add_clang() { packages+=(clang); }
# libFuzzer's and the sanitizers' runtimes for clang are a package of their own, named by version.
add_fuzz() {
  local major
  add_clang
  major=$(. /etc/os-release 2>/dev/null && case "${VERSION_ID:-}" in 13) echo 19 ;; *) echo 14 ;; esac)
  packages+=("libclang-rt-${major}-dev" catch2)
}

for argument in "$@"; do
  case $argument in
    --tests) add_tests ;;
    --bench) add_bench ;;
    --examples) add_examples ;;
    --torch) add_torch ;;
    --clang) add_clang ;;
    --fuzz) add_fuzz ;;
    --sanitizers) add_tests ;;  # g++ brings its sanitizers' runtimes along
    --all) add_tests; add_bench; add_torch; add_fuzz ;;
    -h | --help) usage; exit 0 ;;
    *) echo "bootstrap: unknown option '$argument'" >&2; usage >&2; exit 2 ;;
  esac
done

if [[ -n ${ADAGENTS_SKIP_BOOTSTRAP:-} ]]; then exit 0; fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  cat >&2 <<MESSAGE
bootstrap: this is not a Debian system (apt-get and dpkg-query are missing).
Install these libraries your own way, under whatever names your system has:
  ${packages[*]} ${optional[*]}
then run again with ADAGENTS_SKIP_BOOTSTRAP=1.
MESSAGE
  exit 1
fi

# missing NAMES...: those of them that are not installed, one a line.
missing() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    awk '$2 == "installed" { print $1 }') || true
  printf '%s\n' "$@" | sort -u | grep -vxF -e "${installed:-//none//}" || true
}

mapfile -t needed < <(missing "${packages[@]}")
mapfile -t wanted < <([[ ${#optional[@]} -eq 0 ]] || missing "${optional[@]}")
if [[ ${#needed[@]} -eq 0 && ${#wanted[@]} -eq 0 ]]; then exit 0; fi

if [[ $(id -u) -eq 0 ]]; then
  as_root=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
  as_root=(sudo)
elif [[ ${#needed[@]} -eq 0 ]]; then
  echo "bootstrap: going on without ${wanted[*]} (neither root nor sudo to install it)" >&2
  exit 0
else
  cat >&2 <<MESSAGE
bootstrap: these Debian packages are missing, and there is neither root nor a working sudo:
  ${needed[*]} ${wanted[*]}
Ask someone who may to run:
  apt-get install --no-install-recommends ${needed[*]} ${wanted[*]}
MESSAGE
  exit 1
fi

# The lock is waited for, because a fresh machine often runs its own upgrades in the background.
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}
has_candidate() {
  # Not a pipe into `grep -q`: apt-cache would die of SIGPIPE, which pipefail reports as a failure.
  [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]
}
all_have_candidates() {
  local name
  for name in "$@"; do has_candidate "$name" || return 1; done
}
# A known package can still be gone from the mirror, hence the second try after an update.
install() { apt install --no-install-recommends "$@"; }
updated=
update() { if [[ -z $updated ]]; then apt update; updated=1; fi; }

echo "bootstrap: installing ${needed[*]} ${wanted[*]}" >&2
all_have_candidates "${needed[@]}" "${wanted[@]}" || update || true
available=()
for name in "${wanted[@]}"; do
  if has_candidate "$name"; then
    available+=("$name")
  else
    echo "bootstrap: going on without $name (apt does not know it)" >&2
  fi
done
[[ ${#needed[@]} -gt 0 || ${#available[@]} -gt 0 ]] || exit 0
if ! install "${needed[@]}" "${available[@]}"; then
  if ! { update && install "${needed[@]}" "${available[@]}"; }; then
    echo "bootstrap: apt could not install: ${needed[*]} ${available[*]}" >&2
    exit 1
  fi
fi
