(* SPDX-License-Identifier: Apache-2.0 *)
(** What evicting keys does to a row. [E] is the evicted set, [K] the kept one; each is a list of
    (logit, value) pairs; [mu] is the evicted mass.
    T-11 every kept weight is divided by 1 - mu, the total-variation distance is mu, the
    Kullback-Leibler divergence is -ln (1 - mu); T-12 the output moves by exactly mu times the
    distance of the two parts' outputs, in every norm at most mu * diam; T-13 merging the evicted
    part back undoes it. proves: EV-4 *)
From Coq Require Import Reals List Lra Lia FunctionalExtensionality.
From Coquelicot Require Import Rcomplements.
From Sinkproof Require Import Spec Sums Softmax Sink Merge.
Import ListNotations.
Open Scope R_scope.

Definition evicted_mass (s : option R) (E K : list R) : R := Z_keys E / Z_total s (E ++ K).

Lemma Z_split s E K : Z_total s (E ++ K) = Z_keys E + Z_total s K.
Proof. unfold Z_total; rewrite Z_keys_app; ring. Qed.

Lemma kept_mass s E K : inhabited s K ->
  1 - evicted_mass s E K = Z_total s K / Z_total s (E ++ K).
Proof.
  intro H; unfold evicted_mass; rewrite Z_split.
  pose proof (Z_total_pos s K H); pose proof (Z_keys_nonneg E); field; lra.
Qed.

Lemma evicted_mass_range s E K : inhabited s K -> 0 <= evicted_mass s E K < 1.
Proof.
  intro H; unfold evicted_mass; rewrite Z_split.
  pose proof (Z_total_pos s K H); pose proof (Z_keys_nonneg E).
  split; [apply Rdiv_le_0_compat; lra|].
  apply Rmult_lt_reg_r with (Z_keys E + Z_total s K); [lra|].
  unfold Rdiv; rewrite Rmult_assoc, Rinv_l; lra.
Qed.

(** ** T-11 *)

Theorem T11_weights_rescale s E K x : inhabited s K ->
  weight s K x = weight s (E ++ K) x / (1 - evicted_mass s E K).
Proof.
  intro H; rewrite kept_mass by auto; unfold weight; rewrite Z_split.
  pose proof (Z_total_pos s K H); pose proof (Z_keys_nonneg E); field; lra.
Qed.

Theorem T11_sink_weight_rescales s E K : inhabited s K ->
  p_sink s K = p_sink s (E ++ K) / (1 - evicted_mass s E K).
Proof.
  intro H; rewrite kept_mass by auto; unfold p_sink; rewrite Z_split.
  pose proof (Z_total_pos s K H); pose proof (Z_keys_nonneg E); field; lra.
Qed.

(** Half the sum of |p' - p| over the sink logit, the kept keys and the evicted ones, whose new
    weight is 0. *)
Definition tv_of_eviction (s : option R) (E K : list R) : R :=
  / 2 * (Rabs (p_sink s K - p_sink s (E ++ K))
         + sum (map (fun x => Rabs (weight s K x - weight s (E ++ K) x)) K)
         + sum (map (fun x => Rabs (0 - weight s (E ++ K) x)) E)).

Theorem T11_total_variation_is_evicted_mass s E K : inhabited s K ->
  tv_of_eviction s E K = evicted_mass s E K.
