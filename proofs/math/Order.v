(* SPDX-License-Identifier: Apache-2.0 *)
(** T-09 larger logits get larger weights, and the Jacobian of softmax is positive semidefinite;
    T-10 the mean gap to the maximum is at most the entropy, which is at most ln n.
    proves: SM-8 *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Rcomplements.
From Sinkproof Require Import Spec Sums Softmax.
Import ListNotations.
Open Scope R_scope.

(** proves: SM-8 *)
Theorem T09_monotone s l x y : In x l -> x <= y -> weight s l x <= weight s l y.
Proof.
  intros Hx H; apply Rmult_le_compat_r; [|now apply exp_mono].
  left; apply Rinv_0_lt_compat, Z_total_pos; eauto using in_inhabited.
Qed.

Theorem T09_strictly_monotone s l x y : In x l -> x < y -> weight s l x < weight s l y.
Proof.
  intros Hx H; apply Rmult_lt_compat_r; [|now apply exp_increasing].
  apply Rinv_0_lt_compat, Z_total_pos; eauto using in_inhabited.
Qed.

(** sum_j p_j a_j^2 - (sum_j p_j a_j)^2 >= 0: the quadratic form of diag(p) - p p^T, for the
    weights of a row with or without a sink logit. *)
Lemma substochastic_variance (ps : list (R * R)) :
  (forall k, In k ps -> 0 <= fst k) -> sum (map fst ps) <= 1 ->
  (sum (map (fun k => fst k * snd k) ps)) ^ 2 <= sum (map (fun k => fst k * snd k ^ 2) ps).
Proof.
  intros Hp Hs; set (mu := sum (map (fun k => fst k * snd k) ps)).
  assert (V : 0 <= sum (map (fun k => fst k * (snd k - mu) ^ 2) ps)).
  { apply sum_map_nonneg; intros k i; apply Rmult_le_pos; auto using pow2_ge_0. }
  rewrite (sum_map_ext _ (fun k => fst k * snd k ^ 2 + ((- (2 * mu)) * (fst k * snd k) + mu ^ 2 * fst k))) in V
    by (intros; ring).
  rewrite !sum_map_plus, !sum_map_mult in V; fold mu in V.
  pose proof (pow2_ge_0 mu); nra.
Qed.

Theorem T09_jacobian_psd s (ks : list (R * R)) : inhabited s (map fst ks) ->
  let p := weight s (map fst ks) in
  0 <= sum (map (fun k => p (fst k) * snd k ^ 2) ks) - (sum (map (fun k => p (fst k) * snd k) ks)) ^ 2.
Proof.
  intros H p; set (ps := map (fun k => (p (fst k), snd k)) ks).
  assert (V := substochastic_variance ps).
  unfold ps in V; rewrite !map_map in V; cbn [fst snd] in V.
  enough (sum (map (fun x => p (fst x)) ks) <= 1 /\ forall k, In k (map (fun k => (p (fst k), snd k)) ks) -> 0 <= fst k)
    as [A B] by (specialize (V B A); lra).
  split.
  - rewrite <- (map_map fst p); change (sum (weights s (map fst ks)) <= 1).
    rewrite SM7_weights_sum by auto; unfold p_sink.
    assert (0 <= exp_sink s / Z_total s (map fst ks)); [|lra].
    apply Rmult_le_pos; [apply exp_sink_nonneg | left; apply Rinv_0_lt_compat, Z_total_pos; auto].
  - intros k i; apply in_map_iff in i as (y & <- & _); cbn; left; now apply weight_pos.
Qed.

(** ** T-10. A sink logit counts as one more key here (T-05). *)

Definition entropy (l : list R) : R := - sum (map (fun x => weight None l x * ln (weight None l x)) l).
Definition mean_gap (m : R) (l : list R) : R := sum (map (fun x => weight None l x * (m - x)) l).

Lemma sum_weight_1 l : l <> [] -> sum (map (weight None l) l) = 1.
Proof. apply SM2_weights_sum_to_1. Qed.

Lemma ln_weight l x : l <> [] -> ln (weight None l x) = x - ln (Z_keys l).
Proof.
  intro H; pose proof (Z_keys_pos l H); unfold weight, Z_total; cbn [exp_sink].
  rewrite Rplus_0_l, ln_div, ln_exp; auto using exp_pos.
Qed.

Theorem T10_mean_gap_le_entropy m l : In m l -> mean_gap m l <= entropy l.
Proof.
  intro Hm; assert (Hl : l <> []) by (destruct l; easy).
  assert (M : m <= ln (Z_keys l)).
  { rewrite <- (ln_exp m); destruct (Z_keys_in m l Hm) as [H | H]; [left; apply ln_increasing; auto using exp_pos | right; now rewrite H]. }
  unfold mean_gap, entropy.
  rewrite (sum_map_ext (fun x => weight None l x * ln (weight None l x))
             (fun x => -1 * (weight None l x * (ln (Z_keys l) - x)))) by (intros; rewrite ln_weight by auto; ring).
  rewrite sum_map_mult; ring_simplify.
  apply sum_map_le; intros x Hx; apply Rmult_le_compat_l; [|lra].
  left; apply weight_pos; eauto using in_inhabited.
Qed.

Lemma ln_le_sub_1 t : 0 < t -> ln t <= t - 1.
Proof. intro H; apply exp_le_inv'; rewrite exp_ln by auto; pose proof (exp_ineq1_le (t - 1)); lra. Qed.

Theorem T10_entropy_le_ln_n l : l <> [] -> entropy l <= ln (INR (length l)).
Proof.
  intro Hl; set (n := INR (length l)).
  assert (Hn : 0 < n) by (apply lt_0_INR; destruct l; [easy | cbn; lia]).
  assert (S1 := sum_weight_1 l Hl).
  assert (E : entropy l - ln n = sum (map (fun x => weight None l x * ln (/ (n * weight None l x))) l)).
  { unfold entropy; rewrite (sum_map_ext (fun x => weight None l x * ln (/ (n * weight None l x)))
      (fun x => -1 * (weight None l x * ln (weight None l x)) + (- ln n) * weight None l x)).
    - rewrite sum_map_plus, !sum_map_mult, S1; ring.
    - intros x Hx; assert (P : 0 < weight None l x) by (apply weight_pos; eauto using in_inhabited).
      rewrite ln_Rinv, ln_mult by (auto; now apply Rmult_lt_0_compat); ring. }
  enough (sum (map (fun x => weight None l x * ln (/ (n * weight None l x))) l) <= 0) by lra.
  apply Rle_trans with (sum (map (fun x => / n + -1 * weight None l x) l)).
  - apply sum_map_le; intros x Hx.
    assert (P : 0 < weight None l x) by (apply weight_pos; eauto using in_inhabited).
    assert (Q : 0 < n * weight None l x) by now apply Rmult_lt_0_compat.
    pose proof (ln_le_sub_1 (/ (n * weight None l x)) (Rinv_0_lt_compat _ Q)) as L.
    apply Rmult_le_compat_l with (r := weight None l x) in L; [|lra].
    apply Rle_trans with (1 := L); right; field; lra.
  - rewrite sum_map_plus, sum_map_mult, S1, sum_map_const; fold n.
    right; field; lra.
Qed.
