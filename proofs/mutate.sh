#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate.sh BUILT [NAME...]: seed one fault at a time into a copy of the built proofs (or of the C and
# assembly that they speak about) and demand that a named proof or check turns red. A proof that
# nobody has seen fail is weak evidence. Prints who noticed; fails if a fault survives or if another
# file than the named one notices.
set -u
built=$(cd "$1" && pwd)
shift
only=$*
here=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 count=0

wanted() { [ -z "$only" ] || case " $only " in *" $1 "*) ;; *) return 1 ;; esac; }

verdict() { # name, who was expected, who noticed
  count=$((count + 1))
  if [ "$2" = "$3" ]; then
    printf '  %-26s noticed by %s\n' "$1" "$3"
  else
    printf '  %-26s SURVIVED or noticed by the wrong one: %s, expected %s\n' "$1" "${3:-nobody}" "$2"
    bad=1
  fi
}

seed() { # file, sed script
  cp "$1" "$work/before"
  sed -i "$2" "$1"
  if cmp -s "$1" "$work/before"; then
    echo "mutate.sh: no effect on $1: $2" >&2
    exit 2
  fi
}

# name | file.v=sed [file.v=sed] | target | file that must notice
coq() {
  wanted "$1" || return 0
  name=$1 target=$2 expected=$3
  shift 3
  rm -rf "$work/copy"
  cp -a "$built" "$work/copy"
  cd "$work/copy" || exit 2
  while [ $# -gt 0 ]; do
    seed "$1" "$2"
    shift 2
  done
  coqdep -Q . Sinkproof ./*.v ./*/*.v > depends 2>/dev/null
  printf 'include depends\n%%.vo: %%.v\n\t@coqc -q -w none -Q . Sinkproof $<\n' > mutant.mk
  if make -f mutant.mk "./$target.vo" > log 2>&1; then
    noticed=
  else
    noticed=$(sed -nE 's/^File "\.\/([^"]+)\.v", line.*/\1/p' log | head -n 1)
  fi
  cd "$here" || exit 2
  verdict "$name" "$expected" "$noticed"
}

# The checks that are not Coq's: each works on a copy of the sources it reads.
tree() {
  rm -rf "$work/tree"
  mkdir -p "$work/tree"
  mkdir -p "$work/tree/certify"
  cp -a proofs fast ref include "$work/tree/"
  cp -a certify/judge "$work/tree/certify/"
  ln -s "$built" "$work/tree/built"
}

check() { # name, make target, file, sed
  wanted "$1" || return 0
  tree
  cd "$work/tree" || exit 2
  seed "$3" "$4"
  mkdir -p build
  cp -a "$built" build/proofs
  printf 'BUILD = build\nCC = cc\ninclude proofs/proofs.mk\n' > mutant.mk
  if make -f mutant.mk "$2" > log 2>&1; then noticed=; else noticed=$2; fi
  cd "$here" || exit 2
  verdict "$1" "$2" "$noticed"
}

# The checks that build C: in a copy of everything, with what is built already.
top() { # name, make target, file, sed
  wanted "$1" || return 0
  rm -rf "$work/tree"
  mkdir -p "$work/tree"
  cp -a Makefile adapters certify fast include proofs ref tests "$work/tree/"
  cp -a "$(dirname "$built")" "$work/tree/build"
  cd "$work/tree" || exit 2
  seed "$3" "$4"
  if make BUILD=build BOUND_ROWS=5 BOUND_LOGITS=100 "$2" > log 2>&1; then noticed=
  elif grep -q 'the judge is below the theorem' log; then noticed=$2
  else noticed="$2, for another reason"; fi
  cd "$here" || exit 2
  verdict "$1" "$2" "$noticed"
}

echo 'definitions'
coq merge-drops-rescale math/Merge math/Merge \
  Spec.v 's/factor (ref a) m \* mass a + factor (ref b) m \* mass b/factor (ref a) m * mass a + mass b/'
coq sink-logit-forgotten math/Sums math/Sums Spec.v 's/:= exp_sink s + Z_keys l\./:= Z_keys l./'
coq absent-keys-counted math/Softmax math/Softmax Spec.v "s/  | (_, _) :: r' => present r'/  | (_, v) :: r' => (0, v) :: present r'/"
coq window-one-too-wide cache/Eviction cache/Eviction Spec.v 's/(j < S \\\/ t - j < W))%nat/(j < S \\\/ t - j <= W))%nat/'
coq slot-off-by-one cache/Ring cache/Ring Spec.v 's/(S + (t - S) mod W)%nat/(S + (t - S) mod (W + 1))%nat/'
coq sink-slot-on-wrap cache/Ring cache/Ring Spec.v 's/if (t <? S)%nat then t else (S + (t - S) mod W)%nat/(t mod (S + W))%nat/'
coq append-keeps-one-more cache/Eviction cache/Eviction Spec.v 's/(lastn W (recent c ++ \[x\]))/(lastn (W + 1) (recent c ++ [x]))/'
coq eviction-too-eager cache/Eviction cache/Eviction Spec.v 's/length (recent c) - W/length (recent c)/'

coq batch-too-small cache/Batch cache/Batch cache/Batch.v 's/Cache (pinned c) (skipn k (recent c) ++ \[x\])/Cache (pinned c) (skipn 1 (recent c) ++ [x])/'
coq floor-forgets-undo cache/Undo cache/Undo cache/Undo.v 's/Nat.max (floor s) (count s + 1 - R)/floor s/'

echo 'theorems'
coq infinity-of-the-wrong-sign float/Store float/Store float/Store.v 's/if Rlt_dec x 0 then m_infty else p_infty/if Rlt_dec x 0 then p_infty else m_infty/'
coq perturbation-too-small math/Perturb math/Perturb math/Perturb.v 's/tv r <= tanh (e \/ 2)/tv r <= tanh (e \/ 3)/'
coq free-rescale bound/Model bound/Model bound/Model.v "s/computed m' ks (i + (w + x)) (g + y) true false/computed m' ks (i + x) (g + y) true false/"
coq weakened-hypothesis bound/Model bound/Model bound/Model.v 's|2 \* eta c + eta_p c <= 1/16|2 * eta c + eta_p c <= 16|'
coq one-exp-error-forgotten bound/Row bound/Row bound/Row.v 's/d + dbar + 2 \* eps c + H/d + dbar + eps c + H/'
coq underflow-forgotten bound/Row bound/Row bound/Row.v 's/+ u_p c + K\.$/+ u_p c./'
coq formula-not-the-bound bound/Formula bound/Formula bound/Formula.v 's/mul o (integer 6) u/mul o (integer 5) u/'
coq enclosure-by-another-step bound/Enclose bound/Enclose bound/Enclose.v 's/(I.exp bits) (I.ln bits) I.abs/(I.ln bits) (I.exp bits) I.abs/'
coq fused-rescale-uncounted float/Fast float/Fast float/Fast.v 's/(Nat.max ha hb) (S (Nat.max ja jb)) (S ga + gb)/(Nat.max ha hb) (Nat.max ja jb) (S ga + gb)/'
coq rescales-uncounted bound/Classes bound/Classes bound/Constants.v 's/RESCALE : nat := 3/RESCALE : nat := 1/'
coq flushed-values-forgotten bound/Formula bound/Formula bound/Formula.v 's/size o (num o (e_flushed e))/size o (integer 0)/'
coq logarithm-too-exact bound/Lse bound/Lse bound/Lse.v 's/Rabs d1 <= 2 \* (k \* u)/Rabs d1 <= 3 * (k * u)/'
coq tile-too-large float/Tile float/Tile float/Tile.v 's/TILE : nat := 256/TILE : nat := 512/'
coq cap-too-cheap bound/LogitCap bound/LogitCap bound/LogitCap.v 's/cap_cost : R := (7 + wide)/cap_cost : R := (6 + wide)/'
coq bias-sum-not-rounded bound/LogitBias bound/LogitBias bound/LogitBias.v 's/first_sum (x b l a : R) : R := a + eta + u \* (x + b + l + a)/first_sum (x b l a : R) : R := a + eta/'
coq stored-too-cheap bound/LogitRow bound/LogitRow bound/LogitRow.v 's/exp ((11 + wide) \* u) \*$/exp ((8 + wide) * u) */'
coq logit-formula-not-the-error bound/LogitFormula bound/LogitFormula bound/LogitFormula.v 's/plus (integer o 11) wide/plus (integer o 10) wide/'
coq conversion-too-cheap bound/Empty bound/Empty bound/Empty.v 's/a + lse_rounding u 3 eta a a 0 size size/a + lse_rounding u 1 eta a a 0 size size/'
coq far-is-not-far-enough bound/Far bound/Far bound/Far.v 's/8 <= eta c \* B/1 <= eta c * B/'
coq infinite-too-soon float/FarSink float/FarSink float/FarSink.v 's/I_of_infinity : bpow radix2 1023/I_of_infinity : bpow radix2 100/'
coq third-rotation-forgotten bound/LogitTurn bound/LogitTurn bound/LogitTurn.v 's/turn_growth u u_t u_rk 3 2/turn_growth u u_t u_rk 2 2/'
coq angle-too-exact bound/Turn bound/Turn bound/Turn.v 's/(exp ((8 + 4 \* x) \* u_a) - 1)/(exp ((7 + 4 * x) * u_a) - 1)/'
coq domain-too-wide float/Domain float/Domain float/Domain.v 's/limit := (bpow radix2 100)/limit := (bpow radix2 102)/'
coq sequence-forgotten cache/Sequences cache/Sequences cache/Sequences.v 's/if Nat.eqb i (fst c) then one/if true then one/'
coq neighbours-exchanged float/Faithful float/Faithful float/Faithful.v 's/fexp Zfloor x/fexp Zceil x/'
coq another-class-judged bound/Formula bound/Formula bound/Formula.v 's/cl_norm := (C_NORM, 0%Z)/cl_norm := (C_LOG, 0%Z)/'

echo 'the exponential'
coq coefficient-one-ulp float/ExpPoly float/ExpPoly float/ExpConstants.v 's/(8388880, -24)/(8388879, -24)/'
coq coefficient-everywhere obj/ExpCorrect obj/ExpCorrect \
  float/ExpConstants.v 's/11184811/11184810/' float/ExpPoly.v 's/11184811/11184810/'
coq table-entry-one-ulp float/ExpPoly float/ExpPoly float/ExpConstants.v 's/10878679/10878680/'
coq epsilon-too-tight float/ExpReduce float/ExpReduce float/ExpConstants.v 's/9000000/9100000/'
coq epsilon-too-loose float/Exp float/Exp float/ExpConstants.v 's/9000000/8000000/'
coq second-reduction-dropped float/ExpReduce float/ExpReduce float/ExpReduce.v 's/:= rnd (r1 x - kf x \* lo)\./:= rnd (r1 x)./'
coq clamp-too-high float/Exp float/Exp float/Exp.v 's/Rmax (-104) x/Rmax (-80) x/'

echo 'the bytes'
coq opcode obj/ExpCode obj/ExpCode obj/Bytes.v '7,32s/188; 5; 66/172; 5; 66/'
coq operands-swapped obj/ExpCode obj/ExpCode obj/Bytes.v 's/116; 72; 95; 192/124; 72; 95; 193/'
coq constant-bit obj/ExpCode obj/ExpCode obj/Bytes.v '7,32s/59; 170; 184; 63/58; 170; 184; 63/'
coq table-bit obj/ExpCode obj/ExpCode obj/Bytes.v '7,32s/243; 4; 181; 63/242; 4; 181; 63/'
coq maximum-not-subtracted obj/StepCode obj/StepCode obj/Bytes.v 's/108; 72; 92; 212/108; 72; 88; 212/'
coq sum-of-another-register obj/StepCorrect obj/StepCode obj/Bytes.v 's/^  88; 238; 195/  88; 239; 195/'
coq step-too-shallow obj/StepCorrect obj/StepCorrect obj/StepCorrect.v 's/S (Nat.max h 2)/S (Nat.max h 1)/'
check instructions-exchanged proofs-bytes fast/avx512/exp64.S 's/vaddps        %zmm3, %zmm2, %zmm7/vaddps        %zmm2, %zmm3, %zmm7/'
check constant-of-a-leaf proofs-bytes fast/exp_constants.h 's/0x3e2aaaab/0x3e2aaaac/'
check header-of-the-bytes proofs-bytes certify/judge/proved_bytes.h 's/92, 212/88, 212/'

echo 'drift, holes and contracts'
check constant-in-c proofs-header fast/exp_constants.h 's/0x1.555556p-3/0x1.555558p-3/'
check class-height-in-c proofs-header certify/judge/class_constants.h 's/DEEP_BASE        24/DEEP_BASE        23/'
check tile-in-c proofs-header fast/tile_constants.h 's/256u/512u/'
check epsilon-in-c proofs-header fast/exp_constants.h 's/9000000/9100000/'
check admitted-in-a-corner proofs-holes proofs/math/Rope.v '$s/Qed\./Admitted./'
check ring-slot-in-c proofs-wp-ring fast/ring.h 's/return ring->n_sink_tokens + (token - ring->n_sink_tokens) % ring->size;/return ring->n_sink_tokens + token % ring->size;/'
check pinned-slot-in-c proofs-wp-ring fast/ring.h 's/if (token < ring->n_sink_tokens) return token;/if (token < ring->n_sink_tokens) return 0;/'
check row-of-another-slot proofs-wp-slots fast/slots.h 's/return head \* n_slots + slot;/return head * n_slots + slot + 1;/'
check one-byte-too-many proofs-wp-slots fast/slots.h 's/i < bytes; i++/i <= bytes; i++/'
check pinned-token-dropped proofs-wp-evict ref/evict.h 's/sp_ref_drop(cache->token, cache->n_sink_tokens, cache->n_retained);/sp_ref_drop(cache->token, 0, cache->n_retained);/'

top empty-row-in-base-2 proofs-bound certify/judge/bound.c 's/return lse_error_up(cls, &k, a, size, 0, size, a);/return lse_error_up(cls, \&k, a, size, 0, 0, a);/'
top second-rotation-in-c proofs-bound certify/judge/bound_turn.c 's/return 3 \* sp_up_log1p(2 \* rho)/return 2 * sp_up_log1p(2 * rho)/'
top vanished-scale-hides-all proofs-bound certify/judge/bound_logit.c 's/fmax(key->product, key->flushed)/key->product/'
top sixth-rounding-of-a-cap proofs-bound certify/judge/bound_logit.c 's/(7 + m->wide)/(6 + m->wide)/'

echo "$count faults seeded"
exit $bad
