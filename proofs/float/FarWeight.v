(* SPDX-License-Identifier: Apache-2.0 *)
(** Likewise the weights of every softmax row, wherever its sink logit is: where the sum has no normal
    reciprocal in binary64, the weight that is written is 0. proves: NU-7, SM-2, AL-2, AL-4 *)
From Coq Require Import Reals Lra Lia ZArith List Permutation.
From Flocq Require Import Core.
From Sinkproof Require Import Spec Sums Near Constants Model Row Output Classes Formula ExpRound Exp Fast
  Certified Softmax32 FarSink Drift Merge.
Import ListNotations.
Open Scope R_scope.

(** In vectors and in the scalar path (float/Softmax32.v). *)
Definition written_weight (e i y : R) : Prop := y = rnd (e * rnd i) \/ y = written e i.

Lemma vanishes i : 0 <= i <= bpow radix2 (-1000) -> rnd i = 0.
Proof.
  intros [I0 I1]; assert (Z : rnd (bpow radix2 (-1000)) = 0).
  { apply (round_N_small_pos radix2 (FLT_exp (-149) 24) (fun z => negb (Z.even z)) _ (-999)); [|unfold FLT_exp; lia].
    split; [apply bpow_le | apply bpow_lt]; lia. }
  apply Rle_antisym.
  - rewrite <- Z; apply round_le; try typeclasses eauto; exact I1.
  - rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; exact I0.
Qed.

Section Softmax.
Variables (s : option R) (keys : list (R * R)) (m top a_max : R) (depth : term -> R) (kd : list term).
Variables (hd jd gd N : nat) (od sd : bool) (l i : R) (k : term) (x' t y : R).
Let c := class_f32 w_deep N.
Let C := costs_of c.
Hypothesis sum_of_weights : fast m kd hd jd gd od true sd l.
Hypothesis terms_of_row : Permutation (map logit_of kd) (sink_list s ++ map fst keys).
Hypothesis ones : forall k, In k kd -> value_of k = 1.
Hypothesis length_of_row : (length kd <= N)%nat.
Hypothesis weights_fit : fits N hd jd /\ (gd <= N)%nat.
Hypothesis maximum : Rabs (m - top) <= a_max.
Hypothesis depths : forall q, In q kd \/ q = k -> Rabs (top - logit_of q) <= depth q.
Hypothesis underflow_is_small : kappa C (H_of c) (norm_of c) (INR N) 0 < 1.
Hypothesis inverse : inverse64 l i.
(** The key, and the argument of its exponential. *)
Hypothesis argument_of_key : shifted m x' t.
Hypothesis seen_as : seen k = x' /\ Rabs (x' - logit_of k) <= slack k.
Hypothesis value_of_key : F32 (value_of k).
Hypothesis weight_of_key : written_weight (E t) i y.

Let p := weight s (map fst keys) (logit_of k).
Let width := theta C kd (H_of c) (norm_of c) (INR N) 0 (judged depth a_max) (judged depth a_max k) + u_p C.
Let fl := floor C (H_of c) (norm_of c) (INR N) 0.

