(* SPDX-License-Identifier: Apache-2.0 *)
(** Relative precision (Olver): [near a x y] says that x is y times e^t with |t| <= a. Errors in
    this measure simply add, so nothing of second order is ever dropped. proves: NU-7 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Spec Sums.
Import ListNotations.
Open Scope R_scope.

Definition near (a x y : R) : Prop := y * exp (- a) <= x <= y * exp a.

Lemma exp_cancel a : exp a * exp (- a) = 1.
Proof. rewrite <- exp_plus, Rplus_opp_r; apply exp_0. Qed.

Lemma near_refl x : near 0 x x.
Proof. unfold near; rewrite Ropp_0, exp_0; lra. Qed.

Lemma near_exp a t y : 0 <= y -> Rabs t <= a -> near a (y * exp t) y.
Proof.
  intros Hy Ht; apply Rabs_between in Ht; split; apply Rmult_le_compat_l; auto; apply exp_mono; lra.
Qed.

Lemma near_trans a b x y z : near a x y -> near b y z -> near (a + b) x z.
Proof.
  intros [L1 U1] [L2 U2]; unfold near; rewrite Ropp_plus_distr, !exp_plus.
  pose proof (exp_pos a); pose proof (exp_pos (- a)).
  split; [apply Rle_trans with (y * exp (- a)) | apply Rle_trans with (y * exp a)]; auto.
  - replace (z * (exp (-a) * exp (-b))) with ((z * exp (-b)) * exp (-a)) by ring.
    apply Rmult_le_compat_r; lra.
  - replace (z * (exp a * exp b)) with ((z * exp b) * exp a) by ring.
    apply Rmult_le_compat_r; lra.
Qed.

Lemma near_weaken a b x y : a <= b -> 0 <= y -> near a x y -> near b x y.
Proof.
  intros H Hy [L U]; split; [apply Rle_trans with (2 := L) | apply Rle_trans with (1 := U)];
    apply Rmult_le_compat_l; auto; apply exp_mono; lra.
Qed.

Lemma near_pos a x y : 0 < y -> near a x y -> 0 < x.
Proof. intros Hy [L _]; apply Rlt_le_trans with (2 := L); apply Rmult_lt_0_compat; auto using exp_pos. Qed.

Lemma near_nonneg a x y : 0 <= y -> near a x y -> 0 <= x.
Proof. intros Hy [L _]; apply Rle_trans with (2 := L); apply Rmult_le_pos; auto; left; apply exp_pos. Qed.

Lemma near_sym a x y : near a x y -> near a y x.
Proof.
  intros [L U]; pose proof (exp_cancel a); pose proof (exp_pos a); pose proof (exp_pos (- a)); split.
  - apply Rle_trans with (y * exp a * exp (- a)); [apply Rmult_le_compat_r; lra|].
    rewrite Rmult_assoc, H; lra.
  - apply Rle_trans with (y * exp (- a) * exp a); [|apply Rmult_le_compat_r; lra].
    rewrite Rmult_assoc, (Rmult_comm (exp (- a))), H; lra.
Qed.

Lemma near_plus a x1 y1 x2 y2 : near a x1 y1 -> near a x2 y2 -> near a (x1 + x2) (y1 + y2).
Proof. intros [] []; split; lra. Qed.

Lemma near_mult a b x1 y1 x2 y2 : 0 <= y1 -> 0 <= y2 ->
  near a x1 y1 -> near b x2 y2 -> near (a + b) (x1 * x2) (y1 * y2).
Proof.
  intros P1 P2 A1 A2; pose proof (near_nonneg _ _ _ P1 A1); pose proof (near_nonneg _ _ _ P2 A2).
  destruct A1 as [L1 U1], A2 as [L2 U2]; unfold near; rewrite Ropp_plus_distr, !exp_plus.
  pose proof (exp_pos (-a)); pose proof (exp_pos (-b)).
  split.
  - replace (y1 * y2 * _) with ((y1 * exp (-a)) * (y2 * exp (-b))) by ring.
    apply Rmult_le_compat; auto; apply Rmult_le_pos; lra.
  - replace (y1 * y2 * _) with ((y1 * exp a) * (y2 * exp b)) by ring.
    apply Rmult_le_compat; auto.
Qed.

Lemma near_inv b x y : 0 < y -> near b x y -> near b (/ x) (/ y).
Proof.
  intros P A; pose proof (near_pos _ _ _ P A) as Px; destruct A as [L U].
  pose proof (exp_pos b); pose proof (exp_pos (-b)).
  split.
  - replace (/ y * exp (- b)) with (/ (y * exp b)) by (rewrite exp_Ropp; field; lra).
    apply Rinv_le_contravar; auto.
  - replace (/ y * exp b) with (/ (y * exp (- b))).
    + apply Rinv_le_contravar; auto; apply Rmult_lt_0_compat; auto.
    + rewrite exp_Ropp; field; lra.
Qed.

Lemma near_div a b x1 y1 x2 y2 : 0 <= y1 -> 0 < y2 ->
  near a x1 y1 -> near b x2 y2 -> near (a + b) (x1 / x2) (y1 / y2).
Proof.
  intros P1 P2 A1 A2; unfold Rdiv; apply near_mult; auto using near_inv.
  left; now apply Rinv_0_lt_compat.
Qed.

(** e^a - 1 bounds the relative error on both sides. *)
Lemma near_abs a x y : 0 <= a -> 0 <= y -> near a x y -> Rabs (x - y) <= y * (exp a - 1).
Proof.
  intros Ha Hy [L U]; apply Rabs_le; pose proof (exp_cancel a) as E; pose proof (exp_pos a); pose proof (exp_pos (- a)).
  assert (S : 2 <= exp a + exp (- a)).
  { pose proof (Rle_0_sqr (exp a - 1)) as Z; unfold Rsqr in Z.
    apply Rmult_le_reg_l with (exp a); auto; rewrite Rmult_plus_distr_l, E; lra. }
  split; nra.
Qed.

(** A factor 1 + d with |d| <= u < 1 is e^t with |t| <= u / (1 - u): the u' of NU-7. *)
Lemma rounding_is_near u d : 0 <= u < 1 -> Rabs d <= u ->
  exists t, Rabs t <= u / (1 - u) /\ 1 + d = exp t.
Proof.
  intros Hu Hd; apply Rabs_between in Hd; exists (ln (1 + d)); split; [|rewrite exp_ln; lra].
  assert (I : / (1 - u) = 1 + u / (1 - u)) by (field; lra).
  assert (Hq : 0 <= u / (1 - u)) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]).
  apply Rabs_le; split; apply exp_le_inv'; rewrite exp_ln by lra.
  - rewrite exp_Ropp; apply Rle_trans with (1 - u); [|lra].
    apply Rle_trans with (/ (1 + u / (1 - u))); [apply Rinv_le_contravar; [lra | apply exp_ineq1_le]|].
    rewrite <- I, Rinv_inv; lra.
  - apply Rle_trans with (1 + u / (1 - u)); [|apply exp_ineq1_le].
    assert (u <= u / (1 - u)); [|lra].
    apply Rmult_le_reg_r with (1 - u); [lra|]; unfold Rdiv; rewrite Rmult_assoc, Rinv_l by lra; nra.
Qed.

(** Jensen for the exponential. *)
Lemma jensen_exp {A} (w t : A -> R) l : (forall k, In k l -> 0 <= w k) -> sum (map w l) = 1 ->
  exp (sum (map (fun k => w k * t k) l)) <= sum (map (fun k => w k * exp (t k)) l).
Proof.
  intros Hw Hs; set (mu := sum (map (fun k => w k * t k) l)).
  apply Rle_trans with (sum (map (fun k => exp mu * ((1 - mu) * w k + w k * t k)) l)).
  - rewrite sum_map_mult, sum_map_plus, sum_map_mult, Hs; fold mu; right; ring.
  - apply sum_map_le; intros k i.
    replace (exp (t k)) with (exp mu * exp (t k - mu)) by (rewrite <- exp_plus; f_equal; ring).
    pose proof (exp_ineq1_le (t k - mu)); pose proof (exp_pos mu); pose proof (Hw k i).
    replace (w k * (exp mu * exp (t k - mu))) with (exp mu * (w k * exp (t k - mu))) by ring.
    apply Rmult_le_compat_l; [lra|]; nra.
Qed.
