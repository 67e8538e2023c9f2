(* SPDX-License-Identifier: Apache-2.0 *)
(** Lengths and products in a plane, and how much a turn of one vector moves a product. proves: EV-11 *)
From Coq Require Import Reals Lra.
From Sinkproof Require Import Spec Sums Rope.
Open Scope R_scope.

(** ** Lengths in a plane *)

Definition on_both (v w : plane) : R := fst v * fst w + snd v * snd w.
Definition len (v : plane) : R := sqrt (fst v * fst v + snd v * snd v).
Definition off (v w : plane) : plane := (fst v - fst w, snd v - snd w).
Definition times (s : R) (v : plane) : plane := (s * fst v, s * snd v).

Lemma len_nonneg v : 0 <= len v. Proof. apply sqrt_pos. Qed.

Lemma squares_nonneg (v : plane) : 0 <= fst v * fst v + snd v * snd v.
Proof. pose proof (Rle_0_sqr (fst v)); pose proof (Rle_0_sqr (snd v)); unfold Rsqr in *; lra. Qed.

Lemma len_square v : len v * len v = fst v * fst v + snd v * snd v.
Proof. apply sqrt_sqrt, squares_nonneg. Qed.

Lemma square_abs x : Rabs x * Rabs x = x * x.
Proof. rewrite <- Rabs_mult; apply Rabs_pos_eq, Rle_0_sqr. Qed.

(** Squares tell which is larger. *)
Lemma below_by_squares x y : 0 <= y -> x * x <= y * y -> x <= y.
Proof. intros Hy H; apply Rnot_lt_le; intro C; assert (y * y < x * x) by (apply Rmult_le_0_lt_compat; lra); lra. Qed.

Lemma len_below v c : 0 <= c -> fst v * fst v + snd v * snd v <= c * c -> len v <= c.
Proof. intros Hc H; apply below_by_squares; auto; now rewrite len_square. Qed.

(** Cauchy, with absolute values. *)
Lemma cauchy v w : Rabs (fst v) * Rabs (fst w) + Rabs (snd v) * Rabs (snd w) <= len v * len w.
Proof.
  apply below_by_squares; [apply Rmult_le_pos; apply len_nonneg|].
  replace (len v * len w * (len v * len w)) with ((len v * len v) * (len w * len w)) by ring; rewrite !len_square.
  rewrite <- (square_abs (fst v)), <- (square_abs (snd v)), <- (square_abs (fst w)), <- (square_abs (snd w)).
  set (a := Rabs (fst v)); set (b := Rabs (snd v)); set (c := Rabs (fst w)); set (d := Rabs (snd w)).
  pose proof (Rle_0_sqr (a * d - b * c)) as Q; unfold Rsqr in Q; lra.
Qed.

Lemma on_both_below v w : Rabs (on_both v w) <= len v * len w.
Proof.
  apply Rle_trans with (2 := cauchy v w); unfold on_both; apply Rle_trans with (1 := Rabs_triang _ _).
  rewrite !Rabs_mult; lra.
Qed.

Lemma len_triangle u v w : len (off u w) <= len (off u v) + len (off v w).
Proof.
  pose proof (len_nonneg (off u v)); pose proof (len_nonneg (off v w)); apply len_below; [lra|].
  pose proof (len_square (off u v)) as A; pose proof (len_square (off v w)) as B.
  pose proof (on_both_below (off u v) (off v w)) as C; apply Rabs_between in C.
  unfold on_both, off in *; cbn [fst snd] in *; lra.
Qed.

Lemma len_0 v : len (off v v) = 0.
Proof. unfold len, off; cbn [fst snd]; rewrite !Rminus_eq_0, Rmult_0_l, Rplus_0_l; apply sqrt_0. Qed.

