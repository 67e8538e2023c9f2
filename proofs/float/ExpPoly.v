(* SPDX-License-Identifier: Apache-2.0 *)
(** How far the polynomial is from e^r on the reduced interval: by interval arithmetic. proves: NU-7 *)
From Coq Require Import Reals Lra ZArith.
From Interval Require Import Tactic.
From Sinkproof Require Import IntervalZ ExpConstants.
Import IT.
Open Scope R_scope.

Definition c2 := 8388607/16777216.
Definition c3 := 1398089/8388608.
Definition c4 := 11185231/268435456.
Definition c5 := 4492975/536870912.
Definition c6 := 5937299/4294967296.

(** They are the exported ones. *)
Lemma c_are_exported :
  c2 = value C2 /\ c3 = value C3 /\ c4 = value C4 /\ c5 = value C5 /\ c6 = value C6.
Proof. repeat split; reflexivity. Qed.

Definition P (r : R) : R := 1 + r * (1 + r * (c2 + r * (c3 + r * (c4 + r * (c5 + r * c6))))).

Theorem NU7_exp_polynomial r : -3468/10000 <= r <= 3468/10000 ->
  Rabs (P r / exp r - 1) <= / 2 ^ 28.
Proof.
  intro H; unfold P, c2, c3, c4, c5, c6.
  interval with (i_taylor r, i_bisect r, i_prec 80).
Qed.
