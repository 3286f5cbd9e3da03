#!/usr/bin/env bash
# Checks that README.md's folder picture (the ```text block that begins with include/adagents/) names
# every public header under its folder, and none that does not exist.
#
#   readme_headers.sh ROOT
set -euo pipefail
cd "$1"

# "folder/header.h", a line each: a line that begins with a folder's name sets the folder, and how far
# it is indented says below which other.
pictured() {
  awk '
    /^```/ { inside = 0; next }
    /^include\/adagents\/$/ { inside = 1; next }
    !inside { next }
    /^[^ ]/ { inside = 0; next }
    {
      indent = match($0, /[^ ]/) - 1
      while (depth > 0 && indents[depth] >= indent) depth--
      if ($1 ~ /\/$/) {
        indents[++depth] = indent
        folders[depth] = $1
        next
      }
      path = ""
      for (i = 1; i <= depth; i++) path = path folders[i]
      for (i = 1; i <= NF && $i ~ /\.h,?$/; i++) { sub(/,$/, "", $i); print path $i }
    }
  ' README.md | sort
}
existing() {
  (cd include/adagents && find . -name '*.h' -not -path '*/internal/*') | sed 's|^\./||' | sort
}

[[ -n $(pictured) ]] || { echo "README.md has no picture of include/adagents/"; exit 1; }
if ! difference=$(diff <(pictured) <(existing)); then
  echo "README.md's picture of include/adagents/ and the folder differ:"
  sed -n -e 's/^< /  pictured, but not there: /p' -e 's/^> /  there, but not pictured: /p' <<< "$difference"
  exit 1
fi