Proof.
  intro H; pose proof (Z_total_pos s K H) as PK; pose proof (Z_keys_nonneg E) as PE.
  set (mu := evicted_mass s E K); pose proof (evicted_mass_range s E K H) as Hmu; fold mu in Hmu.
  set (Z := Z_total s (E ++ K)).
  assert (HZ : Z = Z_keys E + Z_total s K) by apply Z_split.
  assert (Hd : forall t, 0 <= t -> Rabs (t / Z_total s K - t / Z) = mu / Z_total s K * t).
  { intros t Ht; assert (D : t / Z_total s K - t / Z = mu / Z_total s K * t).
    { unfold mu, evicted_mass; fold Z; rewrite HZ; field; lra. }
    rewrite D; apply Rabs_pos_eq; apply Rmult_le_pos; auto.
    apply Rmult_le_pos; [lra | left; now apply Rinv_0_lt_compat]. }
  unfold tv_of_eviction, p_sink, weight; fold Z; rewrite Hd by apply exp_sink_nonneg.
  rewrite (sum_map_ext (fun x => Rabs (exp x / Z_total s K - exp x / Z)) (fun x => mu / Z_total s K * exp x))
    by (intros; apply Hd; left; apply exp_pos).
  rewrite (sum_map_ext (fun x => Rabs (0 - exp x / Z)) (fun x => / Z * exp x)).
  2:{ intros x _; rewrite Rminus_0_l, Rabs_Ropp, Rabs_pos_eq; [unfold Rdiv; ring|].
      apply Rdiv_le_0_compat; [left; apply exp_pos | lra]. }
  rewrite !sum_map_mult; fold (Z_keys K) (Z_keys E).
  assert (Hm : / Z * Z_keys E = mu) by (unfold mu, evicted_mass; fold Z; field; lra).
  rewrite Hm; replace (mu / Z_total s K * exp_sink s + mu / Z_total s K * Z_keys K)
    with (mu / Z_total s K * Z_total s K) by (unfold Z_total; ring).
  field; lra.
Qed.

Theorem T11_divergence s E K x : inhabited s K ->
  ln (weight s K x / weight s (E ++ K) x) = - ln (1 - evicted_mass s E K).
Proof.
  intro H; pose proof (evicted_mass_range s E K H).
  assert (I : inhabited s (E ++ K)) by (destruct H as [H | H]; [now left | right; destruct E, K; easy]).
  pose proof (weight_pos s (E ++ K) x I).
  rewrite (T11_weights_rescale s E K x H), <- ln_Rinv by lra; f_equal; field; lra.
Qed.

(** ** T-12 *)

Definition logits (ks : list (R * R)) := map fst ks.
Definition out_of (s : option R) (ks : list (R * R)) : R := out s (map fst ks) (map snd ks).

Lemma out_of_app s E K : E <> [] -> inhabited s (map fst K) ->
  let mu := evicted_mass s (logits E) (logits K) in
  out_of s (E ++ K) = mu * out_of None E + (1 - mu) * out_of s K.
Proof.
  intros HE HK mu; unfold mu; rewrite kept_mass by auto; unfold evicted_mass, out_of, logits in *.
  rewrite !map_app, !out_quotient, map_app, dot_app by (now rewrite !map_length).
  assert (PE : 0 < Z_keys (map fst E)) by (apply Z_keys_pos; destruct E; easy).
  pose proof (Z_total_pos _ _ HK); rewrite Z_split, Z_total_None; field; lra.
Qed.

(** The damage, exactly: it is mu times the distance between what was kept and what went. *)
Theorem T12_drift_exact s E K : E <> [] -> inhabited s (map fst K) ->
  out_of s K - out_of s (E ++ K)
  = evicted_mass s (logits E) (logits K) * (out_of s K - out_of None E).
Proof. intros HE HK; rewrite (out_of_app s E K HE HK); ring. Qed.

(** Evictions compose: what is left is the product of what each left. *)
Theorem T12_composition s E1 E2 K : inhabited s K ->
  1 - evicted_mass s (E1 ++ E2) K
  = (1 - evicted_mass s E1 (E2 ++ K)) * (1 - evicted_mass s E2 K).
Proof.
  intro H; assert (I : inhabited s (E2 ++ K))
    by (destruct H as [H | H]; [now left | right; destruct E2, K; easy]).
  rewrite !kept_mass by auto; rewrite <- app_assoc.
  pose proof (Z_total_pos s K H); pose proof (Z_total_pos s _ I).
  rewrite (Z_split s E1); pose proof (Z_keys_nonneg E1); field; lra.
Qed.

(** Values as vectors, and any norm. A vector is a function of the component. *)
Section Norm.
Variable N : (nat -> R) -> R.
Hypothesis N_plus : forall a b, N (fun c => a c + b c) <= N a + N b.
Hypothesis N_scale : forall t a, N (fun c => t * a c) = Rabs t * N a.

