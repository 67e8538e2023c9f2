(* SPDX-License-Identifier: Apache-2.0 *)
(** The bytes of fast/avx512/exp128.S decode to a program, and that program subtracts the maximum,
    applies [lane] and adds to the sum, in every lane of eight registers. *)
From Coq Require Import ZArith List Bool Lia.
From Flocq Require Import Core BinarySingleNaN.
From Sinkproof Require Import Lane Evex Bytes ExpCode StepCode.
Import ListNotations.
Open Scope Z_scope.

Definition step128 : list instr :=
  Eval vm_compute in match program sp_exp128 with Some p => p | None => [] end.

Theorem NU7_wide_bytes_decode : program sp_exp128 = Some step128.
Proof. vm_compute; reflexivity. Qed.

(** What the step makes of logit register [i] in lane [l], and of the sum. *)
Definition wide_weight (r : regs) (i l : Z) : f32 := lane (vsubps (r i l) (r 30 l)).
Definition wide_sum (r : regs) (l : Z) : f32 :=
  vaddps (r 31 l)
    (vaddps (vaddps (vaddps (wide_weight r 0 l) (wide_weight r 1 l)) (vaddps (wide_weight r 2 l) (wide_weight r 3 l)))
            (vaddps (vaddps (wide_weight r 4 l) (wide_weight r 5 l)) (vaddps (wide_weight r 6 l) (wide_weight r 7 l)))).

Opaque of_bits vec vmulps vaddps vsubps vmaxps vfmadd vfnmadd vpermps vscalef.
Ltac run := cbv -[of_bits vec vmulps vaddps vsubps vmaxps vfmadd vfnmadd vpermps vscalef]; same_terms.

(** Register 8 + i of the leaf holds the index of weight i. *)
Theorem NU7_wide_bytes_weights junk (r : regs) (l : Z) :
  (exec junk step128 r 0 l = wide_weight r 0 l /\ exec junk step128 r 1 l = wide_weight r 1 l /\
   exec junk step128 r 2 l = wide_weight r 2 l /\ exec junk step128 r 3 l = wide_weight r 3 l) /\
  (exec junk step128 r 4 l = wide_weight r 4 l /\ exec junk step128 r 5 l = wide_weight r 5 l /\
   exec junk step128 r 6 l = wide_weight r 6 l /\ exec junk step128 r 7 l = wide_weight r 7 l).
Proof.
  unfold wide_weight; rewrite <- (lane_of_all l (junk 8 l) (vsubps (r 0 l) _)), <- (lane_of_all l (junk 9 l) (vsubps (r 1 l) _)),
    <- (lane_of_all l (junk 10 l) (vsubps (r 2 l) _)), <- (lane_of_all l (junk 11 l) (vsubps (r 3 l) _)),
    <- (lane_of_all l (junk 12 l) (vsubps (r 4 l) _)), <- (lane_of_all l (junk 13 l) (vsubps (r 5 l) _)),
    <- (lane_of_all l (junk 14 l) (vsubps (r 6 l) _)), <- (lane_of_all l (junk 15 l) (vsubps (r 7 l) _)).
  repeat split; run.
Qed.

Theorem NU7_wide_bytes_sum junk (r : regs) (l : Z) : exec junk step128 r 31 l = wide_sum r l.
Proof.
  unfold wide_sum, wide_weight; rewrite <- (lane_of_all l (junk 8 l) (vsubps (r 0 l) _)), <- (lane_of_all l (junk 9 l) (vsubps (r 1 l) _)),
    <- (lane_of_all l (junk 10 l) (vsubps (r 2 l) _)), <- (lane_of_all l (junk 11 l) (vsubps (r 3 l) _)),
    <- (lane_of_all l (junk 12 l) (vsubps (r 4 l) _)), <- (lane_of_all l (junk 13 l) (vsubps (r 5 l) _)),
    <- (lane_of_all l (junk 14 l) (vsubps (r 6 l) _)), <- (lane_of_all l (junk 15 l) (vsubps (r 7 l) _)).
  run.
Qed.

Transparent of_bits vec vmulps vaddps vsubps vmaxps vfmadd vfnmadd vpermps vscalef.

(** The maximum and the registers 28 and 29 are left alone. *)
Theorem NU7_wide_bytes_frame junk (r : regs) (n l : Z) : 28 <= n <= 30 -> exec junk step128 r n l = r n l.
Proof.
  intro H; apply exec_frame.
  destruct (existsb (Z.eqb n) (map destination step128)) eqn:E; [exfalso|reflexivity].
  apply existsb_exists in E; destruct E as (d & Hd & E); apply Z.eqb_eq in E; subst d.
  assert (A : forallb (fun d => (d <? 28) || (d =? 31)) (map destination step128) = true) by (vm_compute; reflexivity).
  rewrite forallb_forall in A; specialize (A n Hd); apply orb_prop in A; destruct A as [A | A].
  - apply Z.ltb_lt in A; lia.
  - apply Z.eqb_eq in A; lia.
Qed.
