(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a computed logit: one theorem for each step of AT-2, in any arithmetic. It is the a_j of
    NU-7, the difference of [seen] and [logit_of] of a term (bound/Classes.v, NU7_judge_delta). The names
    are those at the head of certify/judge/bound_logit.c; bound/LogitRow.v composes the steps.
    proves: NU-7, NU-10, AT-2, AT-6 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Spec Sums Near Tanh.
Import ListNotations.
Open Scope R_scope.

(** [y] is [x] after roundings that cost [w] in all (each is a factor e^t, |t| <= u') and underflows of
    at most [e]. *)
Definition rounded (w e x y : R) : Prop := exists t f, Rabs t <= w /\ Rabs f <= e /\ y = x * exp t + f.

(** One rounding, as a relative error of at most [u]: of a sum, or of a number that is stored. *)
Definition once (u e x y : R) : Prop := exists d f, Rabs d <= u /\ Rabs f <= e /\ y = x * (1 + d) + f.

(** A number taken into another format: rounded, or, where it underflows, off by [e]. *)
Definition converted (w e x y : R) : Prop := (exists t, Rabs t <= w /\ y = x * exp t) \/ Rabs (y - x) <= e.

Lemma at_least_1 w : 0 <= w -> 1 <= exp w.
Proof. intro H; rewrite <- exp_0; now apply exp_mono. Qed.

Lemma rounded_costs w e x y : rounded w e x y -> 0 <= w /\ 0 <= e.
Proof. intros (t & f & Ht & Hf & _); pose proof (Rabs_pos t); pose proof (Rabs_pos f); lra. Qed.

Lemma exp_abs w t : Rabs t <= w -> Rabs (exp t - 1) <= exp w - 1.
Proof.
  intro H; apply Rabs_between in H as Hb; pose proof (Rabs_pos t); pose proof (exp_cancel w) as C; pose proof (exp_pos w).
  assert (U : exp t <= exp w) by (apply exp_mono; lra).
  assert (L : exp (- w) <= exp t) by (apply exp_mono; lra).
  pose proof (exp_pos (- w)); pose proof (at_least_1 w ltac:(lra)).
  apply Rabs_le; split; [|lra]; nra.
Qed.

(** One more rounding of a value that is within (E - 1) A + B of [s], |s| <= A. *)
Lemma rounded_off w e x y s A B E : 1 <= E -> 0 <= B -> Rabs s <= A -> Rabs (x - s) <= (E - 1) * A + B ->
  rounded w e x y -> Rabs (y - s) <= (E * exp w - 1) * A + B * exp w + e.
Proof.
  intros HE HB HA Hx R; destruct (rounded_costs _ _ _ _ R) as (Hw & _); destruct R as (t & f & Ht & Hf & ->).
  pose proof (exp_abs _ _ Ht) as D; apply Rabs_between in Ht as Hb.
  assert (T : exp t <= exp w) by (apply exp_mono; lra).
  pose proof (at_least_1 w Hw); pose proof (exp_pos t).
  replace (x * exp t + f - s) with ((x - s) * exp t + s * (exp t - 1) + f) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult, (Rabs_pos_eq (exp t)) by lra.
  apply Rle_trans with (((E - 1) * A + B) * exp w + A * (exp w - 1)); [|right; ring].
  pose proof (Rabs_pos (x - s)); pose proof (Rabs_pos s).
  apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos; lra.
Qed.

Lemma rounded_then w1 e1 w2 e2 x y z : rounded w1 e1 x y -> rounded w2 e2 y z ->
  rounded (w1 + w2) (e1 * exp w2 + e2) x z.
Proof.
  intros (t1 & f1 & A1 & B1 & ->) (t2 & f2 & A2 & B2 & ->); exists (t1 + t2), (f1 * exp t2 + f2).
  split; [apply Rle_trans with (1 := Rabs_triang _ _); lra|]; split; [|rewrite exp_plus; ring].
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  rewrite Rabs_mult, (Rabs_pos_eq (exp t2)) by (left; apply exp_pos); apply Rabs_between in A2.
  apply Rmult_le_compat; auto using Rabs_pos; [left; apply exp_pos | apply exp_mono; lra].
Qed.

Lemma rounded_times s w e x y : rounded w e x y -> rounded w (Rabs s * e) (s * x) (s * y).
Proof.
  intros (t & f & A & B & ->); exists t, (s * f); split; auto; split; [|ring].
  rewrite Rabs_mult; apply Rmult_le_compat_l; auto using Rabs_pos.
Qed.

Lemma rounded_weaken w w' e e' x y : w <= w' -> e <= e' -> rounded w e x y -> rounded w' e' x y.
Proof. intros Hw He (t & f & A & B & C); exists t, f; repeat split; auto; lra. Qed.

Section Steps.
(** The arithmetic: u' and the unit of underflow; [wide] is 1 where binary32 numbers are rounded on
    their way in, else 0. *)
Variables (u eta wide : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_nonneg : 0 <= eta.
Hypothesis wide_nonneg : 0 <= wide.

(** ** Sums of products, in any order, fused or not *)

Section Sum.
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

(** ** Dot product and scale *)

(** What rounds q before the product (class key qk), and what is rounded of q and k on their way in:
    0 or 1. *)
Variables (u_qk eta_qk r_q r_k : R).
Hypothesis u_qk_nonneg : 0 <= u_qk.
Hypothesis eta_qk_nonneg : 0 <= eta_qk.
Hypothesis r_q_nonneg : 0 <= r_q <= 1.
Hypothesis r_k_nonneg : 0 <= r_k <= 1.
Hypothesis wide_small : wide <= 1.

(** q as it meets k: with the scale on it ([Some]), or not. The scale is charged as two roundings, its
    own and the product's. *)
Definition factor_of (on_query : option R) : R := match on_query with Some s => s | None => 1 end.
Definition larger (s : R) : R := Rmax 1 (Rabs s).

Definition query (on_query : option R) (q y : R) : Prop :=
  exists q1, rounded (r_q * u) (r_q * eta) q q1 /\
  match on_query with
  | None => rounded u_qk eta_qk q1 y
  | Some scale =>
      exists q2, (rounded u_qk eta_qk q1 q2 /\ rounded (2 * u) eta (scale * q2) y) \/
                 (rounded (2 * u) eta (scale * q1) q2 /\ rounded u_qk eta_qk q2 y)
  end.

Definition pair_product (on_query : option R) (a : R * R) (p : R) : Prop :=
  exists q k, query on_query (fst a) q /\ rounded (r_k * u) (r_k * eta) (snd a) k /\ p = q * k.

(** The computed logit before the cap, from the numbers [scale], q and k: no more roundings in a chain
    than products, no more steps than a product and a sum for each. *)
Definition product_and_scale (scale : R) (l : list (R * R)) (y : R) : Prop :=
  exists h g v, (h <= length l)%nat /\ (g <= 2 * length l)%nat /\
  ((summed (pair_product (Some scale)) l h g v /\ y = v) \/
   (summed (pair_product None) l h g v /\ rounded (2 * u) eta (scale * v) y)).

Definition dot_of (l : list (R * R)) : R := sum (map (fun a => fst a * snd a) l).
Definition size_of (l : list (R * R)) : R := sum (map (fun a => Rabs (fst a * snd a)) l).
Definition sum_q (l : list (R * R)) : R := sum (map (fun a => Rabs (fst a)) l).
Definition sum_k (l : list (R * R)) : R := sum (map (fun a => Rabs (snd a)) l).

(** g and U of the judge. *)
Definition dot_cost (d : R) : R := (d + 2 + r_q + r_k) * u + u_qk.
Definition dot_lost (d q k : R) : R := 2 * d * eta + (2 * eta + eta_qk) * (k + d * eta) + eta * q.

Definition query_cost (on_query : option R) : R :=
  r_q * u + u_qk + match on_query with Some _ => 2 * u | None => 0 end.

Lemma larger_1 s : 1 <= larger s. Proof. apply Rmax_l. Qed.
Lemma larger_abs s : Rabs s <= larger s. Proof. apply Rmax_r. Qed.

Lemma query_costs on_query q y : query on_query q y ->
  rounded (query_cost on_query)
    (larger (factor_of on_query) * (2 * eta + eta_qk) * exp (query_cost on_query)) (factor_of on_query * q) y.
Proof.
  intros (q1 & R1 & H).
  pose proof (larger_1 (factor_of on_query)) as M1; pose proof (larger_abs (factor_of on_query)) as M2.
  assert (E1 := at_least_1 u_qk u_qk_nonneg); assert (E2 := at_least_1 (2 * u) ltac:(lra)).
  assert (E3 := at_least_1 (r_q * u) ltac:(apply Rmult_le_pos; lra)).
  assert (Re : 0 <= r_q * eta <= eta).
  { split; [apply Rmult_le_pos; lra|]; rewrite <- (Rmult_1_l eta) at 2; apply Rmult_le_compat_r; lra. }
  set (M := larger (factor_of on_query)) in *.
  assert (Ends : forall P e, 1 <= P -> P <= exp (query_cost on_query) -> e <= M * (2 * eta + eta_qk) * P ->
    e <= M * (2 * eta + eta_qk) * exp (query_cost on_query)).
  { intros P e HP Hw He; apply Rle_trans with (1 := He); apply Rmult_le_compat_l; auto.
    apply Rmult_le_pos; lra. }
  destruct on_query as [scale|]; unfold query_cost in *; cbn [factor_of] in *.
  - set (X := exp u_qk) in *; set (Y := exp (2 * u)) in *; pose proof (Rabs_pos scale).
    assert (P0 : 1 <= X * Y) by (rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; lra).
    assert (PX : X <= X * Y) by (rewrite <- (Rmult_1_r X) at 1; apply Rmult_le_compat_l; lra).
    assert (PY : Y <= X * Y) by (rewrite <- (Rmult_1_l Y) at 1; apply Rmult_le_compat_r; lra).
    assert (Pw : X * Y <= exp (r_q * u + u_qk + 2 * u)).
    { unfold X, Y; rewrite <- exp_plus; apply exp_mono; assert (0 <= r_q * u) by (apply Rmult_le_pos; lra); lra. }
    assert (T : forall a b c, a <= M * eta * (X * Y) -> b <= M * eta_qk * (X * Y) -> c <= M * eta * (X * Y) ->
      a + b + c <= M * (2 * eta + eta_qk) * (X * Y)) by (intros; lra).
    assert (Q1 : Rabs scale * (r_q * eta) * (X * Y) <= M * eta * (X * Y)).
    { apply Rmult_le_compat_r; [lra|]; apply Rmult_le_compat; lra. }
    assert (L : forall e f, 0 <= e -> f <= X * Y -> 0 <= f -> e * f <= M * e * (X * Y)).
    { intros e f He Hf Hf0; replace (M * e * (X * Y)) with (e * (M * (X * Y))) by ring.
      apply Rmult_le_compat_l; auto; apply Rle_trans with (1 := Hf); rewrite <- (Rmult_1_l (X * Y)) at 1.
      apply Rmult_le_compat_r; lra. }
    destruct H as (q2 & [(A & B) | (A & B)]); apply (rounded_times scale) in R1.
    + apply (rounded_times scale) in A.
      refine (rounded_weaken _ _ _ _ _ _ _ _ (rounded_then _ _ _ _ _ _ _ (rounded_then _ _ _ _ _ _ _ R1 A) B)); [lra|].
      apply (Ends (X * Y)); auto; fold X Y; rewrite Rmult_plus_distr_r, (Rmult_assoc _ X Y); apply T; auto.
      * apply Rmult_le_compat; try lra; [apply Rmult_le_pos; lra|]; apply Rmult_le_compat_r; lra.
      * rewrite <- (Rmult_1_r eta) at 1; apply L; lra.
    + refine (rounded_weaken _ _ _ _ _ _ _ _ (rounded_then _ _ _ _ _ _ _ (rounded_then _ _ _ _ _ _ _ R1 A) B)); [lra|].
      apply (Ends (X * Y)); auto; fold X Y; rewrite Rmult_plus_distr_r.
      replace (Rabs scale * (r_q * eta) * Y * X) with (Rabs scale * (r_q * eta) * (X * Y)) by ring.
      apply Rle_trans with (Rabs scale * (r_q * eta) * (X * Y) + eta_qk + eta * X); [lra|]; apply T; auto.
      * rewrite <- (Rmult_1_r eta_qk) at 1; apply L; lra.
      * apply L; lra.
  - rewrite Rmult_1_l, Rplus_0_r in *.
    refine (rounded_weaken _ _ _ _ _ _ _ _ (rounded_then _ _ _ _ _ _ _ R1 H)); [lra|].
    apply (Ends (exp u_qk)); auto; [apply exp_mono; assert (0 <= r_q * u) by (apply Rmult_le_pos; lra); lra|].
    set (X := exp u_qk) in *.
    assert (r_q * eta * X <= eta * X) by (apply Rmult_le_compat_r; lra).
    assert (eta_qk <= eta_qk * X) by (rewrite <- (Rmult_1_r eta_qk) at 1; apply Rmult_le_compat_l; lra).
    assert (0 <= eta * X) by (apply Rmult_le_pos; lra).
    apply Rle_trans with (1 * ((2 * eta + eta_qk) * X)); [lra|]; rewrite Rmult_assoc.
    apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | exact M1].
Qed.

(** What underflow may cost one product, before the roundings that follow. *)
Definition pair_lost (on_query : option R) (a : R * R) : R :=
  larger (factor_of on_query) * ((2 * eta + eta_qk) * (Rabs (snd a) + eta) + eta * Rabs (fst a)).

Lemma pair_lost_nonneg on_query a : 0 <= pair_lost on_query a.
Proof.
  unfold pair_lost; pose proof (larger_1 (factor_of on_query)); pose proof (Rabs_pos (fst a)); pose proof (Rabs_pos (snd a)).
  apply Rmult_le_pos; [lra|]; apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
Qed.

Lemma pair_product_error on_query a p : pair_product on_query a p ->
  let w := query_cost on_query + r_k * u in
  let s := factor_of on_query in
  Rabs (p - s * (fst a * snd a)) <= (exp w - 1) * Rabs (s * (fst a * snd a)) + pair_lost on_query a * exp w.
Proof.
  destruct a as [q0 k0]; intros (q & k & Q & Kk & ->) w s; cbn [fst snd] in *.
  pose proof (query_costs _ _ _ Q) as R; fold s in R; set (w1 := query_cost on_query) in *.
  pose proof (rounded_costs _ _ _ _ R) as (W1 & _); pose proof (rounded_costs _ _ _ _ Kk) as (W2 & _).
  destruct R as (t1 & f1 & A1 & B1 & ->), Kk as (t2 & f2 & A2 & B2 & ->).
  assert (Ew : exp w = exp w1 * exp (r_k * u)) by (unfold w; apply exp_plus).
  pose proof (at_least_1 _ W1); pose proof (at_least_1 _ W2).
  assert (T : Rabs (exp (t1 + t2) - 1) <= exp w - 1).
  { apply exp_abs; apply Rle_trans with (1 := Rabs_triang _ _); unfold w; lra. }
  apply Rabs_between in A1 as A1'; apply Rabs_between in A2 as A2'.
  assert (X1 : exp t1 <= exp w1) by (apply exp_mono; lra).
  assert (X2 : exp t2 <= exp (r_k * u)) by (apply exp_mono; lra).
  pose proof (exp_pos t1); pose proof (exp_pos t2).
  pose proof (larger_1 s) as M1; pose proof (larger_abs s) as M2; set (M := larger s) in *.
  assert (Re : Rabs f2 <= eta).
  { apply Rle_trans with (1 := B2); rewrite <- (Rmult_1_l eta) at 2; apply Rmult_le_compat_r; lra. }
  replace ((s * q0 * exp t1 + f1) * (k0 * exp t2 + f2) - s * (q0 * k0))
    with (s * (q0 * k0) * (exp (t1 + t2) - 1) + (f1 * (k0 * exp t2 + f2) + s * q0 * exp t1 * f2))
    by (rewrite exp_plus; ring).
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat.
  - rewrite Rabs_mult, Rmult_comm; apply Rmult_le_compat_r; auto using Rabs_pos.
  - apply Rle_trans with (1 := Rabs_triang _ _).
    assert (Fe : Rabs f2 <= eta * exp (r_k * u)).
    { apply Rle_trans with (1 := Re); rewrite <- (Rmult_1_r eta) at 1; apply Rmult_le_compat_l; lra. }
    assert (K1 : Rabs (k0 * exp t2 + f2) <= (Rabs k0 + eta) * exp (r_k * u)).
    { apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult, (Rabs_pos_eq (exp t2)) by lra.
      pose proof (Rabs_pos k0); assert (Rabs k0 * exp t2 <= Rabs k0 * exp (r_k * u)) by (apply Rmult_le_compat_l; lra); lra. }
    assert (F1 : Rabs (f1 * (k0 * exp t2 + f2)) <= M * (2 * eta + eta_qk) * exp w1 * ((Rabs k0 + eta) * exp (r_k * u))).
    { rewrite Rabs_mult; apply Rmult_le_compat; auto using Rabs_pos. }
    assert (F2 : Rabs (s * q0 * exp t1 * f2) <= M * Rabs q0 * exp w1 * (eta * exp (r_k * u))).
    { rewrite !Rabs_mult, (Rabs_pos_eq (exp t1)) by lra; pose proof (Rabs_pos q0); pose proof (Rabs_pos s).
      apply Rmult_le_compat; auto using Rabs_pos; [apply Rmult_le_pos; [apply Rmult_le_pos|]; lra|].
      apply Rmult_le_compat; [apply Rmult_le_pos; lra | lra | | lra]; apply Rmult_le_compat_r; lra. }
    unfold pair_lost; cbn [fst snd]; fold s M; rewrite Ew; lra.
Qed.

Lemma sum_pair_lost on_query l : sum (map (pair_lost on_query) l) =
  larger (factor_of on_query) * ((2 * eta + eta_qk) * (sum_k l + INR (length l) * eta) + eta * sum_q l).
Proof.
  unfold pair_lost; rewrite sum_map_mult; f_equal.
  rewrite (sum_map_ext _ (fun a => ((2 * eta + eta_qk) * Rabs (snd a) + (2 * eta + eta_qk) * eta) + eta * Rabs (fst a)))
    by (intros; ring).
  rewrite !sum_map_plus, !sum_map_mult, sum_map_const; unfold sum_k, sum_q; ring.
Qed.

Lemma size_scaled s l : amounts (fun a : R * R => s * (fst a * snd a)) l = Rabs s * size_of l.
Proof. unfold amounts, size_of; rewrite <- sum_map_mult; apply sum_map_ext; intros; apply Rabs_mult. Qed.
Lemma dot_scaled s l : exacts (fun a : R * R => s * (fst a * snd a)) l = s * dot_of l.
Proof. unfold exacts, dot_of; now rewrite sum_map_mult. Qed.
Lemma size_nonneg l : 0 <= size_of l.
Proof. apply sum_map_nonneg; intros; apply Rabs_pos. Qed.
Lemma dot_below_size l : Rabs (dot_of l) <= size_of l.
Proof. apply Rabs_sum_map. Qed.

Lemma dot_lost_nonneg l : 0 <= dot_lost (INR (length l)) (sum_q l) (sum_k l).
Proof.
  assert (0 <= sum_k l) by (apply sum_map_nonneg; intros; apply Rabs_pos).
  assert (0 <= sum_q l) by (apply sum_map_nonneg; intros; apply Rabs_pos).
  pose proof (pos_INR (length l)).
  unfold dot_lost; apply Rplus_le_le_0_compat; [apply Rplus_le_le_0_compat|]; apply Rmult_le_pos; try lra.
  apply Rplus_le_le_0_compat; auto; now apply Rmult_le_pos.
Qed.

Lemma NU7_dot on_query l h g v : (h <= length l)%nat -> (g <= 2 * length l)%nat ->
  summed (pair_product on_query) l h g v ->
  let w := query_cost on_query + r_k * u + INR (length l) * u in
  let s := factor_of on_query in
  Rabs (v - s * dot_of l) <= (exp w - 1) * (Rabs s * size_of l)
    + larger s * dot_lost (INR (length l)) (sum_q l) (sum_k l) * exp w.
Proof.
  intros Hh Hg Su; set (d := INR (length l)); set (w0 := query_cost on_query + r_k * u); intros w s.
  apply le_INR in Hh; apply le_INR in Hg; rewrite mult_INR in Hg; simpl (INR 2) in Hg; fold d in Hh, Hg.
  pose proof (pos_INR h); pose proof (pos_INR (length l)) as Hd; fold d in Hd.
  assert (Hu : INR h * u <= d * u) by (now apply Rmult_le_compat_r).
  assert (Ge : INR g * eta <= 2 * d * eta) by (apply Rmult_le_compat_r; lra).
  assert (W0 : 0 <= w0).
  { unfold w0, query_cost; assert (0 <= r_q * u) by (apply Rmult_le_pos; lra); assert (0 <= r_k * u) by (apply Rmult_le_pos; lra).
    destruct on_query; lra. }
  pose proof (NU7_sum_of_products (fun a => s * (fst a * snd a)) (pair_product on_query) w0
    (fun a => pair_lost on_query a * exp w0) l h g v W0
    (fun a => Rmult_le_pos _ _ (pair_lost_nonneg on_query a) (Rlt_le _ _ (exp_pos w0))) (pair_product_error on_query) Su) as Q.
  rewrite size_scaled, dot_scaled in Q; apply Rle_trans with (1 := Q); pose proof (Rabs_pos s); pose proof (size_nonneg l).
  assert (Ee : exp (w0 + INR h * u) <= exp w) by (apply exp_mono; unfold w; lra).
  apply Rplus_le_compat; [apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | lra]|].
  rewrite (sum_map_ext _ (fun a => exp w0 * pair_lost on_query a)) by (intros; ring).
  rewrite sum_map_mult, sum_pair_lost; fold d s; set (M := larger s).
  pose proof (dot_lost_nonneg l) as DL; fold d in DL; pose proof (larger_1 s) as M1; fold M in M1.
  set (X := (2 * eta + eta_qk) * (sum_k l + d * eta) + eta * sum_q l).
  assert (DX : dot_lost d (sum_q l) (sum_k l) = X + 2 * d * eta) by (unfold dot_lost, X; ring).
  assert (G0 : 0 <= 2 * d * eta) by (apply Rmult_le_pos; lra).
  assert (E0 := at_least_1 w0 W0).
  assert (Pg : INR g * eta <= M * (2 * d * eta) * exp w0).
  { apply Rle_trans with (1 := Ge); rewrite <- (Rmult_1_l (2 * d * eta)) at 1; rewrite <- (Rmult_1_r (1 * _)).
    apply Rmult_le_compat; try lra; apply Rmult_le_compat_r; lra. }
  apply Rle_trans with (M * dot_lost d (sum_q l) (sum_k l) * (exp w0 * exp (INR h * u))).
  - rewrite DX; replace (M * (X + 2 * d * eta) * (exp w0 * exp (INR h * u)))
      with ((M * X * exp w0 + M * (2 * d * eta) * exp w0) * exp (INR h * u)) by ring.
    apply Rmult_le_compat_r; [left; apply exp_pos|]; unfold X; lra.
  - rewrite <- exp_plus; apply Rmult_le_compat_l; auto; apply Rmult_le_pos; lra.
Qed.

(** proves: NU-7, AT-2 *)
Theorem NU7_logit_product scale l y : product_and_scale scale l y ->
  let d := INR (length l) in
  let g := dot_cost d in
  Rabs (y - scale * dot_of l) <= Rabs scale * size_of l * (exp g - 1)
    + exp g * (larger scale * dot_lost d (sum_q l) (sum_k l) + eta).
Proof.
  intros (h & g & v & Hh & Hg & H) d cost.
  pose proof (larger_1 scale) as M1; pose proof (larger_abs scale) as M2; pose proof (Rabs_pos scale).
  pose proof (size_nonneg l) as Sz; pose proof (dot_lost_nonneg l) as DL; fold d in DL.
  pose proof (exp_pos cost) as Ec.
  destruct H as [(Su & ->) | (Su & R)].
  - pose proof (NU7_dot _ l h g v Hh Hg Su) as Q; cbv zeta in Q; unfold query_cost in Q; cbn [factor_of] in Q; fold d in Q.
    replace (r_q * u + u_qk + 2 * u + r_k * u + d * u) with cost in Q by (unfold cost, dot_cost; ring).
    assert (0 <= exp cost * eta) by (apply Rmult_le_pos; lra); lra.
  - pose proof (NU7_dot _ l h g v Hh Hg Su) as Q; cbv zeta in Q; unfold query_cost in Q; cbn [factor_of] in Q; fold d in Q.
    set (w := r_q * u + u_qk + 0 + r_k * u + d * u) in *.
    assert (L1 : larger 1 = 1) by (unfold larger; rewrite Rabs_R1; apply Rmax_left; lra).
    rewrite L1, Rabs_R1, !Rmult_1_l in Q.
    assert (W0 : 0 <= w).
    { unfold w; pose proof (pos_INR (length l)) as Hd; fold d in Hd.
      repeat apply Rplus_le_le_0_compat; try lra; apply Rmult_le_pos; lra. }
    assert (Ew : exp cost = exp w * exp (2 * u)) by (rewrite <- exp_plus; f_equal; unfold cost, dot_cost, w; ring).
    assert (Off : Rabs (scale * v - scale * dot_of l)
        <= (exp w - 1) * (Rabs scale * size_of l) + Rabs scale * (dot_lost d (sum_q l) (sum_k l) * exp w)).
    { replace (scale * v - scale * dot_of l) with (scale * (v - dot_of l)) by ring; rewrite Rabs_mult.
      apply Rle_trans with (Rabs scale * ((exp w - 1) * size_of l + dot_lost d (sum_q l) (sum_k l) * exp w)); [|right; ring].
      apply Rmult_le_compat_l; lra. }
    assert (Below : Rabs (scale * dot_of l) <= Rabs scale * size_of l).
    { rewrite Rabs_mult; apply Rmult_le_compat_l; auto using dot_below_size. }
    assert (Pos : 0 <= dot_lost d (sum_q l) (sum_k l) * exp w) by (apply Rmult_le_pos; [exact DL | left; apply exp_pos]).
    apply Rle_trans with (1 := rounded_off _ _ _ _ _ _ _ _ (at_least_1 w W0) (Rmult_le_pos _ _ (Rabs_pos scale) Pos) Below Off R).
    rewrite <- Ew.
    replace (Rabs scale * (dot_lost d (sum_q l) (sum_k l) * exp w) * exp (2 * u))
      with (Rabs scale * dot_lost d (sum_q l) (sum_k l) * exp cost) by (rewrite Ew; ring).
    assert (Rabs scale * dot_lost d (sum_q l) (sum_k l) <= larger scale * dot_lost d (sum_q l) (sum_k l))
      by (apply Rmult_le_compat_r; lra).
    assert (C0 : 0 <= cost) by (assert (0 <= 2 * u) by lra; unfold cost, dot_cost in *; unfold w in W0; lra).
    pose proof (at_least_1 cost C0).
    assert (eta <= eta * exp cost) by (rewrite <- (Rmult_1_r eta) at 1; apply Rmult_le_compat_l; lra).
    assert (Rabs scale * dot_lost d (sum_q l) (sum_k l) * exp cost <= larger scale * dot_lost d (sum_q l) (sum_k l) * exp cost)
      by (apply Rmult_le_compat_r; lra).
    lra.
Qed.

(** A scale that underflows on its way in is off by as much as [eta], and so is the logit, times the
    products. *)
Definition scale_reach (scale : R) : R := Rabs scale + wide * eta.

Definition scale_read (scale s : R) : Prop := s = scale \/ Rabs (s - scale) <= wide * eta.

Definition product_error (scale : R) (l : list (R * R)) : R :=
  let d := INR (length l) in
  let g := dot_cost d in
  scale_reach scale * size_of l * (exp g - 1) + wide * eta * size_of l
  + exp g * (larger (scale_reach scale) * dot_lost d (sum_q l) (sum_k l) + eta).

Lemma scale_reach_abs scale s : scale_read scale s -> Rabs s <= scale_reach scale /\ Rabs (s - scale) <= wide * eta.
Proof.
  unfold scale_reach; assert (0 <= wide * eta) by (now apply Rmult_le_pos); intros [-> | H1].
  - rewrite Rminus_eq_0, Rabs_R0; lra.
  - split; auto; replace s with (scale + (s - scale)) by ring; apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.

Theorem NU7_logit_scaled scale s l y : scale_read scale s -> product_and_scale s l y ->
  Rabs (y - scale * dot_of l) <= product_error scale l.
Proof.
  intros Hs Hy; apply scale_reach_abs in Hs; destruct Hs as [Hr Hd].
  pose proof (NU7_logit_product s l y Hy) as Q; cbv zeta in Q; unfold product_error; cbv zeta.
  set (g := dot_cost (INR (length l))) in *; pose proof (size_nonneg l); pose proof (dot_lost_nonneg l); pose proof (exp_pos g).
  assert (G0 : 0 <= g).
  { unfold g, dot_cost; pose proof (pos_INR (length l)); apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; lra. }
  pose proof (at_least_1 g G0).
  assert (Lg : larger s <= larger (scale_reach scale)).
  { unfold larger; apply Rle_max_compat_l; rewrite (Rabs_pos_eq (scale_reach scale)); auto.
    apply Rle_trans with (1 := Rabs_pos s); auto. }
  replace (y - scale * dot_of l) with ((y - s * dot_of l) + (s - scale) * dot_of l) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult.
  assert (A : Rabs (s - scale) * Rabs (dot_of l) <= wide * eta * size_of l).
  { apply Rmult_le_compat; auto using Rabs_pos, dot_below_size. }
  assert (B : Rabs s * size_of l * (exp g - 1) <= scale_reach scale * size_of l * (exp g - 1)).
  { apply Rmult_le_compat_r; [lra|]; now apply Rmult_le_compat_r. }
  assert (C : larger s * dot_lost (INR (length l)) (sum_q l) (sum_k l)
    <= larger (scale_reach scale) * dot_lost (INR (length l)) (sum_q l) (sum_k l)) by (apply Rmult_le_compat_r; lra).
  assert (exp g * (larger s * dot_lost (INR (length l)) (sum_q l) (sum_k l) + eta)
    <= exp g * (larger (scale_reach scale) * dot_lost (INR (length l)) (sum_q l) (sum_k l) + eta)) by (apply Rmult_le_compat_l; lra).
  lra.
Qed.

(** ** Given logits (softmax) *)

Definition given_error (scale x : R) : R :=
  let g := (1 + wide + r_q) * u in
  scale_reach scale * Rabs x * (exp g - 1) + wide * eta * Rabs x
  + exp g * (scale_reach scale * (r_q * eta) + eta).

Theorem NU7_logit_given scale s x x1 y : scale_read scale s -> rounded (r_q * u) (r_q * eta) x x1 ->
  rounded ((1 + wide) * u) eta (s * x1) y -> Rabs (y - scale * x) <= given_error scale x.
Proof.
  intros Hs H1 Hy; apply scale_reach_abs in Hs; destruct Hs as [Hr Hd].
  apply (rounded_times s) in H1.
  pose proof (rounded_then _ _ _ _ _ _ _ H1 Hy) as Q; unfold given_error; cbv zeta.
  replace (r_q * u + (1 + wide) * u) with ((1 + wide + r_q) * u) in Q by ring.
  set (g := (1 + wide + r_q) * u) in *.
  pose proof (Rabs_pos x); pose proof (Rabs_pos s).
  assert (G0 : 0 <= (1 + wide) * u <= g) by (unfold g; split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra]).
  assert (E0 : exp ((1 + wide) * u) <= exp g) by (apply exp_mono; lra).
  pose proof (at_least_1 g ltac:(lra)).
  assert (Off : Rabs (y - s * x) <= (1 * exp g - 1) * (Rabs s * Rabs x) + 0 * exp g + (Rabs s * (r_q * eta) * exp ((1 + wide) * u) + eta)).
  { eapply rounded_off; [lra | lra | | | exact Q].
    - rewrite Rabs_mult; lra.
    - rewrite Rminus_eq_0, Rabs_R0; lra. }
  replace (y - scale * x) with ((y - s * x) + (s - scale) * x) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult.
  assert (A : Rabs (s - scale) * Rabs x <= wide * eta * Rabs x) by (apply Rmult_le_compat_r; auto).
  assert (B : Rabs s * Rabs x * (exp g - 1) <= scale_reach scale * Rabs x * (exp g - 1)).
  { apply Rmult_le_compat_r; [lra|]; now apply Rmult_le_compat_r. }
  assert (Re : 0 <= r_q * eta) by (apply Rmult_le_pos; lra).
  assert (C : Rabs s * (r_q * eta) * exp ((1 + wide) * u) <= scale_reach scale * (r_q * eta) * exp g).
  { apply Rmult_le_compat; auto; [apply Rmult_le_pos; lra | left; apply exp_pos | now apply Rmult_le_compat_r]. }
  assert (eta <= eta * exp g) by (rewrite <- (Rmult_1_r eta) at 1; apply Rmult_le_compat_l; lra).
  lra.
Qed.

(** ** Softcap: the quotient (or a reciprocal and a product), tanh to 2 units in the last place, the
    product *)

Definition cap_cost : R := (7 + wide) * u.
Definition cap_lost (c : R) : R := (2 * c + 1) * eta * exp cap_cost.

Definition capped (c t y : R) : Prop := exists c1 z h,
  (exists s, Rabs s <= wide * u /\ c1 = c * exp s) /\
  rounded (2 * u) eta (t / c1) z /\ rounded (4 * u) eta (tanh z) h /\ rounded u eta (c1 * h) y.

Theorem NU7_logit_cap c t y : 0 < c -> capped c t y -> rounded cap_cost (cap_lost c) (cap c t) y.
Proof.
  intros Hc (c1 & z & h & (s & Hs & ->) & (t1 & f1 & A1 & B1 & ->) & (t2 & f2 & A2 & B2 & ->) & (t3 & f3 & A3 & B3 & ->)).
  set (c1 := c * exp s); assert (C1 : 0 < c1) by (apply Rmult_lt_0_compat; auto using exp_pos).
  destruct (tanh_factor (t / c1) t1) as (r1 & R1 & E1), (cap_rounded c t s Hc) as (r & R0 & E0); fold c1 in E0.
  set (f1' := tanh (t / c1 * exp t1 + f1) - tanh (t / c1 * exp t1)).
  assert (F1 : Rabs f1' <= eta).
  { unfold f1'; apply Rle_trans with (1 := tanh_lipschitz _ _).
    replace (t / c1 * exp t1 + f1 - t / c1 * exp t1) with f1 by ring; auto. }
  apply Rabs_between in Hs; apply Rabs_between in A1; apply Rabs_between in A2 as A2'; apply Rabs_between in A3 as A3'.
  assert (R1' : Rabs r1 <= 2 * u).
  { apply Rabs_le; unfold Rmin, Rmax in R1; destruct (Rle_dec 0 t1); lra. }
  assert (R0' : Rabs r <= wide * u).
  { apply Rabs_le; unfold Rmin, Rmax in R0; destruct (Rle_dec 0 s); lra. }
  exists (r + r1 + t2 + t3), (c1 * f1' * exp (t2 + t3) + c1 * f2 * exp t3 + f3); split; [|split].
  - unfold cap_cost; apply Rabs_between in R1', R0'; apply Rabs_le; lra.
  - assert (W0 : 0 <= wide * u) by (apply Rmult_le_pos; lra).
    set (E := exp cap_cost); assert (Ew : 1 <= E) by (apply at_least_1; unfold cap_cost; lra).
    assert (X1 : c1 * exp (t2 + t3) <= c * E).
    { unfold c1, E; rewrite Rmult_assoc, <- exp_plus; apply Rmult_le_compat_l; [lra|]; apply exp_mono; unfold cap_cost; lra. }
    assert (X2 : c1 * exp t3 <= c * E).
    { unfold c1, E; rewrite Rmult_assoc, <- exp_plus; apply Rmult_le_compat_l; [lra|]; apply exp_mono; unfold cap_cost; lra. }
    pose proof (exp_pos (t2 + t3)); pose proof (exp_pos t3).
    replace (cap_lost c) with (c * E * eta + c * E * eta + eta * E) by (unfold cap_lost; fold E; ring).
    apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat.
    + apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat.
      * replace (c1 * f1' * exp (t2 + t3)) with (c1 * exp (t2 + t3) * f1') by ring.
        rewrite Rabs_mult, (Rabs_pos_eq (c1 * _)) by (apply Rmult_le_pos; lra).
        apply Rmult_le_compat; auto using Rabs_pos; apply Rmult_le_pos; lra.
      * replace (c1 * f2 * exp t3) with (c1 * exp t3 * f2) by ring.
        rewrite Rabs_mult, (Rabs_pos_eq (c1 * _)) by (apply Rmult_le_pos; lra).
        apply Rmult_le_compat; auto using Rabs_pos; apply Rmult_le_pos; lra.
    + apply Rle_trans with (1 := B3); rewrite <- (Rmult_1_r eta) at 1; apply Rmult_le_compat_l; lra.
  - replace (tanh (t / c1 * exp t1 + f1)) with (tanh (t / c1) * exp r1 + f1') by (unfold f1'; rewrite E1; ring).
    replace (r + r1 + t2 + t3) with (r + (r1 + (t2 + t3))) by ring.
    rewrite (exp_plus r), <- (Rmult_assoc (cap c t)), <- E0, (exp_plus r1), (exp_plus t2); ring.
Qed.

(** With an error that is there already; [size] bounds the exact logit before the cap. *)
Definition cap_error (c size a : R) : R := a + (Rmin c size + a) * (exp cap_cost - 1) + cap_lost c.

Theorem NU7_logit_cap_error c x t y size a : 0 < c -> Rabs x <= size -> Rabs (t - x) <= a ->
  rounded cap_cost (cap_lost c) (cap c t) y -> Rabs (y - cap c x) <= cap_error c size a.
Proof.
  intros Hc Hx Ha R.
  assert (A : Rabs (cap c x) <= Rmin c size).
  { apply Rmin_glb; [now apply cap_below_cap|]; apply Rle_trans with (2 := Hx); apply cap_below; lra. }
  assert (B : Rabs (cap c t - cap c x) <= (1 - 1) * Rmin c size + a).
  { apply Rle_trans with (1 := cap_lipschitz c x t ltac:(lra)); lra. }
  pose proof (Rabs_pos (t - x)); assert (Pa : 0 <= a) by lra.
  pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) Pa A B R); unfold cap_error; lra.
Qed.

(** ** Biases *)

(** The number itself, or 0 where inputs are flushed and it is subnormal. *)
Definition read (vanishes : bool) (x y : R) : Prop := y = x \/ vanishes = true /\ y = 0.
Definition flushed (vanishes : bool) (x : R) : R := if vanishes then x else 0.

Lemma read_error vanishes x y : read vanishes x y -> Rabs (y - x) <= flushed vanishes (Rabs x) /\ Rabs y <= Rabs x.
Proof.
  pose proof (Rabs_pos x); unfold flushed; intros [-> | (-> & ->)].
  - rewrite Rminus_eq_0, Rabs_R0; destruct vanishes; lra.
  - rewrite Rminus_0_l, Rabs_Ropp, Rabs_R0; lra.
Qed.

Lemma flushed_nonneg b x : 0 <= x -> 0 <= flushed b x.
Proof. intro; destruct b; cbn; lra. Qed.

Definition bias_used (vanishes : bool) (b y : R) : Prop :=
  exists b0, read vanishes b b0 /\ rounded (wide * u) (wide * eta) b0 y.
Definition bias_error (vanishes : bool) (b : R) : R :=
  Rabs b * (exp (wide * u) - 1) + wide * eta + flushed vanishes (Rabs b).

Theorem NU7_logit_bias vanishes b y : bias_used vanishes b y -> Rabs (y - b) <= bias_error vanishes b.
Proof.
  intros (b0 & Hb & R); apply read_error in Hb; destruct Hb as [D L].
  assert (Z : Rabs (b0 - b0) <= (1 - 1) * Rabs b0 + 0) by (rewrite Rminus_eq_0, Rabs_R0; lra).
  pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) (Rle_refl 0) (Rle_refl (Rabs b0)) Z R) as Q.
  pose proof (at_least_1 (wide * u) ltac:(now apply Rmult_le_pos)) as E1.
  assert (Rabs b0 * (exp (wide * u) - 1) <= Rabs b * (exp (wide * u) - 1)) by (apply Rmult_le_compat_r; lra).
  replace (y - b) with ((y - b0) + (b0 - b)) by ring; unfold bias_error.
  apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.

(** The slope, taken in, times the distance, an integer that is rounded too. *)
Definition alibi_used (vanishes : bool) (slope distance y : R) : Prop :=
  exists s0 s1, read vanishes slope s0 /\ scale_read s0 s1 /\ rounded ((2 + wide) * u) eta (s1 * distance) y.
Definition alibi_error (vanishes : bool) (slope distance : R) : R :=
  Rabs slope * distance * (exp ((2 + wide) * u) - 1) + wide * eta * distance * exp ((2 + wide) * u) + eta
  + flushed vanishes (Rabs slope * distance).

Theorem NU7_logit_alibi vanishes slope distance y : 0 <= distance -> alibi_used vanishes slope distance y ->
  Rabs (y - slope * distance) <= alibi_error vanishes slope distance.
Proof.
  intros Hd (s0 & s1 & Hs & H1 & R); apply read_error in Hs; destruct Hs as [D L].
  apply scale_reach_abs in H1; destruct H1 as [_ F].
  pose proof (at_least_1 ((2 + wide) * u) ltac:(apply Rmult_le_pos; lra)) as E1; set (E := exp ((2 + wide) * u)) in *.
  assert (W : 0 <= wide * eta * distance) by (apply Rmult_le_pos; auto; now apply Rmult_le_pos).
  assert (Off : Rabs (s1 * distance - s0 * distance) <= (1 - 1) * (Rabs slope * distance) + wide * eta * distance).
  { rewrite <- Rmult_minus_distr_r, Rabs_mult, (Rabs_pos_eq distance) by auto.
    apply Rmult_le_compat_r with (r := distance) in F; lra. }
  assert (A : Rabs (s0 * distance) <= Rabs slope * distance).
  { rewrite Rabs_mult, (Rabs_pos_eq distance) by auto; now apply Rmult_le_compat_r. }
  pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) W A Off R) as Q; fold E in Q.
  replace (y - slope * distance) with ((y - s0 * distance) + (s0 - slope) * distance) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult, (Rabs_pos_eq distance) by auto; unfold alibi_error; fold E.
  assert (Rabs (s0 - slope) * distance <= flushed vanishes (Rabs slope * distance)).
  { destruct vanishes; cbn [flushed] in *; [now apply Rmult_le_compat_r|].
    pose proof (Rabs_pos (s0 - slope)); replace (Rabs (s0 - slope)) with 0 by lra; lra. }
  lra.