Definition column (ks : list (R * (nat -> R))) (c : nat) : list (R * R) :=
  map (fun k => (fst k, snd k c)) ks.
Definition out_vec (s : option R) (ks : list (R * (nat -> R))) : nat -> R :=
  fun c => out_of s (column ks c).

Lemma N_zero : N (fun _ => 0) = 0.
Proof.
  rewrite (functional_extensionality (fun _ : nat => 0) (fun c => 0 * 0)) by (intro; ring).
  rewrite (N_scale 0 (fun _ => 0)), Rabs_R0; ring.
Qed.

(** A weighted sum of vectors no longer than [D] is no longer than its weights' sum times [D]. *)
Lemma N_average (D : R) (ps : list (R * (nat -> R))) :
  (forall k, In k ps -> 0 <= fst k /\ N (snd k) <= D) ->
  N (fun c => sum (map (fun k => fst k * snd k c) ps)) <= sum (map fst ps) * D.
Proof.
  induction ps as [|k ps IH]; intro H; cbn [map].
  - change (N (fun _ => 0) <= 0 * D); rewrite N_zero; lra.
  - rewrite sum_cons; destruct (H k (or_introl eq_refl)) as [Hk Hn].
    specialize (IH (fun k i => H k (or_intror i))).
    apply Rle_trans with (1 := N_plus (fun c => fst k * snd k c) _).
    rewrite N_scale, Rabs_pos_eq, Rmult_plus_distr_r by auto.
    apply Rplus_le_compat; [now apply Rmult_le_compat_l | exact IH].
Qed.

Lemma out_vec_sum s ks c :
  out_vec s ks c = sum (map (fun k => weight s (map fst ks) (fst k) * snd k c) ks).
Proof.
  unfold out_vec, out_of, out, weights.
  replace (map fst (column ks c)) with (map fst ks) by (unfold column; rewrite map_map; reflexivity).
  replace (map snd (column ks c)) with (map (fun k => snd k c) ks)
    by (unfold column; rewrite map_map; reflexivity).
  rewrite map_map, dot_map; reflexivity.
Qed.

Lemma weights_sum_1 ks : ks <> [] ->
  sum (map (fun k : R * (nat -> R) => weight None (map fst ks) (fst k)) ks) = 1.
Proof.
  intro H; rewrite <- (map_map fst (weight None (map fst ks))).
  apply SM2_weights_sum_to_1; destruct ks; easy.
Qed.

(** Every kept value is at most [D] away from every evicted one; with a sink logit, which is a key
    of value 0, so is 0. Then the output moves by at most mu * D. *)
Theorem T12_drift_bound s E K D : E <> [] -> inhabited s (map fst K) ->
  (forall a b, In a K -> In b E -> N (fun c => snd a c - snd b c) <= D) ->
  (s <> None -> forall b, In b E -> N (fun c => 0 - snd b c) <= D) ->
  N (fun c => out_vec s K c - out_vec s (E ++ K) c)
  <= evicted_mass s (map fst E) (map fst K) * D.
Proof.
  intros HE HK HD HS; set (mu := evicted_mass s (map fst E) (map fst K)).
  assert (Hmu := evicted_mass_range s (map fst E) (map fst K) HK); fold mu in Hmu.
  assert (A : forall c, out_vec s K c - out_vec s (E ++ K) c
              = mu * (out_vec s K c - out_vec None E c)).
  { intro c; unfold out_vec.
    pose proof (T12_drift_exact s (column E c) (column K c)) as Q.
    unfold logits, column in *; rewrite !map_map in Q; cbn [fst] in Q.
    unfold column; rewrite map_app; apply Q; [destruct E; easy | exact HK]. }
  rewrite (functional_extensionality _ _ A), N_scale, Rabs_pos_eq by lra.
  apply Rmult_le_compat_l; [lra|].
  (* o_K - o_E = p_sink (0 - o_E) + sum over K of p (v - o_E), each an average over E *)
  assert (ToE : forall w, (forall b, In b E -> N (fun c => w c - snd b c) <= D) ->
                N (fun c => w c - out_vec None E c) <= D).
  { intros w Hw.
    pose proof (N_average D (map (fun b => (weight None (map fst E) (fst b), fun c => w c - snd b c)) E)) as Q.
    rewrite !map_map in Q; cbn [fst snd] in Q; rewrite (weights_sum_1 E HE), Rmult_1_l in Q.
    rewrite (functional_extensionality (fun c => w c - out_vec None E c)
       (fun c => sum (map (fun b => weight None (map fst E) (fst b) * (w c - snd b c)) E))).
    - rewrite (functional_extensionality _ (fun c => sum (map (fun k => fst k * snd k c)
         (map (fun b => (weight None (map fst E) (fst b), fun c => w c - snd b c)) E)))).
      + apply Q; intros k i; apply in_map_iff in i as (b & <- & Hb); cbn; split; auto.
        left; apply weight_pos; right; destruct E; easy.
      + intro c; rewrite map_map; reflexivity.
    - intro c; rewrite out_vec_sum.
      rewrite (sum_map_ext (fun b => weight None (map fst E) (fst b) * (w c - snd b c))
        (fun b => w c * weight None (map fst E) (fst b)
        + -1 * (weight None (map fst E) (fst b) * snd b c))) by (intros; ring).
      rewrite sum_map_plus, !sum_map_mult, (weights_sum_1 E HE); ring. }
  set (ps := (p_sink s (map fst K), fun c => 0 - out_vec None E c)
             :: map (fun a => (weight s (map fst K) (fst a), fun c => snd a c - out_vec None E c)) K).
  assert (Ps : sum (map fst ps) = 1).
  { unfold ps; cbn [map fst]; rewrite sum_cons, map_map; cbn [fst].
    rewrite <- (map_map fst (weight s (map fst K))).
    fold (weights s (map fst K)); rewrite SM7_weights_sum by auto; ring. }
  destruct s as [s|].
  - pose proof (N_average D ps) as Q; rewrite Ps, Rmult_1_l in Q.
    rewrite (functional_extensionality (fun c => out_vec (Some s) K c - out_vec None E c)
               (fun c => sum (map (fun k => fst k * snd k c) ps))).
    + apply Q; intros k [<- | i]; cbn [fst snd].
      * split; [left; apply Rdiv_lt_0_compat; [apply exp_pos | now apply Z_total_pos]|].
        apply (ToE (fun _ => 0)); intros b Hb; apply HS; [discriminate | auto].
      * apply in_map_iff in i as (a & <- & Ha); cbn; split; [left; now apply weight_pos|].
        apply (ToE (snd a)); intros b Hb; now apply HD.
    + intro c; unfold ps; cbn [map fst snd]; rewrite sum_cons, map_map; cbn [fst snd].
      rewrite (sum_map_ext (fun a => weight (Some s) (map fst K) (fst a) * (snd a c - out_vec None E c))
        (fun a => weight (Some s) (map fst K) (fst a) * snd a c
        + (- out_vec None E c) * weight (Some s) (map fst K) (fst a))) by (intros; ring).
      rewrite sum_map_plus, sum_map_mult, <- out_vec_sum.
      rewrite <- (map_map fst (weight (Some s) (map fst K))).
      fold (weights (Some s) (map fst K)); rewrite SM7_weights_sum by auto; ring.
  - set (qs := map (fun a => (weight None (map fst K) (fst a), fun c => snd a c - out_vec None E c)) K).
    assert (HK' : K <> []) by (destruct HK as [HK | HK]; [easy | destruct K; easy]).
    assert (Pq : sum (map fst qs) = 1) by (unfold qs; rewrite map_map; apply (weights_sum_1 K HK')).
    pose proof (N_average D qs) as Q; rewrite Pq, Rmult_1_l in Q.
    rewrite (functional_extensionality (fun c => out_vec None K c - out_vec None E c)
               (fun c => sum (map (fun k => fst k * snd k c) qs))).
    + apply Q; intros k i; apply in_map_iff in i as (a & <- & Ha); cbn; split; [left; now apply weight_pos|].
      apply (ToE (snd a)); intros b Hb; now apply HD.
    + intro c; unfold qs; rewrite map_map; cbn [fst snd].
      rewrite (sum_map_ext (fun a => weight None (map fst K) (fst a) * (snd a c - out_vec None E c))
        (fun a => weight None (map fst K) (fst a) * snd a c
        + (- out_vec None E c) * weight None (map fst K) (fst a))) by (intros; ring).
      rewrite sum_map_plus, sum_map_mult, <- out_vec_sum, (weights_sum_1 K HK'); ring.
Qed.

(** In terms of the largest value alone: at most 2 mu max |v|. *)
Theorem T12_drift_bound_by_values s E K B : E <> [] -> inhabited s (map fst K) ->
  0 <= B -> (forall k, In k (E ++ K) -> N (snd k) <= B) ->
  N (fun c => out_vec s K c - out_vec s (E ++ K) c)
  <= evicted_mass s (map fst E) (map fst K) * (2 * B).
Proof.
  intros HE HK HB HN.
  assert (Opp : forall a, N (fun c => - a c) = N a).
  { intro a; rewrite (functional_extensionality (fun c => - a c) (fun c => -1 * a c)) by (intro; ring).
    rewrite N_scale, Rabs_left by lra; ring. }
  apply T12_drift_bound; auto.
  - intros a b Ha Hb; apply Rle_trans with (1 := N_plus (snd a) (fun c => - snd b c)).
    rewrite Opp; pose proof (HN a (in_or_app _ _ _ (or_intror Ha)));
    pose proof (HN b (in_or_app _ _ _ (or_introl Hb))); lra.
  - intros _ b Hb; rewrite (functional_extensionality (fun c => 0 - snd b c) (fun c => - snd b c)) by (intro; ring).
    rewrite Opp; pose proof (HN b (in_or_app _ _ _ (or_introl Hb))); lra.
Qed.
End Norm.

(** Two keys with values v and -v reach the bound. *)
Theorem T12_tight x y v :
  out_of None [(y, - v)] - out_of None [(x, v); (y, - v)]
  = evicted_mass None [x] [y] * (- v - v).
Proof.
  unfold out_of, evicted_mass; rewrite !out_quotient; unfold Z_total, Z_keys, sum; simpl.
  pose proof (exp_pos x); pose proof (exp_pos y); field; lra.
Qed.

(** ** T-13: with its LSE kept, an evicted part can be merged back. *)
Theorem T13_undo s E K le lk : E <> [] -> inhabited s (map fst K) ->
  lse_keys (map fst E) = Some le -> lse_total s (map fst K) = Some lk ->
  out_of s (E ++ K) = (exp le * out_of None E + exp lk * out_of s K) / (exp le + exp lk).
Proof.
  intros HE HK Le Lk; rewrite (out_of_app s E K HE HK).
  rewrite kept_mass by auto; unfold evicted_mass, logits.
  rewrite (SM3_lse_spec s _ lk Lk); rewrite <- AL5_lse_without_sink in Le.
  rewrite (SM3_lse_spec None _ le Le), Z_split, Z_total_None.
  assert (PE : 0 < Z_keys (map fst E)) by (apply Z_keys_pos; destruct E; easy).
  pose proof (Z_total_pos _ _ HK); field; lra.
Qed.

(** The same through the monoid: the merge of the two partials is the full row. *)
Theorem T13_undo_by_merge t_evicted t_kept s E K :
  tree_keys t_evicted = E -> tree_keys t_kept = K ->
  tree_sinks t_evicted = [] -> tree_sinks t_kept = sink_list s -> inhabited s (map fst (E ++ K)) ->
  finish (merge (eval t_evicted) (eval t_kept)) = out_of s (E ++ K).
Proof.
  intros HE HK SE SK I.
  apply (T06_any_merge_tree_is_batch (Node t_evicted t_kept) s (E ++ K)); auto.
  - cbn [tree_keys]; rewrite HE, HK; auto.
  - cbn [tree_sinks]; now rewrite SE, SK.
Qed.
