(* SPDX-License-Identifier: Apache-2.0 *)
(** The weights of a softmax row as the fast path computes them: an exponential in binary32 times
    the reciprocal of the sum, which was rounded to binary64 and then to binary32.
    proves: NU-7, SM-2, AL-2 *)
From Coq Require Import Reals Lra Lia ZArith List Permutation.
From Flocq Require Import Core Relative.
From Gappa Require Import Gappa_tactic.
From Sinkproof Require Import Spec Sums Near Constants Model Row Output Classes Formula ExpConstants ExpPoly ExpRound ExpReduce Exp Fast
  Certified Drift Merge.
Import ListNotations.
Open Scope R_scope.

(** ** An exponential of a number at most 0 is at most 1 *)

Lemma rest_nonpos r : F32 r -> -(711/32768) <= r <= 0 -> rest r <= 0.
Proof.
  intros F H; unfold rest, fma; rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE).
  apply round_le; try typeclasses eauto.
  assert (S : 0 <= square r <= - r).
  { unfold square; split.
    - rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; nra.
    - rewrite <- (round_generic radix2 (FLT_exp (-149) 24) ZnearestE (- r)) by (apply generic_format_opp; exact F).
      apply round_le; try typeclasses eauto; nra. }
  assert (T : 0 <= tail r <= 1).
  { unfold tail, fma; split.
    - rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; unfold c2, c3; lra.
    - rewrite <- (round_generic radix2 (FLT_exp (-149) 24) ZnearestE 1 F32_1).
      apply round_le; try typeclasses eauto; unfold c2, c3; lra. }
  nra.
Qed.

Theorem NU7_exp_at_most_1 x : F32 x -> x <= 0 -> E x <= 1.
Proof.
  intros Fx Hx; destruct (clamp_range x Fx Hx) as [Fc Hc]; unfold E.
  set (y := clamp x) in *.
  assert (R1 : rnd 1 = 1) by (apply round_generic; [typeclasses eauto | apply F32_1]).
  assert (Ry : rnd y = y) by (apply round_generic; [typeclasses eauto | exact Fc]).
  rewrite <- R1; apply round_le; try typeclasses eauto.
  destruct (expk_scaled y Fc Hc) as (Ek & Hn & -> & Fh & Hh).
  destruct (Z.eq_dec (exponent y) 0) as [Z | Nz].
  - rewrite Z; change (bpow radix2 0) with 1; rewrite Rmult_1_r.
    assert (I : index y = 0%Z).
    { pose proof (kz_range y) as K; rewrite Ry in K; specialize (K Hc); unfold exponent in Z; unfold index.
      pose proof (Z.div_mod (kz y) 16 ltac:(lia)); pose proof (Z.mod_pos_bound (kz y) 16 ltac:(lia)); lia. }
    assert (Rr : rr y = y).
    { unfold rr, r1; rewrite Ek, Z, I; replace (0 + 0 / 16) with 0 by field; rewrite !Rmult_0_l, !Rminus_0_r, !Ry; reflexivity. }
    pose proof (rr_bound y) as B; rewrite Ry, Rr in B; specialize (B Hc).
    unfold part; rewrite I, Rr; unfold times, fma.
    assert (T1 : entry 0 = 1) by (unfold entry; cbn; lra); rewrite T1.
    rewrite <- R1 at 3; apply round_le; try typeclasses eauto.
    pose proof (rest_nonpos y Fc ltac:(lra)); lra.
  - assert (B : bpow radix2 (exponent y) <= bpow radix2 (-1)) by (apply bpow_le; lia).
    change (bpow radix2 (-1)) with (/ 2) in B; pose proof (bpow_ge_0 radix2 (exponent y)); nra.
Qed.

(** ** The weight *)

(** In vectors the reciprocal is rounded to binary32 first; the scalar path keeps it in binary64. *)
Definition weight32 (e l : R) : R := rnd (e * rnd (rnd64 (/ l))).
Definition weight64 (e l : R) : R := normalised e l.

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

Definition normalised_weight (e l y : R) : Prop :=
  exists gamma f, Rabs gamma <= 3 * uu /\ Rabs f <= least /\ y = e / l * exp gamma + f.

Theorem NU7_weight_normalisation e l : 0 <= e <= 1 -> 0 < l <= bpow radix2 1000 -> normalised_weight e l (weight32 e l).
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

