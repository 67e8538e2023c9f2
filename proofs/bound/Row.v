(* SPDX-License-Identifier: Apache-2.0 *)
(** The bound that the judge applies, as theorems: whatever a computation of the model does, each
    weight, each output and both log-sum-exps lie in the accepted interval. The names are those at
    the head of certify/judge/bound.c. proves: NU-7, AT-8, SM-2, SM-4, AL-2, AL-5 *)
From Coq Require Import Reals Lra Lia List Permutation.
From Sinkproof Require Import Spec Sums Near Model Drift Merge.
Import ListNotations.
Open Scope R_scope.

Section Row.
Variable c : costs.
Hypothesis Hc : sane c.
Hypothesis eta_order : eta c <= eta_s c.

(** A row: the terms of the denominator (the sink logit is one of them), computed against [m] with
    the result [l]. [H] is the class's allowance for the roundings of a sum, [N] and [T] are its counts
    of keys, absent or not, and of rescales, [norm] its allowance for the normalisation. *)
Variables (m : R) (kd : list term) (i g : R) (open : bool) (l : R).
Variables (H norm N T : R) (delta : term -> R).
Hypothesis den : computed c m kd i g open true l.
Hypothesis ones : forall k, In k kd -> value_of k = 1.
Hypothesis keys : INR (length kd) <= N.
Hypothesis depth : i <= H.
Hypothesis deltas : forall k, In k kd -> argument c m k <= delta k.
Hypothesis products : g <= (N + T) * eta_s c.
Hypothesis norm_nonneg : 0 <= norm.
Hypothesis T_nonneg : 0 <= T.

Definition mass_total : R := sum (map (fun k => exp (logit_of k)) kd).
Definition p (x : R) : R := exp x / mass_total.
Definition dbar : R := ln (sum (map (fun k => p (logit_of k) * exp (delta k)) kd)).
Definition lambda : R := eps c + 2 * H + 2 * u_p c + norm.
Definition events : R := 3 * N + T.
Definition kappa : R := (events * eta_s c + N * eta_p c) * exp lambda.
Definition K : R := kappa / (1 - kappa).
Definition theta (d : R) : R := d + dbar + 2 * eps c + H + norm + u_p c + K.

Hypothesis underflow_is_small : kappa < 1.

Lemma H_nonneg : 0 <= H.
Proof. destruct (computed_nonneg c _ _ _ _ _ _ _ den); lra. Qed.

Lemma N_nonneg : 0 <= N.
Proof. pose proof (pos_INR (length kd)); lra. Qed.

Lemma kappa_nonneg : 0 <= kappa.
Proof.
  destruct Hc as (? & ? & ? & ? & ? & ? & ? & ?); unfold kappa, events.
  pose proof N_nonneg; apply Rmult_le_pos; [|left; apply exp_pos].
  apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
Qed.

Lemma K_nonneg : 0 <= K.
Proof. pose proof kappa_nonneg; apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]. Qed.

Lemma kd_nonempty : kd <> [].
Proof.
  intro E; destruct (NU7_backward c Hc _ _ _ _ _ _ _ den) as (ts & _ & _ & A).
  destruct (A eq_refl) as (kt & ik & _); rewrite E in ik; destruct ik.
Qed.

Lemma mass_total_pos : 0 < mass_total.
Proof.
  unfold mass_total; rewrite <- (map_map logit_of exp); apply Z_keys_pos.
  pose proof kd_nonempty; destruct kd; easy.
Qed.

Lemma p_pos x : 0 < p x.
Proof. apply Rdiv_lt_0_compat; [apply exp_pos | apply mass_total_pos]. Qed.

Lemma p_sum : sum (map (fun k => p (logit_of k)) kd) = 1.
Proof.
  pose proof mass_total_pos; unfold p.
  rewrite (sum_map_ext (fun k => exp (logit_of k) / mass_total) (fun k => / mass_total * exp (logit_of k)))
    by (intros; unfold Rdiv; ring).
  rewrite sum_map_mult; fold mass_total; field; lra.
Qed.

(** The exact denominator against the reference. *)
Definition S_m : R := mass_total * exp (- m).

Lemma share_p k t : share m k t = S_m * (p (logit_of k) * exp t).
Proof.
  pose proof mass_total_pos; unfold share, S_m, p, Rminus; rewrite exp_plus; field; lra.
Qed.

Lemma S_m_pos : 0 < S_m.
Proof. apply Rmult_lt_0_compat; [apply mass_total_pos | apply exp_pos]. Qed.

