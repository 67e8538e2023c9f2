(* SPDX-License-Identifier: Apache-2.0 *)
(** The bytes of fast/avx512/exp16.S decode to a program, and that program computes [lane] in every lane. *)
From Coq Require Import ZArith List Lia.
From Flocq Require Import Core BinarySingleNaN.
From Sinkproof Require Import Lane Evex Bytes.
Import ListNotations.
Open Scope Z_scope.

Definition prog : list instr :=
  Eval vm_compute in match program sp_exp16 with Some p => p | None => [] end.

Theorem NU7_bytes_decode : program sp_exp16 = Some prog.
Proof. vm_compute; reflexivity. Qed.

(** 2^(j/16), and the constants that are kept 16 times. *)
Definition entries : list Z :=
  [0x3f800000; 0x3f85aac3; 0x3f8b95c2; 0x3f91c3d3; 0x3f9837f0; 0x3f9ef532; 0x3fa5fed7; 0x3fad583f;
   0x3fb504f3; 0x3fbd08a4; 0x3fc5672a; 0x3fce248c; 0x3fd744fd; 0x3fe0ccdf; 0x3feac0c7; 0x3ff5257d].
Notation same c := [c; c; c; c; c; c; c; c; c; c; c; c; c; c; c; c].

(** What happens in lane [l], where a NaN as the index has the bits [junk]. *)
Definition lane_at (l junk : Z) (x : f32) : f32 :=
  let x := vmaxps (vec (same 0xc2d00000) l) x in
  let t := vfmadd x (of_bits 0x3fb8aa3b) (vec (same 0x49400000) l) in
  let k := vsubps t (of_bits 0x49400000) in
  let r := vfnmadd k (of_bits 0xb102e308) (vfnmadd k (of_bits 0x3f317218) x) in
  let p := vfmadd r (of_bits 0x3e2aaaab) (vec (same 0x3f000110) l) in
  let q := vfmadd (vmulps r r) p r in
  let e := vpermps junk (vec entries) t in
  vscalef (vfmadd q e e) k.

(** … which depends on neither. *)
Definition lane (x : f32) : f32 := lane_at 0 0 x.

Lemma vec_same c l : vec (same c) l = of_bits c.
Proof.
  unfold vec; pose proof (Z.mod_pos_bound l 16 eq_refl) as H; revert H; generalize (l mod 16); intros m H.
  assert (I : m = 0 \/ m = 1 \/ m = 2 \/ m = 3 \/ m = 4 \/ m = 5 \/ m = 6 \/ m = 7 \/ m = 8 \/ m = 9 \/ m = 10 \/
              m = 11 \/ m = 12 \/ m = 13 \/ m = 14 \/ m = 15) by lia.
  repeat destruct I as [-> | I]; try subst m; reflexivity.
Qed.

Theorem lane_of_all l junk x : lane_at l junk x = lane x.
Proof.
  unfold lane, lane_at; cbv zeta; rewrite !vec_same.
  generalize (vmaxps (of_bits 0xc2d00000) x); intro y.
  destruct (vfmadd y (of_bits 0x3fb8aa3b) (of_bits 0x49400000)); reflexivity.
Qed.

(** Sides that differ are not compared by computing them, which would take for ever. *)
Ltac same_terms := match goal with |- ?a = ?b => constr_eq a b end; reflexivity.

Opaque of_bits vec vmulps vmaxps vsubps vfmadd vfnmadd vpermps vscalef.
(** Running the bytes puts [lane] of each lane of zmm0 into that lane of zmm0. *)
Theorem NU7_bytes_compute_lane junk (r : regs) (l : Z) : exec junk prog r 0 l = lane (r 0 l).
Proof.
  rewrite <- (lane_of_all l (junk 1 l)).
  cbv -[of_bits vec vmulps vmaxps vsubps vfmadd vfnmadd vpermps vscalef]; same_terms.
Qed.
Transparent of_bits vec vmulps vmaxps vsubps vfmadd vfnmadd vpermps vscalef.

(** What the leaf does at the edges: -inf and everything below the clamp give +0, NaN gives NaN. *)
Theorem lane_minus_infinity : lane (B754_infinity true) = B754_zero false.
Proof. vm_compute; reflexivity. Qed.

Theorem lane_nan : lane B754_nan = B754_nan.
Proof. vm_compute; reflexivity. Qed.

Theorem lane_zero s : to_bits (lane (B754_zero s)) = 0x3f800000.
Proof. destruct s; vm_compute; reflexivity. Qed.
