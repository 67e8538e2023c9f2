(* SPDX-License-Identifier: Apache-2.0 *)
(** What a cap does to errors: it does not enlarge an absolute one, nor a relative one. proves: AT-2, NU-7 *)
From Coq Require Import Reals Lra Lia.
From Coquelicot Require Import Coquelicot.
From Sinkproof Require Import Spec Sums Symmetry.
Open Scope R_scope.

Definition slope (x : R) : R := 1 - tanh x * tanh x.

Lemma cosh_pos x : 0 < cosh x.
Proof. unfold cosh; pose proof (exp_pos x); pose proof (exp_pos (- x)); lra. Qed.

Lemma tanh_exp x : tanh x = (exp x - exp (- x)) / (exp x + exp (- x)).
Proof.
  unfold tanh, sinh, cosh; pose proof (exp_pos x); pose proof (exp_pos (- x)); field; lra.
Qed.

Lemma is_derive_tanh x : is_derive tanh x (slope x).
Proof.
  apply (is_derive_ext (fun y => (exp y - exp (- y)) / (exp y + exp (- y)))).
  - intro y; symmetry; apply tanh_exp.
  - pose proof (exp_pos x); pose proof (exp_pos (- x)).
    unfold slope; rewrite tanh_exp; auto_derive; [lra | field; lra].
Qed.

Lemma slope_range x : 0 < slope x <= 1.
Proof. unfold slope; pose proof (tanh_range x); split; nra. Qed.

Lemma tanh_mean_value a b : exists c, Rmin a b <= c <= Rmax a b /\ tanh b - tanh a = slope c * (b - a).
Proof.
  destruct (MVT_gen tanh a b slope) as (c & Hc & E).
  - intros x _; apply is_derive_tanh.
  - intros x _; apply derivable_continuous_pt; exists (slope x); apply is_derive_Reals, is_derive_tanh.
  - exists c; auto.
Qed.

Lemma tanh_0 : tanh 0 = 0.
Proof. rewrite tanh_exp, Ropp_0, exp_0; field. Qed.

Lemma tanh_opp x : tanh (- x) = - tanh x.
Proof.
  rewrite !tanh_exp, Ropp_involutive; pose proof (exp_pos x); pose proof (exp_pos (- x)); field; lra.
Qed.

Lemma tanh_mono a b : a <= b -> tanh a <= tanh b.
Proof.
  intro H; destruct (tanh_mean_value a b) as (c & _ & E); pose proof (slope_range c); nra.
Qed.

Lemma tanh_nonneg x : 0 <= x -> 0 <= tanh x.
Proof. intro H; rewrite <- tanh_0; now apply tanh_mono. Qed.

(** An absolute error is not enlarged. *)
Lemma tanh_lipschitz a b : Rabs (tanh b - tanh a) <= Rabs (b - a).
Proof.
  destruct (tanh_mean_value a b) as (c & _ & ->); pose proof (slope_range c).
  rewrite Rabs_mult, (Rabs_pos_eq (slope c)) by lra; pose proof (Rabs_pos (b - a)); nra.
Qed.

Lemma tanh_at_most x : 0 <= x -> tanh x <= x.
Proof.
  intro H; pose proof (tanh_lipschitz 0 x) as L; rewrite tanh_0, !Rminus_0_r in L.
  rewrite !Rabs_pos_eq in L by auto using tanh_nonneg; exact L.
Qed.

Lemma slope_decreases a b : 0 <= a <= b -> slope b <= slope a.
Proof.
  intros H; unfold slope; pose proof (tanh_mono a b ltac:(lra)); pose proof (tanh_nonneg a ltac:(lra)); nra.
Qed.