Lemma len_near v w : len v <= len w + len (off v w).
Proof.
  pose proof (len_triangle v w (0, 0)) as T; unfold off in *; cbn [fst snd] in *.
  replace (fst v - 0, snd v - 0) with v in T by (destruct v; cbn; f_equal; ring).
  replace (fst w - 0, snd w - 0) with w in T by (destruct w; cbn; f_equal; ring); lra.
Qed.

Lemma len_rotate t v : len (rotate t v) = len v.
Proof.
  unfold len, rotate; cbn [fst snd]; f_equal; pose proof (sin2_cos2 t) as E; unfold Rsqr in E.
  replace (_ + _) with ((fst v * fst v + snd v * snd v) * (sin t * sin t + cos t * cos t)) by ring; rewrite E; ring.
Qed.

Lemma rotate_off t v w : off (rotate t v) (rotate t w) = rotate t (off v w).
Proof. unfold off, rotate; cbn [fst snd]; f_equal; ring. Qed.

Lemma len_times s v : len (times s v) = Rabs s * len v.
Proof.
  unfold len, times; cbn [fst snd].
  replace (_ + _) with ((s * s) * (fst v * fst v + snd v * snd v)) by ring; rewrite sqrt_mult_alt by apply Rle_0_sqr.
  f_equal; apply sqrt_Rsqr_abs.
Qed.

Lemma rotate_times t s v : rotate t (times s v) = times s (rotate t v).
Proof. unfold rotate, times; cbn [fst snd]; f_equal; ring. Qed.

(** From elements to lengths and back: the root of 2 is at most 3/2. *)
Lemma square_below x e : Rabs x <= e -> x * x <= e * e.
Proof. intro H; pose proof (Rabs_pos x); rewrite <- square_abs; apply Rmult_le_compat; lra. Qed.

Lemma len_of_both v e : Rabs (fst v) <= e -> Rabs (snd v) <= e -> len v <= 3 / 2 * e.
Proof.
  intros A B; pose proof (Rabs_pos (fst v)); apply len_below; [lra|].
  apply square_below in A, B; pose proof (Rle_0_sqr e); unfold Rsqr in *; lra.
Qed.

Definition sizes_of (v : plane) : R := Rabs (fst v) + Rabs (snd v).

Lemma sizes_square v : sizes_of v * sizes_of v <= 2 * (len v * len v).
Proof.
  rewrite len_square, <- (square_abs (fst v)), <- (square_abs (snd v)); unfold sizes_of.
  pose proof (Rle_0_sqr (Rabs (fst v) - Rabs (snd v))) as Q; unfold Rsqr in Q; lra.
Qed.

Lemma sizes_nonneg v : 0 <= sizes_of v.
Proof. apply Rplus_le_le_0_compat; apply Rabs_pos. Qed.

Lemma sizes_below_len v : sizes_of v <= 3 / 2 * len v.
Proof.
  pose proof (len_nonneg v); apply below_by_squares; [lra|].
  pose proof (sizes_square v); pose proof (Rle_0_sqr (len v)); unfold Rsqr in *; lra.
Qed.

Lemma len_below_sizes v : len v <= sizes_of v.
Proof.
  pose proof (Rabs_pos (fst v)) as A; pose proof (Rabs_pos (snd v)) as B; unfold sizes_of; apply len_below; [lra|].
  rewrite <- (square_abs (fst v)), <- (square_abs (snd v)); pose proof (Rmult_le_pos _ _ A B); lra.
Qed.

(** Both elements off by at most a share of both sizes, and by [e]: the 2 rho of the judge. *)
Lemma len_of_shares v w r e : 0 <= r -> 0 <= e ->
  Rabs (fst w) <= r * sizes_of v + e -> Rabs (snd w) <= r * sizes_of v + e -> len w <= 2 * r * len v + 3 / 2 * e.
