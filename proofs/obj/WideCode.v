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

Opaque of_bits vmulps vaddps vsubps vmaxps vfmadd vfnmadd vrndscale vscalef.
Ltac run := cbv -[of_bits vmulps vaddps vsubps vmaxps vfmadd vfnmadd vrndscale vscalef]; reflexivity.

Theorem NU7_wide_bytes_weights (r : regs) (l : Z) :
  (exec step128 r 0 l = wide_weight r 0 l /\ exec step128 r 1 l = wide_weight r 1 l /\
   exec step128 r 2 l = wide_weight r 2 l /\ exec step128 r 3 l = wide_weight r 3 l) /\
  (exec step128 r 4 l = wide_weight r 4 l /\ exec step128 r 5 l = wide_weight r 5 l /\
   exec step128 r 6 l = wide_weight r 6 l /\ exec step128 r 7 l = wide_weight r 7 l).
Proof. repeat split; run. Qed.

Theorem NU7_wide_bytes_sum (r : regs) (l : Z) : exec step128 r 31 l = wide_sum r l.
Proof. run. Qed.

Transparent of_bits vmulps vaddps vsubps vmaxps vfmadd vfnmadd vrndscale vscalef.

(** The maximum and the registers from 26 to 29 are left alone. *)
Theorem NU7_wide_bytes_frame (r : regs) (n l : Z) : 26 <= n <= 30 -> exec step128 r n l = r n l.
Proof.
  intro H; apply exec_frame.
  destruct (existsb (Z.eqb n) (map destination step128)) eqn:E; [exfalso|reflexivity].
  apply existsb_exists in E; destruct E as (d & Hd & E); apply Z.eqb_eq in E; subst d.
  assert (A : forallb (fun d => (d <? 26) || (d =? 31)) (map destination step128) = true) by (vm_compute; reflexivity).
  rewrite forallb_forall in A; specialize (A n Hd); apply orb_prop in A; destruct A as [A | A].
  - apply Z.ltb_lt in A; lia.
  - apply Z.eqb_eq in A; lia.
Qed.
