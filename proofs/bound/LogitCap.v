(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a softcap in a computed logit. proves: NU-7, AT-2 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Spec Sums Near Tanh Rounded.
Import ListNotations.
Open Scope R_scope.

Section Cap.
(** The arithmetic: u' and the unit of underflow; [wide] is 1 where binary32 numbers are rounded on
    their way in, else 0. *)
Variables (u eta wide : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_nonneg : 0 <= eta.
Hypothesis wide_nonneg : 0 <= wide.
Hypothesis wide_small : wide <= 1.

(** ** Softcap: the quotient (or a reciprocal and a product), tanh to 2 units in the last place, the
    product *)

Definition cap_cost : R := (7 + wide) * u.
Definition cap_lost (c : R) : R := (2 * c + 1) * eta * exp cap_cost.

Definition capped (c t y : R) : Prop := exists c1 z h,
  (exists s, Rabs s <= wide * u /\ c1 = c * exp s) /\
  rounded (2 * u) eta (t / c1) z /\ rounded (4 * u) eta (tanh z) h /\ rounded u eta (c1 * h) y.

Theorem NU7_logit_cap c t y : 0 < c -> capped c t y -> rounded cap_cost (cap_lost c) (cap c t) y.
Proof.
  intros Hc (c1 & z & h & (s & Hs & ->) & (t1 & f1 & A1 & B1 & ->) & (t2 & f2 & A2 & B2 & ->) & (t3 & f3 & A3 & B3 & ->)).
  set (c1 := c * exp s); assert (C1 : 0 < c1) by (apply Rmult_lt_0_compat; auto using exp_pos).
  destruct (tanh_factor (t / c1) t1) as (r1 & R1 & E1), (cap_rounded c t s Hc) as (r & R0 & E0); fold c1 in E0.
  set (f1' := tanh (t / c1 * exp t1 + f1) - tanh (t / c1 * exp t1)).
  assert (F1 : Rabs f1' <= eta).
  { unfold f1'; apply Rle_trans with (1 := tanh_lipschitz _ _).
    replace (t / c1 * exp t1 + f1 - t / c1 * exp t1) with f1 by ring; auto. }
  apply Rabs_between in Hs; apply Rabs_between in A1; apply Rabs_between in A2 as A2'; apply Rabs_between in A3 as A3'.
  assert (R1' : Rabs r1 <= 2 * u).
  { apply Rabs_le; unfold Rmin, Rmax in R1; destruct (Rle_dec 0 t1); lra. }
  assert (R0' : Rabs r <= wide * u).
  { apply Rabs_le; unfold Rmin, Rmax in R0; destruct (Rle_dec 0 s); lra. }
  exists (r + r1 + t2 + t3), (c1 * f1' * exp (t2 + t3) + c1 * f2 * exp t3 + f3); split; [|split].
  - unfold cap_cost; apply Rabs_between in R1', R0'; apply Rabs_le; lra.
  - assert (W0 : 0 <= wide * u) by (apply Rmult_le_pos; lra).
    set (E := exp cap_cost); assert (Ew : 1 <= E) by (apply at_least_1; unfold cap_cost; lra).
    assert (X1 : c1 * exp (t2 + t3) <= c * E).
    { unfold c1, E; rewrite Rmult_assoc, <- exp_plus; apply Rmult_le_compat_l; [lra|]; apply exp_mono; unfold cap_cost; lra. }
    assert (X2 : c1 * exp t3 <= c * E).
    { unfold c1, E; rewrite Rmult_assoc, <- exp_plus; apply Rmult_le_compat_l; [lra|]; apply exp_mono; unfold cap_cost; lra. }
    pose proof (exp_pos (t2 + t3)); pose proof (exp_pos t3).
    replace (cap_lost c) with (c * E * eta + c * E * eta + eta * E) by (unfold cap_lost; fold E; ring).
    apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat.
    + apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat.
      * replace (c1 * f1' * exp (t2 + t3)) with (c1 * exp (t2 + t3) * f1') by ring.
        rewrite Rabs_mult, (Rabs_pos_eq (c1 * _)) by (apply Rmult_le_pos; lra).
        apply Rmult_le_compat; auto using Rabs_pos; apply Rmult_le_pos; lra.
      * replace (c1 * f2 * exp t3) with (c1 * exp t3 * f2) by ring.
        rewrite Rabs_mult, (Rabs_pos_eq (c1 * _)) by (apply Rmult_le_pos; lra).
        apply Rmult_le_compat; auto using Rabs_pos; apply Rmult_le_pos; lra.
    + apply Rle_trans with (1 := B3); rewrite <- (Rmult_1_r eta) at 1; apply Rmult_le_compat_l; lra.
  - replace (tanh (t / c1 * exp t1 + f1)) with (tanh (t / c1) * exp r1 + f1') by (unfold f1'; rewrite E1; ring).
    replace (r + r1 + t2 + t3) with (r + (r1 + (t2 + t3))) by ring.
    rewrite (exp_plus r), <- (Rmult_assoc (cap c t)), <- E0, (exp_plus r1), (exp_plus t2); ring.
Qed.

(** With an error that is there already; [size] bounds the exact logit before the cap. *)
Definition cap_error (c size a : R) : R := a + (Rmin c size + a) * (exp cap_cost - 1) + cap_lost c.

Theorem NU7_logit_cap_error c x t y size a : 0 < c -> Rabs x <= size -> Rabs (t - x) <= a ->
  rounded cap_cost (cap_lost c) (cap c t) y -> Rabs (y - cap c x) <= cap_error c size a.
Proof.
  intros Hc Hx Ha R.
  assert (A : Rabs (cap c x) <= Rmin c size).
  { apply Rmin_glb; [now apply cap_below_cap|]; apply Rle_trans with (2 := Hx); apply cap_below; lra. }
  assert (B : Rabs (cap c t - cap c x) <= (1 - 1) * Rmin c size + a).
  { apply Rle_trans with (1 := cap_lipschitz c x t ltac:(lra)); lra. }
  pose proof (Rabs_pos (t - x)); assert (Pa : 0 <= a) by lra.
  pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) Pa A B R); unfold cap_error; lra.
Qed.
End Cap.
