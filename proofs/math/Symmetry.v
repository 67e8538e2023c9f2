(* SPDX-License-Identifier: Apache-2.0 *)
(** T-22 the order of the keys does not matter; T-23 duplicating every key k times, with the sink
    logit raised by ln k, changes no output; T-21 a key with a constant logit and value 0 is a sink
    logit; T-24 softcapped logits cannot make a weight underflow.
    proves: SM-1, AT-2, AT-10, AL-2, AL-8 *)
From Coq Require Import Reals List Lra Lia Permutation.
From Sinkproof Require Import Spec Sums Softmax Sink Drift.
Import ListNotations.
Open Scope R_scope.

(** proves: SM-1 *)
Theorem T22_permutation s (a b : list (R * R)) : Permutation a b -> out_of s a = out_of s b.
Proof.
  intro H; unfold out_of; rewrite !out_quotient; unfold Z_total.
  rewrite (Z_keys_perm _ _ (Permutation_map fst H)), !map_map, !dot_map.
  f_equal; now apply sum_perm, Permutation_map.
Qed.

Theorem T22_weight_permutation s a b x : Permutation a b -> weight s a x = weight s b x.
Proof. intro H; unfold weight, Z_total; now rewrite (Z_keys_perm _ _ H). Qed.

(** ** T-23 *)

Lemma sum_repeat_list n (l : list R) : sum (concat (repeat l n)) = INR n * sum l.
Proof.
  induction n as [|n IH]; [cbn [repeat concat INR]; rewrite sum_nil; ring|].
  cbn [repeat concat]; rewrite sum_app, IH, S_INR; ring.
Qed.

Lemma map_repeat_list {A B} (f : A -> B) n l : map f (concat (repeat l n)) = concat (repeat (map f l) n).
Proof. rewrite concat_map; f_equal; induction n as [|n IH]; [reflexivity|]; cbn [repeat map]; now rewrite IH. Qed.

Theorem T23_duplication n s (ks : list (R * R)) : (0 < n)%nat -> inhabited s (map fst ks) ->
  out_of (option_map (Rplus (ln (INR n))) s) (concat (repeat ks n)) = out_of s ks.
Proof.
  intros Hn HI; assert (Pn : 0 < INR n) by now apply lt_0_INR.
  pose proof (Z_total_pos s _ HI) as PZ.
  unfold out_of; rewrite !out_quotient; unfold Z_total in *.
  assert (Es : exp_sink (option_map (Rplus (ln (INR n))) s) = INR n * exp_sink s).
  { destruct s; cbn; [rewrite exp_plus, exp_ln; auto | ring]. }
  assert (Zr : Z_keys (map fst (concat (repeat ks n))) = INR n * Z_keys (map fst ks)).
  { unfold Z_keys; rewrite !map_repeat_list; apply sum_repeat_list. }
  rewrite Es, Zr, !map_map, !dot_map, map_repeat_list, sum_repeat_list.
  pose proof (Rmult_lt_0_compat _ _ Pn PZ); field; split; lra.
Qed.

(** Any permutation of the duplicated keys will do (each key k times in place, for example). *)
Corollary T23_duplication_any_order n s (ks ls : list (R * R)) : (0 < n)%nat ->
  inhabited s (map fst ks) -> Permutation ls (concat (repeat ks n)) ->
  out_of (option_map (Rplus (ln (INR n))) s) ls = out_of s ks.
Proof. intros Hn HI P; rewrite (T22_permutation _ _ _ P); now apply T23_duplication. Qed.

(** T-21: a key whose logit does not depend on the query and whose value is 0. proves: AL-8 *)
Theorem T21_zero_value_key_is_a_sink_logit c (ks : list (R * R)) :
  out_of None (ks ++ [(c, 0)]) = out_of (Some c) ks.
Proof.
  unfold out_of; rewrite !map_app; cbn [map fst snd].
  apply T05_sink_value_is_zero; now rewrite !map_length.
Qed.