(** dbar is an average of the deltas, tilted upwards. *)
Lemma exp_dbar : exp dbar = sum (map (fun k => p (logit_of k) * exp (delta k)) kd).
Proof.
  assert (P : forall k, 0 < p (logit_of k) * exp (delta k))
    by (intro; apply Rmult_lt_0_compat; auto using p_pos, exp_pos).
  assert (I : exists k, In k kd).
  { pose proof kd_nonempty; destruct kd as [|k ks]; [easy | exists k; now left]. }
  destruct I as [k ik]; apply exp_ln, Rlt_le_trans with (1 := P k).
  apply (sum_map_in_le (fun k => p (logit_of k) * exp (delta k))); auto; intros; left; apply P.
Qed.

(** The form in which the judge evaluates it: ln (1 + sum p (e^delta - 1)). *)
Lemma NU7_dbar_as_evaluated :
  dbar = ln (1 + sum (map (fun k => p (logit_of k) * (exp (delta k) - 1)) kd)).
Proof.
  unfold dbar; f_equal.
  rewrite (sum_map_ext (fun k => p (logit_of k) * (exp (delta k) - 1))
    (fun k => p (logit_of k) * exp (delta k) + -1 * p (logit_of k))) by (intros; ring).
  rewrite sum_map_plus, sum_map_mult, p_sum; ring.
Qed.

Lemma mean_delta_le_dbar : sum (map (fun k => p (logit_of k) * delta k) kd) <= dbar.
Proof.
  apply exp_le_inv'; rewrite exp_dbar; apply jensen_exp; [|apply p_sum].
  intros; left; apply p_pos.
Qed.

(** Any exponents within delta + A of 0 keep the denominator within dbar + A. *)
Lemma perturbed_sum A ts : 0 <= A ->
  Forall2 (fun k (tw : R * R) => Rabs (fst tw) <= delta k + A) kd ts ->
  near (dbar + A) (sum (map (fun kt => share m (fst kt) (fst (snd kt))) (combine kd ts))) S_m.
Proof.
  intros HA F; set (q := fun k => p (logit_of k)).
  assert (Len := Forall2_len _ _ _ F).
  assert (E : sum (map (fun kt => share m (fst kt) (fst (snd kt))) (combine kd ts))
              = S_m * sum (map (fun kt => q (fst kt) * exp (fst (snd kt))) (combine kd ts))).
  { rewrite <- sum_map_mult; apply sum_map_ext; intros; apply share_p. }
  assert (M : forall (f : term -> R) (ks : list term) (us : list (R * R)), length ks = length us ->
     sum (map (fun kt : term * (R * R) => f (fst kt)) (combine ks us)) = sum (map f ks)).
  { clear; intros f ks; induction ks as [|k ks IH]; intros [|t us] Hl; try discriminate; [reflexivity|].
    cbn [combine map fst]; rewrite !sum_cons, IH by (injection Hl; auto); reflexivity. }
  assert (In2 : forall kt, In kt (combine kd ts) -> Rabs (fst (snd kt)) <= delta (fst kt) + A).
  { clear -F; induction F as [|k t ks ts Hk Fs IH]; [easy|]; intros kt [<- | ik]; auto. }
  pose proof S_m_pos as PS; rewrite E; split; (apply Rmult_le_compat_l; [lra|]).
  - apply Rle_trans with (exp (sum (map (fun kt : term * (R * R) => q (fst kt) * fst (snd kt)) (combine kd ts)))).
    + apply exp_mono.
      apply Rle_trans with (sum (map (fun kt : term * (R * R) => -1 * (q (fst kt) * delta (fst kt) + A * q (fst kt))) (combine kd ts))).
      * rewrite sum_map_mult, (M (fun k => q k * delta k + A * q k)), sum_map_plus, sum_map_mult by auto.
        unfold q; rewrite p_sum; pose proof mean_delta_le_dbar; lra.
      * apply sum_map_le; intros kt ik; specialize (In2 kt ik); apply Rabs_between in In2.
        pose proof (p_pos (logit_of (fst kt))); unfold q.
        replace (-1 * (p (logit_of (fst kt)) * delta (fst kt) + A * p (logit_of (fst kt))))
          with (p (logit_of (fst kt)) * - (delta (fst kt) + A)) by ring.
        apply Rmult_le_compat_l; lra.
    + apply jensen_exp.
      * intros; left; apply p_pos.
      * rewrite (M q) by auto; apply p_sum.
  - rewrite exp_plus, exp_dbar, Rmult_comm, <- sum_map_mult.
    rewrite <- (M (fun k => exp A * (p (logit_of k) * exp (delta k))) kd ts) by auto.
    apply sum_map_le; intros kt ik; specialize (In2 kt ik); apply Rabs_between in In2.
    replace (exp A * (p (logit_of (fst kt)) * exp (delta (fst kt))))
      with (q (fst kt) * exp (delta (fst kt) + A)) by (rewrite exp_plus; unfold q; ring).
    apply Rmult_le_compat_l; [left; apply p_pos | apply exp_mono; lra].
