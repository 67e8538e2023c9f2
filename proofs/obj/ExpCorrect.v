(* SPDX-License-Identifier: Apache-2.0 *)
(** From bytes to mathematics: the machine code computes e^x for every binary32 x <= 0, up to a
    log-error below two units and an absolute error of half the least subnormal. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Flocq Require Import Core BinarySingleNaN Mult_error.
From Interval Require Import Tactic.
From Sinkproof Require Import IntervalZ ExpConstants ExpPoly ExpRound ExpReduce Exp Lane Evex Bytes ExpCode.
Import IT.
Open Scope R_scope.

Local Notation "[ x ]" := (B2R x).
Lemma fmt (x : f32) : F32 [x]. Proof. apply generic_format_B2R. Qed.

Lemma no_ovf z : Rabs z <= 1048576 -> Rlt_bool (Rabs (rnd z)) (bpow radix2 128) = true.
Proof.
  intro H; apply Rlt_bool_true.
  apply Rle_lt_trans with (bpow radix2 20).
  - apply abs_round_le_generic; try typeclasses eauto; [|exact H].
    apply generic_format_bpow; cbn; lia.
  - apply bpow_lt; lia.
Qed.

Lemma fma_ok a b c : is_finite a = true -> is_finite b = true -> is_finite c = true ->
  Rabs ([a] * [b] + [c]) <= 1048576 ->
  [vfmadd a b c] = rnd ([a] * [b] + [c]) /\ is_finite (vfmadd a b c) = true.
Proof.
  intros Ha Hb Hc H.
  pose proof (Bfma_correct 24 128 _ _ mode_NE a b c Ha Hb Hc) as Q; cbv zeta in Q.
  change (SpecFloat.fexp 24 128) with (FLT_exp (-149) 24) in Q.
  change (round_mode mode_NE) with ZnearestE in Q.
  rewrite (no_ovf _ H) in Q; split; apply Q.
Qed.

Lemma fnma_ok a b c : is_finite a = true -> is_finite b = true -> is_finite c = true ->
  Rabs ([c] - [a] * [b]) <= 1048576 ->
  [vfnmadd a b c] = rnd ([c] - [a] * [b]) /\ is_finite (vfnmadd a b c) = true.
Proof.
  intros Ha Hb Hc H; unfold vfnmadd.
  destruct (fma_ok (Bopp a) b c) as [E F]; rewrite ?is_finite_Bopp; auto.
  - rewrite B2R_Bopp; replace (- [a] * [b] + [c]) with ([c] - [a] * [b]) by ring; auto.
  - split; [|exact F]; unfold vfmadd in E; rewrite E, B2R_Bopp; f_equal; ring.
Qed.

Lemma mul_ok a b : is_finite a = true -> is_finite b = true -> Rabs ([a] * [b]) <= 1048576 ->
  [vmulps a b] = rnd ([a] * [b]) /\ is_finite (vmulps a b) = true.
Proof.
  intros Ha Hb H; pose proof (Bmult_correct 24 128 _ _ mode_NE a b) as Q.
  change (SpecFloat.fexp 24 128) with (FLT_exp (-149) 24) in Q.
  change (round_mode mode_NE) with ZnearestE in Q.
  rewrite (no_ovf _ H) in Q; destruct Q as (Q1 & Q2 & _); rewrite Ha, Hb in Q2; auto.
Qed.

Ltac const := split;
  [rewrite <- SF2R_B2SF; match goal with |- SF2R _ ?s = _ =>
     let v := eval vm_compute in s in change s with v end;
   cbv [SF2R F2R Defs.Fnum Defs.Fexp cond_Zopp bpow radix_val radix2 Z.pow_pos Pos.iter Z.mul Pos.mul Z.opp]; lra
  |rewrite <- is_finite_SF_B2SF; vm_compute; reflexivity].
Lemma kIE : [of_bits 0x3fb8aa3b] = ie /\ is_finite (of_bits 0x3fb8aa3b) = true.
Proof. unfold ie; const. Qed.
Lemma kHI : [of_bits 0x3f317218] = hi /\ is_finite (of_bits 0x3f317218) = true.
Proof. unfold hi; const. Qed.
Lemma kLO : [of_bits 0xb102e308] = lo /\ is_finite (of_bits 0xb102e308) = true.
Proof. unfold lo; const. Qed.
Lemma kC6 : [of_bits 0x3ab53126] = c6 /\ is_finite (of_bits 0x3ab53126) = true.
Proof. unfold c6; const. Qed.
Lemma kC5 : [of_bits 0x3c091d5e] = c5 /\ is_finite (of_bits 0x3c091d5e) = true.
Proof. unfold c5; const. Qed.
Lemma kC4 : [of_bits 0x3d2aac4f] = c4 /\ is_finite (of_bits 0x3d2aac4f) = true.
Proof. unfold c4; const. Qed.
Lemma kC3 : [of_bits 0x3e2aaa48] = c3 /\ is_finite (of_bits 0x3e2aaa48) = true.
Proof. unfold c3; const. Qed.
Lemma kC2 : [of_bits 0x3efffffe] = c2 /\ is_finite (of_bits 0x3efffffe) = true.
Proof. unfold c2; const. Qed.
Lemma k1 : [of_bits 0x3f800000] = 1 /\ is_finite (of_bits 0x3f800000) = true.
Proof. const. Qed.


(** The clamp. *)
Lemma kFL : [of_bits 0xc2d00000] = -104 /\ is_finite (of_bits 0xc2d00000) = true.
Proof. const. Qed.

Lemma max_ok a b : is_finite a = true -> is_finite b = true ->
  [vmaxps a b] = Rmax [a] [b] /\ is_finite (vmaxps a b) = true.
Proof.
  intros Fa Fb; unfold vmaxps; rewrite (Bcompare_correct 24 128 a b Fa Fb).
  destruct (Rcompare_spec [a] [b]); split; auto; unfold Rmax; destruct (Rle_dec [a] [b]); lra.
Qed.

Section Main.
Variable x0 : f32.
Hypothesis F0 : is_finite x0 = true.
Hypothesis H0 : [x0] <= 0.

Let x := vmaxps (of_bits 0xc2d00000) x0.

Lemma x_ok : [x] = clamp [x0] /\ is_finite x = true.
Proof. destruct kFL as [E F]; destruct (max_ok _ x0 F F0) as [M N]; unfold x, clamp; rewrite M, E; auto. Qed.

Lemma Fx : is_finite x = true.
Proof. apply x_ok. Qed.

Lemma Hx : -104 <= [x] <= 0.
Proof. destruct x_ok as [-> _]; apply clamp_range; auto; apply fmt. Qed.

Let k := vrndscale (vmulps x (of_bits 0x3fb8aa3b)).
Let r1' := vfnmadd k (of_bits 0x3f317218) x.
Let r := vfnmadd k (of_bits 0xb102e308) r1'.

Lemma Exx : rnd [x] = [x].
Proof. apply round_generic; [typeclasses eauto | apply fmt]. Qed.

Lemma k_ok : [k] = kf [x] /\ is_finite k = true.
Proof.
  destruct kIE as [E F].
  destruct (mul_ok x _ Fx F) as [Em Fm].
  { rewrite E; unfold ie; pose proof Hx; apply Rabs_le; lra. }
  pose proof (Bnearbyint_correct 24 128 _ mode_NE (vmulps x (of_bits 0x3fb8aa3b))) as (Q1 & Q2 & _).
  unfold k, vrndscale; rewrite Q1, Q2, Fm, Em, E; split; reflexivity.
Qed.

Lemma r1_ok : [r1'] = r1 [x] /\ is_finite r1' = true.
Proof.
  destruct k_ok as [Ek Fk], kHI as [E F].
  destruct (fnma_ok k _ x Fk F Fx) as [Q1 Q2].
  { rewrite Ek, E; pose proof (red_bound [x]) as B; rewrite Exx in B; specialize (B Hx); lra. }
  unfold r1'; rewrite Q1, Q2, Ek, E; auto.
Qed.

Lemma r_ok : [r] = rr [x] /\ is_finite r = true.
Proof.
  destruct k_ok as [Ek Fk], kLO as [E F], r1_ok as [E1 F1].
  destruct (fnma_ok k _ r1' Fk F F1) as [Q1 Q2].
  { rewrite Ek, E, E1.
    pose proof (step1_exact [x]) as S; pose proof (red_bound [x]) as B; pose proof (k_range [x]) as K.
    rewrite Exx in S, B, K; rewrite (S Hx); specialize (B Hx); specialize (K Hx).
    apply Rabs_le_inv in B; apply Rabs_le; unfold lo; lra. }
  unfold r; rewrite Q1, Q2, Ek, E, E1; auto.
Qed.

(** one Horner step: |p| <= 4, |r| <= 1/2 keep everything bounded *)
Lemma step_ok p c : is_finite p = true -> is_finite c = true ->
  Rabs [p] <= 4 -> Rabs [c] <= 1 -> Rabs [r] <= 1/2 ->
  [vfmadd r p c] = fma [p] [r] [c] /\ [vfmadd p r c] = fma [p] [r] [c] /\
  is_finite (vfmadd r p c) = true /\ is_finite (vfmadd p r c) = true /\ Rabs (fma [p] [r] [c]) <= 4.
Proof.
  intros Fp Fc Hp Hc Hr; destruct r_ok as [_ Fr].
  assert (H : Rabs ([p] * [r] + [c]) <= 4).
  { apply Rabs_le_inv in Hp; apply Rabs_le_inv in Hc; apply Rabs_le_inv in Hr.
    apply Rabs_le; nra. }
  destruct (fma_ok r p c) as [A B]; auto. { rewrite Rmult_comm; lra. }
  destruct (fma_ok p r c) as [C D]; auto. { lra. }
  repeat split; auto.
  - rewrite A; unfold fma; now rewrite (Rmult_comm [r]).
  - unfold fma; apply abs_round_le_generic; try typeclasses eauto; auto.
    replace 4 with (bpow radix2 2) by (cbn; lra); apply generic_format_bpow; cbn; lia.
Qed.

Let q5 := vfmadd r (of_bits 0x3ab53126) (of_bits 0x3c091d5e).
Let q4 := vfmadd r q5 (of_bits 0x3d2aac4f).
Let q3 := vfmadd r q4 (of_bits 0x3e2aaa48).
Let q2 := vfmadd r q3 (of_bits 0x3efffffe).
Let q1 := vfmadd r q2 (of_bits 0x3f800000).
Let q0 := vfmadd r q1 (of_bits 0x3f800000).

Lemma r_small : -(11363/32768) <= rr [x] <= 11363/32768.
Proof. pose proof (rr_bound [x]) as B; rewrite Exx in B; apply B, Hx. Qed.

Lemma q0_ok : [q0] = horner (rr [x]) /\ is_finite q0 = true.
Proof.
  destruct r_ok as [Er Fr], kC6 as [E6 F6], kC5 as [E5 F5], kC4 as [E4 F4], kC3 as [E3 F3],
    kC2 as [E2 F2], k1 as [E1 F1].
  pose proof r_small as B.
  assert (Hr : Rabs [r] <= 1/2) by (rewrite Er; apply Rabs_le; lra).
  assert (S5 := step_ok _ _ F6 F5 ltac:(rewrite E6; unfold c6; apply Rabs_le; lra)
                  ltac:(rewrite E5; unfold c5; apply Rabs_le; lra) Hr).
  destruct S5 as (V5 & _ & G5 & _ & B5); rewrite <- V5 in B5; fold q5 in V5, G5, B5.
  assert (S4 := step_ok _ _ G5 F4 B5 ltac:(rewrite E4; unfold c4; apply Rabs_le; lra) Hr).
  destruct S4 as (V4 & _ & G4 & _ & B4); rewrite <- V4 in B4; fold q4 in V4, G4, B4.
  assert (S3 := step_ok _ _ G4 F3 B4 ltac:(rewrite E3; unfold c3; apply Rabs_le; lra) Hr).
  destruct S3 as (V3 & _ & G3 & _ & B3); rewrite <- V3 in B3; fold q3 in V3, G3, B3.
  assert (S2 := step_ok _ _ G3 F2 B3 ltac:(rewrite E2; unfold c2; apply Rabs_le; lra) Hr).
  destruct S2 as (V2 & _ & G2 & _ & B2); rewrite <- V2 in B2; fold q2 in V2, G2, B2.
  assert (S1 := step_ok _ _ G2 F1 B2 ltac:(rewrite E1; apply Rabs_le; lra) Hr).
  destruct S1 as (V1 & _ & G1 & _ & B1); rewrite <- V1 in B1; fold q1 in V1, G1, B1.
  assert (S0 := step_ok _ _ G1 F1 B1 ltac:(rewrite E1; apply Rabs_le; lra) Hr).
  destruct S0 as (V0 & _ & G0 & _ & _); fold q0 in V0, G0.
  split; [|exact G0].
  rewrite V0, V1, V2, V3, V4, V5, E1, E2, E3, E4, E5, E6, Er; reflexivity.
Qed.

Lemma lane_ok : [lane x0] = E [x0] /\ is_finite (lane x0) = true.
Proof.
  change (lane x0) with (vscalef q0 k).
  destruct q0_ok as [E0 G0], k_ok as [Ek Fk], x_ok as [Ex _].
  destruct (expk_scaled [x] (fmt x) Hx) as (n & En & Hn & Es & _ & Hh).
  assert (T : Btrunc k = n).
  { apply eq_IZR; rewrite Btrunc_correct by typeclasses eauto; rewrite Ek, En.
    apply round_generic; [typeclasses eauto|]; rewrite <- En; unfold kf.
    apply generic_format_round; typeclasses eauto. }
  assert (Sm : Rabs ([q0] * bpow radix2 n) <= 1048576).
  { rewrite E0, Rabs_mult, (Rabs_pos_eq (horner _)), (Rabs_pos_eq (bpow _ _)) by (try apply bpow_ge_0; lra).
    assert (bpow radix2 n <= 1) by (change 1 with (bpow radix2 0); apply bpow_le; lia).
    pose proof (bpow_ge_0 radix2 n); nra. }
  pose proof (Bldexp_correct 24 128 _ _ mode_NE q0 n) as Q.
  change (SpecFloat.fexp 24 128) with (FLT_exp (-149) 24) in Q.
  change (round_mode mode_NE) with ZnearestE in Q.
  rewrite (no_ovf _ Sm) in Q; destruct Q as (Q1 & Q2 & _).
  unfold vscalef; rewrite T, Q1, Q2; split; [|exact G0].
  unfold E; rewrite <- Ex, Es, E0; reflexivity.
Qed.
End Main.

(** ** The theorem about the bytes *)

(** Whatever the registers hold: the bytes decode, and running them leaves in every lane of zmm0
    the exponential of what was there. proves: NU-7, NU-10 *)
Theorem NU7_machine_code_exp (s : regs) (i : Z) (x := s 0%Z i) :
  is_finite x = true -> [x] <= 0 ->
  exists p, program sp_exp16 = Some p /\
  let y := exec p s 0%Z i in
  is_finite y = true /\
  exists r f, Rabs r <= eps_log /\ Rabs f <= bpow radix2 (-150) /\ [y] = exp [x] * exp r + f.
Proof.
  intros Fx Hx; exists prog; split; [apply NU7_bytes_decode|]; cbv zeta.
  rewrite NU7_bytes_compute_lane; fold x; destruct (lane_ok x Fx Hx) as [Ey F]; split; [exact F|].
  rewrite Ey; apply NU7_exp; auto; apply fmt.
Qed.

(** -inf (an absent key) gives exactly 0, NaN gives NaN. proves: SM-1, SM-5 *)
Theorem SM1_machine_code_absent (s : regs) (i : Z) : s 0%Z i = B754_infinity true ->
  exec prog s 0%Z i = B754_zero false.
Proof. intro H; rewrite NU7_bytes_compute_lane, H; apply lane_minus_infinity. Qed.

Theorem SM5_machine_code_nan (s : regs) (i : Z) : s 0%Z i = B754_nan -> exec prog s 0%Z i = B754_nan.
Proof. intro H; rewrite NU7_bytes_compute_lane, H; apply lane_nan. Qed.
