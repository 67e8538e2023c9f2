(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a computed logit of rotated queries and keys before the cap (EV-11): the rotations of
    bound/Turn.v, then the product and scale of bound/LogitDot.v. The names are those at the head of
    certify/judge/bound_logit.c. proves: NU-7, EV-11, EV-12, EV-13 *)
From Coq Require Import Reals Lra Lia ZArith List Permutation.
From Sinkproof Require Import Spec Sums Rope Rounded Summed LogitDot Plane Turn.
Import ListNotations.
Open Scope R_scope.

(** What of a head is multiplied: two elements that make a plane, with its frequency e^-x and how far the
    query is from the key; or one that is not rotated. *)
Inductive piece := Pair (x : R) (p : Z) (q k : plane) | Alone (q k : R).

Definition exact_of (a : piece) : R :=
  match a with Pair x p q k => on_both (rotate (IZR p * exp (- x)) q) k | Alone q k => q * k end.
Definition size_in (a : piece) : R := match a with Pair _ _ q k => len q * len k | Alone q k => Rabs q * Rabs k end.
Definition elements (a : piece) : nat := match a with Pair _ _ _ _ => 2 | Alone _ _ => 1 end.
Definition query_in (a : piece) : R := match a with Pair _ _ q _ => sizes_of q | Alone q _ => Rabs q end.
Definition key_in (a : piece) : R := match a with Pair _ _ _ k => sizes_of k | Alone _ k => Rabs k end.

Section Turned.
(** The arithmetic of bound/LogitDot.v, and that of rotations and of keys that are stored rotated. Of the
    roundings r_q and r_k of q and k on their way in, b_q and b_k come before the rotations, the others
    after them. *)
Variables (u eta wide u_qk eta_qk r_q r_k u_t u_a u_rk eta_rk reach b_q b_k : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_small : 0 <= eta <= / 32.
Hypothesis wide_small : 0 <= wide <= 1.
Hypothesis u_qk_nonneg : 0 <= u_qk.
Hypothesis eta_qk_small : 0 <= eta_qk <= / 2.
Hypothesis r_q_small : 0 <= r_q <= 1.
Hypothesis r_k_small : 0 <= r_k <= 1.
Hypothesis u_t_nonneg : 0 <= u_t.
Hypothesis u_a_small : 0 <= u_a <= / 12.
Hypothesis u_rk_nonneg : 0 <= u_rk.
Hypothesis eta_rk_small : 0 <= eta_rk <= / 8.
Hypothesis reach_nonneg : 0 <= reach.
Hypothesis b_q_small : 0 <= b_q <= r_q.
Hypothesis b_k_small : 0 <= b_k <= r_k.

Definition before (b x x1 : R) : Prop := rounded (b * u) (b * eta) x x1.

(** The elements that meet: no more than three rotations in all, by [p] from the key to the query, and no
    more than two roundings of a key that is stored. *)
Definition met (a : piece) (l : list (R * R)) : Prop := match a with
  | Pair x p q k => 0 <= x /\ exists q1 k1 n n' m p' q' k', (n + n' <= 3)%nat /\ (m <= 2)%nat /\
      (before b_q (fst q) (fst q1) /\ before b_q (snd q) (snd q1)) /\
      (before b_k (fst k) (fst k1) /\ before b_k (snd k) (snd k1)) /\
      turned u eta u_t u_a u_rk eta_rk reach x q1 n 0 (p' + p) q' /\
      turned u eta u_t u_a u_rk eta_rk reach x k1 n' m p' k' /\
      l = [(fst q', fst k'); (snd q', snd k')]
  | Alone q k => exists q' k1 k', before b_q q q' /\ before b_k k k1 /\ kept u_rk eta_rk k1 k' /\ l = [(q', k')] end.

(** F of the judge; what its underflows and its angles cost. *)
Definition turns : R := turn_growth u u_t u_rk 3 2.
Definition lost : R := 33 / 2 * eta + 3 * eta_rk.
Definition turn_error (x : R) : R := Rmin (3 * angle_error u_a x reach) 2.
Definition turned_in (a : piece) : R := match a with Pair x _ q k => len q * len k * turn_error x | Alone _ _ => 0 end.
Definition lost_in (a : piece) : R := lost * (query_in a + key_in a + INR (elements a)).

(** F and what was rounded before. *)
Definition early : R := turns * exp ((b_q + b_k) * u).

Record off_by (a : piece) (l : list (R * R)) : Prop := {
  o_length : length l = elements a;
  o_size : size_of l <= early * (size_in a + lost_in a);
  o_dot : Rabs (dot_of l - exact_of a) <= (early - 1) * size_in a + early * lost_in a + turned_in a;
  o_turn : 0 <= turned_in a;
  o_q : sum_q l <= 3 / 2 * early * (query_in a + INR (elements a) * / 2 * lost);
  o_k : sum_k l <= 3 / 2 * early * (key_in a + INR (elements a) * / 2 * lost) }.

Lemma turns_1 : 1 <= turns. Proof. now apply turn_growth_1. Qed.
Lemma before_1 b : 0 <= b -> 1 <= exp (b * u). Proof. intro; now apply at_least_1, Rmult_le_pos. Qed.
Lemma before_lost b r : 0 <= b <= r -> r <= 1 -> 0 <= b * eta <= eta.
Proof. intros; assert (b * eta <= 1 * eta) by (apply Rmult_le_compat_r; lra); split; [apply Rmult_le_pos|]; lra. Qed.
Lemma early_1 : 1 <= early.
Proof.
  unfold early; rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; try lra; [apply turns_1 | apply before_1; lra].
Qed.
Lemma lost_small : 0 <= lost <= 1. Proof. unfold lost; lra. Qed.

(** A product of two numbers, each off by a share and a loss. *)
Lemma two_factors g h a b la lb L : 1 <= g -> 1 <= h -> 0 <= a -> 0 <= b -> 0 <= la -> 0 <= lb -> la + lb <= L -> L <= 1 ->
  g * (a + la) * (h * (b + lb)) <= g * h * (a * b + L * (a + b + 1)).
Proof.
  intros; replace (g * (a + la) * (h * (b + lb))) with (g * h * ((a + la) * (b + lb))) by ring.
  apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|].
  assert (la * b <= L * b) by (apply Rmult_le_compat_r; lra); assert (a * lb <= a * L) by (apply Rmult_le_compat_l; lra).
  assert (la * lb <= L * 1) by (apply Rmult_le_compat; lra); lra.