Qed.

(** ** The denominator *)

Definition sum_error : R := dbar + eps c + H + u_p c + K.

Lemma total_share_distance (ks : list term) ts :
  Forall2 (kept c m i open) ks ts ->
  Rabs (total ks ts - sum (map (fun kt => share m (fst kt) (fst (snd kt)) * value_of (fst kt)) (combine ks ts)))
  <= lost c i * sum (map (fun k => Rabs (value_of k)) ks).
Proof.
  induction 1 as [|k [t w] ks ts (_ & _ & D & _) F IH]; cbn [combine map].
  - unfold total; cbn [combine map]; rewrite !sum_nil, Rminus_0_r, Rabs_R0, Rmult_0_r; lra.
  - rewrite total_cons, !sum_cons; cbn [fst snd] in *.
    replace (_ - _) with ((w - share m k t) * value_of k
      + (total ks ts - sum (map (fun kt => share m (fst kt) (fst (snd kt)) * value_of (fst kt)) (combine ks ts)))) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rmult_plus_distr_l, Rabs_mult.
    apply Rplus_le_compat; [apply Rmult_le_compat_r; [apply Rabs_pos | exact D] | exact IH].
Qed.

Lemma lost_H : lost c i <= (2 * eta c + eta_p c) * exp (u_p c + H).
Proof.
  destruct Hc as (? & ? & ? & ? & ? & ? & ? & ?); apply Rmult_le_compat_l; [lra|]; apply exp_mono; lra.
Qed.

(** The sum lies within its error of the exact one, and is not much below the term that is 1. *)
Theorem NU7_denominator :
  near sum_error l S_m /\ exp (- (eps c + u_p c + H + K)) <= l.
