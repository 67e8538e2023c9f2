(* SPDX-License-Identifier: Apache-2.0 *)
(** The bytes of fast/avx512/exp64.S decode to a program, and that program subtracts the maximum,
    applies [lane] and adds to the sum, in every lane of four registers. *)
From Coq Require Import ZArith List Bool Lia.
From Flocq Require Import Core BinarySingleNaN.
From Sinkproof Require Import Lane Evex Bytes ExpCode.
Import ListNotations.
Open Scope Z_scope.

Definition step64 : list instr :=
  Eval vm_compute in match program sp_exp64 with Some p => p | None => [] end.

Theorem NU7_step_bytes_decode : program sp_exp64 = Some step64.
Proof. vm_compute; reflexivity. Qed.

(** What the step makes of logit register [i] in lane [l], and of the sum. *)
Definition weight_of (r : regs) (i l : Z) : f32 := lane (vsubps (r i l) (r 4 l)).
Definition sum_of (r : regs) (l : Z) : f32 :=
  vaddps (r 5 l) (vaddps (vaddps (weight_of r 0 l) (weight_of r 1 l))
                         (vaddps (weight_of r 2 l) (weight_of r 3 l))).

Opaque of_bits vmulps vaddps vsubps vmaxps vfmadd vfnmadd vrndscale vscalef.
Ltac run := cbv -[of_bits vmulps vaddps vsubps vmaxps vfmadd vfnmadd vrndscale vscalef]; reflexivity.

Theorem NU7_step_bytes_weights (r : regs) (l : Z) :
  exec step64 r 0 l = weight_of r 0 l /\ exec step64 r 1 l = weight_of r 1 l /\
  exec step64 r 2 l = weight_of r 2 l /\ exec step64 r 3 l = weight_of r 3 l.
Proof. repeat split; run. Qed.

Theorem NU7_step_bytes_sum (r : regs) (l : Z) : exec step64 r 5 l = sum_of r l.
Proof. run. Qed.

Transparent of_bits vmulps vaddps vsubps vmaxps vfmadd vfnmadd vrndscale vscalef.

(** Registers that no instruction names as its destination keep what they held. *)
Definition destination (i : instr) : Z :=
  match i with
  | Imul d _ _ | Iadd d _ _ | Isub d _ _ | Imax d _ _ | Ibcst d _ | Irndne d _ | Ifma _ _ d _ _ | Iscalef d _ _ => d
  end.

Lemma exec_frame p r n : existsb (Z.eqb n) (map destination p) = false -> forall l, exec p r n l = r n l.
Proof.
  revert r; induction p as [|i p IH]; intros r H l; [reflexivity|].
  cbn [map existsb] in H; apply orb_false_elim in H; destruct H as [H1 H2].
  cbn [exec]; rewrite IH by exact H2.
  destruct i; cbn [destination] in H1; cbn [step]; unfold write; now rewrite H1.
Qed.

(** The maximum and the registers from 16 on are left alone. *)
Theorem NU7_step_bytes_frame (r : regs) (n l : Z) : n = 4 \/ 16 <= n -> exec step64 r n l = r n l.
Proof.
  intro H; apply exec_frame.
  destruct (existsb (Z.eqb n) (map destination step64)) eqn:E; [exfalso|reflexivity].
  apply existsb_exists in E; destruct E as (d & Hd & E); apply Z.eqb_eq in E; subst d.
  assert (A : forallb (fun d => (d <? 16) && negb (d =? 4)) (map destination step64) = true) by (vm_compute; reflexivity).
  rewrite forallb_forall in A; specialize (A n Hd); apply andb_prop in A; destruct A as [A B].
  apply Z.ltb_lt in A; destruct H as [-> | H]; [discriminate | lia].
Qed.
