#!/bin/bash -u
# SPDX-License-Identifier: Apache-2.0
# Run build.sh as OSS-Fuzz would and apply the rules of its build check: every target is
# instrumented, starts, has at least 100 edges, carries the calls of its own sanitizer and of no
# other, and passes its seed corpus; and, ours, it needs no shared library but the system's own and
# has the extra counters. SRC may name a directory with the libraries' sources (build.sh), WORK one that
# keeps what is built, so that a second run builds only what has changed.
#
# usage: check.sh [address] [undefined] [memory] [coverage]      default: address undefined

here=$(cd "$(dirname "$0")" && pwd)
targets=$(sed -n 's/^FUZZ_TARGETS *:= *//p' "$here/../fuzz.mk")
failed=0

bad() {
  echo "BAD BUILD: $*"
  failed=1
}

flags() {
  local common="-O1 -fno-omit-frame-pointer -gline-tables-only"
  case $1 in
    address) echo "$common -fsanitize=address -fsanitize-address-use-after-scope \
-fsanitize=fuzzer-no-link" ;;
    undefined) echo "$common -fsanitize=array-bounds,bool,builtin,enum,function,\
integer-divide-by-zero,null,object-size,return,returns-nonnull-attribute,shift,\
signed-integer-overflow,unreachable,vla-bound,vptr -fno-sanitize-recover=all \
-fsanitize=fuzzer-no-link" ;;
    memory) echo "$common -fsanitize=memory -fsanitize-memory-track-origins \
-fsanitize=fuzzer-no-link" ;;
    coverage) echo "-O1 -fprofile-instr-generate -fcoverage-mapping -pthread \
-fsanitize=fuzzer-no-link" ;;
    *) return 1 ;;
  esac
}

calls() { # PROGRAM PREFIX
  objdump -d "$1" | grep -cE "callq? +[0-9a-f]+ <$2"
}

# At least / at most so many calls: the numbers are OSS-Fuzz's.
check_sanitizer() { # PROGRAM SANITIZER
  local asan ubsan msan
  asan=$(calls "$1" __asan) ubsan=$(calls "$1" __ubsan) msan=$(calls "$1" __msan)
  echo "  calls: asan $asan, ubsan $ubsan, msan $msan"
  case $2 in
    address) ((asan >= 1000 && msan <= 3 && ubsan <= 200)) || bad "$1: sanitizers are mixed" ;;
    undefined) ((asan == 0 && msan <= 3 && ubsan >= 168)) || bad "$1: sanitizers are mixed" ;;
    memory) ((asan == 0 && msan >= 1000 && ubsan <= 200)) || bad "$1: sanitizers are mixed" ;;
  esac
}

check_target() { # PROGRAM SANITIZER SCRATCH, which is the current directory
  local name edges log=$3/log seeds=$3/seeds
  name=$(basename "$1")
  echo "$name"
  [ -x "$1" ] || { bad "$name: was not built"; return; }
  file "$1" | grep -q x86-64 || bad "$name: not for x86_64"
  if ldd "$1" | grep -E 'libmpf|libgmp|libnettle'; then bad "$name: not linked statically"; fi
  "$1" -seed=1337 -runs=4 > "$log" 2>&1
  grep -q "Done 4 runs" "$log" || { bad "$name: does not start"; tail -5 "$log"; return; }
  edges=$(grep -oP 'INFO: Loaded [0-9]+ modules? +\(\K[0-9]+(?= inline 8-bit counters)' "$log")
  ((${edges:-0} >= 100)) || bad "$name: ${edges:-0} edges are instrumented"
  case $name in
    fuzz_parsers | fuzz_descriptor) ;;
    *) grep -q 'Extra Counters' "$log" || bad "$name: no extra counters" ;;
  esac
  check_sanitizer "$1" "$2"
  rm -rf "$seeds" && mkdir "$seeds" && (cd "$seeds" && unzip -q "${1}_seed_corpus.zip")
  "$1" -runs=0 -rss_limit_mb=4096 -timeout=60 "$seeds" > "$log" 2>&1 ||
    { bad "$name: a seed fails"; tail -5 "$log"; }
  echo "  $edges edges, $(find "$seeds" -type f | wc -l) seeds pass"
}

check_one() { # SANITIZER
  local scratch flags engine=-fsanitize=fuzzer
  flags=$(flags "$1") || { bad "$1: no such sanitizer"; return; }
  scratch=$(mktemp -d)
  mkdir "$scratch/out" "$scratch/empty"
  mkdir -p "${WORK:=$scratch/work}"
  echo "== $1"
  # A bare environment: what is not in the contract must not be needed. The engine's own runtime
  # is the sanitizer's too, so the same flag is given when linking.
  if env -i PATH="$PATH" HOME="$scratch" CC=clang CXX=clang++ CFLAGS="$flags" CXXFLAGS="$flags" \
    LIB_FUZZING_ENGINE="$engine" OUT="$scratch/out" WORK="$WORK" SANITIZER="$1" \
    SRC="${SRC:-$scratch/empty}" ARCHITECTURE=x86_64 FUZZING_ENGINE=libfuzzer JOBS="${JOBS:-2}" \
    bash "$here/build.sh" > "$scratch/build.log" 2>&1; then
    for target in $targets; do
      cd "$scratch" || exit 1
      check_target "$scratch/out/fuzz_$target" "$1" "$scratch"
    done
  else
    bad "$1: build.sh fails"
    tail -15 "$scratch/build.log"
  fi
  [ "$WORK" != "$scratch/work" ] || WORK=
  cd / && rm -rf "$scratch"
}

[ $# -gt 0 ] || set -- address undefined
for sanitizer in "$@"; do check_one "$sanitizer"; done
exit $failed
