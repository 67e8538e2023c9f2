(* SPDX-License-Identifier: Apache-2.0 *)
(** None of the theorems about classes is vacuous: for each name, a row of two keys and a sink logit that
    satisfies every hypothesis of NU7_class_weight, NU7_class_lse and NU7_class_output; for a row without
    keys, the conversions of binary32. proves: NU-6, NU-7 *)
From Coq Require Import Reals Lra Lia List PeanoNat.
From Flocq Require Import Core Relative.
From Interval Require Import Tactic.
From Sinkproof Require Import Spec Sums Constants Model Row Classes Empty ExpRound Fast IntervalZ.
Import IT.
Import ListNotations.
Open Scope R_scope.

Example NU7_classes_are_not_vacuous : forall w, exists l,
  computed f32_costs 0 [exact_term 0 1; exact_term (-1) 1; exact_term (-2) 1] (2 * / 16777215) 0 true true l /\
  2 * / 16777215 <= allowance w f32_costs (/ 16777216) 3 0 /\
  kappa f32_costs (allowance w f32_costs (/ 16777216) 3 0) (3 * / 16777215) (INR 3) (INR 0) < 1.
Proof.
  intro w; destruct NU7_is_not_vacuous as (l & C & _); exists l; split; [exact C|].
  unfold kappa, events, lambda, allowance, f32_costs; cbn [u' eps c_d u_p eta eta_p eta_s].
  destruct w; unfold height, base_height; cbn [Nat.add Nat.mul]; simpl INR;
    (split; [lra | interval with (i_prec 60)]).
Qed.

(** ** A sink logit, in binary32 to base 2 and back *)

Lemma normal32 z : bpow radix2 (-126) <= Rabs z -> exists d, Rabs d <= uu /\ rnd z = z * (1 + d).
Proof.
  intro H; destruct (relative_error_N_FLT_ex radix2 (-149) 24 eq_refl (fun z => negb (Z.even z)) z H) as (d & Hd & E).
  exists d; split; auto; apply Rle_trans with (1 := Hd).
  change (/ 2 * bpow radix2 (- (24) + 1)) with (/ 2 * / 8388608); lra.
Qed.

Lemma rounded32 z : exists d e, Rabs d <= uu /\ Rabs e <= least /\ rnd z = z * (1 + d) + e.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-149) 24 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  exists d, e; rewrite least_is_least in He; pose proof u32_small; pose proof least_pos; repeat split; auto; lra.
Qed.

Example NU7_binary32_goes_there_and_back s : there_and_back uu least s (rnd (rnd (s * rnd (/ ln 2)) * rnd (ln 2))).
Proof.
  pose proof ln2_below as L2; assert (B : bpow radix2 (-126) <= / 2) by (change (/ 2) with (bpow radix2 (-1)); apply bpow_le; lia).
  pose proof ln_lt_2.
  assert (I : / 2 <= / ln 2) by (apply Rinv_le_contravar; lra).
  destruct (normal32 (/ ln 2)) as (c1 & H1 & ->); [rewrite Rabs_pos_eq; lra|].
  destruct (normal32 (ln 2)) as (c2 & H2 & ->); [rewrite Rabs_pos_eq; lra|].
  destruct (rounded32 (s * (/ ln 2 * (1 + c1)))) as (p1 & f1 & P1 & F1 & ->).
  destruct (rounded32 ((s * (/ ln 2 * (1 + c1)) * (1 + p1) + f1) * (ln 2 * (1 + c2)))) as (p2 & f2 & P2 & F2 & ->).
  now exists c1, p1, f1, c2, p2, f2.
Qed.
