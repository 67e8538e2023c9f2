(* SPDX-License-Identifier: Apache-2.0 *)
(** The sink logit.
    T-05 it is one more key whose value is 0; the output is sigma(lse_keys - s) times the output
    without it; T-08 the weights are substochastic and the output stays in the hull of the values;
    and the two limits of AL-4. proves: AL-2, AL-4, SM-7 *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From Sinkproof Require Import Spec Sums Softmax.
Import ListNotations.
Open Scope R_scope.

Definition sigma (x : R) : R := / (1 + exp (- x)).

Lemma sigma_range x : 0 < sigma x < 1.
Proof.
  unfold sigma; pose proof (exp_pos (- x)); split; [apply Rinv_0_lt_compat; lra|].
  rewrite <- Rinv_1; apply Rinv_lt_contravar; lra.
Qed.

Lemma sigma_quotient a b : sigma (a - b) = exp a / (exp a + exp b).
Proof.
  unfold sigma; rewrite Ropp_minus_distr; unfold Rminus; rewrite exp_plus, exp_Ropp.
  pose proof (exp_pos a); pose proof (exp_pos b); field; lra.
Qed.

(** proves: AL-2 *)
Theorem T05_sink_is_one_more_key s l :
  weights None (l ++ [s]) = weights (Some s) l ++ [p_sink (Some s) l].
Proof.
  unfold weights; rewrite map_app; cbn [map].
  assert (E : Z_total None (l ++ [s]) = Z_total (Some s) l).
  { unfold Z_total; cbn [exp_sink]; rewrite Z_keys_app, Z_keys_cons, Z_keys_nil; ring. }
  unfold weight, p_sink; cbn [exp_sink]; now rewrite E.
Qed.

(** … and that key's value is 0. proves: AL-2 *)
Theorem T05_sink_value_is_zero s l v : length v = length l ->
  out None (l ++ [s]) (v ++ [0]) = out (Some s) l v.
Proof.
  intro H; unfold out; rewrite T05_sink_is_one_more_key, dot_app.
  - cbn [dot]; ring.
  - unfold weights; now rewrite map_length.
Qed.

(** proves: AL-2, AL-5 *)
Theorem T05_output_rescale s l v K : lse_keys l = Some K ->
  out (Some s) l v = sigma (K - s) * out None l v.
Proof.
  destruct l as [|x l]; [discriminate|]; set (k := x :: l); intros [= <-].
  assert (P : 0 < Z_keys k) by (apply Z_keys_pos; discriminate).
  rewrite !out_quotient, sigma_quotient; unfold Z_total; cbn [exp_sink]; fold k.
  rewrite exp_ln by exact P; pose proof (exp_pos s); field; lra.
Qed.

Theorem T05_p_sink s l K : lse_keys l = Some K -> p_sink (Some s) l = sigma (s - K).
Proof.
  destruct l as [|x l]; [discriminate|]; set (k := x :: l); intros [= <-].
  assert (P : 0 < Z_keys k) by (apply Z_keys_pos; discriminate).
  rewrite sigma_quotient; unfold p_sink, Z_total; cbn [exp_sink]; fold k.
  rewrite exp_ln by exact P; reflexivity.
Qed.

Theorem T05_weights_sum s l K : lse_keys l = Some K ->
  sum (weights (Some s) l) = sigma (K - s).
Proof.
  intro H; rewrite SM7_weights_sum by (left; discriminate); rewrite (T05_p_sink s l K H).
  rewrite !sigma_quotient; pose proof (exp_pos s); pose proof (exp_pos K); field; lra.
Qed.

(** Rescaling by an inexact LSE costs at most a quarter of its error, absolutely. *)
Lemma sigma_derive x : is_derive sigma x (sigma x * (1 - sigma x)).
Proof.
  pose proof (exp_pos (- x)); unfold sigma; auto_derive; [lra | field; lra].
Qed.

Theorem T05_sensitivity x y : Rabs (sigma x - sigma y) <= / 4 * Rabs (x - y).
Proof.
  destruct (MVT_gen sigma y x (fun t => sigma t * (1 - sigma t))) as (c & _ & E).
  - intros t _; apply sigma_derive.
  - intros t _; apply continuity_pt_filterlim, (ex_derive_continuous sigma); eexists; apply sigma_derive.
  - rewrite E, Rabs_mult; apply Rmult_le_compat_r; [apply Rabs_pos|].
    pose proof (sigma_range c); rewrite Rabs_pos_eq by nra.
    pose proof (Rle_0_sqr (sigma c - / 2)) as Q; unfold Rsqr in Q; lra.
Qed.

(** ** T-08 *)

(** proves: SM-7 *)
Theorem T08_substochastic s l : inhabited s l -> 0 <= sum (weights s l) <= 1.
Proof.
  intro H; rewrite sum_weights; pose proof (Z_total_pos s l H); unfold Z_total in *.
  pose proof (Z_keys_nonneg l); pose proof (exp_sink_nonneg s).
  split; [apply Rdiv_le_0_compat; lra|].
  apply Rmult_le_reg_r with (exp_sink s + Z_keys l); [lra|].
  unfold Rdiv; rewrite Rmult_assoc, Rinv_l by lra; lra.
Qed.

(** proves: SM-7 *)
Theorem T08_sums_to_1_iff_no_sink s l : l <> [] -> (sum (weights s l) = 1 <-> s = None).
Proof.
  intro H; split.
  - destruct s as [s|]; auto; intro E; pose proof (SM7_strictly_substochastic s l); lra.
  - intros ->; now apply SM2_weights_sum_to_1.
Qed.

(** The output lies in (1 - p_sink) times the hull of the values: a test without an oracle. *)
Theorem T08_hull s l v lo hi : length v = length l -> inhabited s l ->
  (forall x, In x v -> lo <= x <= hi) ->
  (1 - p_sink s l) * lo <= out s l v <= (1 - p_sink s l) * hi.
Proof.
  intros Hl Hi Hv; rewrite <- SM7_weights_sum by auto; unfold out; apply dot_hull; auto.
  - unfold weights; now rewrite map_length.
  - eapply Forall_impl; [|apply SM2_weights_positive]; cbn; intros; lra.
Qed.

(** … so its size is at most (1 - p_sink) times the largest value. *)
Theorem T08_norm s l v B : length v = length l -> inhabited s l ->
  (forall x, In x v -> Rabs x <= B) -> Rabs (out s l v) <= (1 - p_sink s l) * B.
Proof.
  intros Hl Hi Hv; assert (H := T08_hull s l v (- B) B Hl Hi).
  apply Rabs_le; rewrite Ropp_mult_distr_r; apply H.
  intros x Hx; apply Rabs_between, Hv, Hx.
Qed.

(** ** AL-4: the limits that fix the meaning of an infinite sink logit *)

(** A sink logit that falls to -inf ends as no sink at all. proves: AL-4 *)
Theorem AL4_limit_minus_infinity l x : l <> [] ->
  is_lim (fun s => weight (Some s) l x) m_infty (weight None l x).
Proof.
  intro H; pose proof (Z_keys_pos l H) as P; unfold weight, Z_total; cbn [exp_sink].
  assert (L : is_lim (fun s => exp s + Z_keys l) m_infty (0 + Z_keys l)).
  { apply (is_lim_plus exp (fun _ => Z_keys l) m_infty 0 (Z_keys l));
      [apply is_lim_exp_m | apply is_lim_const | reflexivity]. }
  replace (exp x / (0 + Z_keys l)) with (real (Rbar_div (exp x) (0 + Z_keys l))) by reflexivity.
  apply (is_lim_div (fun _ => exp x) (fun s => exp s + Z_keys l) m_infty (exp x) (0 + Z_keys l)); auto.
  - apply is_lim_const.
  - intro E; apply Rbar_finite_eq in E; lra.
  - cbn; exact I.
Qed.

(** A sink logit that rises to +inf takes all the mass: every weight ends at 0. proves: AL-4 *)
Theorem AL4_limit_plus_infinity l x : is_lim (fun s => weight (Some s) l x) p_infty 0.
Proof.
  unfold weight, Z_total; cbn [exp_sink].
  assert (L : is_lim (fun s => exp s + Z_keys l) p_infty p_infty).
  { apply (is_lim_plus exp (fun _ => Z_keys l) p_infty p_infty (Z_keys l));
      [apply is_lim_exp_p | apply is_lim_const | reflexivity]. }
  replace 0 with (real (Rbar_div (exp x) p_infty)) by (cbn; ring).
  apply (is_lim_div (fun _ => exp x) (fun s => exp s + Z_keys l) p_infty (exp x) p_infty); auto.
  - apply is_lim_const.
  - discriminate.
  - exact I.
Qed.
