(* SPDX-License-Identifier: Apache-2.0 *)
(** T-19: logits (the sink logit too) that are off by at most [e] move every weight by a factor of
    at most e^(2e), the total variation by at most tanh(e/2), and an output by at most tanh(e/2)
    times the spread of the values. The constant cannot be improved. proves: NU-7 *)
From Coq Require Import Reals List Lra Lia Permutation.
From Coquelicot Require Import Rcomplements.
From Sinkproof Require Import Spec Sums Softmax.
Import ListNotations.
Open Scope R_scope.

(** A row with its perturbation: (exact logit, perturbed logit, value). The sink logit is a key of
    value 0 (T-05), so rows without one lose nothing. *)
Record pkey := PKey { was : R; now : R; val : R }.
Notation Zw r := (sum (map (fun k => exp (was k)) r)).
Notation Zn r := (sum (map (fun k => exp (now k)) r)).
Definition old_weight (r : list pkey) (k : pkey) : R := exp (was k) / Zw r.
Definition new_weight (r : list pkey) (k : pkey) : R := exp (now k) / Zn r.
Definition within (e : R) (r : list pkey) : Prop := forall k, In k r -> Rabs (now k - was k) <= e.

Lemma exp_within e k : Rabs (now k - was k) <= e ->
  exp (- e) * exp (was k) <= exp (now k) <= exp e * exp (was k).
Proof.
  intro H; apply Rabs_between in H; rewrite <- !exp_plus; split; apply exp_mono; lra.
Qed.

Lemma Z_within e r : within e r -> exp (- e) * Zw r <= Zn r <= exp e * Zw r.
Proof.
  intro H; rewrite <- !sum_map_mult; split; apply sum_map_le; intros k i; apply (exp_within e k (H k i)).
Qed.

Lemma Zw_pos r : r <> [] -> 0 < Zw r.
Proof. intro H; rewrite <- (map_map was exp); apply Z_keys_pos; destruct r; easy. Qed.
Lemma Zn_pos r : r <> [] -> 0 < Zn r.
Proof. intro H; rewrite <- (map_map now exp); apply Z_keys_pos; destruct r; easy. Qed.

Theorem T19_ratio e r k : within e r -> In k r ->
  exp (- (2 * e)) * old_weight r k <= new_weight r k <= exp (2 * e) * old_weight r k.
