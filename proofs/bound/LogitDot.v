(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a computed logit before the cap: dot product and scale, and logits that are given. The
    names are those at the head of certify/judge/bound_logit.c. proves: NU-7, AT-2 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Spec Sums Near Tanh Rounded Summed.
Import ListNotations.
Open Scope R_scope.

Section Dot.
(** The arithmetic: u' and the unit of underflow; [wide] is 1 where binary32 numbers are rounded on
    their way in, else 0. *)
Variables (u eta wide : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_nonneg : 0 <= eta.
Hypothesis wide_nonneg : 0 <= wide.
Local Notation summed := (summed u eta).

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
  pose proof (NU7_sum_of_products u eta u_nonneg eta_nonneg (fun a => s * (fst a * snd a)) (pair_product on_query) w0
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
End Dot.
