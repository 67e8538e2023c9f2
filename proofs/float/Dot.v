(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a computed logit: a dot product in binary32, fused multiply-adds and sums in any
    order, then the scale. It is the a_j of NU-7; T-19 says what it does to weights.
    proves: NU-7, AT-2 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Flocq Require Import Core.
From Sinkproof Require Import Spec Sums Near Model Classes ExpRound Exp Fast.
Import ListNotations.
Open Scope R_scope.

(** [dotted qk h v]: [v] is computed for the products of [qk] with at most [h] roundings between a
    product and the result. *)
Inductive dotted : list (R * R) -> nat -> R -> Prop :=
| D_zero : dotted [] 0 0
| D_fma q k l h v : F32 q -> F32 k -> dotted l h v -> dotted ((q, k) :: l) (S h) (rnd (q * k + v))
| D_add la lb ha hb va vb : dotted la ha va -> dotted lb hb vb ->
    dotted (la ++ lb) (S (Nat.max ha hb)) (rnd (va + vb)).

Definition products (l : list (R * R)) : R := sum (map (fun p => fst p * snd p) l).
Definition sizes (l : list (R * R)) : R := sum (map (fun p => Rabs (fst p * snd p)) l).

Lemma dotted_format l h v : dotted l h v -> F32 v.
Proof. induction 1; try apply F32_rnd; apply generic_format_0. Qed.

Lemma sizes_bound l : Rabs (products l) <= sizes l.
Proof. apply Rabs_sum_map. Qed.

(** One more rounding of a value [w] that is within (E - 1) A + B of [s], |s| <= A. *)
Lemma one_more w s A B E t : 1 <= E -> 0 <= B -> Rabs s <= A -> Rabs t <= uu ->
  Rabs (w - s) <= (E - 1) * A + B ->
  Rabs (w * exp t - s) <= (E * exp uu - 1) * A + B * exp uu.
Proof.
  intros HE HB HA Ht Hw; apply Rabs_le_inv in Ht.
  assert (T1 : exp t <= exp uu) by (apply exp_mono; lra).
  assert (U : exp (- uu) <= exp t) by (apply exp_mono; lra).
  pose proof (exp_cancel uu) as C; pose proof (exp_pos t); pose proof (exp_pos uu); pose proof (exp_pos (- uu)).
  assert (U1 : 1 <= exp uu) by (rewrite <- exp_0; apply exp_mono; lra).
  assert (D : Rabs (exp t - 1) <= exp uu - 1).
  { apply Rabs_le; split; [|lra].
    assert (2 <= exp uu + exp (- uu)); [|lra].
    pose proof (Rle_0_sqr (exp uu - 1)) as Z; unfold Rsqr in Z.
    apply Rmult_le_reg_l with (exp uu); auto; rewrite Rmult_plus_distr_l, C; lra. }
  replace (w * exp t - s) with ((w - s) * exp t + s * (exp t - 1)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult, (Rabs_pos_eq (exp t)) by lra.
  pose proof (Rabs_pos (w - s)); pose proof (Rabs_pos s); pose proof (Rabs_pos (exp t - 1)).
  apply Rle_trans with (((E - 1) * A + B) * exp uu + A * (exp uu - 1)).
  - apply Rplus_le_compat; apply Rmult_le_compat; auto; lra.
  - right; ring.
Qed.

Lemma E_grows h k : (h <= k)%nat -> exp (INR h * uu) <= exp (INR k * uu).
Proof. intro H; apply exp_mono, Rmult_le_compat_r; [lra | now apply le_INR]. Qed.

Lemma E_S h : exp (INR (S h) * uu) = exp (INR h * uu) * exp uu.
Proof. rewrite <- exp_plus, S_INR; f_equal; ring. Qed.

(** proves: NU-7 *)
Theorem NU7_dot_product l h v : dotted l h v ->
  Rabs (v - products l) <= (exp (INR h * uu) - 1) * sizes l + INR (length l) * least * exp (INR h * uu).
Proof.
  pose proof least_pos as LP.
  induction 1 as [|q k l h v Fq Fk D IH|la lb ha hb va vb Da IHa Db IHb].
  - unfold products, sizes, sum; simpl; rewrite Rminus_0_r, Rabs_R0, !Rmult_0_l, exp_0; lra.
  - destruct (any32 (q * k + v)) as (t & e & Ht & He & ->).
    assert (P : products ((q, k) :: l) = q * k + products l) by reflexivity.
    assert (Z : sizes ((q, k) :: l) = Rabs (q * k) + sizes l) by reflexivity.
    assert (E1 : 1 <= exp (INR h * uu)) by (rewrite <- exp_0; apply exp_mono, Rmult_le_pos; [apply pos_INR | lra]).
    rewrite E_S, <- (Rmult_assoc (INR (length ((q, k) :: l)) * least)).
    apply one_more; auto.
    + apply Rmult_le_pos; [apply Rmult_le_pos; [apply pos_INR | lra] | lra].
    + apply sizes_bound.
    + rewrite P, Z; cbn [length]; rewrite S_INR.
      replace (q * k + v + e - (q * k + products l)) with ((v - products l) + e) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _).
      pose proof (Rabs_pos (q * k)).
      assert (least <= least * exp (INR h * uu)) by (rewrite <- (Rmult_1_r least) at 1; apply Rmult_le_compat_l; lra).
      assert (0 <= (exp (INR h * uu) - 1) * Rabs (q * k)) by (apply Rmult_le_pos; lra).
      rewrite (Rmult_plus_distr_l (exp (INR h * uu) - 1)), !Rmult_plus_distr_r, Rmult_1_l; lra.
  - destruct (sum32 va vb (dotted_format _ _ _ Da) (dotted_format _ _ _ Db)) as (t & Ht & ->).
    assert (P : products (la ++ lb) = products la + products lb) by (unfold products; rewrite map_app; apply sum_app).
    assert (Z : sizes (la ++ lb) = sizes la + sizes lb) by (unfold sizes; rewrite map_app; apply sum_app).
    set (k := Nat.max ha hb) in *.
    pose proof (E_grows ha k ltac:(lia)) as Ga; pose proof (E_grows hb k ltac:(lia)) as Gb.
    assert (E1 : 1 <= exp (INR k * uu)) by (rewrite <- exp_0; apply exp_mono, Rmult_le_pos; [apply pos_INR | lra]).
    assert (S0 : forall l, 0 <= sizes l) by (intro; apply sum_map_nonneg; intros; apply Rabs_pos).
    pose proof (S0 la); pose proof (S0 lb).
    assert (N : forall l : list (R * R), 0 <= INR (length l) * least) by (intro; apply Rmult_le_pos; [apply pos_INR | lra]).
    pose proof (N la); pose proof (N lb).
    rewrite E_S, <- (Rmult_assoc (INR (length (la ++ lb)) * least)).
    apply one_more; auto.
    + apply Rmult_le_pos; [apply N | lra].
    + apply sizes_bound.
    + rewrite P, Z, app_length, plus_INR.
      replace (va + vb - (products la + products lb)) with ((va - products la) + (vb - products lb)) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _).
      assert (A : Rabs (va - products la) <= (exp (INR k * uu) - 1) * sizes la + INR (length la) * least * exp (INR k * uu)).
      { apply Rle_trans with (1 := IHa); apply Rplus_le_compat; [apply Rmult_le_compat_r; lra | apply Rmult_le_compat_l; lra]. }
      assert (B : Rabs (vb - products lb) <= (exp (INR k * uu) - 1) * sizes lb + INR (length lb) * least * exp (INR k * uu)).
      { apply Rle_trans with (1 := IHb); apply Rplus_le_compat; [apply Rmult_le_compat_r; lra | apply Rmult_le_compat_l; lra]. }
      lra.