Proof.
  pose proof Hc as (Hu & He & Hd & Hp & Hn & Hnp & Hns & Hs).
  destruct (NU7_backward c Hc _ _ _ _ _ _ _ den) as (ts & Kp & E & A).
  destruct (A eq_refl) as (kt & ik & Ak); clear A.
  set (B := sum (map (fun kt => share m (fst kt) (fst (snd kt))) (combine kd ts))).
  pose proof H_nonneg; pose proof kappa_nonneg; pose proof K_nonneg.
  assert (Bp : exp (- (eps c + u_p c + H)) <= B).
  { apply Rle_trans with (share m (fst kt) (fst (snd kt))).
    - unfold share; rewrite <- exp_plus; apply exp_mono; unfold anchor in Ak; lra.
    - apply (sum_map_in_le (fun kt : term * (R * R) => share m (fst kt) (fst (snd kt)))); auto.
      intros; left; apply Rmult_lt_0_compat; apply exp_pos. }
  assert (BP : 0 < B) by (pose proof (exp_pos (- (eps c + u_p c + H))); lra).
  assert (D : Rabs (l - B) <= kappa * B).
  { assert (TB : Rabs (total kd ts - B) <= lost c i * N).
    { apply Rle_trans with (lost c i * INR (length kd)).
      2:{ apply Rmult_le_compat_l; [|exact keys]; unfold lost; apply Rmult_le_pos; [lra | left; apply exp_pos]. }
      assert (Q := total_share_distance kd ts Kp).
      rewrite (sum_map_ext (fun kt : term * (R * R) => share m (fst kt) (fst (snd kt)) * value_of (fst kt))
        (fun kt => share m (fst kt) (fst (snd kt)))) in Q.
      - fold B in Q; rewrite (sum_map_ext (fun k => Rabs (value_of k)) (fun _ => 1)) in Q.
        + rewrite sum_map_const, Rmult_1_r in Q; exact Q.
        + intros k iz; rewrite (ones k iz); apply Rabs_R1.
      - intros [k t] iz; apply in_combine_l in iz; cbn; rewrite (ones k iz); ring. }
    replace (l - B) with ((l - total kd ts) + (total kd ts - B)) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _).
    assert (U : exp i <= exp (u_p c + H)) by (apply exp_mono; lra).
    destruct (computed_nonneg c _ _ _ _ _ _ _ den) as (Ip & Gp); pose proof N_nonneg as Np.
    apply Rle_trans with ((N + T) * eta_s c * exp (u_p c + H) + (2 * eta c + eta_p c) * exp (u_p c + H) * N).
    - apply Rplus_le_compat.
      + apply Rle_trans with (1 := E); apply Rmult_le_compat; auto; left; apply exp_pos.
      + apply Rle_trans with (1 := TB); apply Rmult_le_compat_r; auto using lost_H.
    - apply Rle_trans with ((events * eta_s c + N * eta_p c) * exp (u_p c + H)).
      + replace ((N + T) * eta_s c * exp (u_p c + H) + (2 * eta c + eta_p c) * exp (u_p c + H) * N)
          with (((N + T) * eta_s c + (2 * eta c + eta_p c) * N) * exp (u_p c + H)) by ring.
        apply Rmult_le_compat_r; [left; apply exp_pos|]; unfold events; nra.
      + assert (Pe : 0 <= events * eta_s c + N * eta_p c).
        { unfold events; apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
        unfold kappa; rewrite Rmult_assoc; apply Rmult_le_compat_l; auto.
        apply Rle_trans with (exp lambda * exp (- (eps c + u_p c + H))).
        * rewrite <- exp_plus; apply exp_mono; unfold lambda; lra.
        * apply Rmult_le_compat_l; [left; apply exp_pos | exact Bp]. }
  assert (NB : near K l B).
  { destruct (rounding_is_near kappa (l / B - 1)) as (t & Ht & Et).
    - lra.
    - replace (l / B - 1) with ((l - B) * / B) by (field; lra).
      rewrite Rabs_mult, (Rabs_pos_eq (/ B)) by (left; now apply Rinv_0_lt_compat).
      apply Rmult_le_reg_r with B; auto; rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra; exact D.
    - replace l with (B * exp t) by (rewrite <- Et; field; lra).
      apply near_exp; [lra | exact Ht]. }
  split.
  - unfold sum_error.
    replace (dbar + eps c + H + u_p c + K) with (K + (dbar + (eps c + u_p c + H))) by ring.
    apply near_trans with (1 := NB); apply perturbed_sum; [lra|].
    clear -Kp deltas depth; pose proof (fun k ik => deltas k ik) as Hdl; clear deltas.
    induction Kp as [|k t ks ts (A & _) F IH]; constructor.
    + unfold cost in A; specialize (Hdl k (or_introl eq_refl)); lra.
    + apply IH; intros k' ik; apply Hdl; now right.
  - destruct NB as [L _]; apply Rle_trans with (2 := L).
    apply Rle_trans with (exp (- (eps c + u_p c + H)) * exp (- K)).
    + rewrite <- exp_plus; right; f_equal; ring.
    + apply Rmult_le_compat_r; [left; apply exp_pos | exact Bp].
Qed.

Lemma l_pos : 0 < l.
Proof. destruct NU7_denominator as [_ L]; pose proof (exp_pos (- (eps c + u_p c + H + K))); lra. Qed.

Lemma inv_l : / l <= exp (eps c + u_p c + H + K).
Proof.
  destruct NU7_denominator as [_ L].
  rewrite <- (Rinv_inv (exp (eps c + u_p c + H + K))), <- exp_Ropp.
  apply Rinv_le_contravar; [apply exp_pos | exact L].
Qed.

(** A share, divided by the computed sum and normalised, is near its weight. *)
Lemma near_weight x t gamma d A : Rabs t <= d + A -> Rabs gamma <= norm ->
  near (d + A + sum_error + norm) (exp (x - m) * exp t / l * exp gamma) (p x).
Proof.
  intros Ht Hg; pose proof mass_total_pos as PM; pose proof S_m_pos as PS.
  replace (p x) with (exp (x - m) / S_m).
  2:{ unfold p, S_m, Rminus; rewrite exp_plus; pose proof (exp_pos (- m)); field; lra. }
  replace (d + A + sum_error + norm) with (norm + (d + A + sum_error)) by ring.
  apply near_trans with (exp (x - m) * exp t / l).
  - apply near_exp; auto; apply Rmult_le_pos; [apply Rmult_le_pos; left; apply exp_pos|].
    left; apply Rinv_0_lt_compat, l_pos.
  - apply near_div; [left; apply exp_pos | exact PS | | apply NU7_denominator].
    apply near_exp; auto; left; apply exp_pos.
Qed.

(** ** Weights *)

(** [NU7_weight]: a computed exponential, rounded to P or not, divided by the computed sum lies in
    the accepted interval [p e^-(theta + u_p) - A, p e^(theta + u_p) + A]. proves: NU-7, SM-2 *)
