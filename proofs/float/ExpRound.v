(* SPDX-License-Identifier: Apache-2.0 *)
(** Rounding error of the polynomial, and of an entry of the table times it, in binary32 with fused
    multiply-adds. Gappa finds the proof, Coq's kernel checks it; gappa itself is not trusted. Its
    tactic reads dyadic constants only, hence n/32768. proves: NU-7 *)
From Coq Require Import Reals Lra ZArith.
From Flocq Require Import Core Relative.
From Gappa Require Import Gappa_tactic.
From Sinkproof Require Import ExpPoly.
Open Scope R_scope.

Notation rnd := (round radix2 (FLT_exp (-149) 24) ZnearestE).
Notation F32 := (generic_format radix2 (FLT_exp (-149) 24)).

#[global] Instance prec24 : Prec_gt_0 24 := eq_refl.

Definition fma (a b c : R) : R := rnd (a * b + c).
Definition square (r : R) : R := rnd (r * r).
Definition tail (r : R) : R := fma c3 r c2.
(** What stands beside 1, and the whole. *)
Definition rest (r : R) : R := fma (square r) (tail r) r.
Definition times (t r : R) : R := fma (rest r) t t.

Lemma rest_error_aux r_ : let r := rnd r_ in -(711/32768) <= r <= 711/32768 ->
  Rabs (rest r - (r * r * (c3 * r + c2) + r)) <= 33/34359738368.
Proof. intros r H; unfold rest, square, tail, fma, c2, c3; unfold r in *; gappa. Qed.

(** The bound is 33/32 of 2^-30. *)
Theorem NU7_exp_rest r : F32 r -> -(711/32768) <= r <= 711/32768 -> Rabs (rest r - Q r) <= 33/34359738368.
Proof.
  intros F H; pose proof (rest_error_aux r) as A; cbv zeta in A.
  rewrite (round_generic radix2 (FLT_exp (-149) 24) ZnearestE r F) in A; exact (A H).
Qed.

Lemma rest_range r : F32 r -> -(711/32768) <= r <= 711/32768 -> -(720/32768) <= rest r <= 720/32768.
Proof.
  intros F H; pose proof (NU7_exp_rest r F H) as A; apply Rabs_le_inv in A.
  assert (B : -(719/32768) <= Q r <= 719/32768); [|lra].
  unfold Q, c2, c3; split; nra.
Qed.

(** The last operation errs by one unit roundoff. *)
Theorem NU7_exp_rounding t r : 1 <= t <= 16065917/8388608 -> F32 r -> -(711/32768) <= r <= 711/32768 ->
  Rabs (times t r - t * (1 + rest r)) <= / 16777216 * (t * (1 + rest r)).
Proof.
  intros Ht F H; pose proof (rest_range r F H) as B; unfold times, fma.
  replace (rest r * t + t) with (t * (1 + rest r)) by ring.
  assert (P : 15/16 <= t * (1 + rest r)) by nra.
  pose proof (relative_error_N_FLT radix2 (-149) 24 eq_refl (fun z => negb (Z.even z)) (t * (1 + rest r))) as N.
  rewrite (Rabs_pos_eq (t * (1 + rest r))) in N by lra.
  replace (/ 16777216) with (/ 2 * bpow radix2 (- 24 + 1)) by (cbn; lra); apply N.
  apply Rle_trans with (bpow radix2 (-1)); [apply bpow_le; discriminate | cbn; lra].
Qed.
