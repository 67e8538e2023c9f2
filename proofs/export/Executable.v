(* SPDX-License-Identifier: Apache-2.0 *)
(** The executable parts, extracted: the machine model for co-simulation, the exponential bit by bit,
    and the eviction state machine for replaying traces. Plain positives: machine integers would
    overflow without a word. *)
From Coq Require Import ZArith List Extraction ExtrOcamlBasic.
From Sinkproof Require Import Spec Lane Evex ExpCode StepCode WideCode.

Open Scope Z_scope.

Definition exp_bits (z : Z) : Z := to_bits (lane (of_bits z)).

(** The sum that the step leaves, from logits [a], [b], [a], [b], the maximum 1 and the sum [c]. *)
Definition step_bits (a b c : Z) : Z :=
  let registers (n : Z) (_ : Z) :=
    of_bits (if n =? 5 then c else if n =? 4 then 0x3f800000 else if Z.even n then a else b) in
  to_bits (sum_of registers 0).

(** The same of the wider step, each of [a] and [b] four times. *)
Definition wide_bits (a b c : Z) : Z :=
  let registers (n : Z) (_ : Z) :=
    of_bits (if n =? 31 then c else if n =? 30 then 0x3f800000 else if Z.even n then a else b) in
  to_bits (wide_sum registers 0).

Extraction "sp_model.ml" of_bits to_bits vmulps vaddps vsubps vfmadd vfnmadd vmaxps vpermps vscalef
  exp_bits step_bits wide_bits append contents cache_empty visible_tokens slot.
