(* SPDX-License-Identifier: Apache-2.0 *)
(** Logits that are stored in a format of their own, and sink logits. proves: NU-7, NU-10, AT-2 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Spec Sums Near Tanh Rounded LogitDot LogitCap LogitBias.
Import ListNotations.
Open Scope R_scope.

Section Store.
(** The arithmetic: u' and the unit of underflow; [wide] is 1 where binary32 numbers are rounded on
    their way in, else 0. *)
Variables (u eta wide : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_nonneg : 0 <= eta.
Hypothesis wide_nonneg : 0 <= wide.
Hypothesis wide_small : wide <= 1.
Local Notation cap_cost := (cap_cost u wide).
Local Notation cap_lost := (cap_lost u eta wide).
Local Notation capped := (capped u eta wide).

(** ** Logits that are stored in a format of their own *)

Variables (u_l eta_l : R).
Hypothesis u_l_nonneg : 0 <= u_l <= 1.
Hypothesis eta_l_nonneg : 0 <= eta_l.
Definition store : R -> R -> Prop := once u_l eta_l.

(** Stored before the cap is stored after it, and before the scale after it: relative errors pass. *)
Lemma store_before_cap c F t t1 y : 0 < c -> once u_l F t t1 -> capped c t1 y ->
  exists v, rounded cap_cost (cap_lost c) (cap c t) v /\ once u_l (F * exp cap_cost + cap_lost c * u_l) v y.
Proof.
  intros Hc (d & f & Hd & Hf & ->) R; apply NU7_logit_cap in R; auto; destruct R as (s & g & Hs & Hg & ->).
  apply Rabs_between in Hd as Hd'; destruct (cap_relative c t d ltac:(lra) ltac:(lra)) as (d' & D & E).
  set (f' := cap c (t * (1 + d) + f) - cap c (t * (1 + d))).
  assert (Ff : Rabs f' <= F).
  { apply Rle_trans with (2 := Hf); unfold f'; apply Rle_trans with (1 := cap_lipschitz c _ _ ltac:(lra)).
    right; f_equal; ring. }
  exists (cap c t * exp s + g); split; [exists s, g; auto|].
  exists d', (f' * exp s - g * d'); split; [lra|]; split.
  - apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_Ropp, !Rabs_mult, (Rabs_pos_eq (exp s)) by (left; apply exp_pos).
    apply Rabs_between in Hs; pose proof (exp_pos s).
    apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos; try lra; apply exp_mono; lra.
  - replace (cap c (t * (1 + d) + f)) with (cap c t * (1 + d') + f') by (unfold f'; rewrite E; ring); ring.
Qed.


Lemma store_before_scale w s v v1 y : w <= 2 * u -> store v v1 -> rounded w eta (s * v1) y ->
  exists t, rounded w eta (s * v) t /\ once u_l (larger s * eta_l * exp (2 * u) + eta * u_l) t y.
Proof.
  intros Hw (d & f & Hd & Hf & ->) (r & g & Hr & Hg & ->); exists (s * v * exp r + g); split; [exists r, g; auto|].
  exists d, (s * f * exp r - g * d); split; auto; split; [|ring].
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_Ropp, !Rabs_mult, (Rabs_pos_eq (exp r)) by (left; apply exp_pos).
  apply Rabs_between in Hr; pose proof (exp_pos r); pose proof (larger_abs s).
  apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos; try lra.
  - apply Rmult_le_pos; apply Rabs_pos.
  - apply Rmult_le_compat; auto using Rabs_pos.
  - apply exp_mono; lra.
Qed.

(** ** The sink logit *)

Theorem NU7_logit_sink vanishes s s0 y : read vanishes s s0 -> once (wide * u) (wide * eta) s0 y ->
  Rabs (y - s) <= wide * (Rabs s * u + eta) + flushed vanishes (Rabs s).
Proof.
  intros Hr O; apply read_error in Hr; destruct Hr as [D L].
  assert (W : 0 <= wide * u) by (now apply Rmult_le_pos).
  assert (Z : Rabs (s0 - s0) <= 0) by (rewrite Rminus_eq_0, Rabs_R0; lra).
  pose proof (once_off _ _ _ _ _ _ W O Z) as Q.
  replace (y - s) with ((y - s0) + (s0 - s)) by ring; apply Rle_trans with (1 := Rabs_triang _ _).
  assert (wide * u * Rabs s0 <= wide * u * Rabs s) by (now apply Rmult_le_compat_l); lra.
Qed.
End Store.
