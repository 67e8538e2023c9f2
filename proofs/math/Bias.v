(* SPDX-License-Identifier: Apache-2.0 *)
(** Shifts and biases of logits.
    T-01 a common shift of all logits and of the sink logit is a no-op;
    T-02 a uniform key bias is a no-op without a sink logit;
    T-03 with a sink logit it is a lower sink logit, hence never a no-op;
    T-04 a bias on a set of keys multiplies the odds of the set.
    proves: SM-2, AL-3, AL-7, AT-6 *)
From Coq Require Import Reals List Lra Lia Permutation.
From Sinkproof Require Import Spec Sums.
Import ListNotations.
Open Scope R_scope.

Definition shift_sink (c : R) (s : option R) : option R := option_map (Rplus c) s.

Lemma exp_sink_shift c s : exp_sink (shift_sink c s) = exp c * exp_sink s.
Proof. destruct s; cbn; [apply exp_plus | ring]. Qed.

Lemma Z_total_shift c s l : Z_total (shift_sink c s) (map (Rplus c) l) = exp c * Z_total s l.
Proof. unfold Z_total; rewrite exp_sink_shift, Z_keys_shift; ring. Qed.

Lemma weight_shift c s l x : inhabited s l ->
  weight (shift_sink c s) (map (Rplus c) l) (c + x) = weight s l x.
Proof.
  intro H; unfold weight; rewrite Z_total_shift, exp_plus.
  pose proof (Z_total_pos s l H); pose proof (exp_pos c); field; lra.
Qed.

(** proves: SM-2 *)
Theorem T01_shift_invariance c s l :
  weights (shift_sink c s) (map (Rplus c) l) = weights s l.
Proof.
  unfold weights; rewrite map_map; apply map_ext_in; intros x Hx.
  apply weight_shift; eauto using in_inhabited.
Qed.

Theorem T01_shift_output c s l v :
  out (shift_sink c s) (map (Rplus c) l) v = out s l v.
Proof. unfold out; now rewrite T01_shift_invariance. Qed.

Theorem T01_shift_lse c s l L : lse_total s l = Some L ->
  lse_total (shift_sink c s) (map (Rplus c) l) = Some (c + L).
Proof.
  intro H; assert (I : inhabited s l).
  { destruct s; [left; discriminate | destruct l; [discriminate H | right; discriminate]]. }
  assert (E : ln (Z_total (shift_sink c s) (map (Rplus c) l)) = c + ln (Z_total s l)).
  { rewrite Z_total_shift, ln_mult, ln_exp; auto using exp_pos, Z_total_pos. }
  destruct s, l; cbn [lse_total shift_sink option_map map] in *; try discriminate H;
    injection H as <-; f_equal; exact E.
Qed.

(** A uniform bias without a sink logit. proves: AL-7 *)
Theorem T02_uniform_bias_is_a_no_op a l : weights None (map (Rplus a) l) = weights None l.
Proof. apply (T01_shift_invariance a None). Qed.

(** With a sink logit a uniform bias is a sink logit lowered by as much. proves: AL-7 *)
Theorem T03_uniform_bias_lowers_the_sink_logit a s l :
  weights (Some s) (map (Rplus a) l) = weights (Some (s - a)) l.
Proof.
  rewrite <- (T01_shift_invariance a (Some (s - a)) l); cbn [shift_sink option_map].
  f_equal; f_equal; ring.
Qed.

(** … so that it is a no-op only when it is 0. proves: AL-7 *)
Theorem T03_uniform_bias_with_a_sink_logit_is_seen a s l : l <> [] ->
  weights (Some s) (map (Rplus a) l) = weights (Some s) l -> a = 0.
