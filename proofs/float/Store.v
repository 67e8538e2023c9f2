(* SPDX-License-Identifier: Apache-2.0 *)
(** Rounding a result into the type of an output, with gradual underflow and with overflow to infinity:
    it is monotone, so what lies in an interval of reals is stored in the interval of the rounded ends,
    which is what the judge accepts (certify/judge/accept.c). The fast path rounds to binary32 first,
    which the bound counts, and then stores. proves: NU-2, NU-7 *)
From Coq Require Import Reals Lra ZArith.
From Coquelicot Require Import Rbar.
From Flocq Require Import Core.
Open Scope R_scope.

(** A format: precision, exponent of the least positive number, and of the first number too large. *)
Record output := Output { o_precision : Z; o_least : Z; o_limit : Z; o_positive : Prec_gt_0 o_precision }.
Definition out_f32 : output := Output 24 (-149) 128 eq_refl.
Definition out_f16 : output := Output 11 (-24) 16 eq_refl.
Definition out_bf16 : output := Output 8 (-133) 128 eq_refl.

Section Store.
Variable o : output.
#[local] Existing Instance o_positive.

Definition nearest (x : R) : R := round radix2 (FLT_exp (o_least o) (o_precision o)) ZnearestE x.
Definition limit : R := bpow radix2 (o_limit o).
Definition store (x : R) : Rbar :=
  if Rlt_dec (Rabs (nearest x)) limit then Finite (nearest x) else if Rlt_dec x 0 then m_infty else p_infty.

Lemma nearest_mono x y : x <= y -> nearest x <= nearest y.
Proof. apply round_le; typeclasses eauto. Qed.
Lemma nearest_0 : nearest 0 = 0.
Proof. apply round_0; typeclasses eauto. Qed.

(** proves: NU-2 *)
Theorem NU2_store_is_monotone x y : x <= y -> Rbar_le (store x) (store y).
Proof.
  intro H; pose proof (nearest_mono _ _ H) as M; unfold store.
  assert (L : 0 < limit) by apply bpow_gt_0.
  destruct (Rlt_dec (Rabs (nearest x)) limit) as [Fx | Ix].
  - destruct (Rlt_dec (Rabs (nearest y)) limit) as [Fy | Iy]; [exact M|].
    destruct (Rlt_dec y 0) as [Ny | Py]; [exfalso | exact I].
    pose proof (nearest_mono y 0 ltac:(lra)) as Q; rewrite nearest_0 in Q.
    rewrite (Rabs_left1 _ Q) in Iy; apply Rabs_def2 in Fx; lra.
  - destruct (Rlt_dec x 0) as [Nx | Px]; [now destruct (if Rlt_dec (Rabs (nearest y)) limit then _ else _)|].
    pose proof (nearest_mono 0 x ltac:(lra)) as Q; rewrite nearest_0 in Q; rewrite (Rabs_pos_eq _ Q) in Ix.
    destruct (Rlt_dec (Rabs (nearest y)) limit) as [Fy | Iy]; [rewrite Rabs_pos_eq in Fy by lra; lra|].
    destruct (Rlt_dec y 0) as [Ny | Py]; [lra | exact I].
Qed.

(** What is within [e] of [exact] is stored between the stored ends. proves: NU-2, NU-7 *)
Theorem NU2_stored_in_interval y exact e : Rabs (y - exact) <= e ->
  Rbar_le (store (exact - e)) (store y) /\ Rbar_le (store y) (store (exact + e)).
Proof. intro H; apply Rabs_le_inv in H; split; apply NU2_store_is_monotone; lra. Qed.
End Store.