(** Concave from 0: a larger argument gives a value larger by no larger a factor. *)
Lemma tanh_concave q x : 1 <= q -> 0 <= x -> tanh x <= tanh (q * x) <= q * tanh x.
Proof.
  intros Hq Hx; split; [apply tanh_mono; nra|].
  destruct (tanh_mean_value 0 x) as (a & Ha & Ea), (tanh_mean_value x (q * x)) as (b & Hb & Eb).
  assert (x <= q * x) by nra.
  rewrite Rmin_left, Rmax_right in Ha, Hb by lra.
  rewrite tanh_0, !Rminus_0_r in Ea; pose proof (slope_decreases a b ltac:(lra)).
  replace (q * x - x) with ((q - 1) * x) in Eb by ring; assert (0 <= (q - 1) * x) by nra; nra.
Qed.

(** The same as a factor, which keeps the side. *)
Lemma tanh_factor x s : exists t, Rmin 0 s <= t <= Rmax 0 s /\ tanh (x * exp s) = tanh x * exp t.
Proof.
  assert (P : forall x s, 0 < x -> 0 <= s -> exists t, 0 <= t <= s /\ tanh (x * exp s) = tanh x * exp t).
  { clear; intros x s Hx Hs.
    assert (Q : 1 <= exp s) by (rewrite <- exp_0; now apply exp_mono).
    destruct (tanh_concave (exp s) x Q ltac:(lra)) as [L U]; rewrite Rmult_comm in L, U.
    assert (T : 0 < tanh x).
    { destruct (tanh_mean_value 0 x) as (c & _ & E); rewrite tanh_0 in E; pose proof (slope_range c); nra. }
    exists (ln (tanh (x * exp s) / tanh x)).
    assert (R : 1 <= tanh (x * exp s) / tanh x <= exp s).
    { split; apply Rmult_le_reg_r with (tanh x); auto; unfold Rdiv; rewrite Rmult_assoc, Rinv_l by lra; lra. }
    rewrite exp_ln by lra; split; [|field; lra]; split; apply exp_le_inv'; rewrite exp_ln by lra; [rewrite exp_0|]; lra. }
  assert (Q : forall x s, 0 < x -> exists t, Rmin 0 s <= t <= Rmax 0 s /\ tanh (x * exp s) = tanh x * exp t).
  { intros y r Hy; destruct (Rle_dec 0 r) as [H | H].
    - rewrite Rmin_left, Rmax_right by lra; now apply P.
    - rewrite Rmin_right, Rmax_left by lra.
      destruct (P (y * exp r) (- r)) as (t & Ht & E); [apply Rmult_lt_0_compat; auto using exp_pos | lra |].
      rewrite Rmult_assoc, <- exp_plus, Rplus_opp_r, exp_0, Rmult_1_r in E.
      exists (- t); split; [lra|]; rewrite E, Rmult_assoc, <- exp_plus, Rplus_opp_r, exp_0; ring. }
  destruct (Rtotal_order x 0) as [H | [-> | H]]; [|exists 0|now apply Q].
  - destruct (Q (- x) s ltac:(lra)) as (t & Ht & E); exists t; split; auto.
    rewrite <- (Ropp_involutive x) at 1; rewrite Ropp_mult_distr_l_reverse, tanh_opp, E, tanh_opp; ring.
  - rewrite Rmult_0_l, tanh_0, Rmult_0_l; split; auto; split; [apply Rmin_l | apply Rmax_l].
Qed.

(** ** The cap *)

Lemma cap_lipschitz c a b : 0 <= c -> Rabs (cap c b - cap c a) <= Rabs (b - a).
Proof.
  intro Hc; unfold cap; destruct (Req_EM_T c 0) as [_ | N]; [lra|].
  rewrite <- Rmult_minus_distr_l, Rabs_mult, (Rabs_pos_eq c) by lra.
  apply Rle_trans with (c * Rabs (b / c - a / c)); [apply Rmult_le_compat_l; auto using tanh_lipschitz|].
  replace (b / c - a / c) with ((b - a) * / c) by (field; lra).
  rewrite Rabs_mult, (Rabs_pos_eq (/ c)) by (left; apply Rinv_0_lt_compat; lra); right; field; lra.
Qed.

Lemma cap_0 c : cap c 0 = 0.
Proof. unfold cap; destruct (Req_EM_T c 0); [auto|]; unfold Rdiv; rewrite Rmult_0_l, tanh_0; ring. Qed.

Lemma cap_below c t : 0 <= c -> Rabs (cap c t) <= Rabs t.
Proof. intro Hc; pose proof (cap_lipschitz c 0 t Hc) as L; rewrite cap_0, !Rminus_0_r in L; exact L. Qed.

Lemma cap_below_cap c t : 0 < c -> Rabs (cap c t) <= c.
Proof.
  intro Hc; unfold cap; destruct (Req_EM_T c 0); [lra|].
  pose proof (tanh_range (t / c)); apply Rabs_le; nra.
Qed.

(** A logit rounded before the cap is one rounded after it. *)
Lemma cap_relative c t d : 0 <= c -> -1 <= d ->
  exists d', Rabs d' <= Rabs d /\ cap c (t * (1 + d)) = cap c t * (1 + d').
Proof.
  intros Hc Hd; unfold cap; destruct (Req_EM_T c 0) as [_ | N]; [exists d; split; auto; lra|].
  assert (E : forall x d, -1 <= d -> exists d', Rabs d' <= Rabs d /\ tanh (x * (1 + d)) = tanh x * (1 + d')).
  { clear; intros x d Hd; destruct (Req_EM_T d (-1)) as [-> | N1].
    - exists (-1); split; [lra|]; replace (x * (1 + -1)) with 0 by ring; rewrite tanh_0; ring.
    - destruct (tanh_factor x (ln (1 + d))) as (t & Ht & E); rewrite exp_ln in E by lra.
      exists (exp t - 1); split; [|rewrite E; ring].
      destruct (Rle_dec 0 d) as [P | P].
      + assert (0 <= ln (1 + d)) by (rewrite <- ln_1; destruct P as [P | <-];
          [left; apply ln_increasing; lra | rewrite Rplus_0_r; lra]).
        rewrite Rmin_left, Rmax_right in Ht by lra.
        assert (1 <= exp t) by (rewrite <- exp_0; apply exp_mono; lra).
        assert (exp t <= 1 + d) by (rewrite <- (exp_ln (1 + d)) by lra; apply exp_mono; lra).
        rewrite !Rabs_pos_eq; lra.
      + assert (ln (1 + d) <= 0) by (rewrite <- ln_1; left; apply ln_increasing; lra).
        rewrite Rmin_right, Rmax_left in Ht by lra.
        assert (exp t <= 1) by (rewrite <- exp_0; apply exp_mono; lra).
        assert (1 + d <= exp t) by (rewrite <- (exp_ln (1 + d)) by lra; apply exp_mono; lra).
        rewrite !Rabs_left1; lra. }
  destruct (E (t / c) d Hd) as (d' & A & B); exists d'; split; auto.
  replace (t * (1 + d) / c) with (t / c * (1 + d)) by (field; lra); rewrite B; ring.
Qed.

(** A cap that was rounded itself: the quotient by it and the product with it take turns. *)
Lemma cap_rounded c t s : 0 < c ->
  exists r, Rmin 0 s <= r <= Rmax 0 s /\ (c * exp s) * tanh (t / (c * exp s)) = cap c t * exp r.
Proof.
  intro Hc; unfold cap; destruct (Req_EM_T c 0) as [| _]; [lra|].
  destruct (tanh_factor (t / c) (- s)) as (r & Hr & E); exists (s + r); split.
  - unfold Rmin, Rmax in *; destruct (Rle_dec 0 s), (Rle_dec 0 (- s)); lra.
  - replace (t / (c * exp s)) with (t / c * exp (- s)).
    + rewrite E, exp_plus; ring.
    + rewrite exp_Ropp; pose proof (exp_pos s); field; lra.
Qed.
