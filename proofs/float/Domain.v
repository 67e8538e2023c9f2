(* SPDX-License-Identifier: Apache-2.0 *)
(** The domain of NU-4 keeps every number of the fast path finite, whose arithmetic here has no largest
    number: dot products and logits in binary32, their distance from the maximum, and the sums of
    float/Finite.v. proves: NU-4, NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Flocq Require Import Core.
From Sinkproof Require Import Spec Sums Near Model ExpRound Exp Fast Dot Finite.
Import ListNotations.
Open Scope R_scope.

Notation limit := (bpow radix2 100).

(** What NU-4 demands of one visible key: scale, sum of products, both together, bias, ALiBi, value. *)
Definition in_domain (scale : R) (qk : list (R * R)) (bias alibi value : R) : Prop :=
  Rabs scale <= limit /\ sizes qk <= limit /\ Rabs scale * sizes qk <= limit /\
  Rabs bias <= limit /\ Rabs alibi <= limit /\ Rabs value <= limit.

(** Dot products whose roundings cannot double them: up to four million in a chain. *)
Definition short (qk : list (R * R)) (h : nat) : Prop := INR h * uu <= / 4 /\ INR (length qk) <= 2 ^ 40.

Lemma rnd_below z k : (-149 <= k)%Z -> Rabs z <= bpow radix2 k -> Rabs (rnd z) <= bpow radix2 k.
Proof.
  intros Hk Hz; apply abs_round_le_generic; try typeclasses eauto; auto.
  apply generic_format_bpow; unfold FLT_exp; lia.
Qed.

Lemma sum_below x y k : Rabs x <= bpow radix2 k -> Rabs y <= bpow radix2 k -> Rabs (x + y) <= bpow radix2 (k + 1).
Proof.
  intros Hx Hy; apply Rle_trans with (1 := Rabs_triang _ _); rewrite bpow_plus; change (bpow radix2 1) with 2; lra.
Qed.

Lemma dotted_size qk h v : dotted qk h v -> short qk h -> Rabs v <= 3/2 * (sizes qk + / 4).
Proof.
  intros D (Hh & Hl); pose proof (NU7_dot_product qk h v D) as B; pose proof (sizes_bound qk) as P; pose proof least_pos as LP.
  assert (E2 : exp (INR h * uu) <= 3/2) by (apply exp_quarter; lra); pose proof (exp_pos (INR h * uu)).
  set (e := exp (INR h * uu)) in *; pose proof (Rabs_pos (products qk)).
  assert (Q : INR (length qk) * least <= / 4).
  { apply Rle_trans with (2 ^ 40 * least); [apply Rmult_le_compat_r; lra|]; rewrite <- least_is_least.
    change (2 ^ 40) with (2 ^ (Z.to_nat 40)); rewrite pow_powerRZ, <- (bpow_powerRZ radix2), <- bpow_plus.
    apply Rle_trans with (bpow radix2 (-2)); [apply bpow_le; lia | simpl; lra]. }
  replace v with (products qk + (v - products qk)) by ring; apply Rle_trans with (1 := Rabs_triang _ _).
  assert (INR (length qk) * least * e <= / 4 * e) by (apply Rmult_le_compat_r; lra).
  assert (e * (sizes qk + / 4) <= 3/2 * (sizes qk + / 4)) by (apply Rmult_le_compat_r; lra); lra.
Qed.

(** Every partial sum of a dot product is itself [dotted], for some of the products. *)
Theorem NU4_dot_stays_finite qk h v : dotted qk h v -> short qk h -> sizes qk <= limit -> Rabs v <= bpow radix2 101.
Proof.
  intros D Sh S; pose proof (dotted_size qk h v D Sh).
  assert (W : 1 <= limit) by (change 1 with (bpow radix2 0); apply bpow_le; lia).
  change 101%Z with (100 + 1)%Z; rewrite bpow_plus; change (bpow radix2 1) with 2; lra.
Qed.

(** The logit, with the scale on the sum, and what a bias and ALiBi make of it. *)
Theorem NU4_logit_stays_finite scale qk bias alibi value h v : in_domain scale qk bias alibi value -> short qk h ->
  dotted qk h v -> Rabs (rnd (scale * v)) <= bpow radix2 101 /\
  Rabs (rnd (rnd (scale * v) + bias)) <= bpow radix2 102 /\
  Rabs (rnd (rnd (rnd (scale * v) + bias) - alibi)) <= bpow radix2 103.
Proof.
  intros (Hs & S & SS & Hb & Ha & _) Sh D; pose proof (dotted_size qk h v D Sh) as V.
  assert (X : Rabs (rnd (scale * v)) <= bpow radix2 101).
  { apply rnd_below; [lia|]; rewrite Rabs_mult.
    pose proof (Rmult_le_compat_l _ _ _ (Rabs_pos scale) V); pose proof (bpow_ge_0 radix2 100).
    change 101%Z with (100 + 1)%Z; rewrite bpow_plus; change (bpow radix2 1) with 2; lra. }
  assert (Y : Rabs (rnd (rnd (scale * v) + bias)) <= bpow radix2 102).
  { apply rnd_below; [lia|]; apply (sum_below _ _ 101); auto; apply Rle_trans with (1 := Hb), bpow_le; lia. }
  repeat split; auto; apply rnd_below; [lia|]; apply (sum_below _ _ 102); auto.
  rewrite Rabs_Ropp; apply Rle_trans with (1 := Ha), bpow_le; lia.
Qed.

(** Its distance from the maximum of such logits. *)
Theorem NU4_shift_stays_finite x m : Rabs x <= bpow radix2 103 -> Rabs m <= bpow radix2 103 ->
  Rabs (rnd (x - m)) <= bpow radix2 104.
Proof. intros Hx Hm; apply rnd_below; [lia|]; apply (sum_below _ _ 103); auto; now rewrite Rabs_Ropp. Qed.

(** The sums against a maximum, of up to 2^24 values of the domain. *)
Theorem NU4_sums_stay_finite m ks h j g a single v : fast m ks h j g true a single v ->
  fast_cost h j <= 1 -> INR g <= 2 ^ 100 -> (forall k, In k ks -> Rabs (value_of k) <= limit) ->
  INR (length ks) <= 2 ^ 24 -> Rabs v < bpow radix2 128.
Proof.
  intros F Hc Hg Hv Hl; apply (NU7_fast_stays_finite m ks h j g a single v F Hc Hg).
  apply Rle_trans with (INR (length ks) * limit).
  - clear -Hv; induction ks as [|k ks IH]; [cbn [map length]; rewrite sum_nil; simpl; lra|].
    cbn [map length]; rewrite sum_cons, S_INR, Rmult_plus_distr_r, Rmult_1_l, Rplus_comm.
    apply Rplus_le_compat; [apply IH; intros; apply Hv; now right | apply Hv; now left].
  - apply Rle_trans with (2 ^ 24 * limit); [apply Rmult_le_compat_r; [apply bpow_ge_0 | exact Hl]|].
    change 124%Z with (24 + 100)%Z; rewrite bpow_plus; right; f_equal.
    change (2 ^ 24) with (2 ^ (Z.to_nat 24)); rewrite pow_powerRZ, <- (bpow_powerRZ radix2); reflexivity.
Qed.
