(* SPDX-License-Identifier: Apache-2.0 *)
(** The interval tactic over pure integers. The default instance would bring in some sixty axioms
    about primitive floats; this one needs none. Clients import [IT] and give [i_prec] on every
    call: a call without it falls back to primitive floats. *)
From Interval Require Import Specific_stdz Specific_ops Tactic.
Module SZ := SpecificFloat StdZRadix2.
Module IT := IntervalTactic SZ.