Proof.
  intros H i; assert (Hr : r <> []) by (destruct r; easy).
  pose proof (Zw_pos r Hr); pose proof (Zn_pos r Hr).
  destruct (Z_within e r H) as [L U]; destruct (exp_within e k (H k i)) as [l u].
  unfold old_weight, new_weight.
  replace (2 * e) with (e + e) by ring; rewrite Ropp_plus_distr, !exp_plus.
  pose proof (exp_pos e); pose proof (exp_pos (- e)); pose proof (exp_pos (was k)).
  assert (E : exp e * exp (- e) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
  split; apply Rmult_le_reg_r with (Zn r * Zw r); try (apply Rmult_lt_0_compat; lra).
  - replace (exp (now k) / Zn r * (Zn r * Zw r)) with (exp (now k) * Zw r) by (field; lra).
    replace (exp (- e) * exp (- e) * (exp (was k) / Zw r) * (Zn r * Zw r))
      with ((exp (- e) * exp (was k)) * (exp (- e) * Zn r)) by (field; lra).
    apply Rmult_le_compat; try (apply Rmult_le_pos; lra); auto.
    apply Rle_trans with (exp (- e) * (exp e * Zw r)); [apply Rmult_le_compat_l; lra|].
    replace (exp (- e) * (exp e * Zw r)) with (exp e * exp (- e) * Zw r) by ring; rewrite E; lra.
  - replace (exp (now k) / Zn r * (Zn r * Zw r)) with (exp (now k) * Zw r) by (field; lra).
    replace (exp e * exp e * (exp (was k) / Zw r) * (Zn r * Zw r))
      with ((exp e * exp (was k)) * (exp e * Zn r)) by (field; lra).
    apply Rmult_le_compat; try (left; apply exp_pos); auto; try lra.
    apply Rle_trans with (exp e * (exp (- e) * Zw r)); [|apply Rmult_le_compat_l; lra].
    replace (exp e * (exp (- e) * Zw r)) with (exp e * exp (- e) * Zw r) by ring; rewrite E; lra.
Qed.

(** ** Total variation *)

Definition tv (r : list pkey) : R :=
  / 2 * sum (map (fun k => Rabs (new_weight r k - old_weight r k)) r).

Lemma tanh_half e : tanh (e / 2) = (exp e - 1) / (exp e + 1).
Proof.
  assert (E : exp e = exp (e / 2) * exp (e / 2)) by (rewrite <- exp_plus; f_equal; field).
  unfold tanh, sinh, cosh; rewrite E, exp_Ropp; pose proof (exp_pos (e / 2)).
  field; repeat split; nra.
Qed.

(** The two-set odds argument: no set can gain more than tanh(e/2). *)
Lemma odds_gain e a b a' b' : 0 <= a -> 0 <= b -> 0 < a + b -> 0 <= e ->
  0 <= a' <= exp e * a -> exp (- e) * b <= b' -> 0 < a' + b' ->
  a' / (a' + b') - a / (a + b) <= tanh (e / 2).
Proof.
  intros Ha Hb Hab He Ha' Hb' Hab'; rewrite tanh_half.
  set (k := exp e) in *; assert (Hk : 1 <= k) by (unfold k; rewrite <- exp_0; now apply exp_mono).
  rewrite exp_Ropp in Hb'; fold k in Hb'.
  assert (Hkb : b <= k * b').
  { apply Rmult_le_compat_l with (r := k) in Hb'; [|lra].
    rewrite <- Rmult_assoc, Rinv_r, Rmult_1_l in Hb' by lra; exact Hb'. }
  assert (D : 0 < k * k * a + b) by nra.
  assert (S1 : a' / (a' + b') <= k * k * a / (k * k * a + b)).
  { apply Rmult_le_reg_r with ((a' + b') * (k * k * a + b)); [now apply Rmult_lt_0_compat|].
    replace (a' / (a' + b') * _) with (a' * (k * k * a + b)) by (field; lra).
    replace (k * k * a / (k * k * a + b) * _) with (k * k * a * (a' + b')) by (field; lra).
    enough (a' * b <= k * k * a * b') by lra.
    apply Rle_trans with (k * a * b); [apply Rmult_le_compat_r; lra|].
    replace (k * k * a * b') with (k * a * (k * b')) by ring.
    apply Rmult_le_compat_l; [apply Rmult_le_pos; lra | exact Hkb]. }
  apply Rle_trans with (k * k * a / (k * k * a + b) - a / (a + b)); [lra|].
  apply Rmult_le_reg_r with ((k * k * a + b) * (a + b) * (k + 1)).
  { repeat apply Rmult_lt_0_compat; lra. }
  replace ((k * k * a / (k * k * a + b) - a / (a + b)) * _)
    with ((k - 1) * ((k + 1) * (k + 1) * (a * b))) by (field; lra).
  replace ((k - 1) / (k + 1) * _) with ((k - 1) * ((k * k * a + b) * (a + b))) by (field; lra).
  apply Rmult_le_compat_l; [lra|].
  pose proof (Rle_0_sqr (k * a - b)) as Q; unfold Rsqr in Q; nra.
Qed.

(** The keys whose weight rose. *)
Definition rose (r : list pkey) (k : pkey) : bool :=
  if Rle_dec (old_weight r k) (new_weight r k) then true else false.

Lemma split_sum (f : pkey -> R) (q : pkey -> bool) l :
  sum (map f l) = sum (map f (filter q l)) + sum (map f (filter (fun k => negb (q k)) l)).
Proof.
  induction l as [|k l IH]; cbn [filter map]; [rewrite !sum_nil; ring|].
  rewrite sum_cons, IH; destruct (q k); cbn [negb map]; rewrite sum_cons; ring.
Qed.

Lemma weights_sum_1 r : r <> [] ->
  sum (map (old_weight r) r) = 1 /\ sum (map (new_weight r) r) = 1.
Proof.
  intro H; pose proof (Zw_pos r H); pose proof (Zn_pos r H); split.
  - rewrite (map_ext _ (fun k => / Zw r * exp (was k))) by (intro; unfold old_weight, Rdiv; ring).
    rewrite (sum_map_mult (fun k => exp (was k))); field; lra.
  - rewrite (map_ext _ (fun k => / Zn r * exp (now k))) by (intro; unfold new_weight, Rdiv; ring).
    rewrite (sum_map_mult (fun k => exp (now k))); field; lra.
Qed.

Theorem T19_total_variation e r : r <> [] -> 0 <= e -> within e r -> tv r <= tanh (e / 2).
Proof.
  intros Hr He H; set (q := rose r); set (nq := fun k => negb (q k)).
  set (A := filter q r); set (B := filter nq r).
  destruct (weights_sum_1 r Hr) as [S1 S2].
  rewrite (split_sum (old_weight r) q) in S1; rewrite (split_sum (new_weight r) q) in S2.
  fold nq A B in S1, S2.
  set (f := fun k => new_weight r k - old_weight r k).
  assert (Gain : tv r = sum (map f A)).
  { unfold tv; rewrite (split_sum _ q); fold nq A B.
    rewrite (sum_map_ext (fun k => Rabs (new_weight r k - old_weight r k)) f A).
    2:{ intros k i; apply filter_In in i as [_ i]; unfold q, rose in i.
        destruct (Rle_dec _ _) in i; [|easy]; apply Rabs_pos_eq; unfold f; lra. }
    rewrite (sum_map_ext (fun k => Rabs (new_weight r k - old_weight r k)) (fun k => -1 * f k) B).
    2:{ intros k i; apply filter_In in i as [_ i]; unfold nq, q, rose in i.
        destruct (Rle_dec _ _) in i; [easy|]; rewrite Rabs_left by lra; unfold f; ring. }
    assert (F : forall l, sum (map f l) = sum (map (new_weight r) l) + -1 * sum (map (old_weight r) l)).
    { intro l; rewrite <- sum_map_mult, <- sum_map_plus; apply sum_map_ext; intros; unfold f; ring. }
    rewrite sum_map_mult, !F; lra. }
  set (a := sum (map (fun k => exp (was k)) A)); set (b := sum (map (fun k => exp (was k)) B)).
  set (a' := sum (map (fun k => exp (now k)) A)); set (b' := sum (map (fun k => exp (now k)) B)).
  assert (Zo : Zw r = a + b) by apply split_sum; assert (Zne : Zn r = a' + b') by apply split_sum.
  assert (G : sum (map f A) = a' / (a' + b') - a / (a + b)).
  { rewrite <- Zo, <- Zne; unfold a, a'.
    rewrite (sum_map_ext f (fun k => / Zn r * exp (now k) + (- / Zw r) * exp (was k))).
    - rewrite sum_map_plus, !sum_map_mult; unfold Rdiv; ring.
    - intros; unfold f, new_weight, old_weight, Rdiv; ring. }
  rewrite Gain, G; apply odds_gain; auto.
  - apply sum_map_nonneg; intros; left; apply exp_pos.
  - apply sum_map_nonneg; intros; left; apply exp_pos.
  - rewrite <- Zo; now apply Zw_pos.
  - split; [apply sum_map_nonneg; intros; left; apply exp_pos|].
    unfold a, a'; rewrite <- sum_map_mult; apply sum_map_le; intros k i.
    apply (exp_within e k), H; now apply filter_In in i.
  - unfold b, b'; rewrite <- sum_map_mult; apply sum_map_le; intros k i.
    apply (exp_within e k), H; now apply filter_In in i.
  - rewrite <- Zne; now apply Zn_pos.
Qed.

Definition old_out (r : list pkey) : R := sum (map (fun k => old_weight r k * val k) r).
Definition new_out (r : list pkey) : R := sum (map (fun k => new_weight r k * val k) r).

Theorem T19_output e r lo hi : r <> [] -> 0 <= e -> within e r ->
  (forall k, In k r -> lo <= val k <= hi) ->
  Rabs (new_out r - old_out r) <= tanh (e / 2) * (hi - lo).
Proof.
  intros Hr He H Hv; destruct (weights_sum_1 r Hr) as [S1 S2].
  set (c := (lo + hi) / 2); set (f := fun k => new_weight r k - old_weight r k).
  assert (E : new_out r - old_out r = sum (map (fun k => f k * (val k - c)) r)).
  { unfold new_out, old_out.
    rewrite (sum_map_ext (fun k => f k * (val k - c)) (fun k => new_weight r k * val k
      + (-1 * (old_weight r k * val k) + (- c * new_weight r k + c * old_weight r k))))
      by (intros; unfold f; ring).
    rewrite !sum_map_plus, !sum_map_mult, S1, S2; ring. }
  rewrite E; apply Rle_trans with (1 := Rabs_sum_map _ _).
  apply Rle_trans with (sum (map (fun k => ((hi - lo) / 2) * Rabs (f k)) r)).
  - apply sum_map_le; intros k i; rewrite Rabs_mult, Rmult_comm.
    apply Rmult_le_compat_r; [apply Rabs_pos|]; apply Rabs_le; pose proof (Hv k i); unfold c; lra.
  - rewrite sum_map_mult; pose proof (T19_total_variation e r Hr He H) as T; unfold tv in T.
    change (/ 2 * sum (map (fun k => Rabs (f k)) r) <= tanh (e / 2)) in T.
    assert (0 <= hi - lo) by (destruct r as [|k r]; [easy|]; pose proof (Hv k (or_introl eq_refl)); lra).
    replace ((hi - lo) / 2 * sum (map (fun k => Rabs (f k)) r))
      with (/ 2 * sum (map (fun k => Rabs (f k)) r) * (hi - lo)) by field.
    now apply Rmult_le_compat_r.
Qed.

(** Reached by two keys of logits -e/2, e/2 (before) and e/2, -e/2 (after). *)
Theorem T19_tight e : 0 <= e ->
  tv [PKey (- (e / 2)) (e / 2) 1; PKey (e / 2) (- (e / 2)) (-1)] = tanh (e / 2).
Proof.
  intro He; unfold tv, new_weight, old_weight, sum; simpl; rewrite !Rplus_0_r.
  unfold tanh, sinh, cosh.
  pose proof (exp_mono (- (e / 2)) (e / 2) ltac:(lra)).
  pose proof (exp_pos (e / 2)); pose proof (exp_pos (- (e / 2))).
  set (x := exp (e / 2)) in *; set (y := exp (- (e / 2))) in *.
  replace (x / (x + y) - y / (y + x)) with ((x - y) / (x + y)) by (field; lra).
  replace (y / (x + y) - x / (y + x)) with (- ((x - y) / (x + y))) by (field; lra).
  rewrite Rabs_Ropp, Rabs_pos_eq by (apply Rdiv_le_0_compat; lra); field; lra.
Qed.
