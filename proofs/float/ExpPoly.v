(* SPDX-License-Identifier: Apache-2.0 *)
(** How far the polynomial is from e^r on the reduced interval, and the table from the powers of the
    sixteenth root of 2: by interval arithmetic. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Interval Require Import Tactic.
From Sinkproof Require Import IntervalZ ExpConstants.
Import IT ListNotations.
Open Scope R_scope.

Definition c2 := 524305/1048576.
Definition c3 := 11184811/67108864.

(** They are the exported ones. *)
Lemma c_are_exported : c2 = value C2 /\ c3 = value C3.
Proof. unfold c2, c3; cbn; split; lra. Qed.

(** What stands beside 1. *)
Definition Q (r : R) : R := r * r * (c3 * r + c2) + r.

Theorem NU7_exp_polynomial r : -711/32768 <= r <= 711/32768 ->
  Rabs ((1 + Q r) / exp r - 1) <= / 2 ^ 29.
Proof.
  intro H; unfold Q, c2, c3.
  interval with (i_taylor r, i_bisect r, i_prec 80).
Qed.

(** Entry [j] of the table, a binary32 number from 1 to 2. *)
Definition entry (j : Z) : R := IZR (nth (Z.to_nat j) TABLE 0%Z) / 8388608.

Ltac each_entry :=
  match goal with H : (0 <= ?j < 16)%Z |- _ =>
    assert (I : (j = 0 \/ j = 1 \/ j = 2 \/ j = 3 \/ j = 4 \/ j = 5 \/ j = 6 \/ j = 7 \/ j = 8 \/ j = 9 \/ j = 10 \/
                 j = 11 \/ j = 12 \/ j = 13 \/ j = 14 \/ j = 15)%Z) by lia;
    repeat destruct I as [-> | I]; [.. | subst j]; cbv [nth TABLE Z.to_nat Pos.to_nat Pos.iter_op Nat.add]
  end.

(** Less than half a unit in the last place, where it is worth most. *)
Theorem NU7_exp_table j : (0 <= j < 16)%Z -> Rabs (entry j / exp (IZR j / 16 * ln 2) - 1) <= 474/10^10.
Proof. intro H; unfold entry; each_entry; interval with (i_prec 80). Qed.

Lemma entry_range j : (0 <= j < 16)%Z -> 1 <= entry j <= 16065917/8388608.
Proof. intro H; unfold entry; each_entry; lra. Qed.
