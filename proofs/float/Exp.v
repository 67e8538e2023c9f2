(* SPDX-License-Identifier: Apache-2.0 *)
(** The exponential of the fast path as a real function: clamped at FLOOR, rounded once at the end,
    also into the subnormals. For every binary32 argument at most 0 it is e^x up to a log-error
    below two units and an absolute error of half the least subnormal. proves: NU-7, NU-10 *)
From Coq Require Import Reals Lra Lia ZArith.
From Flocq Require Import Core Mult_error.
From Interval Require Import Tactic.
From Sinkproof Require Import Sums Near IntervalZ ExpConstants ExpPoly ExpRound ExpReduce.
Import IT.
Open Scope R_scope.

Definition clamp (x : R) : R := Rmax (-104) x.
Definition E (x : R) : R := rnd (expk (clamp x)).

Lemma clamp_is_exported : -104 = value FLOOR. Proof. reflexivity. Qed.

Lemma F32_of_Z (m e : Z) : (Z.abs m < 2 ^ 24)%Z -> (-149 <= e)%Z -> F32 (F2R (Float radix2 m e)).
Proof. intros Hm He; apply generic_format_FLT; exists (Float radix2 m e); auto. Qed.

Lemma F32_104 : F32 (-104).
Proof. replace (-104) with (F2R (Float radix2 (-104) 0)) by (unfold F2R; cbn; lra); apply F32_of_Z; lia. Qed.

Lemma clamp_range x : F32 x -> x <= 0 -> F32 (clamp x) /\ -104 <= clamp x <= 0.
Proof.
  intros Fx Hx; unfold clamp, Rmax; destruct (Rle_dec (-104) x); split; auto; try lra.
  apply F32_104.
Qed.

Lemma F32_rnd z : F32 (rnd z).
Proof. apply generic_format_round; typeclasses eauto. Qed.

(** What is scaled is in [7/8, 2): scaling cannot overflow. *)
Lemma times_range t r : 1 <= t <= 16065917/8388608 -> F32 r -> -(711/32768) <= r <= 711/32768 -> 7/8 <= times t r <= 63/32.
Proof.
  intros Ht Fr B; pose proof (NU7_exp_rounding t r Ht Fr B) as H; pose proof (rest_range r Fr B) as R.
  apply Rabs_le_inv in H; assert (15/16 <= t * (1 + rest r) <= 197/100) by nra; split; [nra|].
  assert (t * (1 + rest r) <= 1958/1000); nra.
Qed.

(** What [E] rounds: a binary32 number in [7/8, 2) times a power of 2. *)
Lemma expk_scaled x : F32 x -> -104 <= x <= 0 ->
  kf x = IZR (exponent x) + IZR (index x) / 16 /\ (-151 <= exponent x <= 0)%Z /\
  expk x = part x * bpow radix2 (exponent x) /\ F32 (part x) /\ 7/8 <= part x <= 63/32.
Proof.
  intros Fx Hx; assert (Ex : rnd x = x) by (apply round_generic; [typeclasses eauto | exact Fx]).
  pose proof (rr_bound x) as B; pose proof (k_sixteenths x) as K; pose proof (kz_range x) as Z.
  rewrite Ex in B, K, Z; specialize (B Hx); specialize (K Hx); specialize (Z Hx).
  rewrite k_in_parts in K; split; [exact K|]; split; [|split; [|split]].
  - unfold exponent; split; [apply Z.div_le_lower_bound | apply Z.div_le_upper_bound]; lia.
  - unfold expk; rewrite bpow_exp; reflexivity.
  - unfold part, times, fma; apply F32_rnd.
  - apply times_range; auto; [apply entry_range, index_range | apply F32_rnd].
Qed.

(** The last rounding loses nothing but what underflows. *)
Lemma last_rounding x : F32 x -> -104 <= x <= 0 -> Rabs (rnd (expk x) - expk x) <= bpow radix2 (-150).
Proof.
  intros Fx Hx; destruct (expk_scaled x Fx Hx) as (_ & Hn & -> & Fh & Hh); revert Hn; generalize (exponent x); intros n Hn.
  destruct (Z_le_gt_dec (-125) n) as [L | G].
  - rewrite round_generic; [|typeclasses eauto|].
    + rewrite Rminus_eq_0, Rabs_R0; apply bpow_ge_0.
    + apply mult_bpow_exact_FLT; auto.
      assert (0 <= mag radix2 (part x))%Z; [|lia].
      apply mag_ge_bpow; rewrite Rabs_pos_eq by lra; cbn; lra.
  - apply Rle_trans with (/ 2 * ulp radix2 (FLT_exp (-149) 24) (part x * bpow radix2 n)).
    + apply error_le_half_ulp; typeclasses eauto.
    + rewrite ulp_FLT_small; [|typeclasses eauto|].
      * right; change (-150)%Z with (-1 + -149)%Z; rewrite bpow_plus; reflexivity.
      * rewrite Rabs_pos_eq by (apply Rmult_le_pos; [lra | apply bpow_ge_0]).
        apply Rlt_le_trans with (2 * bpow radix2 n).
        -- apply Rmult_lt_compat_r; [apply bpow_gt_0 | lra].
        -- change 2 with (bpow radix2 1); rewrite <- bpow_plus; apply bpow_le; lia.