Qed.

(** A sum is rounded once; adding 0 is exact, so a bias that is 0 is not there. *)
Lemma once_off w e x y s a : 0 <= w -> once w e x y -> Rabs (x - s) <= a -> Rabs (y - s) <= a + w * (Rabs s + a) + e.
Proof.
  intros Hw (d & f & Hd & Hf & ->) Ha; pose proof (Rabs_pos (x - s)).
  replace (x * (1 + d) + f - s) with ((x - s) + d * (s + (x - s)) + f) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  rewrite Rabs_mult; apply Rmult_le_compat; auto using Rabs_pos.
  apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.

Definition biased (bias alibi : bool) (v b l y : R) : Prop :=
  match bias, alibi with
  | false, false => y = v
  | true, false => once u eta (v + b) y
  | false, true => once u eta (v - l) y
  | true, true => exists w,
      (once u eta (v + b) w /\ once u eta (w - l) y) \/
      (once u eta (v - l) w /\ once u eta (w + b) y) \/
      (once u eta (b - l) w /\ once u eta (v + w) y)
  end.

(** [a] is what the terms of the sum are off by in all, [x] the exact logit. *)
Definition first_sum (x b l a : R) : R := a + eta + u * (x + b + l + a).
Definition last_sum (x a : R) : R := a + u * (x + a) + eta.
Definition sums_error (bias alibi : bool) (x b l a : R) : R :=
  match bias, alibi with
  | false, false => a
  | true, true => last_sum x (first_sum x b l a)
  | _, _ => last_sum x a
  end.