Proof.
  rewrite T03_uniform_bias_lowers_the_sink_logit; destruct l as [|x l]; [easy|]; intros _ H.
  unfold weights in H; cbn [map] in H; injection H as H _; unfold weight, Z_total in H.
  cbn [exp_sink] in H.
  set (k := Z_keys (x :: l)) in *; assert (0 < k) by (apply Z_keys_pos; discriminate).
  pose proof (exp_pos s); pose proof (exp_pos (s - a)); pose proof (exp_pos x).
  assert (E : / (exp (s - a) + k) = / (exp s + k)).
  { apply Rmult_eq_reg_l with (exp x); [exact H | lra]. }
  assert (E' : exp (s - a) + k = exp s + k)
    by (rewrite <- (Rinv_inv (exp (s - a) + k)), <- (Rinv_inv (exp s + k)), E; reflexivity).
  assert (F : exp (s - a) = exp s) by lra; apply exp_inv in F; lra.
Qed.

(** Every row-wise offset convention of ALiBi gives the same weights exactly when there is no sink
    logit. proves: AT-6 *)
Theorem T03_alibi_offsets_agree_iff_no_sink s l : l <> [] ->
  ((forall c, weights s (map (Rplus c) l) = weights s l) <-> s = None).
Proof.
  intro Hl; split.
  - destruct s as [s|]; [|auto]; intro H.
    pose proof (T03_uniform_bias_with_a_sink_logit_is_seen 1 s l Hl (H 1)); lra.
  - intros -> c; apply T02_uniform_bias_is_a_no_op.
Qed.

(** Softmax-off-by-one is a sink logit of 0: the 1 in its denominator is e^0 before any maximum is
    subtracted. After subtracting m it is e^(-m). proves: AL-3 *)
Theorem AL3_off_by_one l x : weight (Some 0) l x = exp x / (1 + Z_keys l).
Proof. unfold weight, Z_total; cbn [exp_sink]; now rewrite exp_0. Qed.

Theorem AL3_off_by_one_after_shift m l x : 
  weight (Some 0) l x = exp (x - m) / (exp (- m) + Z_keys (map (Rplus (- m)) l)).
Proof.
  rewrite AL3_off_by_one, Z_keys_shift; unfold Rminus; rewrite exp_plus, exp_Ropp.
  pose proof (exp_pos m); pose proof (Z_keys_nonneg l); field; repeat split; try lra.
Qed.

(** ** T-04: a bias [a] on the keys of a set B *)

(** The mass of [B] in a row [B ++ C]. *)
Definition mass_of (s : option R) (B C : list R) : R := Z_keys B / Z_total s (B ++ C).

Lemma mass_is_sum_of_weights s B C : mass_of s B C = sum (map (weight s (B ++ C)) B).
Proof.
  rewrite (map_ext (weight s (B ++ C)) (fun x => / Z_total s (B ++ C) * exp x))
    by (intro; unfold weight, Rdiv; ring).
  rewrite (sum_map_mult exp); unfold mass_of, Z_keys, Rdiv; ring.
Qed.

Lemma Z_total_app s B C : Z_total s (B ++ C) = exp_sink s + Z_keys B + Z_keys C.
Proof. unfold Z_total; rewrite Z_keys_app; ring. Qed.

Lemma mass_complement s B C : B <> [] -> 1 - mass_of s B C = (exp_sink s + Z_keys C) / Z_total s (B ++ C).
Proof.
  intro H; unfold mass_of; rewrite Z_total_app.
  pose proof (Z_keys_pos B H); pose proof (Z_keys_nonneg C); pose proof (exp_sink_nonneg s).
  field; lra.
Qed.

(** odds(B) = mass of B against everything else, the sink logit included. proves: AL-7 *)
Theorem T04_odds a s B C : B <> [] -> inhabited s C ->
  let P := mass_of s B C in let P' := mass_of s (map (Rplus a) B) C in
  P' / (1 - P') = exp a * (P / (1 - P)).
Proof.
  intros HB HC P P'; unfold P, P'.
  rewrite !mass_complement by (auto; destruct B; [easy | discriminate]).
  unfold mass_of; rewrite !Z_total_app, Z_keys_shift.
  pose proof (Z_keys_pos B HB); pose proof (exp_pos a); pose proof (Z_total_pos s C HC) as Q.
  unfold Z_total in Q; pose proof (exp_sink_nonneg s); pose proof (Z_keys_nonneg C).
  assert (0 < exp a * Z_keys B) by now apply Rmult_lt_0_compat.
  field; repeat split; lra.
Qed.

Theorem T04_mass a s B C : B <> [] ->
  let P := mass_of s B C in
  mass_of s (map (Rplus a) B) C = exp a * P / (1 + (exp a - 1) * P).
Proof.
  intros HB P; unfold P, mass_of; rewrite !Z_total_app, Z_keys_shift.
  pose proof (Z_keys_pos B HB); pose proof (exp_pos a); pose proof (Z_keys_nonneg C);
  pose proof (exp_sink_nonneg s).
  assert (0 < exp a * Z_keys B) by now apply Rmult_lt_0_compat.
  field; repeat split; lra.
Qed.

(** The laws inside B and inside its complement do not change. *)
Theorem T04_conditional_laws a s B C x y : In x B -> In y B ->
  weight s (map (Rplus a) B ++ C) (a + x) / weight s (map (Rplus a) B ++ C) (a + y)
  = weight s (B ++ C) x / weight s (B ++ C) y.
Proof.
  intros Hx Hy; unfold weight; rewrite !exp_plus.
  assert (I : inhabited s (B ++ C)) by (right; destruct B; easy).
  assert (I' : inhabited s (map (Rplus a) B ++ C)) by (right; destruct B; easy).
  pose proof (Z_total_pos _ _ I); pose proof (Z_total_pos _ _ I').
  pose proof (exp_pos a); pose proof (exp_pos y); field; repeat split; lra.
Qed.

Theorem T04_conditional_laws_outside a s B C x y : In x C -> In y C ->
  weight s (map (Rplus a) B ++ C) x / weight s (map (Rplus a) B ++ C) y
  = weight s (B ++ C) x / weight s (B ++ C) y.
Proof.
  intros Hx Hy; unfold weight.
  assert (I : inhabited s (B ++ C)) by (right; destruct B, C; easy).
  assert (I' : inhabited s (map (Rplus a) B ++ C)) by (right; destruct B, C; easy).
  pose proof (Z_total_pos _ _ I); pose proof (Z_total_pos _ _ I').
  pose proof (exp_pos y); field; repeat split; lra.
Qed.
