(* SPDX-License-Identifier: Apache-2.0 *)
(** The numbers of the exponential, once: an integer mantissa and an exponent of 2 each. The C
    header is printed from this list (export/Header.v), the theorems are about these very numbers. *)
From Coq Require Import ZArith Reals List.
Import ListNotations.
Open Scope Z_scope.

(** mantissa * 2^exponent *)
Definition constant : Type := (Z * Z)%type.

Definition LOG2E : constant := (12102203, -23).     (* 1 / ln 2, nearest *)
Definition MAGIC : constant := (3, 18).             (* there the last bit of a binary32 is worth 1/16 *)
Definition LN2_HI : constant := (1453635, -21).     (* ln 2 = LN2_HI + LN2_LO + less than 2^-50 *)
Definition LN2_LO : constant := (-1072225, -49).
Definition C2 : constant := (8388880, -24).         (* 1/2!, and what r^4/4! is worth there *)
Definition C3 : constant := (11184811, -26).        (* 1/3! *)
Definition FLOOR : constant := (-104, 0).           (* e^-104 < 2^-150 *)

(** 2^(j/16) * 2^23, nearest. *)
Definition TABLE : list Z :=
  [8388608; 8760003; 9147842; 9552851; 9975792; 10417458; 10878679; 11360319;
   11863283; 12388516; 12937002; 13509772; 14107901; 14732511; 15384775; 16065917].

(** Relative error of the whole exponential: 1 / EPS_DEN. *)
Definition EPS_DEN : Z := 9000000.

Open Scope R_scope.
Definition value (c : constant) : R :=
  let (m, e) := c in
  match e with
  | Z0 => IZR m
  | Zpos n => IZR (m * Zpower_pos 2 n)
  | Zneg n => IZR m / IZR (Zpower_pos 2 n)
  end.
