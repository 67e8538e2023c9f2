(* SPDX-License-Identifier: Apache-2.0 *)
(** The weights of a softmax row as the fast path computes them: an exponential in binary32 times
    the reciprocal of the sum, which was rounded to binary64 and then to binary32.
    proves: NU-7, SM-2, AL-2 *)
From Coq Require Import Reals Lra Lia ZArith List Permutation.
From Flocq Require Import Core Relative.
From Gappa Require Import Gappa_tactic.
From Sinkproof Require Import Spec Sums Near Model Row Classes ExpConstants ExpPoly ExpRound ExpReduce Exp Fast
  Certified Drift Merge.
Import ListNotations.
Open Scope R_scope.

(** ** An exponential of a number at most 0 is at most 1 *)

Definition inner (r : R) : R := fma (fma (fma (fma (fma c6 r c5) r c4) r c3) r c2) r 1.

Lemma inner_nonneg_aux r_ : let r := rnd r_ in -(11363/32768) <= r <= 11363/32768 -> 0 <= inner r.
Proof. intros r H; unfold inner, fma, c2, c3, c4, c5, c6; unfold r in *; gappa. Qed.

Lemma horner_le_1 r : F32 r -> -(11363/32768) <= r <= 0 -> horner r <= 1.
Proof.
  intros F H; pose proof (inner_nonneg_aux r) as I; cbv zeta in I.
  rewrite (round_generic radix2 (FLT_exp (-149) 24) ZnearestE r F) in I; specialize (I ltac:(lra)).
  change (horner r) with (rnd (inner r * r + 1)).
  assert (R1 : rnd 1 = 1) by (apply round_generic; [typeclasses eauto | apply F32_1]).
  rewrite <- R1; apply round_le; try typeclasses eauto; nra.
Qed.

Theorem NU7_exp_at_most_1 x : F32 x -> x <= 0 -> E x <= 1.
Proof.
  intros Fx Hx; destruct (clamp_range x Fx Hx) as [Fc Hc]; unfold E.
  set (y := clamp x) in *.
  assert (R1 : rnd 1 = 1) by (apply round_generic; [typeclasses eauto | apply F32_1]).
  rewrite <- R1; apply round_le; try typeclasses eauto.
  destruct (expk_scaled y Fc Hc) as (n & En & Hn & -> & Fh & Hh).
  destruct (Z.eq_dec n 0) as [-> | Nz].
  - change (bpow radix2 0) with 1; rewrite Rmult_1_r.
    assert (Rr : rr y = y).
    { unfold rr, r1; rewrite En; rewrite !Rmult_0_l, !Rminus_0_r.
      rewrite !(round_generic radix2 (FLT_exp (-149) 24) ZnearestE y Fc); reflexivity. }
    rewrite Rr; apply horner_le_1; auto.
    pose proof (rr_bound y) as B; rewrite (round_generic radix2 (FLT_exp (-149) 24) ZnearestE y Fc) in B.
    specialize (B Hc); rewrite Rr in B; lra.
  - assert (B : bpow radix2 n <= bpow radix2 (-1)) by (apply bpow_le; lia).
    change (bpow radix2 (-1)) with (/ 2) in B; pose proof (bpow_ge_0 radix2 n); nra.
Qed.

(** ** The weight *)

Definition weight32 (e l : R) : R := rnd (e * rnd (rnd64 (/ l))).

(** Rounding to binary32 errs relatively or by half the least subnormal, not both. *)
Lemma either32 z : exists t e, Rabs t <= uu /\ Rabs e <= / 2 * least /\ rnd z = z * exp t + e /\ (t = 0 \/ e = 0).
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-149) 24 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & P & E).
  rewrite least_is_least in He.
  apply Rmult_integral in P as [-> | ->].
  - exists 0, e; rewrite Rabs_R0, exp_0; repeat split; auto; try lra; rewrite E; ring.
  - destruct (near_one d _ u32_small Hd) as (t & Ht & Et); exists t, 0; rewrite Rabs_R0, <- Et.
    pose proof least_pos; repeat split; auto; try lra; rewrite E; ring.
Qed.

Theorem NU7_weight_normalisation e l : 0 <= e <= 1 -> 0 < l <= bpow radix2 1000 ->
  exists gamma f, Rabs gamma <= 3 * uu /\ Rabs f <= least /\ weight32 e l = e / l * exp gamma + f.
