(* SPDX-License-Identifier: Apache-2.0 *)
(** The two log-sum-exps of the fast path (fast/normalise.c): in binary64 the logarithm of a sum and its
    sum with the reference, then one rounding to binary32. proves: NU-7, AL-5, SM-3 *)
From Coq Require Import Reals Lra Lia ZArith List Permutation.
From Flocq Require Import Core Relative Plus_error.
From Sinkproof Require Import Spec Sums Near Constants Model Row Output Lse Classes Formula ExpRound Exp Fast
  Certified Drift Merge.
Import ListNotations.
Open Scope R_scope.

(** What is assumed of libm's log in binary64. *)
Definition libm_log (x y : R) : Prop := exists d, Rabs d <= fine /\ y = ln x * (1 + d) /\ F64 y.

(** (float)(m + log(l)) *)
Definition lse32 (m y : R) : R := rnd (rnd64 (m + y)).

Lemma lse32_steps m l y : F64 m -> libm_log l y ->
  exists d1 d2 e, Rabs d1 <= uu /\ Rabs d2 <= uu * exp (2 * uu) /\ Rabs e <= least /\
    lse32 m y = (m * (1 + 0) + ln l * (1 + d1)) * (1 + d2) + e.
Proof.
  intros Fm (d1 & H1 & -> & Fy); unfold lse32.
  destruct (FLT_plus_error_N_ex radix2 (-1074) 53 (fun z => negb (Z.even z)) m _ Fm Fy) as (d & Hd & ->).
  destruct (relative_error_N_FLT'_ex radix2 (-149) 24 eq_refl (fun z => negb (Z.even z))
    ((m + ln l * (1 + d1)) * (1 + d))) as (d3 & e & H3 & He & _ & ->).
  exists d1, ((1 + d) * (1 + d3) - 1), e.
  pose proof u64_small as U64; pose proof u32_small as U32; rewrite least_is_least in He; pose proof least_pos.
  assert (R32 : u_ro radix2 24 / (1 + u_ro radix2 24) <= / 16777217) by (unfold u_ro; cbn; lra).
  repeat split; try lra.
  - assert (E1 : 1 <= exp (2 * uu)) by (rewrite <- exp_0; apply exp_mono; lra).
    replace ((1 + d) * (1 + d3) - 1) with (d * (1 + d3) + d3) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult.
    assert (D : Rabs d <= / 9007199254740992) by lra; assert (D3 : Rabs d3 <= / 16777217) by lra.
    assert (P : Rabs (1 + d3) <= 2) by (apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_R1; lra).
    assert (Rabs d * Rabs (1 + d3) <= / 9007199254740992 * 2) by (apply Rmult_le_compat; auto using Rabs_pos).
    assert (uu <= uu * exp (2 * uu)) by (rewrite <- (Rmult_1_r uu) at 1; apply Rmult_le_compat_l; lra).
    assert (/ 9007199254740992 * 2 + / 16777217 <= uu) by lra; lra.
Qed.

(** [NU7_fast_lse]: of a sum of the fast path, the sink logit among its terms or not, the log-sum-exp that
    is written is within what the judge evaluates for the class w-deep. [mu] is what the reference [m]
    should be, [size] a bound of its size. *)
Theorem NU7_fast_lse (s : option R) (logits : list R) m mu top a_max depth kd hd jd gd N od sd l y size :
  fast m kd hd jd gd od true sd l -> Permutation (map logit_of kd) (sink_list s ++ logits) ->
  (forall k, In k kd -> value_of k = 1) -> (length kd <= N)%nat -> fits N hd jd /\ (gd <= N)%nat ->
  Rabs (m - top) <= a_max -> (forall k, In k kd -> Rabs (top - logit_of k) <= depth k) ->
  Rabs (m - mu) <= a_max -> mu <= ln (Z_total s logits) -> Rabs mu <= size -> F64 m -> libm_log l y ->
  let c := class_f32 w_deep N in let C := costs_of c in let L := ln (Z_total s logits) in
  kappa C (H_of c) (norm_of c) (INR N) 0 < 1 ->
  let B := sum_error C kd (H_of c) (norm_of c) (INR N) 0 (judged depth a_max) in
  Rabs (lse32 m y - L) <= B + lse_rounding (u' C) (real (cl_clog c)) (eta C) B a_max (L - mu) (Rabs L) size.
Proof.
  intros Fd Pd One Len Fit Max Dep Mu Below Size Fm Log c C L Kp B.
  assert (Costs : C = fast_costs) by apply class_f32_costs.
  assert (Eo : eta fast_costs <= eta_s fast_costs) by (cbn; lra); pose proof least_pos as LP.
  destruct (denominator_is_computed m kd hd jd gd N od sd l Fd Fit) as (i & g & D & Hi & Hg).
  assert (Dep' : forall q, In q kd \/ In q [] -> Rabs (top - logit_of q) <= depth q) by (intros q [Q | []]; auto).
  assert (Cov : forall q, In q kd \/ In q [] -> 0 <= judged depth a_max q /\ argument fast_costs m q <= judged depth a_max q)
    by exact (judged_covers m top a_max depth kd [] hd jd gd _ _ _ od true false sd true l _ Fd (F_zero m) Max Dep').
  assert (Core : Rabs (m + ln l - L) <= B).
  { unfold B, c in *; rewrite class_f32_H, class_f32_norm in *; fold c in Costs; fold C; rewrite Costs in *.
    unfold L; rewrite <- (map_id logits).
    pose proof (NU7_class_lse w_deep fast_costs (/ 16777216) (3 * uu) s (map (fun x => (x, 0)) logits) m kd i g N 0 od l
      (judged depth a_max) f32_costs_sane Eo ltac:(lra) D) as Q.
    rewrite map_map in Q; apply Q; auto.
    - now rewrite map_id.
    - intros k Hk; apply Cov; auto. }
  destruct (lse32_steps m l y Fm Log) as (d1 & d2 & e & H1 & H2 & He & ->).
  assert (Cl : real (cl_clog c) = 1) by (unfold c, real; simpl; unfold C_LOG; lra).
  assert (A0 : 0 <= a_max) by (pose proof (Rabs_pos (m - top)); lra).
  rewrite Cl, Costs; cbn [u' eta fast_costs f32_costs].
  apply Rle_trans with (B + lse_rounding uu 1 least B a_max (L - mu) (Rabs L) (Rabs mu)).
  - apply NU7_lse; auto; try (rewrite ?Rabs_R0; lra).
  - apply Rplus_le_compat_l, lse_rounding_size; lra.
Qed.

(** What lse_total takes the logarithm of: keys and sink logit against the larger of the two references. *)
Theorem NU7_lse_total_program m ks h j g sd l s fa fb :
  fast m ks h j g true true sd l -> (forall k, In k ks -> seen k <= m) ->
  let shift := Rmax m s in libm_exp (m - shift) fa -> libm_exp (s - shift) fb ->
  exists j' g', (j' <= S (S j))%nat /\ (g' <= S g)%nat /\
    fast shift (ks ++ [Term s s 0 1]) h j' g' false true false (rnd64 (rnd64 (l * fa) + fb)).
Proof.
  intros Fd Hx shift Ha Hb; destruct (Rle_lt_dec s m) as [Le | Lt].
  - assert (Sh : shift = m) by (apply Rmax_left; exact Le); rewrite Sh in *.
    assert (F1 : fa = 1) by (destruct Ha as (rho & f0 & _ & _ & _ & _ & _ & One); apply One; ring).
    assert (Fl : F64 l) by apply (fast_format _ _ _ _ _ _ _ _ _ Fd).
    rewrite F1, Rmult_1_r, (round_generic radix2 (FLT_exp (-1074) 53) ZnearestE l Fl).
    pose proof (F_join m _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ Fd (F_sink m s fb false Hb ltac:(discriminate))) as Q.
    rewrite !Nat.max_0_r, Nat.add_0_r in Q; exists (S j), g; repeat split; auto.
  - assert (Sh : shift = s) by (apply Rmax_right; lra); rewrite Sh in *.
    pose proof (F_raise m s ks h j g true sd l fa ltac:(lra) Hx Ha Fd) as R.
    pose proof (F_join s _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ R (F_sink s s fb true Hb ltac:(auto))) as Q.
    rewrite !Nat.max_0_r, Nat.add_0_r in Q; exists (S (S j)), (S g); repeat split; auto.
Qed.
