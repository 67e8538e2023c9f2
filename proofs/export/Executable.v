(* SPDX-License-Identifier: Apache-2.0 *)
(** The executable parts, extracted: the machine model for co-simulation, the exponential bit by bit,
    and the eviction state machine for replaying traces. Plain positives: machine integers would
    overflow without a word. *)
From Coq Require Import ZArith List Extraction ExtrOcamlBasic.
From Sinkproof Require Import Spec Lane ExpCode.

Definition exp_bits (z : Z) : Z := to_bits (lane (of_bits z)).

Extraction "sp_model.ml" of_bits to_bits vmulps vaddps vsubps vfmadd vfnmadd vmaxps vrndscale vscalef
  exp_bits append contents cache_empty visible_tokens slot.
