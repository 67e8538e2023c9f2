#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# The OSS-Fuzz contract. From the environment: CC, CXX, CFLAGS, CXXFLAGS, LIB_FUZZING_ENGINE, OUT,
# SRC, WORK, SANITIZER, ARCHITECTURE. The kernels choose their path when they run, so nothing here
# says -march. Everything but libc is linked statically: the machine that fuzzes is another one.
#
# Libraries come from $SRC/gmp, mpfr4, mpfi, cjson and nettle. Where $SRC has none of them, the
# system's static ones do, except for MemorySanitizer.
set -eu

cd "$(dirname "$0")"
[ -f Makefile ] || cd "$([ -f ../../Makefile ] && echo ../.. || echo "$SRC/sinkproof")"
ARCHITECTURE=${ARCHITECTURE:-x86_64}
SANITIZER=${SANITIZER:-address}
WORK=${WORK:-$(mktemp -d)}
if [ "$ARCHITECTURE" != x86_64 ]; then
  echo "sinkproof's host reads MXCSR and the x87 control word: x86_64 only, not $ARCHITECTURE" >&2
  exit 1
fi

deps=$WORK/deps-$SANITIZER
jobs=${JOBS:-$(nproc)}

# configure NAME [option...]: one autotools package, static, outside its own tree. MemorySanitizer
# does not see what assembly writes, so GMP and nettle are plain C there.
configure() {
  local name=$1
  shift
  mkdir -p "$WORK/$name-$SANITIZER"
  (
    cd "$WORK/$name-$SANITIZER"
    "$SRC/$name/configure" --prefix="$deps" --libdir="$deps/lib" --disable-shared --enable-static \
      CC="$CC" CXX="$CXX" CFLAGS="$CFLAGS" CXXFLAGS="$CXXFLAGS" LDFLAGS="${LDFLAGS:-}" "$@" \
      > configure.log
    make -j "$jobs" ${SUBDIRS_ONLY:+SUBDIRS="$SUBDIRS_ONLY"} > make.log 2>&1
    make install ${SUBDIRS_ONLY:+SUBDIRS="$SUBDIRS_ONLY"} >> make.log 2>&1
  )
}

# The distribution's trees come without a configure, or with one that asks for the manual that they
# come without.
generate() {
  local log=$WORK/$1-autoreconf.log
  [ -e "$SRC/$1/configure.generated" ] && return
  (cd "$SRC/$1" && autoreconf -fi > "$log" 2>&1 && touch configure.generated) || { cat "$log"; return 1; }
}

from_source() {
  local plain=()
  if [ "$SANITIZER" = memory ]; then plain=(--disable-assembly); fi
  generate gmp
  generate mpfi
  configure gmp "${plain[@]}"
  configure mpfr4 --with-gmp="$deps"
  SUBDIRS_ONLY=src configure mpfi --with-gmp="$deps" --with-mpfr="$deps"
  configure nettle "${plain[@]/--disable-assembly/--disable-assembler}" --disable-documentation \
    --disable-public-key
  mkdir -p "$deps/include/cjson" "$deps/lib"
  cp "$SRC/cjson/cJSON.h" "$deps/include/cjson/"
  "$CC" $CFLAGS -c "$SRC/cjson/cJSON.c" -o "$WORK/cJSON-$SANITIZER.o"
  ar rcs "$deps/lib/libcjson.a" "$WORK/cJSON-$SANITIZER.o"
}

libraries=(cjson nettle mpfi mpfr gmp)
if [ -d "$SRC/gmp" ]; then
  [ -f "$deps/lib/libcjson.a" ] || from_source
  include="-I$deps/include"
  tail=$(printf " $deps/lib/lib%s.a" "${libraries[@]}")
elif [ "$SANITIZER" = memory ]; then
  echo "MemorySanitizer needs the libraries' sources in $SRC" >&2
  exit 1
else
  include=""
  tail=$(printf " -l:lib%s.a" "${libraries[@]}")
fi

# Debian's libcjson has no static library; it is one file of C, so a copy of it is built.
if [ ! -d "$SRC/gmp" ] && ! "$CC" -print-file-name=libcjson.a | grep -q /; then
  tail=${tail/-l:libcjson.a/-lcjson}
fi

build=$WORK/sinkproof-$SANITIZER
read -ra targets < <(sed -n 's/^FUZZ_TARGETS *:= *//p' fuzz/fuzz.mk)
# A newer compiler's new warnings must not stop a campaign.
make -j "$jobs" BUILD="$build" CC="$CC" FUZZ_LD="$CXX" WARN= OPT= CFLAGS="$CFLAGS $include" \
  FUZZ_LDFLAGS="$CXXFLAGS" FUZZ_ENGINE="$LIB_FUZZING_ENGINE" FUZZ_TAIL="$tail -ldl -lm" \
  "${targets[@]/#/$build/fuzz/fuzz_}"

for target in "${targets[@]}"; do
  cp "$build/fuzz/fuzz_$target" "$OUT/"
  case $target in
    paths | plugin) seeds=(fuzz/corpus/softmax fuzz/corpus/attention fuzz/corpus/cache) ;;
    *) seeds=("fuzz/corpus/$target") ;;
  esac
  rm -f "$OUT/fuzz_${target}_seed_corpus.zip"
  find "${seeds[@]}" -type f | zip -q -j "$OUT/fuzz_${target}_seed_corpus.zip" -@
  dictionary=fuzz/fuzz.dict
  if [ "$target" = parsers ]; then dictionary=fuzz/parsers.dict; fi
  cp "$dictionary" "$OUT/fuzz_$target.dict"
  printf '[libfuzzer]\nmax_len = 4096\ntimeout = 60\nrss_limit_mb = 4096\n' \
    > "$OUT/fuzz_$target.options"
done
