(* SPDX-License-Identifier: Apache-2.0 *)
(** The top theorem: every row that the fast path computes lies within the bound that the judge
    evaluates for the class w-deep, wherever its sink logit is. Where that is more than 693 above the
    maximum, the reciprocal of the sum may be subnormal in binary64, and from 709 on the sum may be
    infinite and its reciprocal 0: what is lost there is below the underflow that NU-7 allows.
    proves: NU-7, AT-8, SM-4, AL-2, AL-4 *)
From Coq Require Import Reals Lra Lia ZArith List Bool Permutation.
From Flocq Require Import Core Relative.
From Sinkproof Require Import Spec Sums Near Constants Model Row Output Far Classes Formula ExpRound Exp Fast
  Certified Drift Merge.
Import ListNotations.
Open Scope R_scope.

(** 1 / sum as fast/normalise.c computes it. The reals have no largest number; a sum that binary64 makes
    infinite is at least 2^1023 here. *)
Inductive inverse64 (l : R) : R -> Prop :=
| I_rounded : inverse64 l (rnd64 (/ l))
| I_of_infinity : bpow radix2 1023 <= l -> inverse64 l 0.

Definition written (n i : R) : R := rnd (rnd64 (n * i)).

Lemma inverse_far l i : bpow radix2 1000 <= l -> inverse64 l i -> 0 <= i <= bpow radix2 (-1000).
Proof.
  assert (P : 0 < bpow radix2 1000) by apply bpow_gt_0.
  intros Hl [|_]; [|pose proof (bpow_ge_0 radix2 (-1000)); lra].
  rewrite <- (round_0 radix2 (FLT_exp (-1074) 53) ZnearestE).
  rewrite <- (round_generic radix2 (FLT_exp (-1074) 53) ZnearestE (bpow radix2 (-1000)))
    by (apply generic_format_bpow; unfold FLT_exp; lia).
  split; apply round_le; try typeclasses eauto; [left; apply Rinv_0_lt_compat; lra|].
  change (-1000)%Z with (- (1000))%Z; rewrite bpow_opp; now apply Rinv_le_contravar.
Qed.

Lemma far_enough : 8 <= least * bpow radix2 1000.
Proof.
  rewrite <- least_is_least, <- bpow_plus; change 8 with (bpow radix2 3); apply bpow_le; lia.
Qed.

Lemma written_far n i B : 0 < B -> 0 <= i <= / B -> Rabs (written n i) <= 3 * (Rabs n / B) + least.
Proof.
  intros HB Hi; unfold written; pose proof least_pos as LP.
  destruct (last64 (n * i)) as (t1 & e1 & H1 & G1 & ->).
  destruct (last32 (n * i * exp t1 + e1)) as (t2 & e2 & H2 & G2 & ->).
  assert (E : forall t, Rabs t <= uu -> Rabs (exp t) <= 3/2).
  { intros t Ht; rewrite Rabs_pos_eq by (left; apply exp_pos); apply exp_quarter; apply Rabs_le_inv in Ht; lra. }
  assert (Z : Rabs (n * i) <= Rabs n / B).
  { rewrite Rabs_mult, (Rabs_pos_eq i) by lra; apply Rmult_le_compat_l; [apply Rabs_pos | lra]. }
  pose proof (Rabs_pos (n * i)); pose proof (Rabs_pos e1).
  assert (A : Rabs (n * i * exp t1 + e1) <= Rabs n / B * (3/2) + / 4 * least).
  { apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult; apply Rplus_le_compat; auto.
    apply Rmult_le_compat; auto using Rabs_pos. }
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult.
  assert (Rabs (n * i * exp t1 + e1) * Rabs (exp t2) <= (Rabs n / B * (3/2) + / 4 * least) * (3/2)).
  { apply Rmult_le_compat; auto using Rabs_pos. }
  lra.
Qed.

Section Attention.
Variables (s : option R) (keys : list (R * R)) (m top a_max : R) (depth : term -> R) (kd kn : list term).
Variables (hd jd gd hn jn gn N : nat) (od an sd sn : bool) (l n i : R).
Let c := class_f32 w_deep N.
Let C := costs_of c.

