(* SPDX-License-Identifier: Apache-2.0 *)
(** What rotations may cost (EV-11): the angle, one rotation of a plane, and a few of them in a row with
    keys that are stored in between. The names are those of certify/judge/bound_turn.h; the formula of a
    whole logit is bound/LogitTurn.v's. proves: NU-7, EV-11, EV-12, EV-13 *)
From Coq Require Import Reals Lra Lia ZArith.
From Sinkproof Require Import Spec Sums Rope Rounded Plane.
Open Scope R_scope.

(** ** The angle *)

Section Turn.
(** The arithmetic: u' and its unit of underflow; u_t' of the coarser of it and of the angles, u_a' of the
    angles; rounding and underflow of a rotated key that is stored; the largest position. *)
Variables (u eta u_t u_a u_rk eta_rk reach : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_nonneg : 0 <= eta.
Hypothesis u_t_nonneg : 0 <= u_t.
Hypothesis u_a_small : 0 <= u_a <= / 12.
Hypothesis u_rk_nonneg : 0 <= u_rk.
Hypothesis eta_rk_nonneg : 0 <= eta_rk.

(** The angle of position [p] with frequency base^(-2i/r) = e^-x, as a kernel has it: the exponent by 3
    roundings (quotient, logarithm, product), the power by 3 (an exponential and a reciprocal), the rest by
    5 (the position, its product and the reduction, which may leave out whole turns). *)
Definition angle_used (x p a : R) : Prop := exists t1 t2 t3 n,
  Rabs t1 <= 3 * u_a /\ Rabs t2 <= 3 * u_a /\ Rabs t3 <= 5 * u_a /\
  a = p * (exp (- (x * exp t1)) * exp t2) * exp t3 + 2 * PI * IZR n.

(** Delta_i of the judge is this for the largest position. *)
Definition angle_error (x p : R) : R := p * exp (- x) * (exp ((8 + 4 * x) * u_a) - 1).

Theorem NU7_turn_angle x p a : 0 <= x -> angle_used x p a ->
  exists n, Rabs (a - 2 * PI * IZR n - p * exp (- x)) <= angle_error x (Rabs p).
Proof.
  intros Hx (t1 & t2 & t3 & n & H1 & H2 & H3 & ->); exists n.
  set (t := x * (1 - exp t1) + t2 + t3).
  replace (_ - _ - _) with (p * exp (- x) * (exp t - 1)).
  2: { unfold t; replace (- (x * exp t1)) with (- x + x * (1 - exp t1)) by ring; rewrite !exp_plus; ring. }
  unfold angle_error; rewrite !Rabs_mult, (Rabs_pos_eq (exp (- x))) by (left; apply exp_pos).
  apply Rmult_le_compat_l; [apply Rmult_le_pos; [apply Rabs_pos | left; apply exp_pos]|].
  apply exp_abs; pose proof (exp_abs _ _ H1) as E.
  assert (E4 : exp (3 * u_a) - 1 <= 4 * u_a).
  { pose proof (exp_ineq1_le (- (3 * u_a))) as I; pose proof (exp_pos (3 * u_a)).
    assert (C : exp (3 * u_a) * exp (- (3 * u_a)) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
    assert (exp (3 * u_a) * (1 - 3 * u_a) <= 1) by (rewrite <- C; apply Rmult_le_compat_l; lra).
    assert (1 <= (1 + 4 * u_a) * (1 - 3 * u_a)) by (assert (0 <= u_a * (1 - 12 * u_a)) by (apply Rmult_le_pos; lra); lra).
    assert (exp (3 * u_a) <= 1 + 4 * u_a) by (apply Rmult_le_reg_r with (1 - 3 * u_a); lra); lra. }
  assert (A : Rabs (x * (1 - exp t1)) <= x * (4 * u_a)).
  { rewrite Rabs_mult, (Rabs_pos_eq x) by lra; apply Rmult_le_compat_l; auto.
    rewrite <- Rabs_Ropp, Ropp_minus_distr; lra. }
  unfold t; apply Rle_trans with (1 := Rabs_triang _ _).
  pose proof (Rabs_triang (x * (1 - exp t1)) t2); lra.
Qed.

(** ** One rotation *)

(** Two products and their sum, each rounded, or less (fused, or in a finer arithmetic). *)
Definition combined (y z w : R) : Prop := exists y1 z1,
  rounded u eta y y1 /\ rounded u eta z z1 /\ rounded u eta (y1 + z1) w.

(** Cosine and sine are off by 3 u_t', and they are of an angle that is used. *)
Definition turned_once (x p : R) (v w : plane) : Prop := exists a c s,
  angle_used x p a /\ Rabs (c - cos a) <= 3 * u_t /\ Rabs (s - sin a) <= 3 * u_t /\
  combined (fst v * c) (- (snd v * s)) (fst w) /\ combined (fst v * s) (snd v * c) (snd w).

Definition rho : R := (1 + 3 * u_t) * exp (2 * u) - 1.
Definition growth : R := 1 + 2 * rho.

Lemma rho_nonneg : 0 <= rho /\ exp (2 * u) <= 1 + rho.
Proof.
  unfold rho; pose proof (at_least_1 (2 * u) ltac:(lra)).
  assert (0 <= 3 * u_t * exp (2 * u)) by (apply Rmult_le_pos; lra); lra.
Qed.
Lemma growth_1 : 1 <= growth. Proof. unfold growth; pose proof rho_nonneg; lra. Qed.

Lemma part_off a c k t : Rabs k <= 1 -> Rabs (c - k) <= 3 * u_t -> Rabs t <= 2 * u ->
  Rabs (a * c * exp t - a * k) <= rho * Rabs a.
Proof.
  intros Hk Hc Ht; replace (a * c * exp t - a * k) with (a * ((c - k) * exp t + k * (exp t - 1))) by ring.
  rewrite Rabs_mult, Rmult_comm; apply Rmult_le_compat_r; [apply Rabs_pos|].
  apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult, (Rabs_pos_eq (exp t)) by (left; apply exp_pos).
  pose proof (exp_abs _ _ Ht) as D; apply Rabs_between in Ht.
  assert (T : exp t <= exp (2 * u)) by (apply exp_mono; lra); pose proof (exp_pos t).
  assert (Rabs (c - k) * exp t <= 3 * u_t * exp (2 * u)) by (apply Rmult_le_compat; auto using Rabs_pos; lra).
  assert (Rabs k * Rabs (exp t - 1) <= 1 * (exp (2 * u) - 1)) by (apply Rmult_le_compat; auto using Rabs_pos).
  unfold rho; lra.
Qed.

Lemma combined_off a b c d k l w : Rabs k <= 1 -> Rabs l <= 1 -> Rabs (c - k) <= 3 * u_t -> Rabs (d - l) <= 3 * u_t ->
  combined (a * c) (b * d) w -> Rabs (w - (a * k + b * l)) <= rho * (Rabs a + Rabs b) + 3 * eta * growth.
Proof.
  intros Hk Hl Hc Hd (y & z & (t1 & f1 & T1 & F1 & ->) & (t2 & f2 & T2 & F2 & ->) & (t3 & f3 & T3 & F3 & ->)).
  assert (S : forall t, Rabs t <= u -> Rabs (t + t3) <= 2 * u) by (intros; apply Rle_trans with (1 := Rabs_triang _ _); lra).
  pose proof (part_off a c k (t1 + t3) Hk Hc (S _ T1)) as A.
  pose proof (part_off b d l (t2 + t3) Hl Hd (S _ T2)) as B; rewrite !exp_plus in *.
  replace (_ - _) with ((a * c * (exp t1 * exp t3) - a * k + (b * d * (exp t2 * exp t3) - b * l))
    + ((f1 + f2) * exp t3 + f3)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat.
  - apply Rle_trans with (1 := Rabs_triang _ _); lra.
  - pose proof rho_nonneg; pose proof (exp_pos t3); pose proof growth_1; apply Rabs_between in T3 as T3'.
    assert (E : exp t3 <= growth) by (apply Rle_trans with (exp (2 * u)); [apply exp_mono; lra | unfold growth; lra]).
    apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult, (Rabs_pos_eq (exp t3)) by lra.
    assert (Rabs (f1 + f2) * exp t3 <= 2 * eta * growth).
    { apply Rmult_le_compat; auto using Rabs_pos; try lra; apply Rle_trans with (1 := Rabs_triang _ _); lra. }
    assert (eta * 1 <= eta * growth) by (apply Rmult_le_compat_l; lra); lra.
Qed.

Lemma whole_turns a n : cos (a - 2 * PI * IZR n) = cos a /\ sin (a - 2 * PI * IZR n) = sin a.
Proof.
  set (b := a - _); replace a with (b + 2 * IZR n * PI) by (unfold b; ring); clearbody b.
  destruct (Z_le_dec 0 n) as [N | N].
  - rewrite <- (Z2Nat.id n), <- INR_IZR_INZ by lia; now rewrite cos_period, sin_period.
  - set (b' := b + 2 * IZR n * PI); replace b with (b' + 2 * IZR (- n) * PI) by (unfold b'; rewrite opp_IZR; ring).
    rewrite <- (Z2Nat.id (- n)), <- INR_IZR_INZ by lia; now rewrite cos_period, sin_period.
Qed.

Theorem NU7_turned_once x p v w : 0 <= x -> turned_once x p v w -> exists t,
  Rabs (t - p * exp (- x)) <= angle_error x (Rabs p) /\
  len (off w (rotate t v)) <= 2 * rho * len v + 3 / 2 * (3 * eta * growth).
Proof.
  intros Hx (a & c & s & A & C & S & W1 & W2); destruct (NU7_turn_angle x p a Hx A) as (n & D).
  exists (a - 2 * PI * IZR n); split; auto; destruct (whole_turns a n) as [Pc Ps].
  pose proof (COS_bound a) as Bc; pose proof (SIN_bound a) as Bs; destruct rho_nonneg as [R0 _]; pose proof growth_1.
  assert (Kc : Rabs (cos a) <= 1) by (apply Rabs_le; lra); assert (Ks : Rabs (sin a) <= 1) by (apply Rabs_le; lra).
  apply len_of_shares; auto; [apply Rmult_le_pos; lra| |]; unfold off, rotate, sizes_of; cbn [fst snd]; rewrite Pc, Ps.
  - replace (fst v * cos a - snd v * sin a) with (fst v * cos a + - snd v * sin a) by ring.
    rewrite <- (Rabs_Ropp (snd v)); apply combined_off with c s; auto.
    now replace (- snd v * s) with (- (snd v * s)) by ring.
  - apply combined_off with s c; auto.
Qed.

(** ** Rotations in a row *)

(** [turned x v n m p w]: [w] is [v] after [n] rotations, by [p] positions in all and by no more than
    [reach] each, and after it was stored [m] times. *)
Inductive turned (x : R) (v : plane) : nat -> nat -> Z -> plane -> Prop :=
| T_start : turned x v 0 0 0 v
| T_turn n m p p' w w' : turned x v n m p w -> Rabs (IZR p') <= reach -> turned_once x (IZR p') w w' ->
    turned x v (S n) m (p + p') w'
| T_store n m p w w' : turned x v n m p w -> rounded u_rk eta_rk (fst w) (fst w') ->
    rounded u_rk eta_rk (snd w) (snd w') -> turned x v n (S m) p w'.

Definition turn_growth (n m : nat) : R := growth ^ n * exp (INR m * u_rk).
Definition turn_lost (n m : nat) : R := 3 / 2 * (INR (3 * n) * eta + INR m * eta_rk).

Lemma turn_growth_1 n m : 1 <= turn_growth n m.
Proof.
  unfold turn_growth; rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; try lra; [apply pow_R1_Rle, growth_1|].
  apply at_least_1, Rmult_le_pos; auto using pos_INR.
Qed.
Lemma turn_lost_nonneg n m : 0 <= turn_lost n m.
Proof.
  unfold turn_lost; apply Rmult_le_pos; [lra|]; apply Rplus_le_le_0_compat; apply Rmult_le_pos; auto using pos_INR.
Qed.

(** A plane whose elements are rounded each. *)
Lemma plane_rounded w e v v1 : rounded w e (fst v) (fst v1) -> rounded w e (snd v) (snd v1) ->
  len (off v1 v) <= (exp w - 1) * len v + 3 / 2 * e.
Proof.
  intros A B; destruct (rounded_costs _ _ _ _ A) as (W & _); pose proof (at_least_1 w W); set (r := exp w - 1).
  assert (P : forall a b, rounded w e a b -> exists c f, Rabs c <= r * Rabs a /\ Rabs f <= e /\ b - a = c + f).
  { intros a b (s & f & S1 & S2 & ->); exists (a * (exp s - 1)), f; split; [|split; [exact S2 | ring]].
    unfold r; rewrite Rabs_mult, Rmult_comm; apply Rmult_le_compat_r; auto using Rabs_pos, exp_abs. }
  apply P in A as (c1 & f1 & C1 & F1 & E1); apply P in B as (c2 & f2 & C2 & F2 & E2).
  replace (off v1 v) with (off (c1, c2) (- f1, - f2)) by (unfold off; cbn [fst snd]; f_equal; lra).
  assert (R0 : 0 <= r) by (unfold r; lra); apply Rle_trans with (1 := len_triangle _ (0, 0) _); apply Rplus_le_compat.
  - apply len_below; [apply Rmult_le_pos; auto using len_nonneg|].
    replace (r * len v * (r * len v)) with (r * r * (len v * len v)) by ring.
    rewrite len_square, <- (square_abs (fst v)), <- (square_abs (snd v)).
    unfold off; cbn [fst snd]; rewrite !Rminus_0_r; apply square_below in C1, C2; lra.
  - apply len_of_both; unfold off; cbn [fst snd]; rewrite Rminus_0_l, Ropp_involutive; auto.
Qed.

(** One more step that is off by a share [r] of what it meets, and by [e]. *)
Lemma step_off v w w' G b r e : 1 <= G -> 0 <= b -> 0 <= r -> 0 <= e ->
  len w <= len v + ((G - 1) * len v + G * b) -> len w' <= r * len w + e * (1 + r) ->
  (G - 1) * len v + G * b + len w' <= (G * (1 + r) - 1) * len v + G * (1 + r) * (b + e).
Proof.
  intros HG Hb Hr He Hw H.
  pose proof (Rmult_le_compat_l _ _ _ Hr Hw).
  assert (0 <= (G - 1) * ((1 + r) * e)) by (apply Rmult_le_pos; [lra|]; apply Rmult_le_pos; lra); lra.
Qed.

Theorem NU7_turned x v n m p w : 0 <= x -> turned x v n m p w -> exists t,
  Rabs (t - IZR p * exp (- x)) <= INR n * angle_error x reach /\
  len (off w (rotate t v)) <= (turn_growth n m - 1) * len v + turn_growth n m * turn_lost n m.
Proof.
  intros Hx H; induction H as [|n m p p' w w' H IH Hp O|n m p w w' H IH A B].
  - exists 0; rewrite T18_zero, len_0, Rmult_0_l, Rminus_eq_0, Rabs_R0; split; [simpl; lra|].
    unfold turn_growth, turn_lost; simpl; rewrite Rmult_0_l, exp_0; lra.
  - destruct IH as (t & D & L), (NU7_turned_once x _ w w' Hx O) as (t' & D' & L'); exists (t' + t); split.
    + replace (t' + t - IZR (p + p') * exp (- x)) with ((t' - IZR p' * exp (- x)) + (t - IZR p * exp (- x)))
        by (rewrite plus_IZR; ring).
      apply Rle_trans with (1 := Rabs_triang _ _); rewrite S_INR.
      assert (angle_error x (Rabs (IZR p')) <= angle_error x reach); [|lra].
      unfold angle_error; apply Rmult_le_compat_r.
      * pose proof (at_least_1 ((8 + 4 * x) * u_a) ltac:(apply Rmult_le_pos; lra)); lra.
      * apply Rmult_le_compat_r; [left; apply exp_pos | exact Hp].
    + apply Rle_trans with (1 := len_triangle w' (rotate t' w) _).
      rewrite <- rotate_rotate, rotate_off, len_rotate; rewrite Rplus_comm.
      pose proof (len_near w (rotate t v)) as N; rewrite len_rotate in N.
      assert (E : turn_growth (S n) m = turn_growth n m * (1 + 2 * rho)) by (unfold turn_growth, growth; simpl; ring).
      assert (F : turn_lost (S n) m = turn_lost n m + 3 / 2 * (3 * eta)).
      { unfold turn_lost; replace (3 * S n)%nat with (3 * n + 3)%nat by lia; rewrite plus_INR; simpl (INR 3); ring. }
      rewrite E, F; destruct rho_nonneg as [R0 _].
      assert (L1 : len w <= len v + ((turn_growth n m - 1) * len v + turn_growth n m * turn_lost n m)) by lra.
      assert (L2 : len (off w' (rotate t' w)) <= 2 * rho * len w + 3 / 2 * (3 * eta) * (1 + 2 * rho)) by (unfold growth in L'; lra).
      pose proof (step_off v w (off w' (rotate t' w)) _ _ (2 * rho) (3 / 2 * (3 * eta)) (turn_growth_1 n m) (turn_lost_nonneg n m)
        ltac:(lra) ltac:(lra) L1 L2); lra.
  - destruct IH as (t & D & L); exists t; split; auto.
    apply Rle_trans with (1 := len_triangle w' w _); rewrite Rplus_comm.
    pose proof (len_near w (rotate t v)) as N; rewrite len_rotate in N; set (r := exp u_rk - 1).
    assert (R0 : 0 <= r) by (unfold r; pose proof (at_least_1 _ u_rk_nonneg); lra).
    assert (E : turn_growth n (S m) = turn_growth n m * (1 + r)).
    { unfold turn_growth, r; rewrite S_INR, Rmult_plus_distr_r, Rmult_1_l, exp_plus; ring. }
    assert (F : turn_lost n (S m) = turn_lost n m + 3 / 2 * eta_rk) by (unfold turn_lost; rewrite S_INR; ring).
    rewrite E, F.
    pose proof (plane_rounded _ _ _ _ A B) as O; fold r in O.
    assert (0 <= 3 / 2 * eta_rk * r) by (apply Rmult_le_pos; lra).
    assert (St : len (off w' w) <= r * len w + 3 / 2 * eta_rk * (1 + r)) by lra.
    assert (L1 : len w <= len v + ((turn_growth n m - 1) * len v + turn_growth n m * turn_lost n m)) by lra.
    pose proof (step_off v w (off w' w) _ _ r (3 / 2 * eta_rk) (turn_growth_1 n m) (turn_lost_nonneg n m) R0 ltac:(lra) L1 St); lra.
Qed.

(** The same of elements that were rounded on their way in, before any rotation. *)
Theorem NU7_turned_converted x w e v v1 n m p v2 : 0 <= x ->
  rounded w e (fst v) (fst v1) -> rounded w e (snd v) (snd v1) -> turned x v1 n m p v2 -> exists t,
  Rabs (t - IZR p * exp (- x)) <= INR n * angle_error x reach /\
  len (off v2 (rotate t v)) <= (turn_growth n m * exp w - 1) * len v + turn_growth n m * exp w * (turn_lost n m + 3 / 2 * e).
Proof.
  intros Hx A B T; destruct (NU7_turned x v1 n m p v2 Hx T) as (t & D & L); exists t; split; auto.
  destruct (rounded_costs _ _ _ _ A) as (W & E); pose proof (at_least_1 w W); pose proof (plane_rounded w e v v1 A B) as C.
  apply Rle_trans with (1 := len_triangle v2 (rotate t v1) _); rewrite rotate_off, len_rotate.
  pose proof (turn_growth_1 n m) as G; set (g := turn_growth n m) in *; pose proof (turn_lost_nonneg n m) as Lo.
  set (b := turn_lost n m) in *; pose proof (len_near v1 v); pose proof (len_nonneg v).
  assert (g * len (off v1 v) <= g * ((exp w - 1) * len v + 3 / 2 * e)) by (apply Rmult_le_compat_l; lra).
  assert ((g - 1) * len v1 <= (g - 1) * (len v + len (off v1 v))) by (apply Rmult_le_compat_l; lra).
  assert (0 <= g * (b + 3 / 2 * e) * (exp w - 1)).
  { apply Rmult_le_pos; [apply Rmult_le_pos|]; lra. }
  lra.
Qed.

(** A key's element that is not rotated is stored with the others, at most twice. *)
Definition kept (k k' : R) : Prop := exists k1,
  (k1 = k \/ rounded u_rk eta_rk k k1) /\ (k' = k1 \/ rounded u_rk eta_rk k1 k').

Lemma kept_off k k' : kept k k' -> Rabs (k' - k) <= (exp (2 * u_rk) - 1) * Rabs k + exp (2 * u_rk) * (2 * eta_rk).
Proof.
  assert (W : forall a b, b = a \/ rounded u_rk eta_rk a b -> rounded u_rk eta_rk a b).
  { intros a b [-> | R]; [|exact R]; exists 0, 0; rewrite Rabs_R0, exp_0; repeat split; lra. }
  intros (k1 & A & B); apply W in A; apply W in B.
  assert (Z : Rabs (k - k) <= (1 - 1) * Rabs k + 0) by (rewrite Rminus_eq_0, Rabs_R0; lra).
  pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) (Rle_refl 0) (Rle_refl _) Z A) as A1.
  assert (E1 := at_least_1 _ u_rk_nonneg); assert (B0 : 0 <= 0 * exp u_rk + eta_rk) by lra.
  assert (A2 : Rabs (k1 - k) <= (1 * exp u_rk - 1) * Rabs k + (0 * exp u_rk + eta_rk)) by lra.
  assert (E2 : 1 <= 1 * exp u_rk) by lra; pose proof (rounded_off _ _ _ _ _ _ _ _ E2 B0 (Rle_refl _) A2 B) as Q.
  replace (2 * u_rk) with (u_rk + u_rk) by ring; rewrite exp_plus.
  assert (exp u_rk <= exp u_rk * exp u_rk) by (rewrite <- (Rmult_1_r (exp u_rk)) at 1; apply Rmult_le_compat_l; lra).
  assert (eta_rk * exp u_rk <= eta_rk * (exp u_rk * exp u_rk)) by (apply Rmult_le_compat_l; lra).
  assert (eta_rk * 1 <= eta_rk * (exp u_rk * exp u_rk)) by (apply Rmult_le_compat_l; lra); lra.
Qed.
End Turn.
