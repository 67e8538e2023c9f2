(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of biases in a computed logit, and of their sum. proves: NU-7, NU-10, AT-2, AT-6 *)
From Coq Require Import Reals Lra Lia List.
From Sinkproof Require Import Spec Sums Near Tanh Rounded LogitDot.
Import ListNotations.
Open Scope R_scope.

Section Bias.
(** The arithmetic: u' and the unit of underflow; [wide] is 1 where binary32 numbers are rounded on
    their way in, else 0. *)
Variables (u eta wide : R).
Hypothesis u_nonneg : 0 <= u.
Hypothesis eta_nonneg : 0 <= eta.
Hypothesis wide_nonneg : 0 <= wide.
Hypothesis wide_small : wide <= 1.
Local Notation scale_read := (scale_read eta wide).

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
  apply (scale_reach_abs eta wide eta_nonneg wide_nonneg) in H1; destruct H1 as [_ F].
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
End Bias.