Proof.
  intros Hr He A B; pose proof (len_nonneg v).
  pose proof (sizes_square v) as S; pose proof (sizes_below_len v) as T; set (t := sizes_of v) in *.
  apply len_below; [assert (0 <= 2 * r * len v) by (apply Rmult_le_pos; lra); lra|].
  apply square_below in A, B.
  assert (R2 : 0 <= r * r) by (apply Rmult_le_pos; lra); assert (Re : 0 <= r * e) by (now apply Rmult_le_pos).
  pose proof (Rmult_le_compat_l _ _ _ R2 S); pose proof (Rmult_le_compat_l _ _ _ Re T).
  assert (0 <= r * e * len v) by (now apply Rmult_le_pos); pose proof (Rle_0_sqr e); unfold Rsqr in *; lra.
Qed.

(** ** The chord: a turn of one plane against the other moves their product by no more than the arc *)

Lemma sin_below_arc x : Rabs (sin x) <= Rabs x.
Proof.
  assert (P : forall x, 0 <= x -> Rabs (sin x) <= x).
  { clear x; intros x Hx; destruct (Req_dec x 0) as [-> | N]; [rewrite sin_0, Rabs_R0; lra|].
    pose proof (sin_lt_x x ltac:(lra)); pose proof (SIN_bound x) as [B1 B2].
    destruct (Rle_dec 1 x) as [L | L]; [apply Rabs_le; lra|].
    pose proof (sin_ge_0 x Hx ltac:(pose proof PI2_1; lra)); apply Rabs_le; lra. }
  destruct (Rle_dec 0 x) as [H | H]; [rewrite (Rabs_pos_eq x) by lra; auto|].
  rewrite <- (Rabs_Ropp (sin x)), <- sin_neg, <- (Rabs_Ropp x), (Rabs_pos_eq (- x)) by lra; apply P; lra.
Qed.

Lemma chord_below_arc s t :
  (cos s - cos t) * (cos s - cos t) + (sin s - sin t) * (sin s - sin t) <= Rmin (Rabs (s - t)) 2 * Rmin (Rabs (s - t)) 2.
Proof.
  pose proof (sin2_cos2 s) as S; pose proof (sin2_cos2 t) as T; pose proof (cos_minus s t) as M; unfold Rsqr in *.
  replace (_ + _) with (2 - 2 * cos (s - t)) by (rewrite M; lra).
  set (d := s - t); pose proof (COS_bound d); unfold Rmin; destruct (Rle_dec (Rabs d) 2); [|lra].
  replace d with (2 * (d / 2)) at 1 by field; rewrite cos_2a_sin.
  pose proof (square_below _ _ (sin_below_arc (d / 2))) as Q.
  replace (Rabs d * Rabs d) with (4 * (Rabs (d / 2) * Rabs (d / 2))); [lra|].
  unfold Rdiv; rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) by lra; field.
Qed.

Theorem NU7_turn_chord s t v w :
  Rabs (on_both (rotate s v) w - on_both (rotate t v) w) <= len v * len w * Rmin (Rabs (s - t)) 2.
Proof.
  set (along := on_both v w); set (across := fst v * snd w - snd v * fst w).
  replace (_ - _) with (on_both (along, across) (cos s - cos t, sin s - sin t))
    by (unfold on_both, along, across, rotate, on_both; cbn [fst snd]; ring).
  apply Rle_trans with (1 := on_both_below _ _).
  assert (L : len (along, across) = len v * len w).
  { assert (N : 0 <= len v * len w) by (apply Rmult_le_pos; apply len_nonneg); rewrite <- (sqrt_square _ N).
    replace (len v * len w * (len v * len w)) with ((len v * len v) * (len w * len w)) by ring; rewrite !len_square.
    unfold len, along, across, on_both; cbn [fst snd]; f_equal; ring. }
  rewrite L; apply Rmult_le_compat_l; [apply Rmult_le_pos; apply len_nonneg|].
  apply len_below; [apply Rmin_glb; [apply Rabs_pos | lra] | exact (chord_below_arc s t)].
Qed.
