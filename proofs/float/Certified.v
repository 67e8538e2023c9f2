(* SPDX-License-Identifier: Apache-2.0 *)
(** A row that the fast path computes lies within the bound that the judge evaluates for the class
    w-deep, with or without a sink logit, for every order in which its loops may sum and however often the
    maximum grows, as long as its sum has a reciprocal in binary64; float/FarSink.v has the others.
    proves: NU-7, AT-8, SM-4, AL-2 *)
From Coq Require Import Reals Lra Lia ZArith List Bool Permutation.
From Flocq Require Import Core Relative.
From Sinkproof Require Import Spec Sums Near Constants Model Row Output Classes Formula ExpRound Exp Fast Dot Drift Merge.
Import ListNotations.
Open Scope R_scope.

(** ** Normalisation: a reciprocal and a product in binary64, one rounding to binary32 *)

Definition normalised (n l : R) : R := rnd (rnd64 (n * rnd64 (/ l))).

Lemma reciprocal l : 0 < l <= bpow radix2 1000 -> exists t, Rabs t <= uu /\ rnd64 (/ l) = / l * exp t.
Proof.
  intros [Hp Hl].
  destruct (relative_error_N_FLT_ex radix2 (-1074) 53 eq_refl (fun z => negb (Z.even z)) (/ l)) as (d & Hd & E).
  - rewrite Rabs_pos_eq by (left; now apply Rinv_0_lt_compat).
    apply Rle_trans with (bpow radix2 (-1000)); [apply bpow_le; lia|].
    change (-1000)%Z with (- (1000))%Z; rewrite bpow_opp; apply Rinv_le_contravar; auto.
  - assert (Hd' : Rabs d <= / 16777216).
    { apply Rle_trans with (1 := Hd); change (/ 16777216) with (bpow radix2 (-24)).
      replace (/ 2 * bpow radix2 (- (53) + 1)) with (bpow radix2 (-53)).
      - apply bpow_le; lia.
      - change (-53)%Z with (-1 + -52)%Z; rewrite bpow_plus; reflexivity. }
    destruct (near_one d (/ 16777216) ltac:(lra) Hd') as (t & Ht & Et).
    exists t; split; auto; now rewrite E, Et.
Qed.

Lemma last32 z : exists t e, Rabs t <= uu /\ Rabs e <= / 2 * least /\ rnd z = z * exp t + e.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-149) 24 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  destruct (near_one d _ u32_small Hd) as (t & Ht & Et); exists t, e; repeat split; auto.
  - rewrite least_is_least in He; exact He.
  - now rewrite E, Et.
Qed.

Lemma last64 z : exists t e, Rabs t <= uu /\ Rabs e <= / 4 * least /\ rnd64 z = z * exp t + e.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-1074) 53 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  destruct (fine_one d _ u64_small Hd) as (t & Ht & Et); exists t, e; repeat split; try lra.
  - apply Rle_trans with (1 := He); rewrite <- least_is_least.
    apply Rle_trans with (bpow radix2 (-2 + -149)).
    + pose proof (bpow_ge_0 radix2 (-1074)).
      apply Rle_trans with (bpow radix2 (-1074)); [lra | apply bpow_le; lia].
    + rewrite bpow_plus; right; f_equal; cbn; lra.
  - now rewrite E, Et.
Qed.

Theorem NU7_normalisation n l : 0 < l <= bpow radix2 1000 ->
  exists gamma e, Rabs gamma <= 3 * uu /\ Rabs e <= 2 * least /\ normalised n l = n / l * exp gamma + e.
Proof.
  intro Hl; destruct (reciprocal l Hl) as (t1 & H1 & E1); unfold normalised; rewrite E1.
  destruct (last64 (n * (/ l * exp t1))) as (t2 & e2 & H2 & G2 & ->).
  destruct (last32 (n * (/ l * exp t1) * exp t2 + e2)) as (t3 & e3 & H3 & G3 & ->).
  exists (t1 + t2 + t3), (e2 * exp t3 + e3); pose proof least_pos; repeat split.
  - apply Rle_trans with (1 := Rabs_triang _ _); pose proof (Rabs_triang t1 t2); lra.
  - apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult, (Rabs_pos_eq (exp t3)) by (left; apply exp_pos).
    assert (X : exp t3 <= 3/2) by (apply exp_quarter; apply Rabs_le_inv in H3; lra).
    assert (Rabs e2 * exp t3 <= / 4 * least * (3/2)).
    { apply Rmult_le_compat; auto using Rabs_pos; left; apply exp_pos. }
    lra.
  - rewrite !exp_plus; unfold Rdiv; ring.
Qed.

(** ** The row *)

(** Terms carry the errors of their logits. *)
Lemma fast_terms m ks h j g o a single v : fast m ks h j g o a single v ->
  forall k, In k ks -> Rabs (seen k - logit_of k) <= slack k.
