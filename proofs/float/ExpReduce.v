(* SPDX-License-Identifier: Apache-2.0 *)
(** The reduction of Cody and Waite with fused multiply-adds, x = k ln 2 + r, and the exponential
    put together: for every binary32 x in [-104, 0] the unrounded result is within 1/EPS_DEN of
    e^x, relatively. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith.
From Flocq Require Import Core.
From Interval Require Import Tactic.
From Gappa Require Import Gappa_tactic.
From Sinkproof Require Import IntervalZ ExpConstants ExpPoly ExpRound.
Import IT.
Open Scope R_scope.

Definition ie := 12102203/8388608.
Definition hi := 1453635/2097152.
Definition lo := -(1072225/562949953421312).
Lemma reduction_constants_are_exported : ie = value LOG2E /\ hi = value LN2_HI /\ lo = value LN2_LO.
Proof. unfold ie, hi, lo; cbn; repeat split; lra. Qed.

Notation rint := (round radix2 (FIX_exp 0) ZnearestE).

Definition kf (x : R) : R := rint (rnd (x * ie)).
Definition r1 (x : R) : R := rnd (x - kf x * hi).
Definition rr (x : R) : R := rnd (r1 x - kf x * lo).

Section Reduction.
Variable x_ : R.
Let x := rnd x_.
Hypothesis Hx : -104 <= x <= 0.

Lemma mul_err : Rabs (rnd (x * ie) - x * ie) <= 1/131072.
Proof. unfold ie, x in *; gappa. Qed.

Lemma k_err : Rabs (kf x - rnd (x * ie)) <= 1/2.
Proof. unfold kf, x in *; gappa. Qed.

Lemma k_range : -150 <= kf x <= 0.
Proof. unfold kf, ie, x in *; gappa. Qed.

Lemma red_bound : Rabs (x - kf x * hi) <= 22725/65536.
Proof.
  pose proof mul_err as A; pose proof k_err as B.
  apply Rabs_le_inv in A; apply Rabs_le_inv in B; apply Rabs_le; unfold ie, hi in *.
  revert A B; generalize (rnd (x * (12102203/8388608))); generalize (kf x).
  intros k m A B; lra.
Qed.

(** The first step is exact. *)
Lemma k_small : -(1/4) <= x -> kf x = 0.
Proof.
  intro H; assert (Hm : -(3/8) <= rnd (x * ie) <= 0) by (unfold ie, x in *; gappa).
  unfold kf; revert Hm; generalize (rnd (x * ie)); intros m Hm.
  unfold round, F2R, scaled_mantissa, FIX_exp, cexp; cbn [Defs.Fnum Defs.Fexp].
  replace (ZnearestE _) with 0%Z; [ring|].
  symmetry; apply Znearest_imp.
  replace (m * _ - 0) with m by (cbn [bpow Z.opp]; ring).
  apply Rabs_lt; lra.
Qed.

Lemma step1_big_aux k_ : let k := rint k_ in -150 <= k <= 0 -> x <= -(1/4) ->
  Rabs (x - k * hi) <= 22725/65536 -> 0 <= rnd (x - k * hi) - (x - k * hi) <= 0.
Proof. intros k Hk Hx' H; unfold hi, k, x in *; gappa. Qed.

Lemma step1_exact : r1 x = x - kf x * hi.
Proof.
  unfold r1; destruct (Rle_dec (-(1/4)) x) as [H|H].
  - rewrite (k_small H), Rmult_0_l, Rminus_0_r; apply round_generic; [typeclasses eauto|].
    apply generic_format_round; typeclasses eauto.
  - pose proof (step1_big_aux (rnd (x * ie)) k_range ltac:(lra) red_bound) as Q.
    fold (kf x) in Q; lra.
Qed.

Definition delta := x - kf x * ln 2 - rr x.   (* what the reduction loses *)

Lemma rr_bound : -(11363/32768) <= rr x <= 11363/32768.
Proof.
  unfold rr; rewrite step1_exact; pose proof k_range as K; pose proof red_bound as B.
  revert K B; generalize (kf x); intros k K B; unfold hi, lo in *; gappa.
Qed.

Lemma reduce_err : Rabs delta <= 1/67000000.
Proof.
  unfold delta, rr; rewrite step1_exact; pose proof k_range as K; pose proof red_bound as B.
  assert (E : Rabs (rnd (x - kf x * hi - kf x * lo) - (x - kf x * hi - kf x * lo)) <= 1/67108864).
  { revert K B; generalize (kf x); intros k K B; unfold hi, lo in *; gappa. }
  assert (L : Rabs (hi + lo - ln 2) <= 1/2^50) by (unfold hi, lo; interval with (i_prec 80)).
  apply Rabs_le_inv in E; apply Rabs_le_inv in L.
  set (t := rnd _) in *.
  assert (T : Rabs (kf x * (hi + lo - ln 2)) <= 150 * (1/2^50)).
  { rewrite Rabs_mult; apply Rmult_le_compat; try apply Rabs_pos; apply Rabs_le; lra. }
  apply Rabs_le_inv in T; apply Rabs_le.
  replace (x - kf x * ln 2 - t) with ((x - kf x * hi - kf x * lo - t) + kf x * (hi + lo - ln 2)) by ring.
  lra.
Qed.
End Reduction.

(** ** The exponential before its last rounding *)
Definition expk (x : R) : R := horner (rr x) * Rpower 2 (kf x).
Definition eps_exp := 1 / IZR EPS_DEN.

Theorem NU7_exp_relative_error x : F32 x -> -104 <= x <= 0 ->
  Rabs (expk x - exp x) <= eps_exp * exp x.
Proof.
  intros Fx Hx.
  assert (Ex : rnd x = x) by (apply round_generic; [typeclasses eauto | exact Fx]).
  pose proof (rr_bound x) as B; pose proof (reduce_err x) as D; unfold delta in D.
  rewrite Ex in B, D; specialize (B Hx); specialize (D Hx).
  assert (Fr : F32 (rr x)) by (unfold rr; apply generic_format_round; typeclasses eauto).
  pose proof (NU7_exp_rounding _ Fr B) as H1; unfold claim in H1; rewrite exact_is_P in H1.
  assert (H2 : Rabs (P (rr x) / exp (rr x) - 1) <= / 2 ^ 28)
    by (apply NU7_exp_polynomial; lra).
  set (d := x - kf x * ln 2 - rr x) in *.
  assert (Exp : exp x = Rpower 2 (kf x) * (exp (rr x) * exp d)).
  { unfold Rpower; rewrite <- !exp_plus; f_equal; unfold d; ring. }
  assert (Hd : Rabs (exp (- d) - 1) <= 1/66000000).
  { clear -D; revert D; generalize d; intros e D; interval with (i_prec 60). }
  set (T := Rpower 2 (kf x)) in *.
  assert (HT : 0 < T) by apply exp_pos.
  set (p := P (rr x)) in *; set (h := horner (rr x)) in *.
  pose proof (exp_pos (rr x)) as He; pose proof (exp_pos d) as Hed.
  set (e := exp (rr x)) in *; set (g := exp d) in *.
  rewrite exp_Ropp in Hd; fold g in Hd.
  assert (Q : exists a b c, Rabs a <= 5/67108864 /\ Rabs b <= /2^28 /\ Rabs c <= 1/66000000
     /\ h = p * (1 + a) /\ p = e * (1 + b) /\ 1 = g * (1 + c)).
  { assert (Hp : p <> 0).
    { intro Z; rewrite Z in H2; unfold Rdiv in H2; rewrite Rmult_0_l in H2.
      apply Rabs_le_inv in H2; lra. }
    exists (h / p - 1), (p / e - 1), (/ g - 1); repeat split; auto.
    - replace (h / p - 1) with ((h - p) / p) by (now field).
      unfold Rdiv; rewrite Rabs_mult, Rabs_inv.
      apply Rmult_le_reg_r with (Rabs p); [now apply Rabs_pos_lt|].
      rewrite Rmult_assoc, Rinv_l, Rmult_1_r; [exact H1 | now apply Rabs_no_R0].
    - field; auto.
    - field; lra.
    - field; lra. }
  unfold expk; fold T h; rewrite Exp; clearbody h p.
  destruct Q as (a & b & c & Ha & Hb & Hc & -> & -> & Hg); clear H1 H2.
  apply Rabs_le_inv in Ha; apply Rabs_le_inv in Hb; apply Rabs_le_inv in Hc.
  replace (e * (1 + b) * (1 + a) * T - T * (e * g))
     with (((1 + b) * (1 + a) * (1 + c) - 1) * (T * (e * g)))
    by (replace (e * (1 + b) * (1 + a) * T)
          with (e * (1 + b) * (1 + a) * T * (g * (1 + c))) by (rewrite <- Hg; ring); ring).
  assert (HP : 0 < T * (e * g)) by (repeat apply Rmult_lt_0_compat; auto).
  rewrite Rabs_mult, (Rabs_pos_eq (T * (e * g))) by lra.
  apply Rmult_le_compat_r; [lra|].
  unfold eps_exp, EPS_DEN; interval with (i_prec 60).
Qed.