Theorem NU7_logit_sums bias alibi c b l v b1 l1 y a eb el :
  Rabs (v - c) <= a -> (bias = true -> Rabs (b1 - b) <= eb) -> (alibi = true -> Rabs (l1 - l) <= el) ->
  (bias = false -> b = 0) -> (alibi = false -> l = 0) ->
  biased bias alibi v b1 l1 y ->
  let x := c + b - l in
  Rabs (y - x) <= sums_error bias alibi (Rabs x) (Rabs b) (Rabs l)
    (a + (if bias then eb else 0) + (if alibi then el else 0)).
Proof.
  intros Hv Hb Hl Zb Zl H x; pose proof (Rabs_pos (v - c)).
  assert (T : forall p q, Rabs (p + q) <= Rabs p + Rabs q) by (intros; apply Rabs_triang).
  assert (M : forall p q, Rabs (p - q) <= Rabs p + Rabs q).
  { intros p q; unfold Rminus; rewrite <- (Rabs_Ropp q); apply Rabs_triang. }
  pose proof (Rabs_pos x); pose proof (Rabs_pos b); pose proof (Rabs_pos l).
  destruct bias, alibi; cbn [biased sums_error] in *; cbv iota in *.
  - specialize (Hb eq_refl); specialize (Hl eq_refl); set (A := a + eb + el).
    pose proof (Rabs_pos (b1 - b)); pose proof (Rabs_pos (l1 - l)).
    assert (Last : forall w, Rabs (w - x) <= first_sum (Rabs x) (Rabs b) (Rabs l) A -> once u eta w y ->
      Rabs (y - x) <= last_sum (Rabs x) (first_sum (Rabs x) (Rabs b) (Rabs l) A)).
    { intros w Hw O; exact (once_off _ _ _ _ _ _ u_nonneg O Hw). }
    assert (First : forall s p e1 w r r1 e2, once u eta s w -> Rabs (s - p) <= e1 -> Rabs (r1 - r) <= e2 ->
      Rabs p <= Rabs x + Rabs b + Rabs l -> e1 + e2 = A -> x = p + r ->
      Rabs (w + r1 - x) <= first_sum (Rabs x) (Rabs b) (Rabs l) A).
    { intros s p e1 w r r1 e2 O Hs Hr Hp He ->; pose proof (once_off _ _ _ _ _ _ u_nonneg O Hs) as Q.
      pose proof (Rabs_pos (r1 - r)); pose proof (Rabs_pos (s - p)).
      replace (w + r1 - (p + r)) with ((w - p) + (r1 - r)) by ring; apply Rle_trans with (1 := T _ _).
      assert (u * (Rabs p + e1) <= u * (Rabs (p + r) + Rabs b + Rabs l + A)) by (apply Rmult_le_compat_l; lra).
      unfold first_sum; lra. }
    destruct H as (w & [(O1 & O2) | [(O1 & O2) | (O1 & O2)]]); refine (Last _ _ O2).
    + replace (w - l1) with (w + - l1) by ring; refine (First _ (c + b) (a + eb) w (- l) (- l1) el O1 _ _ _ _ _).
      * replace (v + b1 - (c + b)) with ((v - c) + (b1 - b)) by ring; apply Rle_trans with (1 := T _ _); lra.
      * replace (- l1 - - l) with (- (l1 - l)) by ring; now rewrite Rabs_Ropp.
      * replace (c + b) with (x + l) by (unfold x; ring); apply Rle_trans with (1 := T _ _); lra.
      * reflexivity.
      * unfold x; ring.
    + refine (First _ (c - l) (a + el) w b b1 eb O1 _ Hb _ _ _).
      * replace (v - l1 - (c - l)) with ((v - c) - (l1 - l)) by ring; apply Rle_trans with (1 := M _ _); lra.
      * replace (c - l) with (x - b) by (unfold x; ring); apply Rle_trans with (1 := M _ _); lra.
      * unfold A; ring.
      * unfold x; ring.
    + rewrite (Rplus_comm v w); refine (First _ (b - l) (eb + el) w c v a O1 _ Hv _ _ _).
      * replace (b1 - l1 - (b - l)) with ((b1 - b) - (l1 - l)) by ring; apply Rle_trans with (1 := M _ _); lra.
      * apply Rle_trans with (1 := M _ _); lra.
      * unfold A; ring.
      * unfold x; ring.
  - specialize (Hb eq_refl); pose proof (Zl eq_refl) as El; rewrite Rplus_0_r.
    refine (once_off _ _ _ _ _ _ u_nonneg H _).
    replace (v + b1 - x) with ((v - c) + (b1 - b)) by (unfold x; rewrite El; ring); apply Rle_trans with (1 := T _ _); lra.
  - specialize (Hl eq_refl); pose proof (Zb eq_refl) as Eb; rewrite Rplus_0_r.
    refine (once_off _ _ _ _ _ _ u_nonneg H _).
    replace (v - l1 - x) with ((v - c) - (l1 - l)) by (unfold x; rewrite Eb; ring); apply Rle_trans with (1 := M _ _); lra.
  - pose proof (Zl eq_refl) as El; pose proof (Zb eq_refl) as Eb; rewrite !Rplus_0_r.
    replace (y - x) with (v - c) by (unfold x; rewrite H, El, Eb; ring); exact Hv.
