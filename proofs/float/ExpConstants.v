(* SPDX-License-Identifier: Apache-2.0 *)
(** The numbers of the exponential, once: an integer mantissa and an exponent of 2 each. The C
    header is printed from this list (export/Header.v), the theorems are about these very numbers. *)
From Coq Require Import ZArith Reals.
Open Scope Z_scope.

(** mantissa * 2^exponent *)
Definition constant : Type := (Z * Z)%type.

Definition LOG2E : constant := (12102203, -23).     (* 1 / ln 2, nearest *)
Definition LN2_HI : constant := (1453635, -21).     (* ln 2 = LN2_HI + LN2_LO + less than 2^-50 *)
Definition LN2_LO : constant := (-1072225, -49).
Definition C2 : constant := (8388607, -24).         (* 1/2! *)
Definition C3 : constant := (1398089, -23).         (* 1/3! *)
Definition C4 : constant := (11185231, -28).        (* 1/4! *)
Definition C5 : constant := (4492975, -29).         (* 1/5! *)
Definition C6 : constant := (5937299, -32).         (* 1/6! *)
Definition FLOOR : constant := (-104, 0).           (* e^-104 < 2^-150 *)

(** Relative error of the whole exponential: 1 / EPS_DEN. *)
Definition EPS_DEN : Z := 10700000.

Open Scope R_scope.
Definition value (c : constant) : R :=
  let (m, e) := c in
  match e with
  | Z0 => IZR m
  | Zpos n => IZR (m * Zpower_pos 2 n)
  | Zneg n => IZR m / IZR (Zpower_pos 2 n)
  end.
