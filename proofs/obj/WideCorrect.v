(* SPDX-License-Identifier: Apache-2.0 *)
(** The wide step does what the step does (StepCorrect.v), for eight keys of each lane: present or
    absent, they join a running sum. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Flocq Require Import Core BinarySingleNaN Relative.
From Sinkproof Require Import Model ExpRound Exp Fast Lane Evex Bytes ExpCode ExpCorrect StepCode StepCorrect WideCode.
Import ListNotations.
Open Scope R_scope.

Local Notation "[[ x ]]" := (B2R x) (at level 0).
Local Opaque lane vsubps vaddps exec step128 sp_exp128.

(** Whatever the registers hold: the bytes decode, and running them takes eight terms of each lane
    into its sum by steps of [fast], leaving each weight where its logit was. proves: NU-7, SM-2 *)
Theorem NU7_machine_code_wide_step junk (s : regs) (i : Z) k0 k1 k2 k3 k4 k5 k6 k7 a0 a1 a2 a3 a4 a5 a6 a7 ks h r g o a (n : Z)
  (m := s 30%Z i) (sum := s 31%Z i) :
  is_finite m = true ->
  holds m (s 0%Z i) k0 a0 -> holds m (s 1%Z i) k1 a1 -> holds m (s 2%Z i) k2 a2 -> holds m (s 3%Z i) k3 a3 ->
  holds m (s 4%Z i) k4 a4 -> holds m (s 5%Z i) k5 a5 -> holds m (s 6%Z i) k6 a6 -> holds m (s 7%Z i) k7 a7 ->
  is_finite sum = true -> 0 <= [[sum]] <= IZR n -> (0 <= n <= 1000000)%Z ->
  fast [[m]] ks h r g o a true [[sum]] ->
  exists p, program sp_exp128 = Some p /\
  let after := exec junk p s in
  fast [[m]] k0 0 0 0 true a0 true [[after 0%Z i]] /\ fast [[m]] k1 0 0 0 true a1 true [[after 1%Z i]] /\
  fast [[m]] k2 0 0 0 true a2 true [[after 2%Z i]] /\ fast [[m]] k3 0 0 0 true a3 true [[after 3%Z i]] /\
  fast [[m]] k4 0 0 0 true a4 true [[after 4%Z i]] /\ fast [[m]] k5 0 0 0 true a5 true [[after 5%Z i]] /\
  fast [[m]] k6 0 0 0 true a6 true [[after 6%Z i]] /\ fast [[m]] k7 0 0 0 true a7 true [[after 7%Z i]] /\
  is_finite (after 31%Z i) = true /\ 0 <= [[after 31%Z i]] <= IZR (n + 8) /\
  fast [[m]] (ks ++ ((k0 ++ k1) ++ k2 ++ k3) ++ (k4 ++ k5) ++ k6 ++ k7) (Datatypes.S (Nat.max h 3)) r g o
    (a || (a0 || a1 || (a2 || a3) || (a4 || a5 || (a6 || a7))))%bool true [[after 31%Z i]].
Proof.
  intros Fm H0 H1 H2 H3 H4 H5 H6 H7 Fs Bs Bn S; subst m sum; exists step128; split; [apply NU7_wide_bytes_decode|]; cbv zeta.
  destruct (NU7_wide_bytes_weights junk s i) as ((-> & -> & -> & ->) & -> & -> & -> & ->).
  rewrite NU7_wide_bytes_sum; unfold wide_sum.
  destruct (lane_is_fast _ _ _ _ Fm H0) as (F0 & B0 & S0).
  destruct (lane_is_fast _ _ _ _ Fm H1) as (F1 & B1 & S1).
  destruct (lane_is_fast _ _ _ _ Fm H2) as (F2 & B2 & S2).
  destruct (lane_is_fast _ _ _ _ Fm H3) as (F3 & B3 & S3).
  destruct (lane_is_fast _ _ _ _ Fm H4) as (F4 & B4 & S4).
  destruct (lane_is_fast _ _ _ _ Fm H5) as (F5 & B5 & S5).
  destruct (lane_is_fast _ _ _ _ Fm H6) as (F6 & B6 & S6).
  destruct (lane_is_fast _ _ _ _ Fm H7) as (F7 & B7 & S7).
  change (lane (vsubps (s 0%Z i) (s 30%Z i))) with (wide_weight s 0 i) in *.
  change (lane (vsubps (s 1%Z i) (s 30%Z i))) with (wide_weight s 1 i) in *.
  change (lane (vsubps (s 2%Z i) (s 30%Z i))) with (wide_weight s 2 i) in *.
  change (lane (vsubps (s 3%Z i) (s 30%Z i))) with (wide_weight s 3 i) in *.
  change (lane (vsubps (s 4%Z i) (s 30%Z i))) with (wide_weight s 4 i) in *.
  change (lane (vsubps (s 5%Z i) (s 30%Z i))) with (wide_weight s 5 i) in *.
  change (lane (vsubps (s 6%Z i) (s 30%Z i))) with (wide_weight s 6 i) in *.
  change (lane (vsubps (s 7%Z i) (s 30%Z i))) with (wide_weight s 7 i) in *.
  destruct (add_ok _ _ 1 1 F0 F1 B0 B1 (small_integer_fits 2 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F01 & E01 & B01).
  destruct (add_ok _ _ 1 1 F2 F3 B2 B3 (small_integer_fits 2 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F23 & E23 & B23).
  destruct (add_ok _ _ 1 1 F4 F5 B4 B5 (small_integer_fits 2 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F45 & E45 & B45).
  destruct (add_ok _ _ 1 1 F6 F7 B6 B7 (small_integer_fits 2 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F67 & E67 & B67).
  destruct (add_ok _ _ 2 2 F01 F23 B01 B23 (small_integer_fits 4 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F03 & E03 & B03).
  destruct (add_ok _ _ 2 2 F45 F67 B45 B67 (small_integer_fits 4 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F47 & E47 & B47).
  destruct (add_ok _ _ 4 4 F03 F47 B03 B47 (small_integer_fits 8 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F07 & E07 & B07).
  assert (N8 : IZR (n + 8) <= 1048576) by (apply (IZR_le _ 1048576); lia).
  destruct (add_ok _ _ n 8 Fs F07 Bs B07 (small_integer_fits (n + 8) ltac:(lia)) N8) as (FS & ES & BS).
  split; [exact S0|]; split; [exact S1|]; split; [exact S2|]; split; [exact S3|]; split; [exact S4|]; split; [exact S5|]; split; [exact S6|]; split; [exact S7|].
  split; [exact FS|]; split; [exact BS|]; rewrite ES, E07, E03, E47, E01, E23, E45, E67.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S0 S1) as S01.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S2 S3) as S23.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S4 S5) as S45.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S6 S7) as S67.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S01 S23) as S03.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S45 S67) as S47.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S03 S47) as S07.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S S07) as SS.
  cbn [Nat.max Nat.add andb] in SS; rewrite Nat.add_0_r, Nat.max_0_r, Bool.andb_true_r in SS.
  rewrite <- !app_assoc in *; exact SS.
Qed.
