(* SPDX-License-Identifier: Apache-2.0 *)
(** The enclosure of the bound, extracted: what `make proofs-bound` compares the judge's C with. *)
From Coq Require Import ZArith List ClassicalDedekindReals Extraction ExtrOcamlBasic.
From Sinkproof Require Import Formula Enclose Empty LogitFormula RotatedFormula.

Definition enclosed (c : class) (top a_max mu mu_size : dyadic) (kd kn : list entry) : result I.type :=
  bound intervals c top a_max mu mu_size kd kn.

Definition enclosed_empty (c : class) (base2 : bool) (wide : Z) (s : dyadic) (vanishes : bool) : I.type :=
  empty_bound intervals c base2 wide s vanishes.

Definition enclosed_logit (c : logit_class) (e : logit_entry) (x : score) : I.type := logit_bound intervals c e x.

Definition enclosed_rotated (c : logit_class) (t : turn_class) (scale : dyadic) (scale_gone : bool)
  (l : list (part * bool)) : I.type := rotated_bound intervals c t scale scale_gone l.

(** The interval library brings its reals along; nothing that runs here looks at one. *)
Extract Constant ClassicalDedekindReals.sig_forall_dec => "fun _ -> assert false".
Extract Constant ClassicalDedekindReals.sig_not_dec => "fun _ -> assert false".

Extraction "sp_bound.ml" enclosed enclosed_empty enclosed_logit enclosed_rotated upper_end at_most.
