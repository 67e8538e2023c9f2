(* SPDX-License-Identifier: Apache-2.0 *)
(** Numbers that were rounded, in any arithmetic: what a theorem about a computed logit says of each
    operation. proves: NU-7 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Sums Near Tanh.
Import ListNotations.
Open Scope R_scope.

(** [y] is [x] after roundings that cost [w] in all (each is a factor e^t, |t| <= u') and underflows of
    at most [e]. *)
Definition rounded (w e x y : R) : Prop := exists t f, Rabs t <= w /\ Rabs f <= e /\ y = x * exp t + f.

(** One rounding, as a relative error of at most [u]: of a sum, or of a number that is stored. *)
Definition once (u e x y : R) : Prop := exists d f, Rabs d <= u /\ Rabs f <= e /\ y = x * (1 + d) + f.

(** A number taken into another format: rounded, or, where it underflows, off by [e]. *)
Definition converted (w e x y : R) : Prop := (exists t, Rabs t <= w /\ y = x * exp t) \/ Rabs (y - x) <= e.

Lemma at_least_1 w : 0 <= w -> 1 <= exp w.
Proof. intro H; rewrite <- exp_0; now apply exp_mono. Qed.

Lemma rounded_costs w e x y : rounded w e x y -> 0 <= w /\ 0 <= e.
Proof. intros (t & f & Ht & Hf & _); pose proof (Rabs_pos t); pose proof (Rabs_pos f); lra. Qed.

Lemma exp_abs w t : Rabs t <= w -> Rabs (exp t - 1) <= exp w - 1.
Proof.
  intro H; apply Rabs_between in H as Hb; pose proof (Rabs_pos t); pose proof (exp_cancel w) as C; pose proof (exp_pos w).
  assert (U : exp t <= exp w) by (apply exp_mono; lra).
  assert (L : exp (- w) <= exp t) by (apply exp_mono; lra).
  pose proof (exp_pos (- w)); pose proof (at_least_1 w ltac:(lra)).
  apply Rabs_le; split; [|lra]; nra.
Qed.

(** One more rounding of a value that is within (E - 1) A + B of [s], |s| <= A. *)
Lemma rounded_off w e x y s A B E : 1 <= E -> 0 <= B -> Rabs s <= A -> Rabs (x - s) <= (E - 1) * A + B ->
  rounded w e x y -> Rabs (y - s) <= (E * exp w - 1) * A + B * exp w + e.
Proof.
  intros HE HB HA Hx R; destruct (rounded_costs _ _ _ _ R) as (Hw & _); destruct R as (t & f & Ht & Hf & ->).
  pose proof (exp_abs _ _ Ht) as D; apply Rabs_between in Ht as Hb.
  assert (T : exp t <= exp w) by (apply exp_mono; lra).
  pose proof (at_least_1 w Hw); pose proof (exp_pos t).
  replace (x * exp t + f - s) with ((x - s) * exp t + s * (exp t - 1) + f) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult, (Rabs_pos_eq (exp t)) by lra.
  apply Rle_trans with (((E - 1) * A + B) * exp w + A * (exp w - 1)); [|right; ring].
  pose proof (Rabs_pos (x - s)); pose proof (Rabs_pos s).
  apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos; lra.
Qed.

Lemma rounded_then w1 e1 w2 e2 x y z : rounded w1 e1 x y -> rounded w2 e2 y z ->
  rounded (w1 + w2) (e1 * exp w2 + e2) x z.
Proof.
  intros (t1 & f1 & A1 & B1 & ->) (t2 & f2 & A2 & B2 & ->); exists (t1 + t2), (f1 * exp t2 + f2).
  split; [apply Rle_trans with (1 := Rabs_triang _ _); lra|]; split; [|rewrite exp_plus; ring].
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  rewrite Rabs_mult, (Rabs_pos_eq (exp t2)) by (left; apply exp_pos); apply Rabs_between in A2.
  apply Rmult_le_compat; auto using Rabs_pos; [left; apply exp_pos | apply exp_mono; lra].
Qed.

Lemma rounded_times s w e x y : rounded w e x y -> rounded w (Rabs s * e) (s * x) (s * y).
Proof.
  intros (t & f & A & B & ->); exists t, (s * f); split; auto; split; [|ring].
  rewrite Rabs_mult; apply Rmult_le_compat_l; auto using Rabs_pos.
Qed.

Lemma rounded_weaken w w' e e' x y : w <= w' -> e <= e' -> rounded w e x y -> rounded w' e' x y.
Proof. intros Hw He (t & f & A & B & C); exists t, f; repeat split; auto; lra. Qed.
