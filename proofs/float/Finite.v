(* SPDX-License-Identifier: Apache-2.0 *)
(** No overflow: the reals of Fast.v have no largest number; this is why binary32 never meets its own.
    proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Flocq Require Import Core.
From Sinkproof Require Import Spec Sums Near Model Far Classes ExpRound Exp Fast.
Import ListNotations.
Open Scope R_scope.

(** In the fast path: with values whose sizes sum to at most 2^124 and sums no taller than 2^20, no
    partial result reaches the largest binary32. *)
Theorem NU7_fast_stays_finite m ks h j g a single v : fast m ks h j g true a single v ->
  fast_cost h j <= 1 -> INR g <= 2 ^ 100 ->
  sum (map (fun k => Rabs (value_of k)) ks) <= bpow radix2 124 -> Rabs v < bpow radix2 128.
Proof.
  intros F Hc Hg Hs; destruct (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ F) as (i & e & Hi' & He & C).
  assert (Hi : i <= 1) by lra; destruct (computed_nonneg _ _ _ _ _ _ _ _ C) as (I0 & E0).
  assert (B := NU7_no_overflow _ _ _ _ _ _ _ f32_costs_sane C).
  assert (E4 : forall x, x <= 1 + / 4 -> exp x <= 8).
  { intros x Hx; apply Rle_trans with (exp (1/4 + (1/4 + (1/4 + (1/4 + 1/4))))); [apply exp_mono; lra|].
    rewrite !exp_plus; pose proof (exp_quarter (1/4) ltac:(lra)); pose proof (exp_pos (1/4)).
    set (q := exp (1/4)) in *; assert (q * q <= 9/4) by nra; assert (0 < q * q) by nra.
    replace (q * (q * (q * (q * q)))) with (q * q * (q * q) * q) by ring.
    assert (q * q * (q * q) <= 81/16) by nra; nra. }
  assert (P1 : exp (eps f32_costs + u_p f32_costs + i) <= 8) by (apply E4; cbn; lra).
  assert (LL : least <= / 2 ^ 140).
  { apply Rinv_le_contravar; [apply pow_lt; lra | apply Rle_pow; [lra | lia]]. }
  assert (P2 : lost f32_costs i <= 1).
  { unfold lost; apply Rle_trans with ((2 * least + 0) * 8).
    - apply Rmult_le_compat; [cbn; pose proof least_pos; lra | left; apply exp_pos | cbn; lra | apply E4; cbn; lra].
    - pose proof least_pos; lra. }
  assert (P3 : exp i <= 8) by (apply E4; lra).
  assert (P4 : e * exp i <= 1).
  { apply Rle_trans with (2 ^ 100 * / 2 ^ 140 * 8); [|lra].
    apply Rmult_le_compat; auto; [left; apply exp_pos|]; apply Rle_trans with (1 := He).
    apply Rmult_le_compat; auto; [apply pos_INR | left; apply least_pos]. }
  set (A := sum (map (fun k => Rabs (value_of k)) ks)) in *.
  assert (A0 : 0 <= A) by (apply sum_map_nonneg; intros; apply Rabs_pos).
  assert (Q : bpow radix2 128 = 16 * bpow radix2 124) by (change 128%Z with (4 + 124)%Z; rewrite bpow_plus; reflexivity).
  assert (W : 1 <= bpow radix2 124) by (change 1 with (bpow radix2 0); apply bpow_le; lia).
  assert ((exp (eps f32_costs + u_p f32_costs + i) + lost f32_costs i) * A <= 9 * bpow radix2 124).
  { apply Rmult_le_compat; auto; try lra.
    apply Rplus_le_le_0_compat; [left; apply exp_pos|].
    unfold lost; apply Rmult_le_pos; [cbn; pose proof least_pos; lra | left; apply exp_pos]. }
  lra.
Qed.
