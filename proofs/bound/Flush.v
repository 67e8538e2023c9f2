(* SPDX-License-Identifier: Apache-2.0 *)
(** Flushed inputs: a kernel that takes a subnormal value for 0 computes another row, which is within
    NU-7 of its own output; what the flushed values weighed comes on top. proves: NU-7, NU-10 *)
From Coq Require Import Reals Lra List.
From Sinkproof Require Import Spec Sums Near Model Row Output.
Import ListNotations.
Open Scope R_scope.

Section Flush.
Variables (c : costs) (kd : list term) (H norm N T : R) (delta delta' : term -> R).
Hypothesis Hc : sane c.
Hypothesis some : kd <> [].

(** [k'] is what the kernel took [k] for. *)
Definition flushed (k' k : term) : Prop :=
  logit_of k' = logit_of k /\ delta' k' = delta' k /\ (value_of k' = value_of k \/ value_of k' = 0).

Definition flushed_away (kn' kn : list term) : R :=
  sum (map (fun q => p kd (logit_of (snd q)) * Rabs (value_of (snd q) - value_of (fst q))) (combine kn' kn)).

Lemma p_nonneg x : 0 <= p kd x.
Proof.
  assert (P : 0 < mass_total kd).
  { unfold mass_total; rewrite <- (map_map logit_of exp); apply Z_keys_pos; destruct kd; easy. }
  left; apply Rdiv_lt_0_compat; [apply exp_pos | exact P].
Qed.

Lemma sums_of_flushed f g kn' kn : Forall2 flushed kn' kn -> (forall k' k, In k' kn' -> flushed k' k -> f k' <= g k) ->
  sum (map f kn') <= sum (map g kn).
Proof.
  induction 1 as [|k' k kn' kn F R IH]; intro Hfg; cbn [map]; [apply Rle_refl|]; rewrite !sum_cons.
  apply Rplus_le_compat; [apply Hfg; auto; now left | apply IH; intros; apply Hfg; auto; now right].
Qed.

Lemma smaller k' k : flushed k' k -> Rabs (value_of k') <= Rabs (value_of k).
Proof. intros (_ & _ & [-> | ->]); [lra | rewrite Rabs_R0; apply Rabs_pos]. Qed.

(** proves: NU-7, NU-10 *)
Theorem NU7_output_flushed kn' kn y : Forall2 flushed kn' kn ->
  (forall k, In k kn' -> 0 <= tau c kd H norm N T delta (delta' k)) ->
  Rabs (y - exact_out kd kn') <= output_error c kd H norm N T delta delta' kn' ->
  Rabs (y - exact_out kd kn) <= output_error c kd H norm N T delta delta' kn + flushed_away kn' kn.
Proof.
  intros F Ht Hy; pose proof Hc as (Hu & He & Hd & Hp & Hn & Hnp & Hns & Hs).
  assert (D : Rabs (exact_out kd kn' - exact_out kd kn) <= flushed_away kn' kn).
  { unfold exact_out, flushed_away; clear -F some; induction F as [|k' k kn' kn (El & _ & _) F IH]; cbn [combine map fst snd].
    - rewrite !sum_nil, Rminus_0_r, Rabs_R0; lra.
    - rewrite !sum_cons, El.
      replace (_ - _) with (p kd (logit_of k) * - (value_of k - value_of k')
        + (sum (map (fun k => p kd (logit_of k) * value_of k) kn') - sum (map (fun k => p kd (logit_of k) * value_of k) kn))) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; [|exact IH].
      rewrite Rabs_mult, Rabs_Ropp, (Rabs_pos_eq (p kd _)) by apply p_nonneg; lra. }
  assert (O : output_error c kd H norm N T delta delta' kn' <= output_error c kd H norm N T delta delta' kn).
  { unfold output_error; apply Rplus_le_compat_r, Rplus_le_compat.
    - apply sums_of_flushed; auto; intros k' k i Q; pose proof (smaller _ _ Q) as V; destruct Q as (-> & E & _).
      specialize (Ht k' i); rewrite E in *.
      assert (1 <= exp (tau c kd H norm N T delta (delta' k))) by (rewrite <- exp_0; apply exp_mono; exact Ht).
      apply Rmult_le_compat_r; [lra|]; apply Rmult_le_compat_l; [apply p_nonneg | exact V].
    - apply Rmult_le_compat_l; [left; apply exp_pos|]; apply Rplus_le_compat_r, Rmult_le_compat_l; [lra|].
      apply sums_of_flushed; auto; intros; now apply smaller. }
  replace (y - exact_out kd kn) with ((y - exact_out kd kn') + (exact_out kd kn' - exact_out kd kn)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.
End Flush.