Proof.
  intros He Hl; destruct (reciprocal l Hl) as (t1 & H1 & E1); unfold weight32; rewrite E1.
  destruct (last32 (/ l * exp t1)) as (t2 & e2 & H2 & G2 & ->).
  destruct (either32 (e * (/ l * exp t1 * exp t2 + e2))) as (t3 & e3 & H3 & G3 & -> & O).
  exists (t1 + t2 + t3), (e * e2 * exp t3 + e3); pose proof least_pos as LP; repeat split.
  - apply Rle_trans with (1 := Rabs_triang _ _); pose proof (Rabs_triang t1 t2); lra.
  - assert (B : Rabs (e * e2) <= / 2 * least).
    { rewrite Rabs_mult, (Rabs_pos_eq e) by lra; pose proof (Rabs_pos e2); nra. }
    destruct O as [-> | ->].
    + rewrite exp_0, Rmult_1_r; apply Rle_trans with (1 := Rabs_triang _ _); lra.
    + rewrite Rplus_0_r, Rabs_mult, (Rabs_pos_eq (exp t3)) by (left; apply exp_pos).
      assert (X : exp t3 <= 3/2) by (apply exp_quarter; apply Rabs_le_inv in H3; lra).
      apply Rle_trans with (/ 2 * least * (3/2)); [|lra].
      apply Rmult_le_compat; auto using Rabs_pos; left; apply exp_pos.
  - rewrite !exp_plus; unfold Rdiv; ring.
Qed.

(** [softmax_row_certified]: the weight that the fast path writes for the key [k] of a row lies in the
    interval that the judge accepts for the class w-deep. *)
Theorem softmax_row_certified (s : option R) (keys : list (R * R)) m kd hd rd gd T od sd l k x' :
  fast m kd hd rd gd od true sd l ->
  Permutation (map logit_of kd) (sink_list s ++ map fst keys) ->
  (forall k, In k kd -> value_of k = 1) ->
  (hd <= base_height w_deep (length kd) + rd)%nat -> (rd <= T)%nat -> (gd <= length kd + T)%nat ->
  F32 m -> F32 x' -> x' <= m -> seen k = x' -> Rabs (x' - logit_of k) <= slack k ->
  let H := allowance w_deep fast_costs (/ 16777216) (length kd) T in
  kappa fast_costs kd H (3 * uu) (INR T) < 1 -> l <= bpow radix2 1000 ->
  let y := weight32 (E (rnd (x' - m))) l in
  let p := weight s (map fst keys) (logit_of k) in
  let th := theta fast_costs kd H (3 * uu) (INR T) (argument fast_costs m) (argument fast_costs m k) in
  let fl := floor fast_costs kd H (3 * uu) (INR T) in
  p * exp (- th) - fl <= y <= p * exp th + fl.
Proof.
  intros Fd Pd One Dd Rd Gd Fm Fx Hle Hk Hs H Kp Hl y p th fl.
  pose proof (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ Fd) as Cd; pose proof least_pos as LP.
  assert (Sane : sane fast_costs) by apply f32_costs_sane.
  assert (U : 0 <= / 16777216 <= u' fast_costs) by (cbn; lra).
  assert (Eo : eta fast_costs <= eta_s fast_costs) by (cbn; lra).
  assert (N0 : 0 <= 3 * uu) by lra.
  assert (Lp : 0 < l).
  { eapply (l_pos fast_costs Sane Eo m kd hd rd gd od l H (3 * uu) (INR T) (argument fast_costs m)); eauto.
    - apply NU7_class_allowance; auto.
    - intros; lra.
    - rewrite <- plus_INR; now apply le_INR.
    - apply pos_INR. }
  destruct (key_exponential m k x' Fm Fx Hle Hk Hs) as (r & f & Hr & Hf & Ee & Hn & _ & _).
  assert (E1 : E (rnd (x' - m)) <= 1).
  { apply NU7_exp_at_most_1; [apply F32_rnd|].
    rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; lra. }
  destruct (NU7_weight_normalisation _ l (conj Hn E1) (conj Lp Hl)) as (gamma & e & Hg & He & Ey).
  assert (W := NU7_class_weight w_deep fast_costs (/ 16777216) (3 * uu) s keys m kd hd rd gd T od l
    (argument fast_costs m) Sane U Eo N0 Cd Pd One Dd Rd Gd ltac:(intros; lra) Kp
    (logit_of k) (argument fast_costs m k) r f gamma e).
  assert (U0 : u_p fast_costs = 0) by reflexivity.
  unfold y; rewrite Ey, Ee; rewrite U0, !Rplus_0_r in W; apply W; auto.
  - lra.
  - rewrite exp_0, Rmult_1_r; cbn; lra.
Qed.