Qed.

(** With the scale: one rounding more, and one underflow. proves: NU-7, AT-2 *)
Theorem NU7_logit scale l h v : dotted l h v ->
  Rabs (rnd (scale * v) - scale * products l)
  <= (exp (INR (S h) * uu) - 1) * (Rabs scale * sizes l)
     + (Rabs scale * (INR (length l) * least * exp (INR h * uu)) + least) * exp uu.
Proof.
  intro D; pose proof (NU7_dot_product l h v D) as B; pose proof least_pos as LP.
  destruct (any32 (scale * v)) as (t & e & Ht & He & ->).
  assert (E1 : 1 <= exp (INR h * uu)) by (rewrite <- exp_0; apply exp_mono, Rmult_le_pos; [apply pos_INR | lra]).
  rewrite E_S; apply one_more; auto.
  - apply Rplus_le_le_0_compat; [|lra].
    apply Rmult_le_pos; [apply Rabs_pos|]; apply Rmult_le_pos; [apply Rmult_le_pos; [apply pos_INR | lra] | lra].
  - rewrite Rabs_mult; apply Rmult_le_compat_l; [apply Rabs_pos | apply sizes_bound].
  - replace (scale * v + e - scale * products l) with (scale * (v - products l) + e) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult.
    pose proof (Rmult_le_compat_l _ _ _ (Rabs_pos scale) B) as Q; lra.
Qed.
