(* SPDX-License-Identifier: Apache-2.0 *)
(** None of the theorems about classes is vacuous: for each name, a row of two keys and a sink logit that
    satisfies every hypothesis of NU7_class_weight, NU7_class_lse and NU7_class_output. proves: NU-6, NU-7 *)
From Coq Require Import Reals Lra List PeanoNat.
From Interval Require Import Tactic.
From Sinkproof Require Import Spec Sums Constants Model Row Classes IntervalZ.
Import IT.
Import ListNotations.
Open Scope R_scope.

Example NU7_classes_are_not_vacuous : forall w, exists l,
  computed f32_costs 0 [exact_term 0 1; exact_term (-1) 1; exact_term (-2) 1] (2 * / 16777215) 0 true true l /\
  2 * / 16777215 <= allowance w f32_costs (/ 16777216) 3 0 /\
  kappa f32_costs (allowance w f32_costs (/ 16777216) 3 0) (3 * / 16777215) (INR 3) (INR 0) < 1.
Proof.
  intro w; destruct NU7_is_not_vacuous as (l & C & _); exists l; split; [exact C|].
  unfold kappa, events, lambda, allowance, f32_costs; cbn [u' eps c_d u_p eta eta_p eta_s].
  destruct w; unfold height, base_height; cbn [Nat.add Nat.mul]; simpl INR;
    (split; [lra | interval with (i_prec 60)]).
Qed.