Theorem NU7_weight_normalisation64 e l : 0 < l <= bpow radix2 1000 -> normalised_weight e l (weight64 e l).
Proof.
  intros Hl; destruct (reciprocal l Hl) as (t1 & H1 & E1); unfold weight64, normalised; rewrite E1.
  destruct (last64 (e * (/ l * exp t1))) as (t2 & e2 & H2 & G2 & ->).
  destruct (last32 (e * (/ l * exp t1) * exp t2 + e2)) as (t3 & e3 & H3 & G3 & ->).
  exists (t1 + t2 + t3), (e2 * exp t3 + e3); pose proof least_pos; repeat split.
  - apply Rle_trans with (1 := Rabs_triang _ _); pose proof (Rabs_triang t1 t2); lra.
  - apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult, (Rabs_pos_eq (exp t3)) by (left; apply exp_pos).
    assert (X : exp t3 <= 3/2) by (apply exp_quarter; apply Rabs_le_inv in H3; lra).
    assert (Rabs e2 * exp t3 <= / 4 * least * (3/2)); [|lra].
    apply Rmult_le_compat; auto using Rabs_pos; left; apply exp_pos.
  - rewrite !exp_plus; unfold Rdiv; ring.
Qed.

(** The weight that the fast path writes for the key [k] of a row lies in the interval that the judge
    evaluates for the class w-deep. The hypotheses are those of attention_row_in_range, about the
    denominator alone; float/FarWeight.v has the rows whose sum has no reciprocal in binary64. *)
Theorem softmax_row_in_range (s : option R) (keys : list (R * R)) m top a_max depth kd hd jd gd N od sd l k x' t y :
  fast m kd hd jd gd od true sd l ->
  Permutation (map logit_of kd) (sink_list s ++ map fst keys) ->
  (forall k, In k kd -> value_of k = 1) -> (length kd <= N)%nat ->
  fits N hd jd /\ (gd <= N)%nat ->
  Rabs (m - top) <= a_max -> (forall q, In q kd \/ q = k -> Rabs (top - logit_of q) <= depth q) ->
  let c := class_f32 w_deep N in let C := costs_of c in
  kappa C (H_of c) (norm_of c) (INR N) 0 < 1 -> l <= bpow radix2 1000 ->
  shifted m x' t -> seen k = x' -> Rabs (x' - logit_of k) <= slack k -> F32 (value_of k) ->
  y = weight32 (E t) l \/ y = weight64 (E t) l ->
  let p := weight s (map fst keys) (logit_of k) in
  let width := theta C kd (H_of c) (norm_of c) (INR N) 0 (judged depth a_max) (judged depth a_max k) + u_p C in
  let fl := floor C (H_of c) (norm_of c) (INR N) 0 in
  p * exp (- width) - fl <= y <= p * exp width + fl.
Proof.
  intros Fd Pd One Len Fit Max Dep c C Kp Hl Sh Hk Hs Fv Hy p width fl.
  assert (Costs : C = fast_costs) by apply class_f32_costs.
  assert (Sane : sane fast_costs) by apply f32_costs_sane; pose proof least_pos as LP.
  assert (Eo : eta fast_costs <= eta_s fast_costs) by (cbn; lra).
  pose proof (F_value m k x' t [] 0 0 0 true false 0 Sh Fv Hk Hs (F_zero m)) as One_key.
  assert (Dep' : forall q, In q kd \/ In q [k] -> Rabs (top - logit_of q) <= depth q).
  { intros q [Q | [<- | []]]; apply Dep; auto. }
  assert (Lp : 0 < l) by exact (sum_is_positive m top a_max depth kd [k] hd jd gd _ _ _ N od true false sd true l _
    Fd One_key One Len Fit Max Dep' Kp).
  destruct (denominator_is_computed m kd hd jd gd N od sd l Fd Fit) as (i & g & D & Hi & Hg).
  assert (Cov : forall q, In q kd \/ In q [k] -> 0 <= judged depth a_max q /\ argument fast_costs m q <= judged depth a_max q)
    by exact (judged_covers m top a_max depth kd [k] hd jd gd _ _ _ od true false sd true l _ Fd One_key Max Dep').
  destruct (key_exponential m k x' t Sh Hk Hs) as (r & f & Hr & Hf & Ee & Hn & _ & _).
  destruct Sh as (Ft & Ht & _).
  assert (Wn : normalised_weight (E t) l y).
  { destruct Hy as [-> | ->]; [apply NU7_weight_normalisation | apply NU7_weight_normalisation64]; auto.
    exact (conj Hn (NU7_exp_at_most_1 t Ft Ht)). }
  destruct Wn as (gamma & e & Hg' & He & Ey).
  unfold width, fl; rewrite Ey, Ee.
  unfold c in *; rewrite class_f32_H, class_f32_norm in *; fold c in Costs; fold C; rewrite Costs in *.
  assert (U0 : u_p fast_costs = 0) by reflexivity.
  assert (W := NU7_class_weight w_deep fast_costs (/ 16777216) (3 * uu) s keys m kd i g N 0 od l
    (judged depth a_max) Sane Eo ltac:(lra) D Pd One Len Hi Hg
    ltac:(intros q Q; apply Cov; auto) Kp (logit_of k) (judged depth a_max k) r f gamma e).
  destruct (Cov k (or_intror (or_introl eq_refl))) as (_ & Ck).
  rewrite U0, ?Rplus_0_r in *; apply W; auto; [lra|].
  rewrite exp_0, Rmult_1_r; cbn; lra.
Qed.