(** proves: AT-10 *)
Theorem AT10_one_key x v : weight None [x] x = 1 /\ out_of None [(x, v)] = v.
Proof.
  unfold out_of; rewrite out_quotient; unfold weight, Z_total, Z_keys, sum; simpl.
  pose proof (exp_pos x); split; field; lra.
Qed.

(** All logits equal: exactly 1/n. proves: SM-2 *)
Theorem SM2_equal_logits x n : (0 < n)%nat -> weight None (repeat x n) x = / INR n.
Proof.
  intro H; apply lt_0_INR in H; pose proof (exp_pos x) as Hx.
  unfold weight, Z_total, Z_keys; cbn [exp_sink].
  assert (E : sum (map exp (repeat x n)) = INR n * exp x).
  { clear; induction n as [|n IH]; [cbn [repeat map INR]; rewrite sum_nil; ring|].
    cbn [repeat map]; rewrite sum_cons, IH, S_INR; ring. }
  rewrite E; pose proof (Rmult_lt_0_compat _ _ H Hx); field; split; lra.
Qed.

(** ** T-24 *)

Lemma tanh_range x : -1 < tanh x < 1.
Proof.
  unfold tanh, sinh, cosh; pose proof (exp_pos x); pose proof (exp_pos (- x)).
  set (a := exp x) in *; set (b := exp (- x)) in *.
  replace ((a - b) / 2 / ((a + b) / 2)) with ((a - b) / (a + b)) by (field; lra).
  split; apply Rmult_lt_reg_r with (a + b); try lra;
    replace ((a - b) / (a + b) * (a + b)) with (a - b) by (field; lra); lra.
Qed.

(** proves: AT-2 *)
Theorem T24_cap_is_bounded c t : 0 < c -> - c < cap c t < c.
Proof.
  intro H; unfold cap; destruct (Req_EM_T c 0) as [->|_]; [lra|].
  pose proof (tanh_range (t / c)); split; nra.
Qed.

Theorem T24_softcap_weight_bound c l x : (forall y, In y l -> - c < y < c) -> In x l ->
  exp (- (2 * c)) / INR (length l) < weight None l x.
Proof.
  intros H Hx; assert (Hl : l <> []) by (destruct l; easy).
  pose proof (Z_keys_pos l Hl) as PZ; unfold weight, Z_total; cbn [exp_sink]; rewrite Rplus_0_l.
  assert (Pn : 0 < INR (length l)) by (apply lt_0_INR; destruct l; [easy | cbn; lia]).
  assert (U : Z_keys l <= INR (length l) * exp c).
  { unfold Z_keys; rewrite <- (sum_map_const (exp c) l); apply sum_map_le.
    intros y i; left; apply exp_increasing; apply H, i. }
  pose proof (exp_pos c); pose proof (exp_pos (- c)); destruct (H x Hx) as [Hlo _].
  apply exp_increasing in Hlo.
  replace (- (2 * c)) with (- c + - c) by ring; rewrite exp_plus.
  assert (E : exp c * exp (- c) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
  apply Rmult_lt_reg_r with (INR (length l) * Z_keys l); [now apply Rmult_lt_0_compat|].
  replace (exp (- c) * exp (- c) / INR (length l) * (INR (length l) * Z_keys l))
    with (exp (- c) * (exp (- c) * Z_keys l)) by (field; lra).
  replace (exp x / Z_keys l * (INR (length l) * Z_keys l)) with (exp x * INR (length l)) by (field; lra).
  apply Rle_lt_trans with (exp (- c) * INR (length l)).
  - apply Rmult_le_compat_l; [lra|].
    apply Rle_trans with (exp (- c) * (INR (length l) * exp c)); [apply Rmult_le_compat_l; lra|].
    replace (exp (- c) * (INR (length l) * exp c)) with (exp c * exp (- c) * INR (length l)) by ring.
    rewrite E; lra.
  - now apply Rmult_lt_compat_r.
Qed.