Definition floor : R := eta c + (eta c + eta_p c) * exp (lambda + K).

Theorem NU7_weight x d t f gamma e :
  Rabs t <= d + eps c + u_p c -> Rabs f <= (eta c + eta_p c) * exp (u_p c) ->
  Rabs gamma <= norm -> Rabs e <= eta c ->
  let y := (exp (x - m) * exp t + f) / l * exp gamma + e in
  let width := theta d + u_p c in
  p x * exp (- width) - floor <= y <= p x * exp width + floor.
Proof.
  intros Ht Hf Hg He y width; pose proof l_pos as Pl; pose proof inv_l as Il.
  destruct (near_weight x t gamma d (eps c + u_p c) ltac:(lra) Hg) as [L U].
  replace (d + (eps c + u_p c) + sum_error + norm) with width in L, U
    by (unfold width, theta, sum_error; ring).
  assert (F : Rabs (f / l * exp gamma + e) <= floor).
  { apply Rle_trans with (1 := Rabs_triang _ _); unfold floor; rewrite Rplus_comm.
    apply Rplus_le_compat; auto; unfold Rdiv.
    rewrite !Rabs_mult, (Rabs_pos_eq (/ l)), (Rabs_pos_eq (exp gamma)), Rmult_assoc
      by (left; try apply exp_pos; now apply Rinv_0_lt_compat).
    destruct Hc as (Hu & Hep & Hd & Hp & Hn & Hnp & Hrest).
    apply Rle_trans with ((eta c + eta_p c) * exp (u_p c) * (exp (eps c + u_p c + H + K) * exp norm)).
    - apply Rmult_le_compat; auto using Rabs_pos.
      + apply Rmult_le_pos; left; [now apply Rinv_0_lt_compat | apply exp_pos].
      + apply Rmult_le_compat; auto; try (left; try apply exp_pos; now apply Rinv_0_lt_compat).
        apply exp_mono; apply Rabs_between in Hg; lra.
    - rewrite Rmult_assoc, <- !exp_plus; apply Rmult_le_compat_l; [lra|].
      apply exp_mono; unfold lambda; pose proof H_nonneg; lra. }
  apply Rabs_between in F; unfold y.
  replace ((exp (x - m) * exp t + f) / l * exp gamma + e)
    with (exp (x - m) * exp t / l * exp gamma + (f / l * exp gamma + e)) by (field; lra).
  lra.
Qed.

(** ** Log-sum-exps *)

(** Before the logarithm is rounded. proves: NU-7, AL-5 *)
Theorem NU7_lse_core : Rabs (m + ln l - ln mass_total) <= sum_error.
Proof.
  destruct NU7_denominator as [[L U] _]; pose proof l_pos; pose proof mass_total_pos; pose proof S_m_pos as PS.
  assert (E : ln mass_total = ln S_m + m).
  { unfold S_m; rewrite ln_mult, ln_exp by (auto using exp_pos); ring. }
  rewrite E; replace (m + ln l - (ln S_m + m)) with (ln l - ln S_m) by ring.
  assert (A : ln l <= ln S_m + sum_error).
  { rewrite <- (ln_exp sum_error), <- ln_mult by (auto using exp_pos).
    destruct U as [U | U]; [left; now apply ln_increasing | right; now rewrite U]. }
  assert (B : ln S_m + - sum_error <= ln l).
  { rewrite <- (ln_exp (- sum_error)), <- ln_mult by (auto using exp_pos).
    destruct L as [L | L]; [left; apply ln_increasing; auto; apply Rmult_lt_0_compat; auto using exp_pos | right; now rewrite L]. }
  apply Rabs_le; lra.
Qed.

End Row.

(** ** In the words of Spec.v *)

(** The terms of a denominator are the keys and the sink logit, in any order. *)
Theorem NU7_mass_is_Z s kd (l : list R) :
  Permutation (map logit_of kd) (sink_list s ++ l) -> mass_total kd = Z_total s l.
Proof.
  intro P; unfold mass_total; rewrite <- (map_map logit_of exp).
  rewrite (sum_perm _ _ (Permutation_map exp P)); unfold Z_total.
  destruct s as [s|]; cbn [sink_list app map exp_sink]; [rewrite sum_cons; reflexivity|].
  unfold Z_keys; ring.
Qed.

Theorem NU7_p_is_weight s kd (l : list R) x :
  Permutation (map logit_of kd) (sink_list s ++ l) -> p kd x = weight s l x.
Proof. intro P; unfold p, weight; now rewrite (NU7_mass_is_Z s kd l P). Qed.
