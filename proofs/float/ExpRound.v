(* SPDX-License-Identifier: Apache-2.0 *)
(** Rounding error of the polynomial in binary32 with fused multiply-adds. Gappa finds the proof of
    each piece, Coq's kernel checks it; gappa itself is not trusted. Its tactic reads dyadic
    constants only, hence n/32768. proves: NU-7 *)
From Coq Require Import Reals Lra ZArith.
From Flocq Require Import Core.
From Gappa Require Import Gappa_tactic.
From Sinkproof Require Import ExpPoly.
Open Scope R_scope.

Notation rnd := (round radix2 (FLT_exp (-149) 24) ZnearestE).
Notation F32 := (generic_format radix2 (FLT_exp (-149) 24)).

#[global] Instance prec24 : Prec_gt_0 24 := eq_refl.

Definition fma (a b c : R) : R := rnd (a * b + c).
Definition horner (r : R) : R :=
  fma (fma (fma (fma (fma (fma c6 r c5) r c4) r c3) r c2) r 1) r 1.
Definition exact (r : R) : R :=
  (((((c6 * r + c5) * r + c4) * r + c3) * r + c2) * r + 1) * r + 1.

Lemma exact_is_P r : exact r = P r.
Proof. unfold exact, P; ring. Qed.

(** The bound is 5/4 of a unit roundoff. *)
Definition claim (r : R) : Prop := Rabs (horner r - exact r) <= 5/67108864 * Rabs (exact r).

(** One piece of the reduced interval. *)
Ltac piece := intros r H; unfold claim, horner, exact, fma, c2, c3, c4, c5, c6; unfold r in *; gappa.

Lemma p1 r_ : let r := rnd r_ in -(11363/32768) <= r <= -(9216/32768) -> claim r.
Proof. piece. Qed.
Lemma p2 r_ : let r := rnd r_ in -(9216/32768) <= r <= -(6144/32768) -> claim r.
Proof. piece. Qed.
Lemma p3 r_ : let r := rnd r_ in -(6144/32768) <= r <= -(3072/32768) -> claim r.
Proof. piece. Qed.
Lemma p4 r_ : let r := rnd r_ in -(3072/32768) <= r <= 0 -> claim r.
Proof. piece. Qed.
Lemma p5 r_ : let r := rnd r_ in 0 <= r <= 3072/32768 -> claim r.
Proof. piece. Qed.
Lemma p6 r_ : let r := rnd r_ in 3072/32768 <= r <= 6144/32768 -> claim r.
Proof. piece. Qed.
Lemma p7 r_ : let r := rnd r_ in 6144/32768 <= r <= 9216/32768 -> claim r.
Proof. piece. Qed.
Lemma p8 r_ : let r := rnd r_ in 9216/32768 <= r <= 11363/32768 -> claim r.
Proof. piece. Qed.

Theorem NU7_exp_rounding r : F32 r -> -(11363/32768) <= r <= 11363/32768 -> claim r.
Proof.
  intros F H; assert (E : rnd r = r) by (apply round_generic; [typeclasses eauto | exact F]).
  pose proof (p1 r) as P1; pose proof (p2 r) as P2; pose proof (p3 r) as P3; pose proof (p4 r) as P4.
  pose proof (p5 r) as P5; pose proof (p6 r) as P6; pose proof (p7 r) as P7; pose proof (p8 r) as P8.
  cbv zeta in *; rewrite E in *.
  destruct (Rle_dec r (-(9216/32768))); [apply P1; lra|].
  destruct (Rle_dec r (-(6144/32768))); [apply P2; lra|].
  destruct (Rle_dec r (-(3072/32768))); [apply P3; lra|].
  destruct (Rle_dec r 0); [apply P4; lra|].
  destruct (Rle_dec r (3072/32768)); [apply P5; lra|].
  destruct (Rle_dec r (6144/32768)); [apply P6; lra|].
  destruct (Rle_dec r (9216/32768)); [apply P7; lra|apply P8; lra].
Qed.