(** As in float/Certified.v; the sink logit is no term of the numerator. *)
Hypothesis sum_of_weights : fast m kd hd jd gd od true sd l.
Hypothesis sum_of_values : fast m kn hn jn gn true an sn n.
Hypothesis terms_of_row : Permutation (map logit_of kd) (sink_list s ++ map fst keys).
Hypothesis values_of_row : Permutation (map (fun k => (logit_of k, value_of k)) kn) keys.
Hypothesis ones : forall k, In k kd -> value_of k = 1.
Hypothesis length_of_row : (length kd <= N)%nat.
Hypothesis weights_fit : fits N hd jd /\ (gd <= N)%nat.
Hypothesis values_fit : fits N hn jn /\ (gn <= 3 * N)%nat.
Hypothesis maximum : Rabs (m - top) <= a_max.
Hypothesis depths : forall k, In k kd \/ In k kn -> Rabs (top - logit_of k) <= depth k.
Hypothesis underflow_is_small : kappa C (H_of c) (norm_of c) (INR N) 0 < 1.
Hypothesis inverse : inverse64 l i.

Let covers := judged_covers m top a_max depth kd kn hd jd gd hn jn gn od true an sd sn l n sum_of_weights sum_of_values
  maximum depths.

Theorem attention_row_far_sink : bpow radix2 1000 <= l ->
  Rabs (written n i - out_of s keys)
  <= output_error C kd (H_of c) (norm_of c) (INR N) 0 (judged depth a_max) (judged depth a_max) kn.