Qed.

(** An error more in its terms is no more in the sum than two roundings make of it. *)
Lemma sums_error_grows bias alibi x b l a d : 0 <= d ->
  sums_error bias alibi x b l (a + d) <= sums_error bias alibi x b l a + exp (2 * u) * d.
Proof.
  intro Hd; pose proof (exp_ineq1_le u) as E1; pose proof (at_least_1 u u_nonneg).
  assert (E2 : exp (2 * u) = exp u * exp u) by (rewrite <- exp_plus; f_equal; ring).
  assert (S2 : (1 + u) * (1 + u) <= exp (2 * u)) by (rewrite E2; apply Rmult_le_compat; lra).
  assert (S1 : 1 + u <= exp (2 * u)) by (rewrite E2; nra).
  assert (S0 : 1 <= exp (2 * u)) by lra.
  assert (G : forall q, q <= exp (2 * u) -> q * d <= exp (2 * u) * d) by (intros; now apply Rmult_le_compat_r).
  pose proof (G _ S2); pose proof (G _ S1); pose proof (G _ S0).
  destruct bias, alibi; unfold sums_error, last_sum, first_sum; lra.
Qed.

(** ** Logits that are stored in a format of their own *)

Variables (u_l eta_l : R).
Hypothesis u_l_nonneg : 0 <= u_l <= 1.
Hypothesis eta_l_nonneg : 0 <= eta_l.
Definition store : R -> R -> Prop := once u_l eta_l.

