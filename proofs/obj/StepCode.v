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

Opaque of_bits vec vmulps vaddps vsubps vmaxps vfmadd vfnmadd vpermps vscalef.
Ltac run := cbv -[of_bits vec vmulps vaddps vsubps vmaxps vfmadd vfnmadd vpermps vscalef]; same_terms.

(** Register 6 + i of the leaf holds the index of weight i. *)
Theorem NU7_step_bytes_weights junk (r : regs) (l : Z) :
  exec junk step64 r 0 l = weight_of r 0 l /\ exec junk step64 r 1 l = weight_of r 1 l /\
  exec junk step64 r 2 l = weight_of r 2 l /\ exec junk step64 r 3 l = weight_of r 3 l.
Proof.
  unfold weight_of; rewrite <- (lane_of_all l (junk 6 l) (vsubps (r 0 l) _)), <- (lane_of_all l (junk 7 l) (vsubps (r 1 l) _)),
    <- (lane_of_all l (junk 8 l) (vsubps (r 2 l) _)), <- (lane_of_all l (junk 9 l) (vsubps (r 3 l) _)).
  repeat split; run.
Qed.

Theorem NU7_step_bytes_sum junk (r : regs) (l : Z) : exec junk step64 r 5 l = sum_of r l.
Proof.
  unfold sum_of, weight_of; rewrite <- (lane_of_all l (junk 6 l) (vsubps (r 0 l) _)), <- (lane_of_all l (junk 7 l) (vsubps (r 1 l) _)),
    <- (lane_of_all l (junk 8 l) (vsubps (r 2 l) _)), <- (lane_of_all l (junk 9 l) (vsubps (r 3 l) _)).
  run.
Qed.

Transparent of_bits vec vmulps vaddps vsubps vmaxps vfmadd vfnmadd vpermps vscalef.

(** Registers that no instruction names as its destination keep what they held. *)
Definition destination (i : instr) : Z :=
  match i with
  | Imov d _ | Imul d _ _ | Iadd d _ _ | Isub d _ _ | Imax d _ _ | Iperm d _ _ | Ifma _ _ d _ _ | Iscalef d _ _ => d
  end.

Lemma exec_frame junk p r n : existsb (Z.eqb n) (map destination p) = false -> forall l, exec junk p r n l = r n l.
Proof.
  revert r; induction p as [|i p IH]; intros r H l; [reflexivity|].
  cbn [map existsb] in H; apply orb_false_elim in H; destruct H as [H1 H2].
  cbn [exec]; rewrite IH by exact H2.
  destruct i; cbn [destination] in H1; cbn [step]; unfold write; now rewrite H1.
Qed.

(** The maximum and the registers from 16 on are left alone. *)
Theorem NU7_step_bytes_frame junk (r : regs) (n l : Z) : n = 4 \/ 16 <= n -> exec junk step64 r n l = r n l.
Proof.
  intro H; apply exec_frame.
  destruct (existsb (Z.eqb n) (map destination step64)) eqn:E; [exfalso|reflexivity].
  apply existsb_exists in E; destruct E as (d & Hd & E); apply Z.eqb_eq in E; subst d.
  assert (A : forallb (fun d => (d <? 16) && negb (d =? 4)) (map destination step64) = true) by (vm_compute; reflexivity).
  rewrite forallb_forall in A; specialize (A n Hd); apply andb_prop in A; destruct A as [A B].
  apply Z.ltb_lt in A; destruct H as [-> | H]; [discriminate | lia].
Qed.
