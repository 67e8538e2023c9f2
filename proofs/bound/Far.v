(* SPDX-License-Identifier: Apache-2.0 *)
(** How large sums are: a numerator is no larger than its values, and under a denominator that is far
    larger (a sink logit far above the keys) everything an output may still be is underflow, which NU-7
    allows. proves: NU-7, AL-4 *)
From Coq Require Import Reals Lra List Bool.
From Sinkproof Require Import Spec Sums Near Model Row Output.
Import ListNotations.
Open Scope R_scope.

(** What is summed against a maximum that all its terms respect is at most the sum of the values'
    sizes, but for rounding. *)
Theorem NU7_no_overflow c m ks i g anchored v : sane c -> computed c m ks i g true anchored v ->
  Rabs v <= (exp (eps c + u_p c + i) + lost c i) * sum (map (fun k => Rabs (value_of k)) ks) + g * exp i.
Proof.
  intros Hc C; destruct (NU7_backward c Hc _ _ _ _ _ _ _ C) as (ts & K & E & _).
  replace v with (total ks ts + (v - total ks ts)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  clear -K; induction K as [|k [t w] ks ts (_ & B & D & O) F IH].
  - unfold total, sum; simpl; rewrite Rabs_R0; lra.
  - rewrite total_cons; cbn [map fst snd] in *; rewrite sum_cons.
    apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rmult_plus_distr_l; apply Rplus_le_compat; auto.
    rewrite Rabs_mult, (Rabs_pos_eq w) by auto; apply Rmult_le_compat_r; [apply Rabs_pos|].
    specialize (O eq_refl); apply Rabs_between in D; lra.
Qed.

Lemma near_cost a x y : 0 < y -> near a x y -> 0 <= a.
Proof.
  intros Hy [L U]; destruct (Rle_or_lt 0 a) as [|N]; auto; exfalso.
  assert (exp a < exp (- a)) by (apply exp_increasing; lra).
  assert (y * exp a < y * exp (- a)) by (apply Rmult_lt_compat_l; auto); lra.
Qed.

Section Far.
Variable c : costs.
Hypothesis Hc : sane c.
Hypothesis eta_order : eta c <= eta_s c.
(** Denominator and numerator as in bound/Output.v; the sink logit is no term of the numerator, so no
    argument of its exponentials was above 0. *)
Variables (m : R) (kd kn : list term) (i g i' g' : R) (open anchored : bool) (l n : R).
Variables (H norm N T : R) (delta delta' : term -> R).
Hypothesis den : computed c m kd i g open true l.
Hypothesis ones : forall k, In k kd -> value_of k = 1.
Hypothesis length_kd : INR (length kd) <= N.
Hypothesis depth : i <= H.
Hypothesis deltas : forall k, In k kd -> argument c m k <= delta k.
Hypothesis products : g <= (N + T) * eta_s c.
Hypothesis norm_nonneg : 0 <= norm.
Hypothesis T_nonneg : 0 <= T.
Hypothesis underflow_is_small : kappa c H norm N T < 1.
Hypothesis num : computed c m kn i' g' true anchored n.
Hypothesis num_depth : i' <= H.
Hypothesis num_deltas : forall k, In k kn -> argument c m k <= delta' k.
Hypothesis num_products : g' <= events N T * eta_s c.

Let p := p kd.
Let tau k := tau c kd H norm N T delta (delta' k).
Let near_weight := near_weight c Hc eta_order m kd i g open l H norm N T delta den ones length_kd depth deltas
  products norm_nonneg T_nonneg underflow_is_small.
Let l_pos := l_pos c Hc eta_order m kd i g open l H norm N T delta den ones length_kd depth deltas products
  norm_nonneg T_nonneg underflow_is_small.
Let p_pos : forall x, 0 < p x := p_pos c Hc m kd i g open l N delta den ones length_kd deltas.
Let L := exp (lambda c H norm).

Lemma up_to_lambda x : x <= eps c + u_p c + H -> exp x <= L.
Proof.
  intro Hx; apply exp_mono; unfold lambda; destruct Hc as (? & ? & ? & ? & ?).
  pose proof (H_nonneg c m kd i g open l H den depth); lra.
Qed.

Lemma weight_far k : In k kn -> p (logit_of k) <= p (logit_of k) * (exp (tau k) - 1) + 2 * (L / l).
Proof.
  intro ik; destruct (NU7_backward c Hc _ _ _ _ _ _ _ num) as (ts & Kp & _).
  assert (Q : exists t, Rabs t <= cost c m i' k /\ share m k t <= exp (eps c + u_p c + i')).
  { clear -Kp ik; induction Kp as [|q [t w] ks ts (A & _ & _ & O) F IH]; [destruct ik|].
    destruct ik as [<- | ik]; [exists t; cbn [fst] in *; auto | auto]. }
  destruct Q as (t & Ht & Hs); unfold cost in Ht; pose proof (num_deltas k ik).
  assert (Rabs 0 <= norm) by (rewrite Rabs_R0; exact norm_nonneg).
  pose proof (near_weight (logit_of k) t 0 (delta' k) (eps c + u_p c + H) ltac:(lra) ltac:(auto)) as W.
  rewrite exp_0, Rmult_1_r in W.
  match type of W with near ?a _ _ => replace a with (tau k) in W
    by (unfold tau, Output.tau, theta, sum_error; ring) end.
  pose proof (near_cost _ _ _ (p_pos _) W) as T0; apply near_sym in W; destruct W as [_ W]; fold p in W.
  fold (share m k t) in W; pose proof (p_pos (logit_of k)) as Pp.
  assert (Sl : share m k t / l <= L / l).
  { apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat, l_pos|].
    apply Rle_trans with (1 := Hs), up_to_lambda; lra. }
  assert (L0 : 0 <= L / l) by (apply Rmult_le_pos; [left; apply exp_pos | left; apply Rinv_0_lt_compat, l_pos]).
  assert (E1 : 1 <= exp (tau k)) by (rewrite <- exp_0; now apply exp_mono).
  destruct (Rle_or_lt 2 (exp (tau k))) as [Big | Small]; [nra|].
  assert (share m k t / l * exp (tau k) <= L / l * 2); [|nra].
  apply Rmult_le_compat; try lra.
  apply Rmult_le_pos; [apply Rmult_le_pos; left; apply exp_pos | left; apply Rinv_0_lt_compat, l_pos].
Qed.

(** [NU7_output_far]: whatever [y] is made of the numerator is small enough. *)
Theorem NU7_output_far B y : B <= l -> 8 <= eta c * B -> Rabs y <= 3 * (Rabs n / B) + eta c ->
  Rabs (y - exact_out kd kn) <= output_error c kd H norm N T delta delta' kn.
Proof.
  intros Hl HB Hy; pose proof Hc as (Hu & He & Hd & Hp & Hn & Hnp & Hns & Hs).
  assert (B0 : 0 < B) by (destruct (Rlt_or_le 0 B); auto; nra).
  set (V := sum (map (fun k => Rabs (value_of k)) kn)).
  assert (V0 : 0 <= V) by (apply sum_map_nonneg; intros; apply Rabs_pos).
  pose proof (H_nonneg c m kd i g open l H den depth) as H0.
  pose proof (K_nonneg c Hc kd H norm N T length_kd T_nonneg underflow_is_small) as K0.
  assert (iB : 8 * / B <= eta c) by (apply Rmult_le_reg_r with B; auto; rewrite Rmult_assoc, Rinv_l; lra).
  assert (iB0 : 0 < / B) by (now apply Rinv_0_lt_compat).
  set (main := sum (map (fun k => p (logit_of k) * Rabs (value_of k) * (exp (tau k) - 1)) kn)).
  assert (X : Rabs (exact_out kd kn) <= main + 2 * (L * / B) * V).
  { unfold exact_out, main, V; apply Rle_trans with (1 := Rabs_sum_map _ _).
    rewrite <- sum_map_mult, <- sum_map_plus; apply sum_map_le; intros k ik.
    rewrite Rabs_mult, (Rabs_pos_eq (Row.p kd _)) by (left; apply p_pos).
    pose proof (weight_far k ik) as W; pose proof (Rabs_pos (value_of k)) as V1; fold p.
    assert (L / l <= L * / B) by (apply Rmult_le_compat_l; [left; apply exp_pos | apply Rinv_le_contravar; auto]).
    apply Rle_trans with ((p (logit_of k) * (exp (tau k) - 1) + 2 * (L * / B)) * Rabs (value_of k)); [|right; ring].
    apply Rmult_le_compat_r; auto; lra. }
  assert (E0 : 0 <= events N T * eta_s c).
  { destruct (computed_nonneg _ _ _ _ _ _ _ _ num) as (_ & G); lra. }
  assert (Y : Rabs n <= L * (3 * V + events N T * eta_s c)).
  { apply Rle_trans with (1 := NU7_no_overflow c m kn i' g' anchored n Hc num); fold V.
    rewrite Rmult_plus_distr_l; apply Rplus_le_compat.
    - rewrite <- Rmult_assoc; apply Rmult_le_compat_r; auto; unfold lost.
      assert (exp (eps c + u_p c + i') <= L) by (apply up_to_lambda; lra).
      assert (exp (u_p c + i') <= L) by (apply up_to_lambda; lra).
      assert ((2 * eta c + eta_p c) * exp (u_p c + i') <= 1 * L).
      { apply Rmult_le_compat; try lra; left; apply exp_pos. }
      pose proof (exp_pos (lambda c H norm)); unfold L in *; lra.
    - rewrite (Rmult_comm L); destruct (computed_nonneg _ _ _ _ _ _ _ _ num) as (_ & G).
      apply Rmult_le_compat; auto; [left; apply exp_pos | apply up_to_lambda; lra]. }
  assert (Ln : L <= exp (lambda c H norm + Row.K c H norm N T)) by (apply exp_mono; lra).
  assert (L1 : 1 <= L) by (unfold L; rewrite <- exp_0; apply exp_mono; unfold lambda; lra).
  unfold output_error; fold p; fold V; change (sum _) with main at 1.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_Ropp.
  assert (Z : 3 * (Rabs n / B) <= 3 * (L * (3 * V + events N T * eta_s c) * / B)).
  { apply Rmult_le_compat_l; [lra|]; apply Rmult_le_compat_r; lra. }
  set (W := events N T * eta_s c) in *; set (G := exp (lambda c H norm + Row.K c H norm N T)) in *.
  apply Rle_trans with (main + L * (11 * / B * V + 3 * / B * W) + eta c); [lra|].
  apply Rle_trans with (main + G * ((2 * eta c + eta_p c) * V + W) + 2 * eta c); [|right; ring].
  assert (L * (11 * / B * V + 3 * / B * W) <= G * ((2 * eta c + eta_p c) * V + W)); [|lra].
  apply Rmult_le_compat; try lra.
  - apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
  - apply Rplus_le_compat; [apply Rmult_le_compat_r; lra|].
    rewrite <- (Rmult_1_l W) at 2; apply Rmult_le_compat_r; lra.
Qed.
End Far.