Qed.

Lemma pair_met x p q k l : met (Pair x p q k) l -> off_by (Pair x p q k) l.
Proof.
  intros (Hx & q1 & k1 & n & n' & m & p' & q' & k' & Hn & Hm & (Q1 & Q2) & (K1 & K2) & Tq & Tk & ->).
  apply (NU7_turned_converted u eta u_t u_a u_rk eta_rk reach) with (v := q) (w := b_q * u) (e := b_q * eta) in Tq as (t & At & Lq);
    auto; try lra.
  apply (NU7_turned_converted u eta u_t u_a u_rk eta_rk reach) with (v := k) (w := b_k * u) (e := b_k * eta) in Tk as (t' & At' & Lk);
    auto; try lra.
  assert (Fa : forall n m b, 0 <= b -> 1 <= turn_growth u u_t u_rk n m * exp (b * u)).
  { intros i j b Hb; rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; try lra; [now apply turn_growth_1 | now apply before_1]. }
  pose proof (before_lost b_q r_q b_q_small ltac:(lra)) as Eq; pose proof (before_lost b_k r_k b_k_small ltac:(lra)) as Ek.
  assert (Gh : turn_growth u u_t u_rk n 0 * exp (b_q * u) * (turn_growth u u_t u_rk n' m * exp (b_k * u)) <= early).
  { unfold early; rewrite Rmult_plus_distr_r, exp_plus.
    replace (_ * _ * (_ * _)) with (turn_growth u u_t u_rk n 0 * turn_growth u u_t u_rk n' m * (exp (b_q * u) * exp (b_k * u))) by ring.
    apply Rmult_le_compat_r; [apply Rmult_le_pos; left; apply exp_pos|].
    unfold turns, turn_growth; simpl (INR 0); rewrite Rmult_0_l, exp_0, Rmult_1_r, <- Rmult_assoc, <- pow_add.
    apply Rmult_le_compat; [|left; apply exp_pos| |].
    - apply pow_le; pose proof (growth_1 u u_t u_nonneg u_t_nonneg); lra.
    - apply Rle_pow; auto; now apply growth_1.
    - apply exp_mono, Rmult_le_compat_r; auto; apply le_INR in Hm; simpl (INR 2) in *; lra. }
  set (g := turn_growth u u_t u_rk n 0 * exp (b_q * u)) in *; set (h := turn_growth u u_t u_rk n' m * exp (b_k * u)) in *.
  assert (G1 : 1 <= g) by (apply Fa; lra); assert (H1 : 1 <= h) by (apply Fa; lra).
  set (la := turn_lost eta eta_rk n 0 + _) in *; set (lb := turn_lost eta eta_rk n' m + _) in *.
  assert (La : 0 <= la) by (unfold la; pose proof (turn_lost_nonneg eta eta_rk ltac:(lra) ltac:(lra) n 0); lra).
  assert (Lb : 0 <= lb) by (unfold lb; pose proof (turn_lost_nonneg eta eta_rk ltac:(lra) ltac:(lra) n' m); lra).
  assert (Lab : la + lb <= lost).
  { unfold la, lb, turn_lost, lost; apply le_INR in Hn, Hm; rewrite plus_INR in Hn; simpl (INR 3) in Hn; simpl (INR 2) in Hm.
    rewrite !mult_INR; simpl (INR 3); simpl (INR 0).
    assert ((INR n + INR n') * eta <= 3 * eta) by (apply Rmult_le_compat_r; lra).
    assert (INR m * eta_rk <= 2 * eta_rk) by (apply Rmult_le_compat_r; lra); lra. }
  assert (G2 : g <= g * h) by (rewrite <- (Rmult_1_r g) at 1; apply Rmult_le_compat_l; lra).
  assert (H2 : h <= g * h) by (rewrite <- (Rmult_1_l h) at 1; apply Rmult_le_compat_r; lra).
  pose proof lost_small; pose proof (len_nonneg q); pose proof (len_nonneg k).
  pose proof (len_below_sizes q); pose proof (len_below_sizes k).
  pose proof (sizes_nonneg q); pose proof (sizes_nonneg k).
  assert (Nq : len q' <= g * (len q + la)) by (pose proof (len_near q' (rotate t q)) as N; rewrite len_rotate in N; lra).
  assert (Nk : len k' <= h * (len k + lb)) by (pose proof (len_near k' (rotate t' k)) as N; rewrite len_rotate in N; lra).
  assert (Two : g * (len q + la) * (h * (len k + lb)) <= early * (len q * len k + lost_in (Pair x p q k))).
  { apply Rle_trans with (1 := two_factors g h (len q) (len k) la lb lost G1 H1 ltac:(lra) ltac:(lra) La Lb Lab ltac:(lra)).
    assert (0 <= len q * len k) by (now apply Rmult_le_pos).
    assert (0 <= lost * (len q + len k + 1)) by (apply Rmult_le_pos; lra).
    apply Rmult_le_compat; [apply Rmult_le_pos; lra | lra | exact Gh|].
    apply Rplus_le_compat_l; unfold lost_in; cbn [query_in key_in elements]; simpl (INR 2).
    apply Rmult_le_compat_l; lra. }
  assert (Ae : 0 <= angle_error u_a x reach).
  { unfold angle_error; apply Rmult_le_pos; [apply Rmult_le_pos; [lra | left; apply exp_pos]|].
    pose proof (at_least_1 ((8 + 4 * x) * u_a) ltac:(apply Rmult_le_pos; lra)); lra. }
  assert (Some_of : forall s y z, 0 <= z <= lost -> sizes_of s <= 3 / 2 * len s -> len s <= g * h * (y + z) -> 0 <= y ->
     forall w, y <= w -> sizes_of s <= 3 / 2 * early * (w + 2 * / 2 * lost)).
  { intros s y z Hz S1 S2 Hy w Hw; apply Rle_trans with (1 := S1); rewrite Rmult_assoc; apply Rmult_le_compat_l; [lra|].
    apply Rle_trans with (1 := S2); apply Rmult_le_compat; lra. }
  split; unfold size_of, dot_of, sum_q, sum_k; cbn [map length elements query_in key_in size_in exact_of turned_in fst snd];
    rewrite ?sum_cons, ?sum_nil, ?Rplus_0_r; simpl (INR 2); auto.
  - rewrite !Rabs_mult; apply Rle_trans with (1 := cauchy q' k'); apply Rle_trans with (2 := Two).
    apply Rmult_le_compat; auto using len_nonneg.
  - change (fst q' * fst k' + snd q' * snd k') with (on_both q' k').
    set (rq := rotate t q) in *; set (rk := rotate t' k) in *.
    replace (on_both q' k' - _) with ((on_both (off q' rq) k' + on_both rq (off k' rk))
      + (on_both (rotate (t - t') q) k - on_both (rotate (IZR p * exp (- x)) q) k)).
    2: { unfold rq, rk, on_both at 3, off; cbn [fst snd]; rewrite <- plane_product; unfold on_both, off; cbn [fst snd]; ring. }
    apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat.
    + apply Rle_trans with (1 := Rabs_triang _ _).
      pose proof (on_both_below (off q' rq) k') as B1; pose proof (on_both_below rq (off k' rk)) as B2.
      assert (C1 : len (off q' rq) * len k' <= (g * (len q + la) - len q) * (h * (len k + lb))).
      { apply Rmult_le_compat; auto using len_nonneg; lra. }
      assert (C2 : len rq * len (off k' rk) <= len q * (h * (len k + lb) - len k)).
      { unfold rq; rewrite len_rotate; apply Rmult_le_compat_l; lra. }
      lra.
    + apply Rle_trans with (1 := NU7_turn_chord (t - t') (IZR p * exp (- x)) q k).
      apply Rmult_le_compat_l; [now apply Rmult_le_pos|]; unfold turn_error.
      apply Rle_min_compat_r.
      replace (t - t' - IZR p * exp (- x)) with ((t - IZR (p' + p) * exp (- x)) - (t' - IZR p' * exp (- x)))
        by (rewrite plus_IZR; ring).
      apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_Ropp.
      apply le_INR in Hn; rewrite plus_INR in Hn; simpl (INR 3) in Hn.
      assert ((INR n + INR n') * angle_error u_a x reach <= 3 * angle_error u_a x reach) by (apply Rmult_le_compat_r; lra); lra.
  - apply Rmult_le_pos; [now apply Rmult_le_pos|]; unfold turn_error; apply Rmin_glb; lra.
  - change (Rabs (fst q') + Rabs (snd q')) with (sizes_of q').
    apply (Some_of q' (len q) la); auto using sizes_below_len; try lra.
    apply Rle_trans with (1 := Nq); apply Rmult_le_compat_r; lra.
  - change (Rabs (fst k') + Rabs (snd k')) with (sizes_of k').
    apply (Some_of k' (len k) lb); auto using sizes_below_len; try lra.
    apply Rle_trans with (1 := Nk); apply Rmult_le_compat_r; lra.
Qed.

Lemma alone_met q k l : met (Alone q k) l -> off_by (Alone q k) l.
Proof.
  intros (q' & k1 & k' & Q & K1 & K & ->); apply kept_off in K; try lra; pose proof lost_small.
  pose proof (before_lost b_q r_q b_q_small ltac:(lra)) as Eq; pose proof (before_lost b_k r_k b_k_small ltac:(lra)) as Ek.
  pose proof (Rabs_pos q) as Q0; pose proof (Rabs_pos k) as K0; pose proof (before_1 b_q ltac:(lra)) as X1; pose proof (before_1 b_k ltac:(lra)) as X2.
  assert (S1 : 1 <= exp (2 * u_rk)) by (apply at_least_1; lra).
  assert (Z : forall a, Rabs (a - a) <= (1 - 1) * Rabs a + 0) by (intro; rewrite Rminus_eq_0, Rabs_R0; lra).
  pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) (Rle_refl 0) (Rle_refl _) (Z q) Q) as Dq.
  pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) (Rle_refl 0) (Rle_refl _) (Z k) K1) as Dk; rewrite Rmult_1_l, Rmult_0_l, Rplus_0_r in Dq, Dk.
  set (g := exp (b_q * u)) in *; set (x := exp (b_k * u)) in *; set (v := exp (2 * u_rk)) in *; set (h := x * v).
  set (la := eta); set (lb := eta + 2 * eta_rk).
  assert (H1 : 1 <= h) by (unfold h; rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; lra).
  assert (Gh : g * h <= early).
  { unfold early, h, g, x; rewrite Rmult_plus_distr_r, exp_plus.
    replace (_ * (_ * v)) with (v * (exp (b_q * u) * exp (b_k * u))) by ring.
    apply Rmult_le_compat_r; [apply Rmult_le_pos; left; apply exp_pos|].
    unfold v, turns, turn_growth; simpl (INR 2); rewrite <- (Rmult_1_l (exp (2 * u_rk))) at 1.
    apply Rmult_le_compat_r; [left; apply exp_pos | apply pow_R1_Rle; now apply growth_1]. }
  assert (Oq : Rabs (q' - q) <= (g - 1) * Rabs q + g * la).
  { assert (1 * la <= g * la) by (apply Rmult_le_compat_r; unfold la; lra); unfold la in *; lra. }
  assert (Ok : Rabs (k' - k) <= (h - 1) * Rabs k + h * lb).
  { replace (k' - k) with ((k' - k1) + (k1 - k)) by ring; apply Rle_trans with (1 := Rabs_triang _ _).
    assert (N : Rabs k1 <= Rabs k + Rabs (k1 - k)) by (replace k1 with (k + (k1 - k)) at 1 by ring; apply Rabs_triang).
    assert ((v - 1) * Rabs k1 <= (v - 1) * (Rabs k + ((x - 1) * Rabs k + b_k * eta))) by (apply Rmult_le_compat_l; lra).
    assert (v * (b_k * eta) <= v * eta) by (apply Rmult_le_compat_l; lra).
    assert (v * (eta + 2 * eta_rk) <= h * lb) by (unfold h, lb; apply Rmult_le_compat_r; [lra|]; rewrite <- (Rmult_1_l v) at 1; apply Rmult_le_compat_r; lra).
    unfold h in *; lra. }
  assert (Nq : Rabs q' <= g * (Rabs q + la)).
  { replace q' with (q + (q' - q)) by ring; apply Rle_trans with (1 := Rabs_triang _ _); lra. }
  assert (Nk : Rabs k' <= h * (Rabs k + lb)).
  { replace k' with (k + (k' - k)) by ring; apply Rle_trans with (1 := Rabs_triang _ _); lra. }
  assert (Lab : la + lb <= 3 / 4 * lost) by (unfold la, lb, lost; lra).
  assert (L0 : 0 <= la /\ 0 <= lb) by (unfold la, lb; lra).
  assert (Two : g * (Rabs q + la) * (h * (Rabs k + lb)) <= early * (Rabs q * Rabs k + lost_in (Alone q k))).
  { apply Rle_trans with (1 := two_factors g h (Rabs q) (Rabs k) la lb lost X1 H1 Q0 K0 (proj1 L0) (proj2 L0) ltac:(lra) ltac:(lra)).
    assert (0 <= Rabs q * Rabs k) by (now apply Rmult_le_pos).
    assert (0 <= lost * (Rabs q + Rabs k + 1)) by (apply Rmult_le_pos; lra).
    unfold lost_in; cbn [query_in key_in elements]; simpl (INR 1); apply Rmult_le_compat_r; [lra | exact Gh]. }
  assert (G2 : g <= early) by (apply Rle_trans with (2 := Gh); rewrite <- (Rmult_1_r g) at 1; apply Rmult_le_compat_l; lra).
  assert (H2 : h <= early) by (apply Rle_trans with (2 := Gh); rewrite <- (Rmult_1_l h) at 1; apply Rmult_le_compat_r; lra).
  assert (Some_of : forall y z, 0 <= y -> 0 <= z -> z <= 3 / 4 * lost -> early * (y + z) <= 3 / 2 * early * (y + 1 * / 2 * lost)).
  { intros y z Hy Hz Hl; pose proof early_1; replace (3 / 2 * early * _) with (early * (3 / 2 * y + 3 / 4 * lost)) by field.
    apply Rmult_le_compat_l; lra. }
  split; unfold size_of, dot_of, sum_q, sum_k; cbn [map length elements query_in key_in size_in exact_of turned_in fst snd];
    rewrite ?sum_cons, ?sum_nil, ?Rplus_0_r; simpl (INR 1); auto.
  - rewrite Rabs_mult; apply Rle_trans with (2 := Two); apply Rmult_le_compat; auto using Rabs_pos.
  - replace (q' * k' - q * k) with ((q' - q) * k' + q * (k' - k)) by ring; apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult.
    assert (Rabs (q' - q) * Rabs k' <= ((g - 1) * Rabs q + g * la) * (h * (Rabs k + lb))) by (apply Rmult_le_compat; auto using Rabs_pos).
    assert (Rabs q * Rabs (k' - k) <= Rabs q * ((h - 1) * Rabs k + h * lb)) by (now apply Rmult_le_compat_l); lra.
  - lra.
  - apply Rle_trans with (1 := Nq); apply Rle_trans with (early * (Rabs q + la)); [apply Rmult_le_compat_r|apply Some_of]; lra.
  - apply Rle_trans with (1 := Nk); apply Rle_trans with (early * (Rabs k + lb)); [apply Rmult_le_compat_r|apply Some_of]; lra.
Qed.

(** ** A whole head *)

Definition total (f : piece -> R) (h : list piece) : R := sum (map f h).

(** The products in any order. *)
Definition head_met (h : list piece) (l : list (R * R)) : Prop := exists ls,
  Forall2 met h ls /\ Permutation (concat ls) l.

Definition dims (h : list piece) : R := total (fun a => INR (elements a)) h.
Definition head_lost (h : list piece) : R := lost * (total query_in h + total key_in h + dims h).

Lemma head_off h l : head_met h l ->
  INR (length l) = dims h /\ size_of l <= early * (total size_in h + head_lost h) /\
  Rabs (dot_of l - total exact_of h) <= (early - 1) * total size_in h + early * head_lost h + total turned_in h /\
  0 <= total turned_in h /\
  sum_q l <= 3 / 2 * early * (total query_in h + dims h * / 2 * lost) /\
  sum_k l <= 3 / 2 * early * (total key_in h + dims h * / 2 * lost).
Proof.
  intros (ls & M & Pm).
  assert (S : forall f : R * R -> R, sum (map f l) = sum (map f (concat ls))) by (intro; symmetry; now apply sum_perm, Permutation_map).
  unfold size_of, dot_of, sum_q, sum_k; rewrite !S, <- (Permutation_length Pm); clear l Pm S.
  induction M as [|a l h ls A M (L & Sz & D & T & Q & K)].
  - unfold head_lost, dims, total; cbn; rewrite Rminus_eq_0, Rabs_R0, !Rplus_0_r, !Rmult_0_r, !Rmult_0_l, !Rplus_0_r; repeat split; lra.
  - assert (O : off_by a l) by (destruct a; [now apply pair_met | now apply alone_met]).
    destruct O as [OL OS OD OT OQ OK]; unfold size_of, dot_of, sum_q, sum_k, lost_in in OS, OD, OQ, OK.
    unfold head_lost, dims, total in *; cbn [concat map] in *; rewrite !map_app, !sum_app, app_length, plus_INR, OL, !sum_cons.
    repeat split; try lra.
    replace (_ + _ - _) with ((sum (map (fun a => fst a * snd a) l) - exact_of a)
      + (sum (map (fun a => fst a * snd a) (concat ls)) - sum (map exact_of h))) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.

(** The judge's a_j before the cap, for rotated keys. *)
Definition turned_lost (d q k : R) : R := 2 * d * eta + 2 * (2 * eta + eta_qk) * (k + d * eta) + 2 * eta * q.
Definition turned_error (scale : R) (h : list piece) : R :=
  let d := dims h in
  let g := dot_cost u u_qk r_q r_k d in
  let P := total size_in h in
  scale_reach eta wide scale * (P * (turns * exp g - 1) + total turned_in h) + wide * eta * P
  + turns * exp g * (larger (scale_reach eta wide scale) *
      (turned_lost d (total query_in h) (total key_in h)
       + (24 * eta + 8 * eta_rk) * (total key_in h + total query_in h + d)) + eta).

Lemma losses d q k L : 0 <= d -> 0 <= q -> 0 <= k ->
  L <= early * (2 * d * eta + (2 * eta + eta_qk) * (3 / 2 * (k + d * / 2 * lost) + d * eta) + eta * (3 / 2 * (q + d * / 2 * lost))) ->
  L + early * (lost * (q + k + d)) <= early * (turned_lost d q k + (24 * eta + 8 * eta_rk) * (k + q + d)).
Proof.
  intros Hd Hq Hk H; pose proof early_1; apply Rle_trans with (1 := Rplus_le_compat_r _ _ _ H).
  rewrite <- Rmult_plus_distr_l; apply Rmult_le_compat_l; [lra|]; unfold turned_lost.
  set (c := 2 * eta + eta_qk); assert (C : 0 <= c <= 9 / 16) by (unfold c; lra); pose proof lost_small as [L0 _].
  assert (0 <= d * lost) by (now apply Rmult_le_pos).
  assert (c * (d * lost) <= 9 / 16 * (d * lost)) by (apply Rmult_le_compat_r; lra).
  assert (eta * (d * lost) <= / 32 * (d * lost)) by (apply Rmult_le_compat_r; lra).
  assert (0 <= c * k) by (apply Rmult_le_pos; lra); assert (0 <= eta * q) by (apply Rmult_le_pos; lra).
  assert (0 <= c * (d * eta)) by (apply Rmult_le_pos; [lra | apply Rmult_le_pos; lra]).
  assert (X : forall x, 0 <= x -> lost * x <= (33 / 2 * eta + 3 * eta_rk) * x) by (intros; unfold lost; lra).
  assert (0 <= eta * d) by (apply Rmult_le_pos; lra); assert (0 <= eta_rk * d) by (apply Rmult_le_pos; lra).
  assert (0 <= eta_rk * q) by (apply Rmult_le_pos; lra); assert (0 <= eta_rk * k) by (apply Rmult_le_pos; lra).
  assert (0 <= eta * k) by (apply Rmult_le_pos; lra).
  pose proof (X d Hd); pose proof (X q Hq); pose proof (X k Hk); lra.
Qed.

Lemma total_nonneg f h : (forall a, 0 <= f a) -> 0 <= total f h.
Proof. intro H; apply sum_map_nonneg; auto. Qed.

(** A computed logit of rotated q and k is off by at most what the judge charges.
    proves: NU-7, EV-11, EV-12, EV-13 *)
Theorem NU7_logit_turned scale s h l y : head_met h l -> scale_read eta wide scale s ->
  product_and_scale u eta u_qk eta_qk (r_q - b_q) (r_k - b_k) s l y ->
  Rabs (y - scale * total exact_of h) <= turned_error scale h.
Proof.
  intros M Hs Hy; destruct (head_off h l M) as (L & Sz & D & HT & Q & K).
  pose proof (NU7_logit_scaled u eta wide u_nonneg ltac:(lra) ltac:(lra) u_qk eta_qk (r_q - b_q) (r_k - b_k)
    u_qk_nonneg ltac:(lra) ltac:(lra) ltac:(lra) scale s l y Hs Hy) as E; unfold product_error in E; cbv zeta in E; rewrite L in E.
  unfold turned_error; cbv zeta; set (d := dims h) in *; set (g := dot_cost u u_qk (r_q - b_q) (r_k - b_k) d) in *.
  replace (turns * exp (dot_cost u u_qk r_q r_k d)) with (early * exp g).
  2: { unfold early, g; rewrite Rmult_assoc, <- exp_plus; do 2 f_equal; unfold dot_cost; ring. }
  set (P := total size_in h) in *; set (T := total turned_in h) in *; set (hl := head_lost h) in *.
  set (r := scale_reach eta wide scale) in *; set (big := larger r) in *.
  assert (Hd : 0 <= d) by (apply total_nonneg; intro; apply pos_INR).
  assert (Hq : 0 <= total query_in h) by (apply total_nonneg; intros []; cbn; auto using sizes_nonneg, Rabs_pos).
  assert (Hk : 0 <= total key_in h) by (apply total_nonneg; intros []; cbn; auto using sizes_nonneg, Rabs_pos).
  assert (We : 0 <= wide * eta) by (apply Rmult_le_pos; lra); pose proof (Rabs_pos scale) as S0.
  assert (Hr : r = Rabs scale + wide * eta) by reflexivity.
  assert (B1 : 1 <= big) by apply larger_1.
  assert (Br : r <= big) by (apply Rle_trans with (2 := larger_abs r); apply Rle_abs).
  assert (G : 0 <= g).
  { unfold g, dot_cost; apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; lra. }
  pose proof (at_least_1 g G) as E1; pose proof early_1 as T1; set (e := exp g) in *.
  assert (Hl : 0 <= hl) by (unfold hl, head_lost; fold d; pose proof lost_small; apply Rmult_le_pos; lra).
  set (dl := dot_lost eta eta_qk d (sum_q l) (sum_k l)) in *.
  assert (Dl : dl + early * hl <= early * (turned_lost d (total query_in h) (total key_in h)
      + (24 * eta + 8 * eta_rk) * (total key_in h + total query_in h + d))).
  { unfold hl, head_lost; fold d; apply losses; auto; unfold dl, dot_lost.
    assert (A1 : (2 * eta + eta_qk) * (sum_k l + d * eta)
      <= (2 * eta + eta_qk) * (early * (3 / 2 * (total key_in h + d * / 2 * lost) + d * eta))).
    { apply Rmult_le_compat_l; [lra|]; assert (0 <= d * eta) by (apply Rmult_le_pos; lra).
      assert (d * eta <= early * (d * eta)) by (rewrite <- (Rmult_1_l (d * eta)) at 1; apply Rmult_le_compat_r; lra); lra. }
    assert (A2 : eta * sum_q l <= eta * (early * (3 / 2 * (total query_in h + d * / 2 * lost)))) by (apply Rmult_le_compat_l; lra).
    assert (A3 : 2 * d * eta <= early * (2 * d * eta)).
    { assert (0 <= 2 * d * eta) by (apply Rmult_le_pos; lra); rewrite <- (Rmult_1_l (2 * d * eta)) at 1; apply Rmult_le_compat_r; lra. }
    lra. }
  replace (y - scale * total exact_of h) with ((y - scale * dot_of l) + scale * (dot_of l - total exact_of h)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult.
  assert (F1 : Rabs scale * Rabs (dot_of l - total exact_of h) <= Rabs scale * ((early - 1) * P + early * hl + T)) by (now apply Rmult_le_compat_l).
  assert (F2 : r * size_of l * (e - 1) <= r * (early * (P + hl)) * (e - 1)).
  { apply Rmult_le_compat_r; [lra|]; apply Rmult_le_compat_l; [lra | exact Sz]. }
  assert (F3 : wide * eta * size_of l <= wide * eta * (early * (P + hl))) by (now apply Rmult_le_compat_l).
  assert (F4 : Rabs scale * T <= r * T) by (apply Rmult_le_compat_r; lra).
  assert (F5 : big * dl + r * (early * hl) <= big * (early * (turned_lost d (total query_in h) (total key_in h)
      + (24 * eta + 8 * eta_rk) * (total key_in h + total query_in h + d)))).
  { apply Rle_trans with (big * (dl + early * hl)); [|apply Rmult_le_compat_l; lra].
    assert (r * (early * hl) <= big * (early * hl)) by (apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | lra]); lra. }
  apply Rmult_le_compat_l with (r := e) in F5; [|lra].
  assert (F6 : e * eta <= early * e * eta).
  { assert (0 <= e * eta) by (apply Rmult_le_pos; lra); rewrite Rmult_assoc, <- (Rmult_1_l (e * eta)) at 1; apply Rmult_le_compat_r; lra. }
  clearbody big; clearbody r; subst r; lra.
Qed.
End Turned.