Qed.

Lemma F32_E x : F32 (E x). Proof. apply F32_rnd. Qed.

Lemma E_nonneg x : F32 x -> x <= 0 -> 0 <= E x.
Proof.
  intros Fx Hx; destruct (clamp_range x Fx Hx) as [Fc Hc].
  destruct (expk_scaled _ Fc Hc) as (_ & _ & Q & _ & Hh); unfold E; rewrite Q.
  rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto.
  apply Rmult_le_pos; [lra | apply bpow_ge_0].
Qed.

(** Everything below the clamp is 0. *)
Lemma E_at_floor : E (-104) = 0.
Proof.
  pose proof (NU7_exp_relative_error (-104) F32_104 ltac:(lra)) as R.
  pose proof (last_rounding (-104) F32_104 ltac:(lra)) as L.
  assert (X : exp (-104) <= 98/100 * bpow radix2 (-150)) by (cbn; interval with (i_prec 60)).
  assert (Pb : 0 < bpow radix2 (-150)) by apply bpow_gt_0.
  pose proof (E_nonneg (-104) F32_104 ltac:(lra)) as N; unfold E in *.
  assert (Cl : clamp (-104) = -104) by (unfold clamp; apply Rmax_left; lra).
  rewrite Cl in *; apply Rabs_le_inv in R; apply Rabs_le_inv in L.
  assert (U : rnd (expk (-104)) < bpow radix2 (-149)).
  { assert (B2 : bpow radix2 (-149) = 2 * bpow radix2 (-150)).
    { change (-149)%Z with (1 + -150)%Z; now rewrite bpow_plus. }
    rewrite B2; pose proof (exp_pos (-104)); unfold eps_exp, EPS_DEN in R; lra. }
  destruct N as [N | N]; [|auto]; exfalso.
  assert (bpow radix2 (-149) <= rnd (expk (-104))); [|lra].
  apply (generic_format_ge_bpow radix2 (FLT_exp (-149) 24)); auto.
  - intro e; unfold FLT_exp; lia.
  - apply F32_rnd.
Qed.

(** Log-error of the exponential; it is below the 2u that the classes allow. *)
Definition eps_log : R := eps_exp / (1 - eps_exp).

Theorem NU7_eps_log_below_two_units : 0 <= eps_log <= 2 * / 16777216.
Proof. unfold eps_log, eps_exp, EPS_DEN; lra. Qed.

(** For every binary32 x <= 0. proves: NU-7, NU-10 *)
Theorem NU7_exp x : F32 x -> x <= 0 ->
  exists r f, Rabs r <= eps_log /\ Rabs f <= bpow radix2 (-150) /\ E x = exp x * exp r + f.
Proof.
  intros Fx Hx; destruct (Rle_dec (-104) x) as [G | G].
  - assert (Cl : clamp x = x) by (unfold clamp; now apply Rmax_right).
    pose proof (NU7_exp_relative_error x Fx ltac:(lra)) as R; pose proof (exp_pos x).
    destruct (rounding_is_near eps_exp (expk x / exp x - 1)) as (r & Hr & Er).
    + unfold eps_exp, EPS_DEN; lra.
    + replace (expk x / exp x - 1) with ((expk x - exp x) * / exp x) by (field; lra).
      rewrite Rabs_mult, (Rabs_pos_eq (/ exp x)) by (left; now apply Rinv_0_lt_compat).
      apply Rmult_le_reg_r with (exp x); auto; rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra; exact R.
    + exists r, (rnd (expk x) - expk x); repeat split; auto.
      * apply last_rounding; auto; lra.
      * unfold E; rewrite Cl, <- Er; field; lra.
  - exists 0, (- exp x); repeat split.
    + rewrite Rabs_R0; apply NU7_eps_log_below_two_units.
    + rewrite Rabs_Ropp, Rabs_pos_eq by (left; apply exp_pos).
      apply Rle_trans with (exp (-104)); [apply exp_mono; lra|].
      assert (X : exp (-104) <= 98/100 * bpow radix2 (-150)) by (cbn; interval with (i_prec 60)).
      pose proof (bpow_gt_0 radix2 (-150)); lra.
    + rewrite exp_0; unfold E; replace (clamp x) with (clamp (-104)).
      * fold (E (-104)); rewrite E_at_floor; ring.
      * unfold clamp; rewrite !Rmax_left by lra; reflexivity.
Qed.
