(* SPDX-License-Identifier: Apache-2.0 *)
(** The numbers of the accuracy classes, once. The theorems of bound/ are about these, and
    certify/judge/class_constants.h is printed from them (export/Header.v), so that the judge has no
    number of its own. proves: NU-5, NU-6 *)
From Coq Require Import ZArith List String.
Import ListNotations.
Open Scope string_scope.

(** Roundings of a sum of n terms: ceil(log2(n + 1)) and DEEP_BASE; ceil(n / LANES) and LANES_BASE; n
    and SEQ_BASE. A rescale counts RESCALE more: its product, and two for its exponential. *)
Definition DEEP_BASE : nat := 24.
Definition LANES : nat := 16.
Definition LANES_BASE : nat := 8.
Definition SEQ_BASE : nat := 1.
Definition RESCALE : nat := 3.

(** Units of u: log-error of an exponential; what the shift costs of D, in base e, in base 2, online in
    base 2, and there of |x| too; what w-loose allows of |x| and of |L|; roundings of a normalisation;
    of a log-sum-exp in base e and in base 2. *)
Definition EPS : Z := 2.
Definition C_D : Z := 1.
Definition C_D_BASE2 : Z := 2.
Definition C_D_BASE2_ONLINE : Z := 3.
Definition C_Z_BASE2_ONLINE : Z := 1.
Definition C_Z_LOOSE : Z := 1.
Definition C_L_LOOSE : Z := 1.
Definition C_NORM : Z := 3.
Definition C_LOG : Z := 1.
Definition C_LOG_BASE2 : Z := 3.

(** Underflows that a row may suffer: EVENTS for each key, and one for each rescale. *)
Definition EVENTS : Z := 3.

(** Exponents of 2 of a format: unit roundoff, least positive and least normal number. *)
Record format := Format { f_name : string; f_u : Z; f_subnormal : Z; f_normal : Z }.
Definition f64 : format := Format "F64" (-53) (-1074) (-1022).
Definition f32 : format := Format "F32" (-24) (-149) (-126).
Definition f16 : format := Format "F16" (-11) (-24) (-14).
Definition bf16 : format := Format "BF16" (-8) (-133) (-126).
Definition formats : list format := [f64; f32; f16; bf16].
