(* SPDX-License-Identifier: Apache-2.0 *)
(** One lane of the AVX-512 instructions that the exponential uses, on Flocq's binary32. Trusted: it
    is our reading of the instruction set, co-simulated against real CPUs by proofs-cosim. Assumes
    MXCSR rounds to nearest with DAZ = FTZ = 0. All NaNs are one NaN. *)
From Coq Require Import ZArith.
From Flocq Require Import Core BinarySingleNaN Bits.
From Flocq Require Binary.
Open Scope Z_scope.

Notation f32 := (binary_float 24 128).
#[global] Instance p24 : Prec_gt_0 24 := eq_refl.
#[global] Instance p24e : Prec_lt_emax 24 128 := eq_refl.

Definition of_bits (z : Z) : f32 := Binary.B2BSN 24 128 (b32_of_bits z).
Definition to_bits (x : f32) : Z :=
  match x with
  | B754_nan => 0x7fc00000
  | B754_zero s => if s then 0x80000000 else 0
  | B754_infinity s => join_bits 23 8 s 0 255
  | B754_finite s m e _ =>
      let m' := Zpos m - 2^23 in
      if 0 <=? m' then join_bits 23 8 s m' (e + 150) else join_bits 23 8 s (Zpos m) 0
  end.

Definition vmulps (a b : f32) : f32 := Bmult mode_NE a b.
Definition vaddps (a b : f32) : f32 := Bplus mode_NE a b.
Definition vsubps (a b : f32) : f32 := Bminus mode_NE a b.
Definition vfmadd (a b c : f32) : f32 := Bfma mode_NE a b c.
Definition vfnmadd (a b c : f32) : f32 := Bfma mode_NE (Bopp a) b c.

(** The second source unless the first is greater: also when either is NaN, and for two zeros. *)
Definition vmaxps (a b : f32) : f32 :=
  match Bcompare a b with Some Gt => a | _ => b end.

(** a * 2^floor(b). *)
Definition vscalef (a b : f32) : f32 := Bldexp mode_NE a (Btrunc (Bnearbyint mode_DN b)).

(** The lane of [table] that the last four bits of the index name. The bits of a NaN are not in this
    model: they are whatever [junk] is, and a theorem has to hold for all of it. *)
Definition vpermps (junk : Z) (table : Z -> f32) (i : f32) : f32 :=
  table (match i with B754_nan => junk | _ => to_bits i end mod 16).
