(* SPDX-License-Identifier: Apache-2.0 *)
(** The two classes without an error model: correctly rounded results, and faithful ones, which are a
    neighbour of the exact value or that value itself. proves: NU-2, NU-11 *)
From Coq Require Import Reals Lra ZArith.
From Flocq Require Import Core.
From Sinkproof Require Import Store.
Open Scope R_scope.

Section Faithful.
Variable o : output.
#[local] Existing Instance o_positive.
Let fexp := FLT_exp (o_least o) (o_precision o).

Definition below (x : R) : R := round radix2 fexp Zfloor x.
Definition above (x : R) : R := round radix2 fexp Zceil x.
Definition faithful (x y : R) : Prop := y = below x \/ y = above x.
Definition stored (y : R) : Prop := generic_format radix2 fexp y.

(** The neighbours: no number of the format lies between them. *)
Theorem NU11_neighbours x y : stored y -> y <= below x \/ above x <= y.
Proof.
  intro Fy; destruct (Rle_or_lt y x) as [H | H]; [left | right].
  - destruct (round_DN_pt radix2 fexp x) as (_ & _ & M); now apply M.
  - destruct (round_UP_pt radix2 fexp x) as (_ & _ & M); apply M; auto; lra.
Qed.

Theorem NU11_neighbours_enclose x : stored (below x) /\ stored (above x) /\ below x <= x <= above x.
Proof.
  destruct (round_DN_pt radix2 fexp x) as (FD & LD & _), (round_UP_pt radix2 fexp x) as (FU & LU & _).
  now repeat split.
Qed.

(** A correctly rounded result is faithful. *)
Theorem NU11_cr_is_faithful x : faithful x (nearest o x).
Proof. apply round_DN_or_UP; typeclasses eauto. Qed.

(** An exact value that the format holds has no other faithful result. *)
Theorem NU11_representable x y : stored x -> faithful x y -> y = x.
Proof.
  intros F [-> | ->]; apply round_generic; auto; typeclasses eauto.
Qed.

(** No number of the format is nearer than the correctly rounded one. *)
Theorem NU11_nearest x y : stored y -> Rabs (nearest o x - x) <= Rabs (y - x).
Proof. intro F; destruct (round_N_pt radix2 fexp (fun n => negb (Z.even n)) x) as [_ N]; now apply N. Qed.
End Faithful.