Proof.
  intro Far; assert (Costs : C = fast_costs) by apply class_f32_costs; pose proof least_pos as LP.
  unfold c in *; rewrite class_f32_H, class_f32_norm in *; fold c in Costs; fold C; fold C in underflow_is_small.
  rewrite Costs in *.
  destruct (denominator_is_computed m kd hd jd gd N od sd l sum_of_weights weights_fit) as (x & g & D & Hx & Hg).
  destruct (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ sum_of_values) as (x' & g' & Hx' & Hg' & D').
  destruct values_fit as [F G]; rewrite Nat.add_0_r in Hg.
  rewrite <- (NU7_exact_out_is_out s kd kn keys terms_of_row values_of_row).
  apply (NU7_output_far fast_costs f32_costs_sane ltac:(cbn; lra) m kd kn x g x' g' od an l n
    (allowance w_deep fast_costs (/ 16777216) N 0) (3 * uu) (INR N) 0 (judged depth a_max) (judged depth a_max))
    with (B := bpow radix2 1000); auto; try lra.
  - now apply le_INR.
  - intros k Q; apply covers; auto.
  - apply Rle_trans with (1 := Hx'), fits_cost, F.
  - intros k Q; apply covers; auto.
  - apply Rle_trans with (1 := Hg'); unfold events; rewrite Rplus_0_r; apply Rmult_le_compat_r; [left; apply least_pos|].
    apply le_INR in G; rewrite mult_INR in G; replace (INR 3) with 3 in G by (simpl; ring); exact G.
  - apply far_enough.
  - apply written_far; [apply bpow_gt_0 | rewrite <- bpow_opp; now apply (inverse_far l)].
Qed.

(** [attention_row_certified]: the binary32 number that is written is within what the judge evaluates
    (NU7_formula_is_the_bound) for the class w-deep of the exact output. *)
Theorem attention_row_certified :
  Rabs (written n i - out_of s keys)
  <= output_error C kd (H_of c) (norm_of c) (INR N) 0 (judged depth a_max) (judged depth a_max) kn.
Proof.
  destruct (Rle_or_lt (bpow radix2 1000) l) as [Far | Near]; [now apply attention_row_far_sink|].
  assert (I : i = rnd64 (/ l)).
  { destruct inverse as [|H]; auto; pose proof (bpow_le radix2 1000 1023 ltac:(lia)); lra. }
  rewrite I; apply (attention_row_in_range s keys m top a_max depth kd kn hd jd gd hn jn gn N od true an sd sn l n); auto; lra.
Qed.
End Attention.

(** ** Not vacuous: one key of logit 0 and value 1, and a sink logit whose exponential no binary64 holds *)

Lemma exp_1500 : bpow radix2 1023 <= exp 1500.
Proof.
  replace 1500 with (INR 1500) by (rewrite INR_IZR_INZ; reflexivity).
  assert (P : forall k, 2 ^ k <= exp (INR k)).
  { induction k as [|k IH]; [change (INR 0) with 0; rewrite exp_0; simpl; lra|].
    rewrite S_INR, exp_plus; cbn [pow]; pose proof (exp_ineq1_le 1); pose proof (pow_lt 2 k ltac:(lra)); nra. }
  apply Rle_trans with (2 ^ 1500); auto.
  replace (bpow radix2 1023) with (2 ^ 1023); [apply Rle_pow; [lra | lia]|].
  change 1023%Z with (Z.of_nat 1023); rewrite bpow_powerRZ, <- pow_powerRZ; reflexivity.
Qed.

Example NU7_far_sink_is_not_vacuous : exists l n,
  fast 0 [Term 0 0 0 1; Term 1500 1500 0 1] 0 1 0 false true false l /\
  fast 0 [Term 0 0 0 1] 1 0 1 true false true n /\ bpow radix2 1000 <= l /\ inverse64 l 0.
Proof.
  assert (Sh : shifted 0 0 (rnd (0 - 0))) by (apply shifted32; auto using F32_0; lra).
  assert (Sl : Rabs (0 - logit_of (Term 0 0 0 1)) <= slack (Term 0 0 0 1))
    by (cbn [logit_of slack]; rewrite Rminus_eq_0, Rabs_R0; lra).
  assert (K : fast 0 [Term 0 0 0 1] 0 0 0 true true true (E (rnd (0 - 0)))) by (apply F_key with (x' := 0); auto).
  pose proof exp_1500 as X; assert (B : 0 < bpow radix2 1023) by apply bpow_gt_0.
  assert (Fl : bpow radix2 1023 <= rnd64 (exp 1500)).
  { rewrite <- (round_generic radix2 (FLT_exp (-1074) 53) ZnearestE (bpow radix2 1023))
      by (apply generic_format_bpow; unfold FLT_exp; lia); apply round_le; try typeclasses eauto; exact X. }
  assert (Sk : fast 0 [Term 1500 1500 0 1] 0 0 0 false false false (rnd64 (exp 1500))).
  { apply F_sink; [|discriminate]; rewrite Rminus_0_r.
    destruct (relative_error_N_FLT_ex radix2 (-1074) 53 eq_refl (fun z => negb (Z.even z)) (exp 1500)) as (d & Hd & Ed).
    { rewrite Rabs_pos_eq by lra; apply Rle_trans with (2 := X), bpow_le; lia. }
    destruct (fine_one d (/ 9007199254740992) ltac:(lra)) as (t & Ht & Et); [simpl in Hd; lra|].
    exists t, 0; rewrite Ed, Et, Rplus_0_r; split; auto; split.
    - pose proof (Rabs_pos 1500); lra.
    - split; [apply Rmult_le_pos; left; apply exp_pos|]; rewrite <- Et, <- Ed; split; [apply F64_rnd|].
      split; [auto | intro Q; lra]. }
  exists (rnd64 (E (rnd (0 - 0)) + rnd64 (exp 1500))), (rnd (E (rnd (0 - 0)) * value_of (Term 0 0 0 1) + 0)).
  assert (Large : bpow radix2 1023 <= rnd64 (E (rnd (0 - 0)) + rnd64 (exp 1500))).
  { apply Rle_trans with (1 := Fl).
    rewrite <- (round_generic radix2 (FLT_exp (-1074) 53) ZnearestE (rnd64 (exp 1500))) at 1 by apply F64_rnd.
    apply round_le; try typeclasses eauto; destruct Sh as (F & N & _); pose proof (E_nonneg _ F N); lra. }
  split; [exact (F_join 0 _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ K Sk)|]; split.
  - apply (F_value 0 (Term 0 0 0 1) 0 _ [] 0 0 0 true false 0); auto using F32_1; constructor.
  - split; [apply Rle_trans with (2 := Large), bpow_le; lia | now apply I_of_infinity].
Qed.