Proof.
  induction 1 as [|m k x' t an Sh Hv Hk Hs Ha| |m k x' t ks h j g o a v Sh Fv Hk Hs C IH
    |m k x' t ks h j g o a s v Sh Fv Hk Hs C IH| | |m s f an Hf Ha|]; intros q Q;
    try (apply in_app_or in Q; destruct Q; auto; fail); try (now apply IHfast).
  - destruct Q.
  - destruct Q as [<- | []]; now rewrite Hk.
  - destruct Q as [<- | Q]; [now rewrite Hk | now apply IH].
  - destruct Q as [<- | Q]; [now rewrite Hk | now apply IH].
  - destruct Q as [<- | []]; cbn; rewrite Rminus_eq_0, Rabs_R0; lra.
Qed.

(** How tall a sum may be in binary32 for the height of the class, with one rounding to spare for
    whatever happens in binary64: 2^24 joins and rescales one after the other. *)
Definition fits (N h j : nat) : Prop := (S h <= base_height w_deep N)%nat /\ INR j <= 16777216.

Lemma fits_cost N h j : fits N h j -> fast_cost h j <= allowance w_deep fast_costs (/ 16777216) N 0.
Proof.
  intros [Hh Hj]; unfold allowance, height, fast_cost; rewrite Nat.mul_0_r, Nat.add_0_r; simpl (INR 0).
  apply le_INR in Hh; rewrite S_INR in Hh; unfold fast_costs, f32_costs; cbn [u'].
  assert (INR j * / 562949953421312 <= 16777216 * / 562949953421312) by (apply Rmult_le_compat_r; lra); nra.
Qed.

(** Error of the exponent of a term that lies [depth] below the maximum, from what the maximum should
    be: the judge's delta. *)
Definition judged (depth : term -> R) (a_max : R) (k : term) : R := uu * (depth k + slack k + a_max) + slack k.

Section Certified.
Variables (s : option R) (keys : list (R * R)) (m top a_max : R) (depth : term -> R) (kd kn : list term).
Variables (hd jd gd hn jn gn N : nat) (od on an sd sn : bool) (l n : R).
Let c := class_f32 w_deep N.
Let C := costs_of c.

(** [keys] are the exact logits and values of the row's visible keys (one component), [s] its sink
    logit. [kd] are the terms of the denominator, the sink logit among them, [kn] those of the numerator;
    a term's slack bounds the error of its computed logit (NU7_logit for scaled dot products). [N] is the
    length of the row, masked keys counted or not. No sum of a tile is too tall, there are at most as many
    rescales as keys, and the maximum [m] is within [a_max] of what it should be. *)
Hypothesis sum_of_weights : fast m kd hd jd gd od true sd l.
Hypothesis sum_of_values : fast m kn hn jn gn on an sn n.
Hypothesis terms_of_row : Permutation (map logit_of kd) (sink_list s ++ map fst keys).
Hypothesis values_of_row : Permutation (map (fun k => (logit_of k, value_of k)) kn) keys.
Hypothesis ones : forall k, In k kd -> value_of k = 1.
Hypothesis length_of_row : (length kd <= N)%nat.
Hypothesis weights_fit : fits N hd jd /\ (gd <= N)%nat.
Hypothesis values_fit : fits N hn jn /\ (gn <= 3 * N)%nat.
Hypothesis maximum : Rabs (m - top) <= a_max.
Hypothesis depths : forall k, In k kd \/ In k kn -> Rabs (top - logit_of k) <= depth k.
Hypothesis underflow_is_small : kappa C (H_of c) (norm_of c) (INR N) 0 < 1.
Hypothesis in_range : l <= bpow radix2 1000.

Let Costs : C = fast_costs. Proof. apply class_f32_costs. Qed.
Let Sane : sane fast_costs. Proof. apply f32_costs_sane. Qed.
Let etas : eta fast_costs <= eta_s fast_costs. Proof. cbn; lra. Qed.
Let norm_nonneg : 0 <= 3 * uu. Proof. lra. Qed.
Let small : kappa fast_costs (allowance w_deep fast_costs (/ 16777216) N 0) (3 * uu) (INR N) (INR 0) < 1.
Proof.
  pose proof underflow_is_small as Q; rewrite Costs in Q; unfold c in Q.
  rewrite class_f32_H, class_f32_norm in Q; exact Q.
Qed.

Lemma judged_covers k : In k kd \/ In k kn -> 0 <= judged depth a_max k /\ argument fast_costs m k <= judged depth a_max k.
Proof.
  intro Q; assert (S : Rabs (seen k - logit_of k) <= slack k).
  { destruct Q as [Q | Q]; [exact (fast_terms _ _ _ _ _ _ _ _ _ sum_of_weights k Q) | exact (fast_terms _ _ _ _ _ _ _ _ _ sum_of_values k Q)]. }
  pose proof (depths k Q) as D; unfold judged, argument, fast_costs, f32_costs; cbn [c_d u'].
  assert (A : Rabs (m - seen k) <= depth k + slack k + a_max).
  { replace (m - seen k) with ((m - top) + ((top - logit_of k) - (seen k - logit_of k))) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _).
    pose proof (Rabs_triang (top - logit_of k) (- (seen k - logit_of k))) as P; rewrite Rabs_Ropp in P.
    unfold Rminus at 2; lra. }
  pose proof (Rabs_pos (seen k - logit_of k)); pose proof (Rabs_pos (m - seen k)); split; [|rewrite Rmult_1_l; nra].
  apply Rplus_le_le_0_compat; [apply Rmult_le_pos|]; lra.
Qed.

Lemma denominator_is_computed : exists i g, computed fast_costs m kd i g od true l /\
  i <= allowance w_deep fast_costs (/ 16777216) N 0 /\ g <= INR (N + 0) * eta_s fast_costs.
Proof.
  destruct (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ sum_of_weights) as (i & g & Hi & Hg & D).
  exists i, g; split; [exact D|]; destruct weights_fit as [F G]; split.
  - apply Rle_trans with (1 := Hi), fits_cost, F.
  - rewrite Nat.add_0_r; apply Rle_trans with (1 := Hg); apply Rmult_le_compat_r; [left; apply least_pos | now apply le_INR].
Qed.

Lemma sum_is_positive : 0 < l.
Proof.
  destruct denominator_is_computed as (i & g & D & Hi & Hg).
  apply (l_pos fast_costs Sane etas m kd i g od l (allowance w_deep fast_costs (/ 16777216) N 0) (3 * uu) (INR N) (INR 0)
    (judged depth a_max) D ones (le_INR _ _ length_of_row) Hi); auto using pos_INR.
  - intros k Q; apply judged_covers; auto.
  - rewrite <- plus_INR; exact Hg.
Qed.

(** The binary32 number that is written is within what the judge evaluates
    (NU7_formula_is_the_bound) for the class w-deep of the exact output. *)
Theorem attention_row_in_range :
  Rabs (normalised n l - out_of s keys)
  <= output_error C kd (H_of c) (norm_of c) (INR N) 0 (judged depth a_max) (judged depth a_max) kn.
Proof.
  unfold c; rewrite class_f32_H, class_f32_norm; fold c; rewrite Costs.
  destruct denominator_is_computed as (i & g & D & Hi & Hg).
  destruct (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ sum_of_values) as (i' & g' & Hi' & Hg' & D').
  destruct (NU7_normalisation n l (conj sum_is_positive in_range)) as (gamma & e & Hgamma & He & ->).
  destruct values_fit as [F G].
  apply (NU7_class_output w_deep fast_costs (/ 16777216) (3 * uu) s keys m kd kn i g i' g' N 0 od on an l n
    (judged depth a_max) (judged depth a_max) Sane etas norm_nonneg D terms_of_row ones length_of_row Hi Hg);
    auto.
  - intros k Q; apply judged_covers; auto.
  - apply Rle_trans with (1 := Hi'), fits_cost, F.
  - apply Rle_trans with (1 := Hg'); rewrite Nat.add_0_r; apply Rmult_le_compat_r; [left; apply least_pos | now apply le_INR].
  - intros k Q; apply judged_covers; auto.
Qed.
End Certified.

(** ** Not vacuous: one key of logit 0 and value 1 and a sink logit of 0, as the fast path sums them *)

Lemma F32_0 : F32 0. Proof. apply generic_format_0. Qed.
Lemma F32_1 : F32 1.
Proof. replace 1 with (F2R (Float radix2 1 0)) by (unfold F2R; cbn; lra); apply F32_of_Z; lia. Qed.

Example NU7_fast_is_not_vacuous : exists l n,
  fast 0 [Term 0 0 0 1; Term 0 0 0 1] 0 1 0 false true false l /\
  fast 0 [Term 0 0 0 1] 1 0 1 true false true n.
Proof.
  assert (Sh : shifted 0 0 (rnd (0 - 0))) by (apply shifted32; auto using F32_0; lra).
  assert (Sl : Rabs (0 - logit_of (Term 0 0 0 1)) <= slack (Term 0 0 0 1))
    by (cbn [logit_of slack]; rewrite Rminus_eq_0, Rabs_R0; lra).
  assert (K : fast 0 [Term 0 0 0 1] 0 0 0 true true true (E (rnd (0 - 0)))) by (apply F_key with (x' := 0); auto).
  assert (Sk : fast 0 [Term 0 0 0 1] 0 0 0 false false false 1).
  { apply F_sink; [|discriminate]; exists 0, 0; rewrite Rminus_eq_0, exp_0, Rabs_R0.
    repeat split; try lra; try apply F64_of_F32, F32_1; auto. }
  exists (rnd64 (E (rnd (0 - 0)) + 1)), (rnd (E (rnd (0 - 0)) * value_of (Term 0 0 0 1) + 0)); split.
  - exact (F_join 0 _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ K Sk).
  - apply (F_value 0 (Term 0 0 0 1) 0 _ [] 0 0 0 true false 0); auto using F32_1; constructor.
Qed.
