(* SPDX-License-Identifier: Apache-2.0 *)
(** From bytes to mathematics: the machine code computes e^x for every binary32 x <= 0, up to a
    log-error below two units and an absolute error of half the least subnormal. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Flocq Require Import Core BinarySingleNaN Bits Mult_error.
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
Lemma kM : [of_bits 0x49400000] = magic /\ is_finite (of_bits 0x49400000) = true.
Proof. unfold magic; const. Qed.
Lemma kC3 : [of_bits 0x3e2aaaab] = c3 /\ is_finite (of_bits 0x3e2aaaab) = true.
Proof. unfold c3; const. Qed.
Lemma kC2 : [of_bits 0x3f000110] = c2 /\ is_finite (of_bits 0x3f000110) = true.
Proof. unfold c2; const. Qed.

(** The table in the bytes is the table of the theorems. *)
Lemma kT j : (0 <= j < 16)%Z -> [vec entries j] = entry j /\ is_finite (vec entries j) = true.
Proof.
  intro H; unfold entry, vec; each_entry;
    match goal with |- context [of_bits ?z] => let v := eval vm_compute in z in change z with v end; const.
Qed.

(** The clamp. *)
Lemma kFL : [of_bits 0xc2d00000] = -104 /\ is_finite (of_bits 0xc2d00000) = true.
Proof. const. Qed.

Lemma max_ok a b : is_finite a = true -> is_finite b = true ->
  [vmaxps a b] = Rmax [a] [b] /\ is_finite (vmaxps a b) = true.
Proof.
  intros Fa Fb; unfold vmaxps; rewrite (Bcompare_correct 24 128 a b Fa Fb).
  destruct (Rcompare_spec [a] [b]); split; auto; unfold Rmax; destruct (Rle_dec [a] [b]); lra.
Qed.

(** The last bits of a number near 3 * 2^18 count sixteenths. *)
Lemma last_bits (t : f32) junk n : is_finite t = true -> 786281 <= [t] <= 786432 -> (-2416 <= n <= 0)%Z ->
  [t] = IZR (12582912 + n) * / 16 -> (match t with B754_nan => junk | _ => to_bits t end mod 16 = n mod 16)%Z.
Proof.
  intros Ft R Z V; destruct t as [s | s | | s m e B]; try discriminate Ft; [cbn in R; lra|].
  assert (C : canonical radix2 (FLT_exp (-149) 24) (Float radix2 (SpecFloat.cond_Zopp s (Zpos m)) e)).
  { apply (canonical_canonical_mantissa 24 128), (proj1 (andb_prop _ _ B)). }
  unfold canonical, cexp in C; cbn [B2R] in R, V; rewrite (mag_unique_pos radix2 _ 20) in C by (cbn [bpow]; cbn; lra).
  cbn in C; subst e; destruct s.
  { exfalso; unfold F2R in R; cbn [SpecFloat.cond_Zopp Defs.Fnum Defs.Fexp] in R.
    assert (IZR (- Zpos m) <= 0) by (apply (IZR_le _ 0); lia); pose proof (bpow_ge_0 radix2 (-4)); nra. }
  unfold F2R in V; cbn [SpecFloat.cond_Zopp Defs.Fnum Defs.Fexp] in V; change (bpow radix2 (-4)) with (/ 16) in V.
  assert (M : Zpos m = (12582912 + n)%Z) by (apply eq_IZR; lra).
  unfold to_bits; rewrite M.
  replace (0 <=? 12582912 + n - 2 ^ 23)%Z with true by (symmetry; apply Z.leb_le; lia).
  unfold join_bits; rewrite Z.shiftl_mul_pow2 by lia.
  replace ((0 + (-4 + 150)) * 2 ^ 23 + (12582912 + n - 2 ^ 23))%Z with (n + 76808192 * 16)%Z by lia.
  apply Z.mod_add; lia.
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

Let t := vfmadd x (of_bits 0x3fb8aa3b) (of_bits 0x49400000).
Let k := vsubps t (of_bits 0x49400000).
Let r1' := vfnmadd k (of_bits 0x3f317218) x.
Let r := vfnmadd k (of_bits 0xb102e308) r1'.

Lemma Exx : rnd [x] = [x].
Proof. apply round_generic; [typeclasses eauto | apply fmt]. Qed.

(** What ExpReduce.v says of a binary32 number, said of [x]. *)
Ltac about f := let H := fresh in pose proof (f [x]) as H; rewrite Exx in H; specialize (H Hx); revert H.

Lemma t_ok : [t] = tf [x] /\ is_finite t = true.
Proof.
  destruct kIE as [E F], kM as [Em Fm].
  destruct (fma_ok x _ _ Fx F Fm) as [Q1 Q2].
  { rewrite E, Em; unfold ie, magic; pose proof Hx; apply Rabs_le; lra. }
  unfold t; rewrite Q1, Q2, E, Em; split; reflexivity.
Qed.

Lemma k_ok : [k] = kf [x] /\ is_finite k = true.
Proof.
  destruct t_ok as [Et Ft], kM as [E F].
  pose proof (Bminus_correct 24 128 _ _ mode_NE t _ Ft F) as Q.
  change (SpecFloat.fexp 24 128) with (FLT_exp (-149) 24) in Q.
  change (round_mode mode_NE) with ZnearestE in Q; fold (vsubps t (of_bits 0x49400000)) in Q.
  rewrite Et, E in Q; about k_is_rounded; intro R; rewrite R in Q.
  rewrite Rlt_bool_true in Q.
  - destruct Q as (Q1 & Q2 & _); unfold k; auto.
  - apply Rle_lt_trans with (bpow radix2 20); [|apply bpow_lt; lia].
    about k_range; intro K; apply Rabs_le; cbn; lra.
Qed.

Lemma index_ok junk : (match t with B754_nan => junk | _ => to_bits t end mod 16)%Z = index [x].
Proof.
  destruct t_ok as [Et Ft]; about t_range; about k_sixteenths; about kz_range; intros Hz K R.
  apply last_bits; auto; rewrite Et; [exact R|].
  unfold kf, magic in K; rewrite plus_IZR; lra.
Qed.

Lemma r1_ok : [r1'] = r1 [x] /\ is_finite r1' = true.
Proof.
  destruct k_ok as [Ek Fk], kHI as [E F].
  destruct (fnma_ok k _ x Fk F Fx) as [Q1 Q2].
  { rewrite Ek, E; about red_bound; intro B; lra. }
  unfold r1'; rewrite Q1, Q2, Ek, E; auto.
Qed.

Lemma r_ok : [r] = rr [x] /\ is_finite r = true.
Proof.
  destruct k_ok as [Ek Fk], kLO as [E F], r1_ok as [E1 F1].
  destruct (fnma_ok k _ r1' Fk F F1) as [Q1 Q2].
  { rewrite Ek, E, E1; about step1_exact; about red_bound; about k_range; intros K B S; rewrite S.
    apply Rabs_le_inv in B; apply Rabs_le; unfold lo; lra. }
  unfold r; rewrite Q1, Q2, Ek, E, E1; auto.
Qed.

Lemma r_small : -(711/32768) <= rr [x] <= 711/32768.
Proof. about rr_bound; auto. Qed.

Let p := vfmadd r (of_bits 0x3e2aaaab) (of_bits 0x3f000110).
Let s := vmulps r r.
Let q := vfmadd s p r.

Lemma p_ok : [p] = tail (rr [x]) /\ is_finite p = true.
Proof.
  destruct r_ok as [Er Fr], kC3 as [E3 F3], kC2 as [E2 F2]; pose proof r_small as B.
  destruct (fma_ok r _ _ Fr F3 F2) as [Q1 Q2].
  { rewrite Er, E3, E2; unfold c3, c2; apply Rabs_le; lra. }
  unfold p; rewrite Q1, Q2, Er, E3, E2; unfold tail, fma; rewrite (Rmult_comm c3); auto.
Qed.

Lemma s_ok : [s] = square (rr [x]) /\ is_finite s = true.
Proof.
  destruct r_ok as [Er Fr]; pose proof r_small as B.
  destruct (mul_ok r r Fr Fr) as [Q1 Q2].
  { rewrite Er; apply Rabs_le; nra. }
  unfold s; rewrite Q1, Q2, Er; auto.
Qed.

Lemma rounded_within z b : Rabs z <= bpow radix2 b -> (-149 < b)%Z -> Rabs (rnd z) <= bpow radix2 b.
Proof.
  intros H L; apply abs_round_le_generic; try typeclasses eauto; auto.
  apply generic_format_bpow; unfold FLT_exp; lia.
Qed.

Lemma q_ok : [q] = rest (rr [x]) /\ is_finite q = true.
Proof.
  destruct r_ok as [Er Fr], p_ok as [Ep Fp], s_ok as [Es Fs]; pose proof r_small as B.
  assert (S : Rabs (square (rr [x])) <= bpow radix2 0) by (apply rounded_within; [cbn; apply Rabs_le; nra | lia]).
  assert (T : Rabs (tail (rr [x])) <= bpow radix2 0).
  { apply rounded_within; [unfold c3, c2; cbn; apply Rabs_le; lra | lia]. }
  cbn in S, T; destruct (fma_ok s p r Fs Fp Fr) as [Q1 Q2].
  { rewrite Er, Ep, Es; apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult.
    assert (Rabs (rr [x]) <= 1) by (apply Rabs_le; lra).
    pose proof (Rabs_pos (square (rr [x]))); pose proof (Rabs_pos (tail (rr [x]))); nra. }
  unfold q; rewrite Q1, Q2, Er, Ep, Es; auto.
Qed.

Let e := vec entries (index [x]).
Let h := vfmadd q e e.

Lemma h_ok : [h] = part [x] /\ is_finite h = true.
Proof.
  destruct q_ok as [Eq Fq], (kT _ (index_range [x])) as [Ee Fe]; pose proof (entry_range _ (index_range [x])) as T.
  assert (Fr : F32 (rr [x])) by apply F32_rnd.
  pose proof (rest_range _ Fr r_small) as B; destruct (fma_ok q e e Fq Fe Fe) as [Q1 Q2].
  { unfold e; rewrite Eq, Ee; apply Rabs_le; nra. }
  unfold h; rewrite Q1, Q2; unfold e; rewrite Eq, Ee; auto.
Qed.

Lemma lane_ok : [lane x0] = E [x0] /\ is_finite (lane x0) = true.
Proof.
  assert (L : lane x0 = vscalef h k).
  { unfold lane, lane_at; cbv zeta; rewrite !vec_same; fold x; fold t; fold k; fold r1'; fold r; fold s; fold p; fold q.
    unfold vpermps; rewrite index_ok; reflexivity. }
  rewrite L; destruct h_ok as [E0 G0], k_ok as [Ek Fk], x_ok as [Ex _].
  destruct (expk_scaled [x] (fmt x) Hx) as (Kp & Hn & Es & _ & Hh).
  set (n := exponent [x]) in *.
  assert (T : Btrunc (Bnearbyint mode_DN k) = n).
  { pose proof (Bnearbyint_correct 24 128 _ mode_DN k) as (Q1 & _).
    apply eq_IZR; rewrite Btrunc_correct by typeclasses eauto; rewrite Q1, Ek, Kp.
    change (round_mode mode_DN) with Zfloor.
    assert (D : round radix2 (FIX_exp 0) Zfloor (IZR n + IZR (index [x]) / 16) = IZR n).
    { unfold round, F2R, scaled_mantissa, cexp, FIX_exp; cbn [Defs.Fnum Defs.Fexp bpow Z.opp]; rewrite !Rmult_1_r.
      f_equal; apply Zfloor_imp; rewrite plus_IZR; pose proof (index_range [x]) as [I J].
      apply IZR_le in I; apply IZR_lt in J; lra. }
    rewrite D; apply round_generic; [typeclasses eauto|].
    apply generic_format_FIX; exists (Float radix2 n 0); [unfold F2R; cbn; ring | reflexivity]. }
  assert (Sm : Rabs ([h] * bpow radix2 n) <= 1048576).
  { rewrite E0, Rabs_mult, (Rabs_pos_eq (part _)), (Rabs_pos_eq (bpow _ _)) by (try apply bpow_ge_0; lra).
    assert (bpow radix2 n <= 1) by (change 1 with (bpow radix2 0); apply bpow_le; lia).
    pose proof (bpow_ge_0 radix2 n); nra. }
  pose proof (Bldexp_correct 24 128 _ _ mode_NE h n) as Q.
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
Theorem NU7_machine_code_exp junk (s : regs) (i : Z) (x := s 0%Z i) :
  is_finite x = true -> [x] <= 0 ->
  exists p, program sp_exp16 = Some p /\
  let y := exec junk p s 0%Z i in
  is_finite y = true /\
  exists r f, Rabs r <= eps_log /\ Rabs f <= bpow radix2 (-150) /\ [y] = exp [x] * exp r + f.
Proof.
  intros Fx Hx; exists prog; split; [apply NU7_bytes_decode|]; cbv zeta.
  rewrite NU7_bytes_compute_lane; fold x; destruct (lane_ok x Fx Hx) as [Ey F]; split; [exact F|].
  rewrite Ey; apply NU7_exp; auto; apply fmt.
Qed.

(** -inf (an absent key) gives exactly 0, NaN gives NaN. proves: SM-1, SM-5 *)
Theorem SM1_machine_code_absent junk (s : regs) (i : Z) : s 0%Z i = B754_infinity true ->
  exec junk prog s 0%Z i = B754_zero false.
Proof. intro H; rewrite NU7_bytes_compute_lane, H; apply lane_minus_infinity. Qed.

Theorem SM5_machine_code_nan junk (s : regs) (i : Z) : s 0%Z i = B754_nan -> exec junk prog s 0%Z i = B754_nan.
Proof. intro H; rewrite NU7_bytes_compute_lane, H; apply lane_nan. Qed.
