(* SPDX-License-Identifier: Apache-2.0 *)
(** The log-sum-exps of NU-7: from a sum whose logarithm is off by at most [B] (NU7_lse_core), through
    the logarithm, the sum with the reference and, in base 2, the constants on both sides.
    proves: NU-7, AL-5 *)
From Coq Require Import Reals Lra.
From Sinkproof Require Import Spec Sums Near.
Open Scope R_scope.

(** What the judge adds to [B], with [size] a bound of the reference's exact size. *)
Definition lse_rounding (u clog eta B a above size_L size : R) : R :=
  clog * u * exp (6 * u) * (2 * (above + B + a) + (size_L + B) + (size + a)) + 2 * eta.

(** [m] is the reference and [l] the sum; [mu] what the reference should be, [a] its error, [L] the
    exact log-sum-exp. The logarithm costs two units, the rest one, each as often as [k] says: once
    in base e, three times in base 2. *)
Theorem NU7_lse (u k eta B a mu L m l d0 d1 d2 e : R) : 0 <= u -> 1 <= k <= 4 -> 0 <= a ->
  Rabs (m + ln l - L) <= B -> Rabs (m - mu) <= a -> mu <= L ->
  Rabs d0 <= k * u -> Rabs d1 <= 2 * (k * u) -> Rabs d2 <= k * u * exp (2 * u) -> Rabs e <= 2 * eta ->
  let y := (m * (1 + d0) + ln l * (1 + d1)) * (1 + d2) + e in
  Rabs (y - L) <= B + lse_rounding u k eta B a (L - mu) (Rabs L) (Rabs mu).
Proof.
  intros Hu Hk Ha Core Hm Hmu H0 H1 H2 He y; unfold lse_rounding.
  assert (SE : 0 <= B) by (pose proof (Rabs_pos (m + ln l - L)); lra).
  assert (Am : Rabs m <= Rabs mu + a).
  { pose proof (Rabs_triang mu (m - mu)) as Q; replace (mu + (m - mu)) with m in Q by ring; lra. }
  assert (Al : Rabs (ln l) <= L - mu + B + a).
  { apply Rabs_between in Core; apply Rabs_between in Hm; apply Rabs_le; lra. }
  assert (Aml : Rabs (m + ln l) <= Rabs L + B).
  { replace (m + ln l) with (L + (m + ln l - L)) by ring; apply Rle_trans with (1 := Rabs_triang _ _); lra. }
  set (U := k * u) in *; assert (HU : 0 <= U) by (apply Rmult_le_pos; lra).
  assert (E2 : 1 <= exp (2 * u)) by (rewrite <- exp_0; apply exp_mono; lra).
  assert (E26 : exp (2 * u) <= exp (6 * u)) by (apply exp_mono; lra).
  assert (E6 : 1 + U * exp (2 * u) <= exp (6 * u)).
  { replace (6 * u) with (2 * u + 4 * u) by ring; rewrite exp_plus.
    assert (U <= 4 * u) by (apply Rmult_le_compat_r; lra); pose proof (exp_ineq1_le (4 * u)).
    assert (exp (2 * u) * (1 + 4 * u) <= exp (2 * u) * exp (4 * u)) by (apply Rmult_le_compat_l; lra).
    assert (U * exp (2 * u) <= 4 * u * exp (2 * u)) by (apply Rmult_le_compat_r; lra); lra. }
  replace (y - L) with ((m + ln l - L) + ((m * d0 + ln l * d1) * (1 + d2) + (m + ln l) * d2) + e)
    by (unfold y; ring).
  rewrite <- (Rplus_assoc B _ (2 * eta)).
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  apply Rle_trans with (1 := Rabs_triang _ _).
  assert (D2 : Rabs (1 + d2) <= 1 + U * exp (2 * u)).
  { apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_R1; lra. }
  set (LL := L - mu + B + a) in *.
  assert (P1 : Rabs (m * d0 + ln l * d1) <= (Rabs mu + a) * U + LL * (2 * U)).
  { apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult.
    apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos. }
  set (X := (Rabs mu + a) * U + LL * (2 * U)) in *.
  assert (P2 : Rabs ((m + ln l) * d2) <= (Rabs L + B) * (U * exp (2 * u))).
  { rewrite Rabs_mult; apply Rmult_le_compat; auto using Rabs_pos. }
  assert (Y : 0 <= (Rabs L + B) * U) by (pose proof (Rabs_pos L); apply Rmult_le_pos; lra).
  assert (XP : 0 <= X) by (pose proof (Rabs_pos (m * d0 + ln l * d1)); lra).
  rewrite Rabs_mult.
  apply Rle_trans with (X * exp (6 * u) + (Rabs L + B) * U * exp (6 * u)).
  - apply Rplus_le_compat.
    + apply Rmult_le_compat; auto using Rabs_pos; lra.
    + apply Rle_trans with (1 := P2); rewrite <- Rmult_assoc; apply Rmult_le_compat_l; lra.
  - unfold X; right; ring.
Qed.

(** A larger size of the reference only widens it. *)
Lemma lse_rounding_size u clog eta B a above size_L s s' : 0 <= u -> 0 <= clog -> s <= s' ->
  lse_rounding u clog eta B a above size_L s <= lse_rounding u clog eta B a above size_L s'.
Proof.
  intros Hu Hc Hs; unfold lse_rounding; apply Rplus_le_compat_r, Rmult_le_compat_l; [|lra].
  apply Rmult_le_pos; [now apply Rmult_le_pos | left; apply exp_pos].
Qed.

(** Base 2: the reference times log2 e (a rounded constant, a product), the logarithm (2 units), the sum,
    and the product with ln 2 (a rounded constant, a product) are such steps, with k = 3. *)
Theorem NU7_lse_base2 (u eta B a mu L m l c1 p1 g s c2 p2 e : R) : 0 <= u <= 1 -> 0 <= a ->
  Rabs (m + ln l - L) <= B -> Rabs (m - mu) <= a -> mu <= L ->
  Rabs c1 <= u -> Rabs p1 <= u -> Rabs g <= 2 * u -> Rabs s <= u -> Rabs c2 <= u -> Rabs p2 <= u ->
  Rabs e <= 2 * eta ->
  let log2e := / ln 2 * (1 + c1) in let ln2 := ln 2 * (1 + c2) in
  let y := (m * log2e * (1 + p1) + ln l / ln 2 * (1 + g)) * (1 + s) * ln2 * (1 + p2) + e in
  Rabs (y - L) <= B + lse_rounding u 3 eta B a (L - mu) (Rabs L) (Rabs mu).
Proof.
  intros Hu Ha Core Hm Hmu Hc1 Hp1 Hg Hs Hc2 Hp2 He log2e ln2 y.
  assert (L2 : ln 2 <> 0) by (pose proof ln_lt_2; lra).
  replace y with ((m * (1 + ((1 + c1) * (1 + p1) - 1)) + ln l * (1 + g)) * (1 + ((1 + s) * (1 + c2) * (1 + p2) - 1)) + e)
    by (unfold y, log2e, ln2; field; exact L2).
  apply Rabs_between in Hc1; apply Rabs_between in Hp1; apply Rabs_between in Hs.
  apply Rabs_between in Hc2; apply Rabs_between in Hp2.
  assert (P : forall x y b : R, Rabs x <= b -> Rabs y <= u -> Rabs ((1 + x) * (1 + y) - 1) <= b * (1 + u) + u).
  { intros x z b Hx Hz; replace ((1 + x) * (1 + z) - 1) with (x * (1 + z) + z) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto; rewrite Rabs_mult.
    apply Rmult_le_compat; auto using Rabs_pos; apply Rle_trans with (1 := Rabs_triang _ _).
    rewrite Rabs_R1; lra. }
  assert (P2 : Rabs ((1 + c1) * (1 + p1) - 1) <= u * (1 + u) + u) by (apply P; apply Rabs_le; lra).
  assert (P3 : Rabs ((1 + s) * (1 + c2) * (1 + p2) - 1) <= (u * (1 + u) + u) * (1 + u) + u).
  { replace ((1 + s) * (1 + c2) * (1 + p2)) with ((1 + ((1 + s) * (1 + c2) - 1)) * (1 + p2)) by ring.
    apply P; [apply P|]; apply Rabs_le; lra. }
  assert (U2 : 0 <= u * u <= u) by nra.
  assert (U3 : 0 <= u * u * u <= u * u) by nra.
  apply NU7_lse; auto; try lra.
  - apply Rle_trans with (1 := P3); pose proof (exp_ineq1_le (2 * u)).
    apply Rle_trans with (3 * u * (1 + 2 * u)); [nra | apply Rmult_le_compat_l; lra].
Qed.
