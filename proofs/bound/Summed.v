(* SPDX-License-Identifier: Apache-2.0 *)
(** Sums of products, in any order, fused or not. proves: NU-7 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Spec Sums Near Tanh Rounded.
Import ListNotations.
Open Scope R_scope.

Section Sum.
(** The arithmetic: u' and the unit of underflow. *)
Variables (u eta : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_nonneg : 0 <= eta.
Context {A : Type} (exact : A -> R) (leaf : A -> R -> Prop).

(** [summed l h g v]: [v] is computed for [l] with at most [h] roundings between a product and the
    result, in [g] steps. *)
Inductive summed : list A -> nat -> nat -> R -> Prop :=
| S_zero : summed [] 0 0 0
| S_product a p y : leaf a p -> rounded u eta p y -> summed [a] 1 1 y
| S_fma a p l h g v y : leaf a p -> summed l h g v -> rounded u eta (p + v) y -> summed (a :: l) (S h) (S g) y
| S_add la lb ha hb ga gb va vb y : summed la ha ga va -> summed lb hb gb vb ->
    rounded u eta (va + vb) y -> summed (la ++ lb) (S (Nat.max ha hb)) (S (ga + gb)) y.

Definition exacts (l : list A) : R := sum (map exact l).
Definition amounts (l : list A) : R := sum (map (fun a => Rabs (exact a)) l).

Theorem NU7_sum_of_products w b l h g v : 0 <= w -> (forall a, 0 <= b a) ->
  (forall a p, leaf a p -> Rabs (p - exact a) <= (exp w - 1) * Rabs (exact a) + b a) ->
  summed l h g v ->
  Rabs (v - exacts l) <= (exp (w + INR h * u) - 1) * amounts l + (sum (map b l) + INR g * eta) * exp (INR h * u).
Proof.
  intros Hw Hb Hl; pose proof (at_least_1 w Hw) as W1.
  assert (S0 : forall l, Rabs (exacts l) <= amounts l) by (intro; apply Rabs_sum_map).
  assert (S1 : forall l, 0 <= amounts l) by (intro; apply sum_map_nonneg; intros; apply Rabs_pos).
  assert (S2 : forall l, 0 <= sum (map b l)) by (intro; apply sum_map_nonneg; auto).
  assert (H1 : forall h, 1 <= exp (INR h * u)) by (intro; apply at_least_1, Rmult_le_pos; auto using pos_INR).
  assert (H2 : forall h, 1 <= exp (w + INR h * u)) by (intro k; rewrite exp_plus; pose proof (H1 k); nra).
  assert (H3 : forall g, 0 <= INR g * eta) by (intro; apply Rmult_le_pos; auto using pos_INR).
  assert (Last : forall l h g x y, Rabs (x - exacts l) <=
      (exp (w + INR h * u) - 1) * amounts l + (sum (map b l) + INR g * eta) * exp (INR h * u) ->
      rounded u eta x y -> Rabs (y - exacts l) <=
      (exp (w + INR (S h) * u) - 1) * amounts l + (sum (map b l) + INR (S g) * eta) * exp (INR (S h) * u)).
  { intros l0 h0 g0 x y Hx R.
    apply Rle_trans with (1 := rounded_off _ _ _ _ _ _ _ _ (H2 h0)
      (Rmult_le_pos _ _ (Rplus_le_le_0_compat _ _ (S2 l0) (H3 g0)) (Rle_trans _ _ _ Rle_0_1 (H1 h0))) (S0 l0) Hx R).
    rewrite !S_INR; replace (w + (INR h0 + 1) * u) with (w + INR h0 * u + u) by ring.
    replace ((INR h0 + 1) * u) with (INR h0 * u + u) by ring; rewrite (exp_plus (w + _)), (exp_plus (INR h0 * u)).
    pose proof (H1 h0); pose proof (at_least_1 u u_nonneg); pose proof (H3 g0).
    assert (eta <= eta * (exp (INR h0 * u) * exp u)); [|nra].
    rewrite <- (Rmult_1_r eta) at 1; apply Rmult_le_compat_l; auto; nra. }
  assert (Grow : forall l h k g v, (h <= k)%nat ->
      Rabs (v - exacts l) <= (exp (w + INR h * u) - 1) * amounts l + (sum (map b l) + INR g * eta) * exp (INR h * u) ->
      Rabs (v - exacts l) <= (exp (w + INR k * u) - 1) * amounts l + (sum (map b l) + INR g * eta) * exp (INR k * u)).
  { intros l0 h0 k g0 v0 Hk H; apply Rle_trans with (1 := H); apply le_INR in Hk.
    assert (Q : INR h0 * u <= INR k * u) by (now apply Rmult_le_compat_r).
    apply Rplus_le_compat; [apply Rmult_le_compat_r | apply Rmult_le_compat_l]; auto.
    - assert (exp (w + INR h0 * u) <= exp (w + INR k * u)) by (apply exp_mono; lra); lra.
    - apply Rplus_le_le_0_compat; auto.
    - now apply exp_mono. }
  assert (Leaf : forall a p, leaf a p -> Rabs (p - exacts [a]) <=
      (exp (w + INR 0 * u) - 1) * amounts [a] + (sum (map b [a]) + INR 0 * eta) * exp (INR 0 * u)).
  { intros a p La; specialize (Hl a p La); unfold exacts, amounts; cbn [map]; rewrite !sum_cons, !sum_nil.
    simpl INR; rewrite !Rmult_0_l, !Rplus_0_r, exp_0; lra. }
  induction 1 as [|a p y La R|a p l h g v y La D IH R|la lb ha hb ga gb va vb y Da IHa Db IHb R].
  - unfold exacts, amounts, sum; simpl; rewrite Rminus_0_r, Rabs_R0; lra.
  - exact (Last _ _ _ _ _ (Leaf a p La) R).
  - apply (Last (a :: l) h g (p + v) y); auto.
    pose proof (Hl a p La) as HL; pose proof (Hb a).
    unfold exacts, amounts in *; cbn [map]; rewrite !sum_cons.
    replace (p + v - (exact a + sum (map exact l))) with ((p - exact a) + (v - sum (map exact l))) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _).
    assert ((exp w - 1) * Rabs (exact a) <= (exp (w + INR h * u) - 1) * Rabs (exact a)).
    { apply Rmult_le_compat_r; auto using Rabs_pos; rewrite exp_plus; pose proof (H1 h); nra. }
    assert (b a <= b a * exp (INR h * u)) by (pose proof (H1 h); nra).
    lra.
  - apply (Last (la ++ lb) (Nat.max ha hb) (ga + gb)%nat (va + vb) y); auto.
    apply (Grow _ ha (Nat.max ha hb)) in IHa; [|lia]; apply (Grow _ hb (Nat.max ha hb)) in IHb; [|lia].
    unfold exacts, amounts in *; rewrite !map_app, !sum_app, plus_INR.
    set (X := sum (map exact la)) in *; set (Y := sum (map exact lb)) in *.
    replace (va + vb - (X + Y)) with ((va - X) + (vb - Y)) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.
End Sum.
