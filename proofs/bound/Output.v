(* SPDX-License-Identifier: Apache-2.0 *)
(** The outputs of NU-7: a numerator, summed in any way of the model, divided by the denominator of
    Row.v, is within the judge's error of the exact output. proves: NU-7, AT-8, SM-4 *)
From Coq Require Import Reals Lra Lia List Permutation.
From Sinkproof Require Import Spec Sums Near Model Row Drift Merge.
Import ListNotations.
Open Scope R_scope.

Section Output.
Variable c : costs.
Hypothesis Hc : sane c.
Hypothesis eta_order : eta c <= eta_s c.
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
Hypothesis underflow_is_small : kappa c H norm N T < 1.

Local Notation p := (p kd).
Local Notation K := (K c H norm N T).
Local Notation lambda := (lambda c H norm).
Local Notation events := (events N T).
Local Notation theta := (theta c kd H norm N T delta).
Local Notation sum_error := (sum_error c kd H norm N T delta).

(** What Row.v says of this row. *)
Let l_pos := l_pos c Hc eta_order m kd i g open l H norm N T delta den ones keys depth deltas products
  norm_nonneg T_nonneg underflow_is_small.
Let inv_l := inv_l c Hc eta_order m kd i g open l H norm N T delta den ones keys depth deltas products
  norm_nonneg T_nonneg underflow_is_small.
Let denominator := NU7_denominator c Hc eta_order m kd i g open l H norm N T delta den ones keys depth deltas
  products norm_nonneg T_nonneg underflow_is_small.
Let near_weight := near_weight c Hc eta_order m kd i g open l H norm N T delta den ones keys depth deltas products
  norm_nonneg T_nonneg underflow_is_small.
Let H_nonneg := H_nonneg c m kd i g open l H den depth.
Let N_nonneg := N_nonneg kd N keys.
Let K_nonneg := K_nonneg c Hc kd H norm N T keys T_nonneg underflow_is_small.
Let p_pos := p_pos c Hc m kd i g open l N delta den ones keys deltas.
Let S_m_pos := S_m_pos c Hc m kd i g open l N delta den ones keys deltas.

(** [NU7_output]: the numerator may be summed in any other way; [u_p] is paid in it once more. The
    terms of the numerator carry the values, their deltas what rounding the values costs. *)
Variable delta' : term -> R.
Variables (kn : list term) (i' g' : R) (open' anchored' : bool) (n : R).
Hypothesis num : computed c m kn i' g' open' anchored' n.
Hypothesis num_depth : i' <= H.
Hypothesis num_deltas : forall k, In k kn -> argument c m k <= delta' k.
Hypothesis num_products : g' <= events * eta_s c.

Definition tau (d : R) : R := theta d + u_p c + H.
Definition exact_out : R := sum (map (fun k => p (logit_of k) * value_of k) kn).
Definition output_error : R :=
  sum (map (fun k => p (logit_of k) * Rabs (value_of k) * (exp (tau (delta' k)) - 1)) kn)
  + exp (lambda + K) * ((2 * eta c + eta_p c) * sum (map (fun k => Rabs (value_of k)) kn)
                        + events * eta_s c)
  + 2 * eta c.

Hypothesis deltas_nonneg : forall k, In k kn -> 0 <= delta' k.

Lemma lost_H' : lost c i' <= (2 * eta c + eta_p c) * exp (u_p c + H).
Proof.
  destruct Hc as (? & ? & ? & ? & ? & ? & ? & ?); apply Rmult_le_compat_l; [lra|]; apply exp_mono; lra.
Qed.

Lemma dbar_nonneg_theta k : In k kn -> 0 <= tau (delta' k).
Proof.
  intro ik; pose proof (deltas_nonneg k ik); pose proof H_nonneg; pose proof K_nonneg.
  destruct denominator as [[L U] _]; pose proof S_m_pos.
  assert (0 <= sum_error).
  { apply exp_le_inv'; rewrite exp_0.
    assert (S_m m kd * exp (- sum_error) <= S_m m kd * exp sum_error) as Q by lra.
    apply Rmult_le_reg_l in Q; auto.
    rewrite exp_Ropp in Q; pose proof (exp_pos sum_error).
    destruct (Rle_or_lt 1 (exp sum_error)) as [|Lt]; auto.
    assert (1 < / exp sum_error) by (rewrite <- Rinv_1; apply Rinv_lt_contravar; lra); lra. }
  unfold tau, Row.theta; unfold Row.sum_error in *; destruct Hc as (? & ? & ? & ? & ?); lra.
Qed.

Theorem NU7_output_in_interval gamma e : Rabs gamma <= norm -> Rabs e <= 2 * eta c ->
  Rabs (n / l * exp gamma + e - exact_out) <= output_error.
Proof.
  intros Hg He; pose proof Hc as (Hu & Hep & Hd & Hp & Hn & Hnp & Hns & Hs).
  destruct (NU7_backward c Hc _ _ _ _ _ _ _ num) as (ts & Kp & E & _).
  destruct (computed_nonneg c _ _ _ _ _ _ _ num) as (_ & Gp).
  pose proof l_pos as Pl; pose proof inv_l as Il; pose proof H_nonneg; pose proof K_nonneg.
  set (q := / l * exp gamma).
  assert (Pq : 0 < q) by (apply Rmult_lt_0_compat; [now apply Rinv_0_lt_compat | apply exp_pos]).
  assert (Uq : q <= exp (eps c + u_p c + H + K) * exp norm).
  { unfold q; apply Rmult_le_compat; auto; try (left; try apply exp_pos; now apply Rinv_0_lt_compat).
    apply exp_mono; apply Rabs_between in Hg; lra. }
  set (M := sum (map (fun kt => share m (fst kt) (fst (snd kt)) * value_of (fst kt)) (combine kn ts))).
  assert (Main : Rabs (M * q - exact_out)
     <= sum (map (fun k => p (logit_of k) * Rabs (value_of k) * (exp (tau (delta' k)) - 1)) kn)).
  { unfold M, exact_out; pose proof num_deltas as ND; pose proof dbar_nonneg_theta as TN.
    clear E num num_deltas deltas_nonneg.
    induction Kp as [|k [t w] ks ts' (A & _) F IH].
    - cbn [combine map]; rewrite sum_nil, Rmult_0_l, Rminus_0_r, Rabs_R0; lra.
    - cbn [combine map fst snd] in *; rewrite !sum_cons.
      assert (IH' := IH (fun k' ik => ND k' (or_intror ik)) (fun k' ik => TN k' (or_intror ik))).
      set (R1 := sum (map (fun kt => share m (fst kt) (fst (snd kt)) * value_of (fst kt)) (combine ks ts'))) in *.
      replace ((share m k t * value_of k + R1) * q - (p (logit_of k) * value_of k + sum (map (fun k => p (logit_of k) * value_of k) ks)))
        with ((share m k t * q - p (logit_of k)) * value_of k
              + (R1 * q - sum (map (fun k => p (logit_of k) * value_of k) ks))) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; [|apply IH'; auto].
      rewrite Rabs_mult.
      replace (p (logit_of k) * Rabs (value_of k) * (exp (tau (delta' k)) - 1))
        with (p (logit_of k) * (exp (tau (delta' k)) - 1) * Rabs (value_of k)) by ring.
      apply Rmult_le_compat_r; [apply Rabs_pos|].
      apply near_abs; [apply TN; now left | left; apply p_pos|].
      assert (Ht : Rabs t <= delta' k + (eps c + u_p c + H)).
      { unfold cost in A; specialize (ND k (or_introl eq_refl)); lra. }
      pose proof (near_weight (logit_of k) t gamma (delta' k) (eps c + u_p c + H) Ht Hg) as NW.
      replace (delta' k + (eps c + u_p c + H) + sum_error + norm) with (tau (delta' k)) in NW
        by (unfold tau, Row.theta, Row.sum_error; ring).
      unfold share, q; unfold Rdiv in NW; rewrite <- Rmult_assoc; exact NW. }
  assert (Rest : Rabs ((n - M) * q)
     <= exp (lambda + K) * ((2 * eta c + eta_p c) * sum (map (fun k => Rabs (value_of k)) kn)
                        + events * eta_s c)).
  { rewrite Rabs_mult, (Rabs_pos_eq q) by lra.
    assert (D : Rabs (n - M) <= exp (u_p c + H) *
       ((2 * eta c + eta_p c) * sum (map (fun k => Rabs (value_of k)) kn) + events * eta_s c)).
    { assert (TS : Rabs (total kn ts - M) <= lost c i' * sum (map (fun k => Rabs (value_of k)) kn)).
      { unfold M; clear -Kp; induction Kp as [|k [t w] ks ts (_ & _ & D & _) F IH]; cbn [combine map].
        - unfold total; cbn [combine map]; rewrite !sum_nil, Rminus_0_r, Rabs_R0, Rmult_0_r; lra.
        - rewrite total_cons, !sum_cons; cbn [fst snd] in *.
          replace (_ - _) with ((w - share m k t) * value_of k
            + (total ks ts - sum (map (fun kt => share m (fst kt) (fst (snd kt)) * value_of (fst kt)) (combine ks ts)))) by ring.
          apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rmult_plus_distr_l, Rabs_mult.
          apply Rplus_le_compat; [apply Rmult_le_compat_r; [apply Rabs_pos | exact D] | exact IH]. }
      replace (n - M) with ((n - total kn ts) + (total kn ts - M)) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _).
      rewrite Rmult_plus_distr_l, Rplus_comm; apply Rplus_le_compat.
      - apply Rle_trans with (1 := TS).
        apply Rle_trans with ((2 * eta c + eta_p c) * exp (u_p c + H) * sum (map (fun k => Rabs (value_of k)) kn)).
        + apply Rmult_le_compat_r; [apply sum_map_nonneg; intros; apply Rabs_pos | apply lost_H'].
        + right; ring.
      - apply Rle_trans with (1 := E); rewrite Rmult_comm; apply Rmult_le_compat.
        + left; apply exp_pos.
        + exact Gp.
        + apply exp_mono; lra.
        + exact num_products. }
    set (X := (2 * eta c + eta_p c) * sum (map (fun k => Rabs (value_of k)) kn) + events * eta_s c) in *.
    assert (PX : 0 <= X).
    { unfold X, Row.events; apply Rplus_le_le_0_compat; apply Rmult_le_pos; try lra.
      apply sum_map_nonneg; intros; apply Rabs_pos. }
    apply Rle_trans with (exp (u_p c + H) * X * (exp (eps c + u_p c + H + K) * exp norm)).
    - apply Rmult_le_compat; auto using Rabs_pos; lra.
    - replace (exp (u_p c + H) * X * (exp (eps c + u_p c + H + K) * exp norm))
        with (exp (u_p c + H) * (exp (eps c + u_p c + H + K) * exp norm) * X) by ring.
      rewrite <- !exp_plus; apply Rmult_le_compat_r; auto; apply exp_mono; unfold Row.lambda; lra. }
  replace (n / l * exp gamma + e - exact_out) with ((M * q - exact_out) + (n - M) * q + e)
    by (unfold q; field; lra).
  unfold output_error; apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
  apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
Qed.
End Output.

Theorem NU7_exact_out_is_out s kd kn (ks : list (R * R)) :
  Permutation (map logit_of kd) (sink_list s ++ map fst ks) ->
  Permutation (map (fun k => (logit_of k, value_of k)) kn) ks ->
  exact_out kd kn = out_of s ks.
Proof.
  intros P Q; unfold exact_out, out_of, out, weights; rewrite map_map, dot_map.
  rewrite <- (sum_perm _ _ (Permutation_map (fun k => weight s (map fst ks) (fst k) * snd k) Q)), map_map.
  apply sum_map_ext; intros k _; cbn [fst snd]; now rewrite (NU7_p_is_weight s kd _ _ P).
Qed.
