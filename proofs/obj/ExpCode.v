(* SPDX-License-Identifier: Apache-2.0 *)
(** The bytes of fast/avx512/exp16.S decode to a program, and that program computes [lane] in every lane. *)
From Coq Require Import ZArith List.
From Flocq Require Import Core BinarySingleNaN.
From Sinkproof Require Import Lane Evex Bytes.
Import ListNotations.
Open Scope Z_scope.

Definition prog : list instr :=
  Eval vm_compute in match program sp_exp16 with Some p => p | None => [] end.

Theorem NU7_bytes_decode : program sp_exp16 = Some prog.
Proof. vm_compute; reflexivity. Qed.

Definition lane (x : f32) : f32 :=
  let x := vmaxps (of_bits 0xc2d00000) x in
  let k := vrndscale (vmulps x (of_bits 0x3fb8aa3b)) in
  let r := vfnmadd k (of_bits 0xb102e308) (vfnmadd k (of_bits 0x3f317218) x) in
  let p := of_bits 0x3ab53126 in
  let p := vfmadd r p (of_bits 0x3c091d5e) in
  let p := vfmadd r p (of_bits 0x3d2aac4f) in
  let p := vfmadd r p (of_bits 0x3e2aaa48) in
  let p := vfmadd r p (of_bits 0x3efffffe) in
  let p := vfmadd r p (of_bits 0x3f800000) in
  let p := vfmadd r p (of_bits 0x3f800000) in
  vscalef p k.

Opaque of_bits vmulps vmaxps vfmadd vfnmadd vrndscale vscalef.
(** Running the bytes puts [lane] of each lane of zmm0 into that lane of zmm0. *)
Theorem NU7_bytes_compute_lane (r : regs) (l : Z) : exec prog r 0 l = lane (r 0 l).
Proof. cbv -[of_bits vmulps vmaxps vfmadd vfnmadd vrndscale vscalef]; reflexivity. Qed.
Transparent of_bits vmulps vmaxps vfmadd vfnmadd vrndscale vscalef.

(** What the leaf does at the edges: -inf and everything below the clamp give +0, NaN gives NaN. *)
Theorem lane_minus_infinity : lane (B754_infinity true) = B754_zero false.
Proof. vm_compute; reflexivity. Qed.

Theorem lane_nan : lane B754_nan = B754_nan.
Proof. vm_compute; reflexivity. Qed.

Theorem lane_zero s : to_bits (lane (B754_zero s)) = 0x3f800000.
Proof. destruct s; vm_compute; reflexivity. Qed.