Theorem softmax_row_far_sink : bpow radix2 1000 <= l -> p * exp (- width) - fl <= y <= p * exp width + fl.
Proof.
  intro Far; destruct seen_as as (Hk & Hs); pose proof least_pos as LP.
  assert (Costs : C = fast_costs) by apply class_f32_costs.
  pose proof (F_value m k x' t [] 0 0 0 true false 0 argument_of_key value_of_key Hk Hs (F_zero m)) as One_key.
  assert (Dep' : forall q, In q kd \/ In q [k] -> Rabs (top - logit_of q) <= depth q).
  { intros q [Q | [<- | []]]; apply depths; auto. }
  assert (Cov : forall q, In q kd \/ In q [k] -> 0 <= judged depth a_max q /\ argument fast_costs m q <= judged depth a_max q)
    by exact (judged_covers m top a_max depth kd [k] hd jd gd _ _ _ od true false sd true l _ sum_of_weights One_key maximum Dep').
  destruct (denominator_is_computed m kd hd jd gd N od sd l sum_of_weights weights_fit) as (x & g & D & Hx & Hg).
  destruct (key_exponential m k x' t argument_of_key Hk Hs) as (r & f & Hr & Hf & Ee & En & _ & _).
  assert (E1 : E t <= 1) by (destruct argument_of_key as (Ft & Ht & _); now apply NU7_exp_at_most_1).
  destruct (Cov k (or_intror (or_introl eq_refl))) as (_ & Ck).
  assert (Y : y = 0).
  { pose proof (inverse_far l i Far inverse) as I; destruct weight_of_key as [-> | ->].
    - rewrite (vanishes i I), Rmult_0_r; apply round_0; typeclasses eauto.
    - apply vanishes; destruct argument_of_key as (Ft & Ht & _); pose proof (E_nonneg t Ft Ht).
      rewrite <- (round_0 radix2 (FLT_exp (-1074) 53) ZnearestE).
      rewrite <- (round_generic radix2 (FLT_exp (-1074) 53) ZnearestE (bpow radix2 (-1000)))
        by (apply generic_format_bpow; unfold FLT_exp; lia).
      split; apply round_le; try typeclasses eauto; nra. }
  rewrite Y; unfold width, fl.
  unfold c in *; rewrite class_f32_H, class_f32_norm in *; fold c in Costs; fold C; fold C in underflow_is_small.
  rewrite Costs in *; change f32_costs with fast_costs in *.
  assert (Len : INR (length kd) <= INR N) by (now apply le_INR).
  assert (One : forall q, In q kd -> argument fast_costs m q <= judged depth a_max q) by (intros q Q; apply Cov; auto).
  rewrite Nat.add_0_r, <- (Rplus_0_r (INR N)) in Hg.
  set (H := allowance w_deep fast_costs (/ 16777216) N 0) in *.
  pose proof (near_weight fast_costs f32_costs_sane ltac:(cbn; lra) m kd x g od l H (3 * uu) (INR N) 0 (judged depth a_max)
    D ones Len Hx One Hg ltac:(lra) ltac:(lra) underflow_is_small (logit_of k) r 0 (judged depth a_max k)
    (eps fast_costs + u_p fast_costs) ltac:(cbn [u_p fast_costs f32_costs]; lra) ltac:(rewrite Rabs_R0; lra)) as W.
  match type of W with near ?a _ _ => replace a with (theta fast_costs kd H (3 * uu) (INR N) 0 (judged depth a_max)
    (judged depth a_max k) + u_p fast_costs) in W by (unfold theta, sum_error; ring) end.
  set (w := theta fast_costs kd H (3 * uu) (INR N) 0 (judged depth a_max) (judged depth a_max k) + u_p fast_costs) in *.
  rewrite exp_0, Rmult_1_r, (NU7_p_is_weight s kd _ _ terms_of_row) in W; fold p in W; destruct W as [W _].
  assert (P0 : 0 <= p).
  { unfold p; rewrite <- (NU7_p_is_weight s kd _ _ terms_of_row); left.
    apply (p_pos fast_costs f32_costs_sane m kd x g od l (INR N) (judged depth a_max) D ones Len One). }
  assert (F : least <= floor fast_costs H (3 * uu) (INR N) 0).
  { unfold floor; cbn [eta eta_p fast_costs f32_costs]; pose proof (exp_pos (lambda fast_costs H (3 * uu) + K fast_costs H (3 * uu) (INR N) 0)).
    assert (0 <= (least + 0) * exp (lambda fast_costs H (3 * uu) + K fast_costs H (3 * uu) (INR N) 0)) by (apply Rmult_le_pos; lra); lra. }
  split; [|pose proof (Rmult_le_pos _ _ P0 (Rlt_le _ _ (exp_pos w))); lra].
  assert (B0 : 0 < bpow radix2 1000) by apply bpow_gt_0.
  assert (least <= 1) by (rewrite <- least_is_least; change 1 with (bpow radix2 0); apply bpow_le; lia).
  assert (S2 : exp (logit_of k - m) * exp r <= 2) by (rewrite Ee in E1; apply Rabs_le_inv in Hf; lra).
  assert (exp (logit_of k - m) * exp r / l <= 2 * / bpow radix2 1000).
  { apply Rmult_le_compat; auto; try (left; apply Rinv_0_lt_compat; lra); [|apply Rinv_le_contravar; auto].
    apply Rmult_le_pos; left; apply exp_pos. }
  pose proof far_enough as FE.
  assert (8 * / bpow radix2 1000 <= least).
  { apply Rmult_le_reg_r with (bpow radix2 1000); auto; rewrite Rmult_assoc, Rinv_l; lra. }
  assert (0 < / bpow radix2 1000) by (now apply Rinv_0_lt_compat); lra.
Qed.

(** [softmax_row_certified]: the weight that the fast path writes for the key [k] of a row lies in the
    interval that the judge evaluates for the class w-deep. *)
Theorem softmax_row_certified : p * exp (- width) - fl <= y <= p * exp width + fl.
Proof.
  destruct (Rle_or_lt (bpow radix2 1000) l) as [Far | Near]; [now apply softmax_row_far_sink|].
  assert (I : i = rnd64 (/ l)).
  { destruct inverse as [|H]; auto; pose proof (bpow_le radix2 1000 1023 ltac:(lia)); lra. }
  destruct seen_as as (Hk & Hs).
  apply (softmax_row_in_range s keys m top a_max depth kd hd jd gd N od sd l k x' t); auto; try lra.
  unfold written_weight in weight_of_key; rewrite I in weight_of_key; exact weight_of_key.
Qed.
End Softmax.
