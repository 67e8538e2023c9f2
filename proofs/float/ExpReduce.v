(* SPDX-License-Identifier: Apache-2.0 *)
(** The reduction of Cody and Waite with fused multiply-adds to sixteenths of ln 2, x = k ln 2 + r,
    and the exponential put together: for every binary32 x in [-104, 0] the unrounded result is
    within 1/EPS_DEN of e^x, relatively. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith.
From Flocq Require Import Core.
From Interval Require Import Tactic.
From Gappa Require Import Gappa_tactic.
From Sinkproof Require Import IntervalZ ExpConstants ExpPoly ExpRound.
Import IT.
Open Scope R_scope.

Definition ie := 12102203/8388608.
Definition magic := 786432.
Definition hi := 1453635/2097152.
Definition lo := -(1072225/562949953421312).
Lemma reduction_constants_are_exported :
  ie = value LOG2E /\ magic = value MAGIC /\ hi = value LN2_HI /\ lo = value LN2_LO.
Proof. unfold ie, magic, hi, lo; cbn; repeat split; lra. Qed.

(** Beside [magic] a number loses all digits but sixteenths. *)
Definition tf (x : R) : R := rnd (x * ie + magic).
Definition kf (x : R) : R := tf x - magic.
Definition kz (x : R) : Z := Zfloor (16 * kf x).
Definition r1 (x : R) : R := rnd (x - kf x * hi).
Definition rr (x : R) : R := rnd (r1 x - kf x * lo).

Section Reduction.
Variable x_ : R.
Let x := rnd x_.
Hypothesis Hx : -104 <= x <= 0.

Lemma t_err : Rabs (tf x - (x * ie + magic)) <= 1/32.
Proof. unfold tf, ie, magic, x in *; gappa. Qed.

Lemma t_range : 786281 <= tf x <= 786432.
Proof. unfold tf, ie, magic, x in *; gappa. Qed.

Lemma k_err : Rabs (kf x - x * ie) <= 1/32.
Proof. unfold kf; pose proof t_err as A; replace (tf x - magic - x * ie) with (tf x - (x * ie + magic)) by ring; exact A. Qed.

Lemma k_range : -151 <= kf x <= 0.
Proof. unfold kf, magic; pose proof t_range; lra. Qed.

Lemma t_sixteenths : exists m, tf x = IZR m * / 16.
Proof.
  assert (F : F32 (tf x)) by (apply generic_format_round; typeclasses eauto).
  exists (Ztrunc (scaled_mantissa radix2 (FLT_exp (-149) 24) (tf x))).
  rewrite F at 1; unfold F2R; cbn [Defs.Fnum Defs.Fexp]; f_equal.
  unfold cexp; rewrite (mag_unique_pos radix2 (tf x) 20).
  - reflexivity.
  - pose proof t_range; cbn; lra.
Qed.

Lemma k_sixteenths : kf x = IZR (kz x) * / 16.
Proof.
  destruct t_sixteenths as [m E]; unfold kz, kf, magic; rewrite E.
  replace (16 * (IZR m * / 16 - 786432)) with (IZR (m - 12582912)) by (rewrite minus_IZR; field).
  rewrite Zfloor_IZR, minus_IZR; field.
Qed.

Lemma kz_range : (-2416 <= kz x <= 0)%Z.
Proof. pose proof k_range as K; rewrite k_sixteenths in K; split; apply le_IZR; lra. Qed.

(** So [kf] is exactly what a subtraction of binary32 numbers gives, … *)
Lemma k_is_rounded : rnd (tf x - magic) = kf x.
Proof.
  fold (kf x); apply round_generic; [typeclasses eauto|]; rewrite k_sixteenths.
  apply generic_format_FLT; exists (Float radix2 (kz x) (-4)); try (cbn; lia).
  - unfold F2R; cbn; lra.
  - pose proof kz_range; cbn; lia.
Qed.

(** … and a multiple of 1/16, in the words that gappa knows. *)
Lemma k_is_fixed : round radix2 (FIX_exp (-4)) ZnearestE (kf x) = kf x.
Proof.
  apply round_generic; [typeclasses eauto|]; rewrite k_sixteenths.
  apply generic_format_FIX; exists (Float radix2 (kz x) (-4)); [unfold F2R; cbn; lra | reflexivity].
Qed.

Lemma red_bound : Rabs (x - kf x * hi) <= 710/32768.
Proof.
  pose proof k_err as A; apply Rabs_le_inv in A; apply Rabs_le; unfold ie, hi in *.
  revert A; generalize (kf x); intros k A; lra.
Qed.

(** The first step is exact. *)
Lemma k_small : -(1/64) <= x -> kf x = 0.
Proof.
  intro H; pose proof k_err as A; apply Rabs_le_inv in A; rewrite k_sixteenths in *; unfold ie in A.
  replace (kz x) with 0%Z; [ring|].
  assert (-1 < kz x < 1)%Z; [|lia]; split; apply lt_IZR; lra.
Qed.

Lemma step1_big_aux k_ : let k := round radix2 (FIX_exp (-4)) ZnearestE k_ in -151 <= k <= 0 -> x <= -(1/64) ->
  Rabs (x - k * hi) <= 710/32768 -> 0 <= rnd (x - k * hi) - (x - k * hi) <= 0.
Proof. intros k Hk Hx' H; unfold hi, k, x in *; gappa. Qed.

Lemma step1_exact : r1 x = x - kf x * hi.
Proof.
  unfold r1; destruct (Rle_dec (-(1/64)) x) as [H|H].
  - rewrite (k_small H), Rmult_0_l, Rminus_0_r; apply round_generic; [typeclasses eauto|].
    apply generic_format_round; typeclasses eauto.
  - pose proof (step1_big_aux (kf x)) as A; cbv zeta in A; rewrite k_is_fixed in A.
    specialize (A k_range ltac:(lra) red_bound); lra.
Qed.

Definition delta := x - kf x * ln 2 - rr x.   (* what the reduction loses *)

Lemma rr_bound : -(711/32768) <= rr x <= 711/32768.
Proof.
  unfold rr; rewrite step1_exact; pose proof k_range as K; pose proof red_bound as B.
  revert K B; generalize (kf x); intros k K B; unfold hi, lo in *; gappa.
Qed.

Lemma reduce_err : Rabs delta <= 1/1073000000.
Proof.
  unfold delta, rr; rewrite step1_exact; pose proof k_range as K; pose proof red_bound as B.
  assert (E : Rabs (rnd (x - kf x * hi - kf x * lo) - (x - kf x * hi - kf x * lo)) <= 1/1073741824).
  { revert K B; generalize (kf x); intros k K B; unfold hi, lo in *; gappa. }
  assert (L : Rabs (hi + lo - ln 2) <= 1/2^50) by (unfold hi, lo; interval with (i_prec 80)).
  apply Rabs_le_inv in E; apply Rabs_le_inv in L.
  set (t := rnd _) in *.
  assert (T : Rabs (kf x * (hi + lo - ln 2)) <= 151 * (1/2^50)).
  { rewrite Rabs_mult; apply Rmult_le_compat; try apply Rabs_pos; apply Rabs_le; lra. }
  apply Rabs_le_inv in T; apply Rabs_le.
  replace (x - kf x * ln 2 - t) with ((x - kf x * hi - kf x * lo - t) + kf x * (hi + lo - ln 2)) by ring.
  lra.
Qed.
End Reduction.

(** ** The exponential before its last rounding *)

(** 2^k in two parts: an entry of the table and a power of 2. *)
Definition index (x : R) : Z := (kz x mod 16)%Z.
Definition exponent (x : R) : Z := (kz x / 16)%Z.
Definition part (x : R) : R := times (entry (index x)) (rr x).
Definition expk (x : R) : R := part x * Rpower 2 (IZR (exponent x)).
Definition eps_exp := 1 / IZR EPS_DEN.

Lemma index_range x : (0 <= index x < 16)%Z.
Proof. apply Z.mod_pos_bound; lia. Qed.

Lemma k_in_parts x : IZR (kz x) * / 16 = IZR (exponent x) + IZR (index x) / 16.
Proof.
  unfold exponent, index; rewrite (Z.div_mod (kz x) 16) at 1 by lia; rewrite plus_IZR, mult_IZR; field.
Qed.

Lemma relatively z y e : 0 < y -> Rabs (z - y) <= e * y -> exists a, Rabs a <= e /\ z = y * (1 + a).
Proof.
  intros Hy H; exists ((z - y) / y); split; [|field; lra].
  unfold Rdiv; rewrite Rabs_mult, Rabs_inv, (Rabs_pos_eq y) by lra.
  apply Rmult_le_reg_r with y; auto; rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra; exact H.
Qed.

Theorem NU7_exp_relative_error x : F32 x -> -104 <= x <= 0 ->
  Rabs (expk x - exp x) <= eps_exp * exp x.
Proof.
  intros Fx Hx.
  assert (Ex : rnd x = x) by (apply round_generic; [typeclasses eauto | exact Fx]).
  pose proof (rr_bound x) as B; pose proof (reduce_err x) as D; unfold delta in D; pose proof (k_sixteenths x) as K.
  rewrite Ex in B, D, K; specialize (B Hx); specialize (D Hx); specialize (K Hx).
  rewrite k_in_parts in K; pose proof (index_range x) as J.
  assert (Fr : F32 (rr x)) by (unfold rr; apply generic_format_round; typeclasses eauto).
  pose proof (NU7_exp_table _ J) as H1; pose proof (entry_range _ J) as Ht.
  pose proof (NU7_exp_rounding _ _ Ht Fr B) as H2; pose proof (rest_range _ Fr B) as Br.
  pose proof (NU7_exp_rest _ Fr B) as H3; pose proof (NU7_exp_polynomial (rr x) ltac:(lra)) as H4.
  set (d := x - kf x * ln 2 - rr x) in *.
  assert (Exp : exp x = Rpower 2 (IZR (exponent x)) * (exp (IZR (index x) / 16 * ln 2) * (exp (rr x) * exp d))).
  { unfold Rpower; rewrite <- !exp_plus; f_equal; unfold d; rewrite K; ring. }
  assert (Hd : Rabs (1 - exp d) <= 1/1072000000 * exp d).
  { assert (M : Rabs (exp (- d) - 1) <= 1/1072000000).
    { clear -D; revert D; generalize d; intros e D; interval with (i_prec 60). }
    pose proof (exp_pos d) as G; replace (1 - exp d) with ((exp (- d) - 1) * exp d).
    - rewrite Rabs_mult, (Rabs_pos_eq (exp d)) by lra; apply Rmult_le_compat_r; [lra | exact M].
    - rewrite exp_Ropp; field; lra. }
  unfold expk, part; rewrite Exp; set (T := Rpower 2 _).
  assert (HT : 0 < T) by apply exp_pos.
  set (t := entry _) in *; set (h := times t _) in *; set (q := rest _) in *; set (p := Q _) in *.
  pose proof (exp_pos (rr x)) as He; pose proof (exp_pos d) as Hg; pose proof (exp_pos (IZR (index x) / 16 * ln 2)) as Hw.
  set (e := exp (rr x)) in *; set (g := exp d) in *; set (w := exp (IZR (index x) / 16 * ln 2)) in *.
  assert (Hq : 0 < 1 + q) by lra; assert (Htq : 0 < t * (1 + q)) by nra.
  destruct (relatively h (t * (1 + q)) _ Htq H2) as (a & Ha & Eh).
  assert (Pp : 31/32 <= 1 + p) by (apply Rabs_le_inv in H3; lra).
  destruct (relatively (1 + q) (1 + p) (1/1000000000)) as (b & Hb & Eq); [lra | |].
  { apply Rabs_le_inv in H3; apply Rabs_le; lra. }
  destruct (relatively (1 + p) e (/ 2 ^ 29) He) as (c & Hc & Ep).
  { replace (1 + p - e) with (((1 + p) / e - 1) * e) by (field; lra).
    rewrite Rabs_mult, (Rabs_pos_eq e) by lra; apply Rmult_le_compat_r; [lra | exact H4]. }
  destruct (relatively t w (474/10^10) Hw) as (f & Hf & Et).
  { replace (t - w) with ((t / w - 1) * w) by (field; lra).
    rewrite Rabs_mult, (Rabs_pos_eq w) by lra; apply Rmult_le_compat_r; [lra | exact H1]. }
  destruct (relatively 1 g _ Hg Hd) as (i & Hi & Eg).
  rewrite Eh, Eq, Ep, Et; clear - Ha Hb Hc Hf Hi Eg HT He Hg Hw.
  apply Rabs_le_inv in Ha; apply Rabs_le_inv in Hb; apply Rabs_le_inv in Hc; apply Rabs_le_inv in Hf; apply Rabs_le_inv in Hi.
  replace (w * (1 + f) * (e * (1 + c) * (1 + b)) * (1 + a) * T - T * (w * (e * g)))
     with (((1 + f) * (1 + c) * (1 + b) * (1 + a) * (1 + i) - 1) * (T * (w * (e * g))))
    by (replace (w * (1 + f) * (e * (1 + c) * (1 + b)) * (1 + a) * T)
          with (w * (1 + f) * (e * (1 + c) * (1 + b)) * (1 + a) * T * (g * (1 + i))) by (rewrite <- Eg; ring); ring).
  assert (HP : 0 < T * (w * (e * g))) by (repeat apply Rmult_lt_0_compat; auto).
  rewrite Rabs_mult, (Rabs_pos_eq (T * _)) by lra; apply Rmult_le_compat_r; [lra|].
  unfold eps_exp, EPS_DEN; interval with (i_prec 60).
Qed.
