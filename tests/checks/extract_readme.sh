#!/usr/bin/env bash
# Takes the code of README.md out, so that the tests can compile and run it.
#
#   extract_readme.sh README.md FOLDER
#
# The convention, in README.md:
#
#   <!-- run: bedtime -->          names a program; the ```cpp block after it is the whole program
#   ```cpp                         (it has a main), and is written to FOLDER/bedtime.cc
#   ...
#   ```
#   <!-- output: bedtime -->       the ```text block after it is what the program prints, exactly;
#   ```text                        written to FOLDER/bedtime.expected. A line that ends in `...`
#   ...                            matches any line that starts so. Without this block the program
#   ```                            only has to exit with 0.
#   <!-- compile: embed -->        like run, but only compiled (it may lack a main): for fragments
#   ```cpp                         that need a server around them
#
# A ```cpp block without such a comment in front of it is an error, so that no code goes unchecked;
# <!-- skip: reason --> says why one does. Blank lines may stand between comment and block. Prints
# one line a program, "run NAME" or "compile NAME"; files that did not change keep their time stamp.
set -euo pipefail
readme=$1 folder=$2
mkdir -p "$folder"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

awk -v folder="$fresh" '
  function fail(text) { printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"; failed = 1; exit 1 }
  open && /^```[ \t]*$/ { close(file); open = 0; file = ""; next }
  open { if (file != "") print > file; next }
  /^<!-- *(run|compile|output|skip): *[^ ].*-->[ \t]*$/ {
    if (kind != "") fail("the comment before this one has no block")
    kind = $0; sub(/^<!-- */, "", kind); sub(/:.*/, "", kind)
    name = $0; sub(/^[^:]*: */, "", name); sub(/ *-->[ \t]*$/, "", name)
    if (kind != "skip" && name !~ /^[a-z0-9_]+$/) fail("a name is of a-z, 0-9 and _: " name)
    next
  }
  /^```/ {
    language = substr($0, 4); sub(/[ \t]+$/, "", language)
    if (language == "cpp" && kind == "") fail("this code has no <!-- run: name -->, compile or skip")
    if (kind == "output" && language != "text") fail("output is in a ```text block")
    if (kind == "output" && !(name in programs)) fail("output of an unknown program " name)
    if ((kind == "run" || kind == "compile") && language != "cpp") fail(kind " is for a ```cpp block")
    if (kind == "run" || kind == "compile") {
      if (name in programs) fail("two programs are called " name)
      programs[name] = kind
      order[++count] = name
      file = folder "/" name ".cc"
    }
    if (kind == "output") file = folder "/" name ".expected"
    if (file != "") printf "" > file
    kind = ""
    open = 1
    next
  }
  kind != "" && !/^[ \t]*$/ { fail("text between the comment and its block") }
  END {
    if (failed) exit 1
    if (open) { print FILENAME ": a block is never closed" > "/dev/stderr"; exit 1 }
    for (i = 1; i <= count; i++) print programs[order[i]], order[i]
  }
' "$readme"

for file in "$folder"/*.cc "$folder"/*.expected; do
  if [[ -e $file && ! -e $fresh/${file##*/} ]]; then rm "$file"; fi
done
for file in "$fresh"/*; do
  if [[ -e $file ]] && ! cmp -s "$file" "$folder/${file##*/}"; then cp "$file" "$folder/"; fi
done