(** Stored before the cap is stored after it, and before the scale after it: relative errors pass. *)
Lemma store_before_cap c F t t1 y : 0 < c -> once u_l F t t1 -> capped c t1 y ->
  exists v, rounded cap_cost (cap_lost c) (cap c t) v /\ once u_l (F * exp cap_cost + cap_lost c * u_l) v y.
Proof.
  intros Hc (d & f & Hd & Hf & ->) R; apply NU7_logit_cap in R; auto; destruct R as (s & g & Hs & Hg & ->).
  apply Rabs_between in Hd as Hd'; destruct (cap_relative c t d ltac:(lra) ltac:(lra)) as (d' & D & E).
  set (f' := cap c (t * (1 + d) + f) - cap c (t * (1 + d))).
  assert (Ff : Rabs f' <= F).
  { apply Rle_trans with (2 := Hf); unfold f'; apply Rle_trans with (1 := cap_lipschitz c _ _ ltac:(lra)).
    right; f_equal; ring. }
  exists (cap c t * exp s + g); split; [exists s, g; auto|].
  exists d', (f' * exp s - g * d'); split; [lra|]; split.
  - apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_Ropp, !Rabs_mult, (Rabs_pos_eq (exp s)) by (left; apply exp_pos).
    apply Rabs_between in Hs; pose proof (exp_pos s).
    apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos; try lra; apply exp_mono; lra.
  - replace (cap c (t * (1 + d) + f)) with (cap c t * (1 + d') + f') by (unfold f'; rewrite E; ring); ring.
Qed.

Lemma store_before_scale w s v v1 y : w <= 2 * u -> store v v1 -> rounded w eta (s * v1) y ->
  exists t, rounded w eta (s * v) t /\ once u_l (larger s * eta_l * exp (2 * u) + eta * u_l) t y.
Proof.
  intros Hw (d & f & Hd & Hf & ->) (r & g & Hr & Hg & ->); exists (s * v * exp r + g); split; [exists r, g; auto|].
  exists d, (s * f * exp r - g * d); split; auto; split; [|ring].
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_Ropp, !Rabs_mult, (Rabs_pos_eq (exp r)) by (left; apply exp_pos).
  apply Rabs_between in Hr; pose proof (exp_pos r); pose proof (larger_abs s).
  apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos; try lra.
  - apply Rmult_le_pos; apply Rabs_pos.
  - apply Rmult_le_compat; auto using Rabs_pos.
  - apply exp_mono; lra.
Qed.

(** ** The sink logit *)

Theorem NU7_logit_sink vanishes s s0 y : read vanishes s s0 -> once (wide * u) (wide * eta) s0 y ->
  Rabs (y - s) <= wide * (Rabs s * u + eta) + flushed vanishes (Rabs s).
Proof.
  intros Hr O; apply read_error in Hr; destruct Hr as [D L].
  assert (W : 0 <= wide * u) by (now apply Rmult_le_pos).
  assert (Z : Rabs (s0 - s0) <= 0) by (rewrite Rminus_eq_0, Rabs_R0; lra).
  pose proof (once_off _ _ _ _ _ _ W O Z) as Q.
  replace (y - s) with ((y - s0) + (s0 - s)) by ring; apply Rle_trans with (1 := Rabs_triang _ _).
  assert (wide * u * Rabs s0 <= wide * u * Rabs s) by (now apply Rmult_le_compat_l); lra.
Qed.
End Steps.
