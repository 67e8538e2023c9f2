(* SPDX-License-Identifier: Apache-2.0 *)
(** From the bytes of the step to the program of the top theorem: what the machine leaves in a lane
    is what [fast] sums there. Four keys, present or absent, join a running sum. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Flocq Require Import Core BinarySingleNaN Relative.
From Sinkproof Require Import Model ExpRound Exp Fast Softmax32 Lane Evex Bytes ExpCode ExpCorrect StepCode.
Import ListNotations.
Open Scope R_scope.

Local Notation "[[ x ]]" := (B2R x) (at level 0).

(** What a logit register may hold in a lane: minus infinity for an absent key, or the computed
    logit of a term, at most the maximum. *)
Inductive holds (m x : f32) : list term -> bool -> Prop :=
| H_absent : x = B754_infinity true -> holds m x [] false
| H_key k anchored : is_finite x = true -> [[x]] <= [[m]] -> value_of k = 1 -> seen k = [[x]] ->
    Rabs ([[x]] - logit_of k) <= slack k -> (anchored = true -> [[x]] = [[m]]) -> holds m x [k] anchored.

Lemma difference_at_most_0 x m : x <= m -> rnd (x - m) <= 0.
Proof.
  intro H; rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; lra.
Qed.

Lemma E_far_below z : z <= -104 -> E z = 0.
Proof.
  intro H; rewrite <- E_at_floor; unfold E; do 2 f_equal; unfold clamp; rewrite !Rmax_left by lra; reflexivity.
Qed.

Lemma lane_at_minus_infinity z : z = B754_infinity true -> lane z = B754_zero false.
Proof. intros ->; apply lane_minus_infinity. Qed.

(** Subtraction and exponential, also where the difference is too large for a binary32 number. *)
Lemma lane_of_difference x m : is_finite x = true -> is_finite m = true -> [[x]] <= [[m]] ->
  is_finite (lane (vsubps x m)) = true /\ [[lane (vsubps x m)]] = E (rnd ([[x]] - [[m]])).
Proof.
  intros Fx Fm Hle.
  pose proof (Bminus_correct 24 128 _ _ mode_NE x m Fx Fm) as Q.
  change (SpecFloat.fexp 24 128) with (FLT_exp (-149) 24) in Q.
  change (round_mode mode_NE) with ZnearestE in Q; fold (vsubps x m) in Q.
  pose proof (difference_at_most_0 _ _ Hle) as H0.
  destruct (Rlt_bool_spec (Rabs (rnd ([[x]] - [[m]]))) (bpow radix2 128)) as [L | G].
  - destruct Q as (Eq & F & _).
    destruct (lane_ok (vsubps x m) F ltac:(rewrite Eq; exact H0)) as [V W]; rewrite V, Eq; auto.
  - destruct Q as (Eq & Sg).
    assert (Sx : Bsign x = true).
    { destruct (Bsign x) eqn:S; auto; exfalso.
      assert (Px : 0 <= [[x]]) by (destruct x; try discriminate; cbn in *; subst; try lra; apply F2R_ge_0; cbn; lia).
      assert (Nm : [[m]] <= 0).
      { symmetry in Sg; apply Bool.negb_false_iff in Sg.
        destruct m; try discriminate; cbn in *; subst; try lra; apply F2R_le_0; cbn; lia. }
      assert (Z : [[x]] - [[m]] = 0) by lra.
      rewrite Z, round_0, Rabs_R0 in G by typeclasses eauto.
      pose proof (bpow_gt_0 radix2 128); lra. }
    rewrite Sx in Eq.
    assert (I : vsubps x m = B754_infinity true).
    { destruct (vsubps x m); try discriminate Eq; cbn in Eq; congruence. }
    rewrite I, lane_minus_infinity; split; [reflexivity|]; cbn [B2R].
    symmetry; apply E_far_below; rewrite Rabs_left1 in G by exact H0.
    assert (bpow radix2 128 >= 104); [|lra].
    apply Rle_ge, Rle_trans with (bpow radix2 7); [cbn; lra | apply bpow_le; lia].
Qed.

Lemma minus_infinity_stays m : is_finite m = true -> vsubps (B754_infinity true) m = B754_infinity true.
Proof. destruct m; try discriminate; reflexivity. Qed.

(** One lane of one register, as a step of the program. *)
Lemma lane_is_fast m x ks a : is_finite m = true -> holds m x ks a ->
  let y := lane (vsubps x m) in
  is_finite y = true /\ 0 <= [[y]] <= 1 /\ fast [[m]] ks 0 0 0 true a true [[y]].
Proof.
  intros Fm [Ex | k b Fx Hle Hv Hs Hk Ha]; cbv zeta.
  - subst x; rewrite minus_infinity_stays, lane_minus_infinity by exact Fm; cbn [B2R is_finite].
    repeat split; try lra; constructor.
  - destruct (lane_of_difference x m Fx Fm Hle) as [F V]; rewrite V; split; [exact F|].
    pose proof (difference_at_most_0 _ _ Hle) as H0; split; [split|].
    + apply E_nonneg; auto using F32_rnd.
    + apply NU7_exp_at_most_1; auto using F32_rnd.
    + apply F_key with (x' := [[x]]); auto; apply shifted32; auto using fmt.
Qed.

Lemma add_ok a b u v : is_finite a = true -> is_finite b = true -> 0 <= [[a]] <= IZR u -> 0 <= [[b]] <= IZR v ->
  F32 (IZR (u + v)) -> IZR (u + v) <= 1048576 ->
  is_finite (vaddps a b) = true /\ [[vaddps a b]] = rnd ([[a]] + [[b]]) /\ 0 <= [[vaddps a b]] <= IZR (u + v).
Proof.
  intros Fa Fb Ha Hb Ff Hm; rewrite plus_IZR in *.
  pose proof (Bplus_correct 24 128 _ _ mode_NE a b Fa Fb) as Q.
  change (SpecFloat.fexp 24 128) with (FLT_exp (-149) 24) in Q.
  change (round_mode mode_NE) with ZnearestE in Q; fold (vaddps a b) in Q.
  rewrite (no_ovf _) in Q by (rewrite Rabs_pos_eq; lra); destruct Q as (-> & F & _).
  repeat split; auto.
  - rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; lra.
  - rewrite <- (round_generic radix2 (FLT_exp (-149) 24) ZnearestE (IZR u + IZR v)) by exact Ff.
    apply round_le; try typeclasses eauto; lra.
Qed.

Lemma small_integer_fits n : (Z.abs n < 2 ^ 24)%Z -> F32 (IZR n).
Proof.
  intro H; replace (IZR n) with (F2R (Float radix2 n 0)) by (unfold F2R; cbn; ring); apply F32_of_Z; auto; lia.
Qed.

Local Opaque lane vsubps vaddps exec step64 sp_exp64.

(** Whatever the registers hold: the bytes decode, and running them takes four terms of each lane
    into its sum by steps of [fast], leaving each weight where its logit was. proves: NU-7, SM-2 *)
Theorem NU7_machine_code_step junk (s : regs) (i : Z) k0 k1 k2 k3 a0 a1 a2 a3 ks h r g o a (n : Z)
  (m := s 4%Z i) (sum := s 5%Z i) :
  is_finite m = true ->
  holds m (s 0%Z i) k0 a0 -> holds m (s 1%Z i) k1 a1 -> holds m (s 2%Z i) k2 a2 -> holds m (s 3%Z i) k3 a3 ->
  is_finite sum = true -> 0 <= [[sum]] <= IZR n -> (0 <= n <= 1000000)%Z ->
  fast [[m]] ks h r g o a true [[sum]] ->
  exists p, program sp_exp64 = Some p /\
  let after := exec junk p s in
  fast [[m]] k0 0 0 0 true a0 true [[after 0%Z i]] /\ fast [[m]] k1 0 0 0 true a1 true [[after 1%Z i]] /\
  fast [[m]] k2 0 0 0 true a2 true [[after 2%Z i]] /\ fast [[m]] k3 0 0 0 true a3 true [[after 3%Z i]] /\
  is_finite (after 5%Z i) = true /\ 0 <= [[after 5%Z i]] <= IZR (n + 4) /\
  fast [[m]] (ks ++ (k0 ++ k1) ++ k2 ++ k3) (S (Nat.max h 2)) r g o (a || (a0 || a1 || (a2 || a3)))%bool true
    [[after 5%Z i]].
Proof.
  intros Fm H0 H1 H2 H3 Fs Bs Bn S; subst m sum; exists step64; split; [apply NU7_step_bytes_decode|]; cbv zeta.
  destruct (NU7_step_bytes_weights junk s i) as (-> & -> & -> & ->); rewrite NU7_step_bytes_sum; unfold sum_of.
  destruct (lane_is_fast _ _ _ _ Fm H0) as (F0 & B0 & S0), (lane_is_fast _ _ _ _ Fm H1) as (F1 & B1 & S1),
    (lane_is_fast _ _ _ _ Fm H2) as (F2 & B2 & S2), (lane_is_fast _ _ _ _ Fm H3) as (F3 & B3 & S3).
  change (lane (vsubps (s 0%Z i) (s 4%Z i))) with (weight_of s 0 i) in *.
  change (lane (vsubps (s 1%Z i) (s 4%Z i))) with (weight_of s 1 i) in *.
  change (lane (vsubps (s 2%Z i) (s 4%Z i))) with (weight_of s 2 i) in *.
  change (lane (vsubps (s 3%Z i) (s 4%Z i))) with (weight_of s 3 i) in *.
  destruct (add_ok _ _ 1 1 F0 F1 B0 B1 (small_integer_fits 2 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F01 & E01 & B01).
  destruct (add_ok _ _ 1 1 F2 F3 B2 B3 (small_integer_fits 2 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F23 & E23 & B23).
  destruct (add_ok _ _ 2 2 F01 F23 B01 B23 (small_integer_fits 4 ltac:(lia)) ltac:(apply (IZR_le _ 1048576); lia)) as (F03 & E03 & B03).
  assert (N4 : IZR (n + 4) <= 1048576) by (apply (IZR_le _ 1048576); lia).
  destruct (add_ok _ _ n 4 Fs F03 Bs B03 (small_integer_fits (n + 4) ltac:(lia)) N4) as (F5 & E5 & B5).
  split; [exact S0|]; split; [exact S1|]; split; [exact S2|]; split; [exact S3|].
  split; [exact F5|]; split; [exact B5|]; rewrite E5, E03, E01, E23.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S0 S1) as S01.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S2 S3) as S23.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S01 S23) as S03.
  pose proof (F_add _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S S03) as S5.
  cbn [Nat.max Nat.add andb] in S5; rewrite Nat.add_0_r, Nat.max_0_r, Bool.andb_true_r in S5.
  rewrite <- !app_assoc in *; exact S5.
Qed.
