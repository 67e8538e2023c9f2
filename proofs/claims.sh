#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# claims.sh COPY: every theorem under COPY (the built copy of proofs/), file by file, with the axioms
# that the file's theorems stand on, as Coq prints them. A theorem that disappears, or an axiom that
# appears, changes the output; proofs-check compares it with proofs/claims.txt.
set -eu
copy=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$copy"
for file in Spec.v */*.v; do
  names=$(sed -nE 's/^(Theorem|Corollary|Example|Definition) (((SM|AT|AL|EV|NU|T|KC)[0-9]+_[A-Za-z0-9_]+|(attention|softmax)_row_[a-z_]+)).*/\2/p' "$file")
  [ -n "$names" ] || continue
  module=$(basename "$file" .v)
  {
    echo "From Sinkproof Require Import $module."
    printf 'Definition all := (I'
    for name in $names; do printf ', @%s' "$name"; done
    echo ').'
    echo 'Print Assumptions all.'
  } > "$work/Claims.v"
  echo "file $file"
  for name in $names; do echo "  theorem $name"; done
  coqc -q -w none -Q . Sinkproof "$work/Claims.v" > "$work/axioms"
  if grep -q '^Closed under the global context' "$work/axioms"; then
    echo '  assumes nothing'
  else
    sed -nE 's/^([A-Za-z_.0-9]+)( :.*)?$/  assumes \1/p' "$work/axioms" | grep -v 'assumes Axioms' | sort
  fi
done
