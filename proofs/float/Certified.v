(* SPDX-License-Identifier: Apache-2.0 *)
(** The top theorem: a row that the fast path computes lies within the bound that the judge applies
    for the class w-deep, with or without a sink logit, for every order in which its loops may sum.
    proves: NU-7, AT-8, SM-4, AL-2 *)
From Coq Require Import Reals Lra Lia ZArith List Bool Permutation.
From Flocq Require Import Core Relative.
From Sinkproof Require Import Spec Sums Near Model Row Classes ExpRound Exp Fast Dot Drift Merge.
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
  destruct (near_one d _ u64_small Hd) as (t & Ht & Et); exists t, e; repeat split; auto.
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

(** [attention_row_certified]: [keys] are the exact logits and values of the row's visible keys (one
    component), [s] its sink logit. [kd] are the terms of the denominator, the sink logit among them,
    [kn] those of the numerator; a term's slack bounds the error of its computed logit (NU7_logit for
    scaled dot products). Then the binary32 number that is written is within the bound of w-deep of
    the exact output. *)
Theorem attention_row_certified (s : option R) (keys : list (R * R)) m kd kn hd rd gd hn rn gn T od on an sd sn l n :
  fast m kd hd rd gd od true sd l -> fast m kn hn rn gn on an sn n ->
  Permutation (map logit_of kd) (sink_list s ++ map fst keys) ->
  Permutation (map (fun k => (logit_of k, value_of k)) kn) keys ->
  (forall k, In k kd -> value_of k = 1) -> (forall k, In k kn -> 0 <= slack k) ->
  (hd <= base_height w_deep (length kd) + rd)%nat -> (hn <= base_height w_deep (length kd) + rn)%nat ->
  (rd <= T)%nat -> (rn <= T)%nat -> (gd <= length kd + T)%nat -> (gn <= length kd + T)%nat ->
  let H := allowance w_deep fast_costs (/ 16777216) (length kd) T in
  kappa fast_costs kd H (3 * uu) (INR T) < 1 -> l <= bpow radix2 1000 ->
  Rabs (normalised n l - out_of s keys)
  <= output_error fast_costs kd H (3 * uu) (INR T) (argument fast_costs m) kn.
