(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a computed logit, in any arithmetic: the steps of LogitDot.v, LogitCap.v, LogitBias.v and
    LogitStore.v, one theorem each, composed. A computed logit is off by at most what the judge charges for
    it, whatever of scale, softcap, key bias, ALiBi, a stored format and flushed inputs it went through. This
    is the a_j of NU-7, the difference of [seen] and [logit_of] of a term (bound/Classes.v,
    NU7_judge_delta). proves: NU-7, NU-10, AT-2, AT-6 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Sinkproof Require Import Spec Sums Near Tanh Rounded Summed LogitDot LogitCap LogitBias LogitStore.
Import ListNotations.
Open Scope R_scope.

(** The arithmetic: u', underflow unit; 1 where binary32 numbers, q (or given logits) and k are rounded
    on their way in, else 0; rounding of q before the product, and of stored logits. *)
Record setting := Setting {
  s_u : R; s_eta : R; s_wide : R; s_rq : R; s_rk : R; s_uqk : R; s_etaqk : R; s_ul : R; s_etal : R }.

Definition proper (s : setting) : Prop :=
  0 <= s_u s /\ 0 <= s_eta s /\ 0 <= s_wide s <= 1 /\ 0 <= s_rq s <= 1 /\ 0 <= s_rk s <= 1 /\
  0 <= s_uqk s /\ 0 <= s_etaqk s /\ 0 <= s_ul s <= 1 /\ 0 <= s_etal s.

(** What follows the product: softcap (0: none), bias, slope and distance; which of them is there, and
    which is subnormal where inputs are flushed. *)
Record extras := Extras {
  x_cap : R; x_bias : R; x_slope : R; x_distance : R;
  with_bias : bool; with_alibi : bool; bias_gone : bool; slope_gone : bool }.

Definition fitting (e : extras) : Prop :=
  0 <= x_cap e /\ 0 <= x_distance e /\ (with_bias e = false -> x_bias e = 0) /\
  (with_alibi e = false -> x_slope e * x_distance e = 0).

(** When a logit is rounded to the format it is stored in. *)
Inductive place := never | unscaled | scaled | after_cap | after_biases.

Section Compose.
Variable s : setting.
Hypothesis Hs : proper s.
Variable e : extras.
Hypothesis He : fitting e.
Let u := s_u s.
Let eta := s_eta s.
Let wide := s_wide s.

(** A scaled product and how far it is off: [x0] exactly, at most [size], off by at most [a1]; one that
    was stored before it was scaled; [reach] bounds 1 and the scale. *)
Variables (first first_stored : R -> Prop) (x0 size a1 reach : R).
Hypothesis first_off : forall t, first t -> Rabs (t - x0) <= a1.
Hypothesis size_bounds : Rabs x0 <= size.
Hypothesis a1_nonneg : 0 <= a1.
Hypothesis reach_1 : 1 <= reach.
Hypothesis stored_first : forall t, first_stored t -> eta <= a1 /\
  exists t0, first t0 /\ once (s_ul s) (reach * s_etal s * exp (2 * u) + eta * s_ul s) t0 t.

Definition exact_logit : R := cap (x_cap e) x0 + x_bias e - x_slope e * x_distance e.

Definition cap_step (t y : R) : Prop := (x_cap e = 0 /\ y = t) \/ (x_cap e > 0 /\ capped u eta wide (x_cap e) t y).
Definition stored : R -> R -> Prop := store (s_ul s) (s_etal s).

Definition computed_logit (p : place) (y : R) : Prop := exists t v b l,
  (with_bias e = true -> bias_used u eta wide (bias_gone e) (x_bias e) b) /\
  (with_alibi e = true -> alibi_used u eta wide (slope_gone e) (x_slope e) (x_distance e) l) /\
  match p with
  | never => first t /\ cap_step t v /\ biased u eta (with_bias e) (with_alibi e) v b l y
  | unscaled => first_stored t /\ cap_step t v /\ biased u eta (with_bias e) (with_alibi e) v b l y
  | scaled => exists t1, first t /\ stored t t1 /\ cap_step t1 v /\ biased u eta (with_bias e) (with_alibi e) v b l y
  | after_cap => exists v1, first t /\ cap_step t v /\ stored v v1 /\ biased u eta (with_bias e) (with_alibi e) v1 b l y
  | after_biases => exists z, first t /\ cap_step t v /\ biased u eta (with_bias e) (with_alibi e) v b l z /\ stored z y
  end.

(** The judge's a_j. *)
Definition after_the_cap : R := if Req_EM_T (x_cap e) 0 then a1 else cap_error u eta wide (x_cap e) size a1.
Definition alibi_size : R := Rabs (x_slope e) * x_distance e.
Definition before_storing (x : R) : R :=
  sums_error u eta (with_bias e) (with_alibi e) x (Rabs (x_bias e)) alibi_size
    (after_the_cap + (if with_bias e then bias_error u eta wide (bias_gone e) (x_bias e) else 0)
     + (if with_alibi e then alibi_error u eta wide (slope_gone e) (x_slope e) (x_distance e) else 0)).
Definition storing (x a : R) : R :=
  exp ((11 + wide) * u) *
    (s_ul s * (Rmax x (Rmin size (x + Rabs (x_bias e) + alibi_size)) + 2 * a) + reach * s_etal s).
Definition logit_error : R :=
  let x := Rabs exact_logit in let a := before_storing x in a + storing x a.

Lemma alibi_size_abs : Rabs (x_slope e * x_distance e) = alibi_size.
Proof. destruct He as (_ & Hd & _); unfold alibi_size; now rewrite Rabs_mult, (Rabs_pos_eq (x_distance e)). Qed.

Lemma after_the_cap_at_least : a1 <= after_the_cap.
Proof.
  destruct Hs as (Hu & Hn & Hw & _), He as (Hc & _); unfold after_the_cap; destruct (Req_EM_T (x_cap e) 0) as [_|N]; [lra|].
  pose proof (Rabs_pos x0).
  assert (W : 0 <= cap_cost u wide) by (unfold cap_cost; apply Rmult_le_pos; unfold u, wide; lra).
  pose proof (at_least_1 _ W); pose proof (Rmin_glb (x_cap e) size 0 ltac:(lra) ltac:(lra)).
  unfold cap_error, cap_lost; assert (0 <= (2 * x_cap e + 1) * eta * exp (cap_cost u wide)).
  { apply Rmult_le_pos; [apply Rmult_le_pos; unfold eta; lra | lra]. }
  assert (0 <= (Rmin (x_cap e) size + a1) * (exp (cap_cost u wide) - 1)) by (apply Rmult_le_pos; lra); lra.
Qed.

Lemma cap_step_off t v : Rabs (t - x0) <= a1 -> cap_step t v -> Rabs (v - cap (x_cap e) x0) <= after_the_cap.
Proof.
  destruct Hs as (Hu & Hn & Hw & _); intros Ht [(C & ->) | (C & H)]; unfold after_the_cap; destruct (Req_EM_T (x_cap e) 0) as [Z|N]; try lra.
  - rewrite Z; unfold cap; destruct (Req_EM_T 0 0); lra.
  - apply (NU7_logit_cap_error u eta wide) with (t := t); auto; unfold u, eta, wide; try lra.
    now apply (NU7_logit_cap u eta wide); auto; unfold u, eta, wide; lra.
Qed.

(** The steps after the cap, from a value that is off by [a + d]. *)
Lemma sums_off v b l y a d : 0 <= d -> Rabs (v - cap (x_cap e) x0) <= a + d ->
  (with_bias e = true -> bias_used u eta wide (bias_gone e) (x_bias e) b) ->
  (with_alibi e = true -> alibi_used u eta wide (slope_gone e) (x_slope e) (x_distance e) l) ->
  biased u eta (with_bias e) (with_alibi e) v b l y ->
  Rabs (y - exact_logit) <= sums_error u eta (with_bias e) (with_alibi e) (Rabs exact_logit) (Rabs (x_bias e)) alibi_size
    (a + (if with_bias e then bias_error u eta wide (bias_gone e) (x_bias e) else 0)
     + (if with_alibi e then alibi_error u eta wide (slope_gone e) (x_slope e) (x_distance e) else 0)) + exp (2 * u) * d.
Proof.
  destruct Hs as (Hu & Hn & Hw & _), He as (Hc & Hd & Zb & Zl); intros D Hv Hb Hl H.
  assert (B : with_bias e = true -> Rabs (b - x_bias e) <= bias_error u eta wide (bias_gone e) (x_bias e)).
  { intro T; apply (NU7_logit_bias u eta wide); auto; unfold u, eta, wide; lra. }
  assert (L : with_alibi e = true -> Rabs (l - x_slope e * x_distance e) <= alibi_error u eta wide (slope_gone e) (x_slope e) (x_distance e)).
  { intro T; apply (NU7_logit_alibi u eta wide); auto; unfold u, eta, wide; lra. }
  pose proof (NU7_logit_sums u eta Hu (with_bias e) (with_alibi e) (cap (x_cap e) x0) (x_bias e) (x_slope e * x_distance e)
    v b l y _ _ _ Hv B L Zb Zl H) as Q; cbv zeta in Q; fold exact_logit in Q; rewrite alibi_size_abs in Q.
  apply Rle_trans with (1 := Q).
  apply Rle_trans with (2 := sums_error_grows u eta Hu _ _ _ _ _ _ d D); right; f_equal; ring.
Qed.

Lemma within_cap : Rabs (cap (x_cap e) x0) <= Rmax (Rabs exact_logit) (Rmin size (Rabs exact_logit + Rabs (x_bias e) + alibi_size)).
Proof.
  destruct He as (Hc & Hd & _); apply Rle_trans with (2 := Rmax_r _ _); apply Rmin_glb.
  - apply Rle_trans with (2 := size_bounds); now apply cap_below.
  - replace (cap (x_cap e) x0) with (exact_logit - x_bias e + x_slope e * x_distance e) by (unfold exact_logit; ring).
    apply Rle_trans with (1 := Rabs_triang _ _); rewrite alibi_size_abs; apply Rplus_le_compat_r.
    unfold Rminus; rewrite <- (Rabs_Ropp (x_bias e)); apply Rabs_triang.
Qed.

Lemma sums_at_least a : 0 <= a -> a <= sums_error u eta (with_bias e) (with_alibi e) (Rabs exact_logit) (Rabs (x_bias e)) alibi_size a.
Proof.
  destruct Hs as (Hu & Hn & _); intro Ha; pose proof (Rabs_pos exact_logit); pose proof (Rabs_pos (x_bias e)).
  assert (0 <= alibi_size) by (rewrite <- alibi_size_abs; apply Rabs_pos).
  assert (P : forall x, 0 <= x -> 0 <= u * x) by (intros; now apply Rmult_le_pos).
  assert (N : 0 <= eta) by exact Hn.
  destruct (with_bias e), (with_alibi e); unfold sums_error, last_sum, first_sum; try lra;
    repeat match goal with |- context [u * ?x] => lazymatch goal with H : 0 <= u * x |- _ => fail | _ =>
      assert (0 <= u * x) by (apply P; try lra; repeat (apply Rplus_le_le_0_compat; try lra; try (apply P; lra))) end end; lra.
Qed.

Lemma before_storing_at_least : after_the_cap <= before_storing (Rabs exact_logit).
Proof.
  destruct Hs as (Hu & Hn & Hw & _), He as (Hc & Hd & _); pose proof after_the_cap_at_least.
  assert (B : 0 <= bias_error u eta wide (bias_gone e) (x_bias e)).
  { unfold bias_error; pose proof (Rabs_pos (x_bias e)); pose proof (flushed_nonneg (bias_gone e) _ (Rabs_pos (x_bias e))).
    pose proof (at_least_1 (wide * u) ltac:(apply Rmult_le_pos; unfold u, wide; lra)).
    assert (0 <= wide * eta) by (apply Rmult_le_pos; unfold eta, wide; lra).
    assert (0 <= Rabs (x_bias e) * (exp (wide * u) - 1)) by (apply Rmult_le_pos; lra); lra. }
  assert (A0 : 0 <= alibi_size) by (rewrite <- alibi_size_abs; apply Rabs_pos).
  assert (L : 0 <= alibi_error u eta wide (slope_gone e) (x_slope e) (x_distance e)).
  { unfold alibi_error; fold alibi_size; pose proof (flushed_nonneg (slope_gone e) _ A0).
    pose proof (at_least_1 ((2 + wide) * u) ltac:(apply Rmult_le_pos; unfold u, wide; lra)).
    assert (0 <= wide * eta * x_distance e * exp ((2 + wide) * u)).
    { apply Rmult_le_pos; [|left; apply exp_pos]; apply Rmult_le_pos; auto; apply Rmult_le_pos; unfold wide, eta; lra. }
    assert (0 <= alibi_size * (exp ((2 + wide) * u) - 1)) by (apply Rmult_le_pos; lra).
    assert (0 <= eta) by exact Hn; lra. }
  unfold before_storing; set (q := after_the_cap + _ + _).
  assert (after_the_cap <= q) by (unfold q; destruct (with_bias e), (with_alibi e); lra).
  apply Rle_trans with q; auto; apply sums_at_least; lra.
Qed.

(** A value stored no later than the cap. *)
Lemma stored_off v v1 b l y F : Rabs (v - cap (x_cap e) x0) <= after_the_cap -> once (s_ul s) F v v1 ->
  F <= reach * s_etal s * exp ((9 + wide) * u) + s_ul s * after_the_cap ->
  (with_bias e = true -> bias_used u eta wide (bias_gone e) (x_bias e) b) ->
  (with_alibi e = true -> alibi_used u eta wide (slope_gone e) (x_slope e) (x_distance e) l) ->
  biased u eta (with_bias e) (with_alibi e) v1 b l y -> Rabs (y - exact_logit) <= logit_error.
Proof.
  destruct Hs as (Hu & Hn & Hw & _ & _ & _ & _ & Hl & Hel); intros Hv O HF Hb Hal H.
  pose proof after_the_cap_at_least as A1; pose proof before_storing_at_least as A2; pose proof within_cap as C0.
  set (x := Rabs exact_logit) in *; set (S := Rmax x _) in *; set (a := before_storing x) in *.
  pose proof (once_off _ _ _ _ _ _ (proj1 Hl) O Hv) as Q.
  set (d := s_ul s * (Rabs (cap (x_cap e) x0) + after_the_cap) + F) in *.
  assert (Hd0 : 0 <= d).
  { destruct O as (dd & f & _ & Hf & _); pose proof (Rabs_pos f); pose proof (Rabs_pos (cap (x_cap e) x0)).
    unfold d; apply Rplus_le_le_0_compat; [apply Rmult_le_pos|]; lra. }
  assert (Q' : Rabs (v1 - cap (x_cap e) x0) <= after_the_cap + d) by (unfold d; lra).
  apply Rle_trans with (1 := sums_off v1 b l y _ _ Hd0 Q' Hb Hal H); unfold logit_error; fold x.
  change (sums_error _ _ _ _ _ _ _ _) with a; fold a; apply Rplus_le_compat_l; unfold storing; fold S.
  assert (E9 := at_least_1 ((9 + wide) * u) ltac:(apply Rmult_le_pos; unfold u, wide; lra)).
  replace ((11 + wide) * u) with (2 * u + (9 + wide) * u) by ring; rewrite exp_plus, Rmult_assoc.
  apply Rmult_le_compat_l; [left; apply exp_pos|]; set (E := exp ((9 + wide) * u)) in *.
  assert (s_ul s * (Rabs (cap (x_cap e) x0) + 2 * after_the_cap) <= s_ul s * (S + 2 * a)) by (apply Rmult_le_compat_l; lra).
  assert (0 <= s_ul s * (S + 2 * a)).
  { apply Rmult_le_pos; [lra|]; pose proof (Rabs_pos (cap (x_cap e) x0)); lra. }
  assert (s_ul s * (S + 2 * a) <= E * (s_ul s * (S + 2 * a))).
  { rewrite <- (Rmult_1_l (s_ul s * (S + 2 * a))) at 1; apply Rmult_le_compat_r; lra. }
  unfold d; lra.
Qed.

(** proves: NU-7, AT-2 *)
Theorem NU7_logit_steps p y : computed_logit p y -> Rabs (y - exact_logit) <= logit_error.
Proof.
  pose proof Hs as (Hu & Hn & Hw & _ & _ & _ & _ & Hl & Hel); pose proof He as (Hc & _).
  assert (N : 0 <= eta) by exact Hn.
  pose proof after_the_cap_at_least as A1; pose proof before_storing_at_least as A2.
  assert (E9 := at_least_1 ((9 + wide) * u) ltac:(apply Rmult_le_pos; unfold u, wide; lra)).
  assert (El : 0 <= reach * s_etal s) by (apply Rmult_le_pos; lra).
  assert (Ul : 0 <= s_ul s * after_the_cap) by (apply Rmult_le_pos; lra).
  assert (S0 : 0 <= storing (Rabs exact_logit) (before_storing (Rabs exact_logit))).
  { unfold storing; apply Rmult_le_pos; [left; apply exp_pos|]; apply Rplus_le_le_0_compat; auto.
    apply Rmult_le_pos; [lra|]; pose proof (Rabs_pos exact_logit); pose proof (Rmax_l (Rabs exact_logit)
      (Rmin size (Rabs exact_logit + Rabs (x_bias e) + alibi_size))); lra. }
  (* stored before the cap, with an underflow of F0 and a cap or none *)
  assert (Early : forall F0 t t1 v b l, first t -> once (s_ul s) F0 t t1 -> cap_step t1 v ->
      (x_cap e > 0 -> F0 * exp (cap_cost u wide) + cap_lost u eta wide (x_cap e) * s_ul s
        <= reach * s_etal s * exp ((9 + wide) * u) + s_ul s * after_the_cap) ->
      (x_cap e = 0 -> F0 <= reach * s_etal s * exp ((9 + wide) * u) + s_ul s * after_the_cap) ->
      (with_bias e = true -> bias_used u eta wide (bias_gone e) (x_bias e) b) ->
      (with_alibi e = true -> alibi_used u eta wide (slope_gone e) (x_slope e) (x_distance e) l) ->
      biased u eta (with_bias e) (with_alibi e) v b l y -> Rabs (y - exact_logit) <= logit_error).
  { intros F0 t t1 v b l Ft O [(C & ->) | (C & K)] Fc Fn Hb Hal H.
    - refine (stored_off t t1 b l y F0 _ O (Fn C) Hb Hal H); apply cap_step_off with t; auto; left; auto.
    - destruct (store_before_cap u eta wide Hu Hn (proj1 Hw) (s_ul s) Hl (x_cap e) F0 t t1 v ltac:(lra) O K) as (v0 & R0 & O').
      refine (stored_off v0 v b l y _ _ O' (Fc C) Hb Hal H).
      unfold after_the_cap; destruct (Req_EM_T (x_cap e) 0); [lra|].
      apply (NU7_logit_cap_error u eta wide) with (t := t); auto; unfold u, eta, wide; lra. }
  assert (Cap : x_cap e > 0 -> eta <= a1 -> eta * exp (cap_cost u wide) + cap_lost u eta wide (x_cap e) <= after_the_cap).
  { intros C Ha; unfold after_the_cap; destruct (Req_EM_T (x_cap e) 0); [lra|]; unfold cap_error.
    assert (W : 0 <= cap_cost u wide) by (unfold cap_cost; apply Rmult_le_pos; unfold u, wide; lra).
    pose proof (at_least_1 _ W); pose proof (Rabs_pos x0); pose proof (Rmin_glb (x_cap e) size 0 ltac:(lra) ltac:(lra)).
    assert (0 <= Rmin (x_cap e) size * (exp (cap_cost u wide) - 1)) by (apply Rmult_le_pos; lra).
    assert (eta * exp (cap_cost u wide) <= a1 * exp (cap_cost u wide)) by (apply Rmult_le_compat_r; lra); lra. }
  assert (Lost : x_cap e > 0 -> cap_lost u eta wide (x_cap e) <= after_the_cap).
  { intro C; unfold after_the_cap; destruct (Req_EM_T (x_cap e) 0); [lra|]; unfold cap_error.
    assert (W : 0 <= cap_cost u wide) by (unfold cap_cost; apply Rmult_le_pos; unfold u, wide; lra).
    pose proof (at_least_1 _ W); pose proof (Rabs_pos x0); pose proof (Rmin_glb (x_cap e) size 0 ltac:(lra) ltac:(lra)).
    assert (0 <= (Rmin (x_cap e) size + a1) * (exp (cap_cost u wide) - 1)) by (apply Rmult_le_pos; lra); lra. }
  assert (Ec : exp (cap_cost u wide) <= exp ((9 + wide) * u)).
  { apply exp_mono; unfold cap_cost; apply Rmult_le_compat_r; unfold u; lra. }
  assert (E29 : exp (2 * u) * exp (cap_cost u wide) = exp ((9 + wide) * u)).
  { rewrite <- exp_plus; f_equal; unfold cap_cost; ring. }
  assert (E2 : exp (2 * u) <= exp ((9 + wide) * u)) by (apply exp_mono, Rmult_le_compat_r; unfold u, wide; lra).
  pose proof (exp_pos (cap_cost u wide)).
  intros (t & v & b & l & Hb & Hal & W); destruct p.
  - destruct W as (Ft & K & W).
    assert (V : Rabs (v - cap (x_cap e) x0) <= after_the_cap + 0) by (rewrite Rplus_0_r; apply cap_step_off with t; auto).
    pose proof (sums_off v b l y _ 0 (Rle_refl 0) V Hb Hal W) as Q; rewrite Rmult_0_r, Rplus_0_r in Q.
    unfold logit_error; unfold before_storing in *; lra.
  - destruct W as (Ft & K & W); destruct (stored_first t Ft) as (Ha & t0 & F0 & O).
    refine (Early _ t0 t v b l F0 O K _ _ Hb Hal W).
    + intro C; specialize (Cap C Ha).
      rewrite Rmult_plus_distr_r, (Rmult_assoc (reach * s_etal s)), E29.
      apply Rmult_le_compat_l with (r := s_ul s) in Cap; lra.
    + intro C; assert (eta * s_ul s <= s_ul s * after_the_cap) by (rewrite Rmult_comm; apply Rmult_le_compat_l; lra).
      assert (reach * s_etal s * exp (2 * u) <= reach * s_etal s * exp ((9 + wide) * u)) by (now apply Rmult_le_compat_l); lra.
  - destruct W as (t1 & Ft & O & K & W).
    assert (Le : s_etal s <= reach * s_etal s) by (rewrite <- (Rmult_1_l (s_etal s)) at 1; apply Rmult_le_compat_r; lra).
    refine (Early _ t t1 v b l Ft O K _ _ Hb Hal W).
    + intro C; specialize (Lost C); apply Rmult_le_compat_l with (r := s_ul s) in Lost; [|lra].
      assert (s_etal s * exp (cap_cost u wide) <= reach * s_etal s * exp ((9 + wide) * u)) by (apply Rmult_le_compat; lra); lra.
    + intros _; assert (reach * s_etal s <= reach * s_etal s * exp ((9 + wide) * u)) by (rewrite <- (Rmult_1_r (reach * s_etal s)) at 1; apply Rmult_le_compat_l; lra); lra.
  - destruct W as (v1 & Ft & K & O & W).
    refine (stored_off v v1 b l y _ (cap_step_off t v (first_off t Ft) K) O _ Hb Hal W).
    assert (Le : s_etal s <= reach * s_etal s) by (rewrite <- (Rmult_1_l (s_etal s)) at 1; apply Rmult_le_compat_r; lra).
    assert (reach * s_etal s <= reach * s_etal s * exp ((9 + wide) * u)) by (rewrite <- (Rmult_1_r (reach * s_etal s)) at 1; apply Rmult_le_compat_l; lra); lra.
  - destruct W as (z & Ft & K & W & O).
    assert (V : Rabs (v - cap (x_cap e) x0) <= after_the_cap + 0) by (rewrite Rplus_0_r; apply cap_step_off with t; auto).
    pose proof (sums_off v b l z _ 0 (Rle_refl 0) V Hb Hal W) as Q; rewrite Rmult_0_r, Rplus_0_r in Q.
    pose proof (once_off _ _ _ _ _ _ (proj1 Hl) O Q) as Z.
    unfold logit_error; change (sums_error _ _ _ _ _ _ _ _) with (before_storing (Rabs exact_logit)) in Z.
    set (x := Rabs exact_logit) in *; set (a := before_storing x) in *; unfold storing.
    set (S := Rmax x _); assert (x <= S) by apply Rmax_l.
    assert (E11 := at_least_1 ((11 + wide) * u) ltac:(apply Rmult_le_pos; unfold u, wide; lra)).
    assert (Le : s_etal s <= reach * s_etal s) by (rewrite <- (Rmult_1_l (s_etal s)) at 1; apply Rmult_le_compat_r; lra).
    assert (s_ul s * (x + a) <= s_ul s * (S + 2 * a)) by (apply Rmult_le_compat_l; lra).
    assert (Px : 0 <= x) by apply Rabs_pos.
    assert (P : 0 <= s_ul s * (x + a)) by (apply Rmult_le_pos; lra).
    assert (s_ul s * (S + 2 * a) + reach * s_etal s <= exp ((11 + wide) * u) * (s_ul s * (S + 2 * a) + reach * s_etal s)).
    { rewrite <- (Rmult_1_l (_ + _)) at 1; apply Rmult_le_compat_r; lra. }
    lra.
Qed.
End Compose.