Proof.
  intros Fd Fn Pd Pn One Sl Dd Dn Rd Rn Gd Gn H Kp Hl.
  pose proof (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ Fd) as Cd.
  pose proof (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ Fn) as Cn.
  pose proof least_pos as LP.
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
  destruct (NU7_normalisation n l (conj Lp Hl)) as (gamma & e & Hg & He & ->).
  eapply (NU7_class_output w_deep fast_costs (/ 16777216) (3 * uu) s keys); eauto.
  - intros; lra.
  - intros k i; split; [|lra]; unfold argument.
    pose proof (Rabs_pos (m - seen k)); pose proof (Sl k i); cbn [c_d u' fast_costs f32_costs].
    unfold fast_costs, f32_costs; cbn [c_d u']; nra.
Qed.

(** ** No overflow: the reals above have no largest number; this is why binary32 never meets its own *)

(** What is summed against a maximum that all its terms respect is at most the sum of the values'
    sizes, but for rounding. *)
Theorem NU7_no_overflow c m ks h r g anchored v : sane c ->
  computed c m ks h r g true anchored v ->
  Rabs v <= (exp (eps c + u_p c + inflation c h r) + lost c h r) * sum (map (fun k => Rabs (value_of k)) ks)
            + INR g * eta_s c * exp (inflation c h r).
Proof.
  intros Hc C; destruct (NU7_backward c Hc _ _ _ _ _ _ _ _ C) as (ts & K & E & _).
  replace v with (total ks ts + (v - total ks ts)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  clear -K; induction K as [|k [t w] ks ts (_ & B & D & O) F IH].
  - unfold total, sum; simpl; rewrite Rabs_R0; lra.
  - rewrite total_cons; cbn [map fst snd] in *; rewrite sum_cons.
    apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rmult_plus_distr_l; apply Rplus_le_compat; auto.
    rewrite Rabs_mult, (Rabs_pos_eq w) by auto; apply Rmult_le_compat_r; [apply Rabs_pos|].
    specialize (O eq_refl); apply Rabs_between in D; lra.
Qed.

(** In the fast path: with values whose sizes sum to at most 2^124 and sums no taller than 2^20, no
    partial result reaches the largest binary32. *)
Theorem NU7_fast_stays_finite m ks h r g a single v : fast m ks h r g true a single v ->
  inflation fast_costs h r <= 1 -> INR g <= 2 ^ 100 ->
  sum (map (fun k => Rabs (value_of k)) ks) <= bpow radix2 124 -> Rabs v < bpow radix2 128.
Proof.
  intros F Hi Hg Hs; pose proof (NU7_fast_is_computed _ _ _ _ _ _ _ _ _ F) as C.
  assert (B := NU7_no_overflow _ _ _ _ _ _ _ _ f32_costs_sane C).
  assert (I0 : 0 <= inflation fast_costs h r) by (apply inflation_nonneg, f32_costs_sane).
  set (i := inflation f32_costs h r) in *; change (inflation fast_costs h r) with i in *.
  assert (E4 : forall x, x <= 1 + / 4 -> exp x <= 8).
  { intros x Hx; apply Rle_trans with (exp (1/4 + (1/4 + (1/4 + (1/4 + 1/4))))); [apply exp_mono; lra|].
    rewrite !exp_plus; pose proof (exp_quarter (1/4) ltac:(lra)); pose proof (exp_pos (1/4)).
    set (q := exp (1/4)) in *; assert (q * q <= 9/4) by nra; assert (0 < q * q) by nra.
    replace (q * (q * (q * (q * q)))) with (q * q * (q * q) * q) by ring.
    assert (q * q * (q * q) <= 81/16) by nra; nra. }
  assert (P1 : exp (eps f32_costs + u_p f32_costs + i) <= 8) by (apply E4; cbn; lra).
  assert (LL : least <= / 2 ^ 140).
  { apply Rinv_le_contravar; [apply pow_lt; lra | apply Rle_pow; [lra | lia]]. }
  assert (P2 : lost f32_costs h r <= 1).
  { unfold lost; fold i; apply Rle_trans with ((2 * least + 0) * 8).
    - apply Rmult_le_compat; [cbn; pose proof least_pos; lra | left; apply exp_pos | cbn; lra | apply E4; cbn; lra].
    - pose proof least_pos; lra. }
  assert (P3 : exp i <= 8) by (apply E4; lra).
  assert (P4 : INR g * eta_s f32_costs * exp i <= 1).
  { apply Rle_trans with (2 ^ 100 * / 2 ^ 140 * 8).
    - apply Rmult_le_compat; auto; [|left; apply exp_pos|].
      + apply Rmult_le_pos; [apply pos_INR | cbn; pose proof least_pos; lra].
      + apply Rmult_le_compat; auto; [apply pos_INR | cbn; pose proof least_pos; lra].
    - lra. }
  set (A := sum (map (fun k => Rabs (value_of k)) ks)) in *.
  assert (A0 : 0 <= A) by (apply sum_map_nonneg; intros; apply Rabs_pos).
  assert (Q : bpow radix2 128 = 16 * bpow radix2 124) by (change 128%Z with (4 + 124)%Z; rewrite bpow_plus; reflexivity).
  assert (W : 1 <= bpow radix2 124) by (change 1 with (bpow radix2 0); apply bpow_le; lia).
  assert ((exp (eps f32_costs + u_p f32_costs + i) + lost f32_costs h r) * A <= 9 * bpow radix2 124).
  { apply Rmult_le_compat; auto; try lra.
    apply Rplus_le_le_0_compat; [left; apply exp_pos|].
    unfold lost; apply Rmult_le_pos; [cbn; pose proof least_pos; lra | left; apply exp_pos]. }
  lra.
Qed.

(** ** Not vacuous: one key of logit 0 and value 1 and a sink logit of 0, as the fast path sums them *)

Lemma F32_0 : F32 0. Proof. apply generic_format_0. Qed.
Lemma F32_1 : F32 1.
Proof. replace 1 with (F2R (Float radix2 1 0)) by (unfold F2R; cbn; lra); apply F32_of_Z; lia. Qed.

Example NU7_fast_is_not_vacuous : exists l n,
  fast 0 [Term 0 0 0 1; Term 0 0 0 1] 1 0 0 false true false l /\
  fast 0 [Term 0 0 0 1] 1 0 1 true false true n.
Proof.
  assert (K : fast 0 [Term 0 0 0 1] 0 0 0 true true true (E (rnd (0 - 0)))).
  { apply F_key; try apply F32_0; auto; try lra.
    cbn [seen logit_of slack]; rewrite Rminus_eq_0, Rabs_R0; lra. }
  assert (Sk : fast 0 [Term 0 0 0 1] 0 0 0 false false false 1).
  { apply F_sink; exists 0, 0; rewrite Rminus_eq_0, exp_0, Rabs_R0.
    repeat split; try lra; try apply F64_of_F32, F32_1; auto. }
  exists (rnd64 (E (rnd (0 - 0)) + 1)), (rnd (E (rnd (0 - 0)) * value_of (Term 0 0 0 1) + 0)); split.
  - exact (F_join 0 _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ K Sk).
  - apply (F_value 0 (Term 0 0 0 1) 0 [] 0 0 0 true false 0); try apply F32_0; try apply F32_1;
      try reflexivity; try lra.
    + cbn [seen logit_of slack]; rewrite Rminus_eq_0, Rabs_R0; lra.
    + constructor.
Qed.
