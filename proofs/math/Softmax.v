(* SPDX-License-Identifier: Apache-2.0 *)
(** Softmax of one row: positivity, normalisation, absence, invalid rows.
    proves: SM-1, SM-2, SM-3, SM-4, SM-5, SM-6, SM-7, AT-3, AT-7, AT-9, AL-4 *)
From Coq Require Import Reals List Lra Lia Bool Permutation.
From Sinkproof Require Import Spec Sums.
Import ListNotations.
Open Scope R_scope.

(** proves: SM-2 *)
Theorem SM2_weights_positive s l : Forall (fun p => 0 < p) (weights s l).
Proof.
  apply Forall_forall; intros p Hp; apply in_map_iff in Hp as (x & <- & Hx).
  apply weight_pos; eauto using in_inhabited.
Qed.

(** proves: SM-2 *)
Theorem SM2_weights_sum_to_1 l : l <> [] -> sum (weights None l) = 1.
Proof.
  intro H; rewrite sum_weights; unfold Z_total; cbn [exp_sink]; rewrite Rplus_0_l.
  pose proof (Z_keys_pos l H); field; lra.
Qed.

(** proves: SM-7, AL-2 *)
Theorem SM7_weights_sum s l : inhabited s l -> sum (weights s l) = 1 - p_sink s l.
Proof.
  intro H; rewrite sum_weights; pose proof (Z_total_pos s l H); unfold p_sink.
  replace (Z_keys l) with (Z_total s l - exp_sink s) by (unfold Z_total; ring); field; lra.
Qed.

(** With a sink logit the weights never sum to 1, so a kernel that renormalises them is wrong.
    proves: SM-7 *)
Theorem SM7_strictly_substochastic s l : sum (weights (Some s) l) < 1.
Proof.
  assert (H : inhabited (Some s) l) by (left; discriminate).
  rewrite SM7_weights_sum by auto; unfold p_sink; cbn [exp_sink].
  assert (0 < exp s / Z_total (Some s) l); [|lra].
  apply Rdiv_lt_0_compat; [apply exp_pos | now apply Z_total_pos].
Qed.

(** proves: SM-3, AL-5 *)
Theorem SM3_lse_spec s l L : lse_total s l = Some L -> exp L = Z_total s l.
Proof.
  unfold lse_total; intro H; assert (I : inhabited s l).
  { destruct s; [left; discriminate | destruct l; [discriminate H | right; discriminate]]. }
  assert (E : ln (Z_total s l) = L) by (destruct s, l; congruence).
  rewrite <- E; apply exp_ln, Z_total_pos, I.
Qed.

(** Without a sink logit the two LSEs are one; they differ as soon as there is one.
    proves: AL-4, AL-5 *)
Theorem AL5_lse_without_sink l : lse_total None l = lse_keys l.
Proof. destruct l; [reflexivity|]; cbn [lse_total lse_keys]; unfold Z_total; cbn [exp_sink]; now rewrite Rplus_0_l. Qed.

Theorem AL5_lse_with_sink s l K T :
  lse_keys l = Some K -> lse_total (Some s) l = Some T -> K < T.
Proof.
  destruct l as [|x l]; [discriminate|]; cbn [lse_keys lse_total]; intros [= <-] [= <-].
  apply ln_increasing; [apply Z_keys_pos; discriminate|].
  unfold Z_total; cbn [exp_sink]; pose proof (exp_pos s); lra.
Qed.

(** An empty row: output 0, lse_keys -inf, lse_total the sink logit. proves: AT-9, SM-4 *)
Theorem AT9_empty_row s : out s [] [] = 0 /\ lse_keys [] = None /\ lse_total s [] = s.
Proof.
  split; [reflexivity | split; [reflexivity|]]; destruct s as [s|]; [|reflexivity].
  cbn [lse_total]; unfold Z_total; rewrite Z_keys_nil; cbn [exp_sink].
  now rewrite Rplus_0_r, ln_exp.
Qed.

(** ** Absence and invalid rows *)

Lemma present_app a b : present (a ++ b) = present a ++ present b.
Proof. induction a as [|[[|x|] v] a IH]; simpl; rewrite ?IH; reflexivity. Qed.

(** Whatever value an absent key carries, NaN included, and wherever it stands, the row is what it
    would be without that key. proves: AT-3, SM-1 *)
Theorem AT3_absent_key_is_invisible s a v b :
  row_out s (a ++ (Absent, v) :: b) = row_out s (a ++ b).
Proof.
  unfold row_out; rewrite !present_app; cbn [present].
  replace (invalid_row s (a ++ (Absent, v) :: b)) with (invalid_row s (a ++ b)); [reflexivity|].
  destruct s; cbn [invalid_row]; auto; rewrite !existsb_app; reflexivity.
Qed.

Theorem AT3_absent_key_leaves_weights s a v b x :
  row_weight s (a ++ (Absent, v) :: b) x = row_weight s (a ++ b) x.
Proof.
  unfold row_weight; rewrite !present_app; cbn [present].
  replace (invalid_row s (a ++ (Absent, v) :: b)) with (invalid_row s (a ++ b)); [reflexivity|].
  destruct s; cbn [invalid_row]; auto; rewrite !existsb_app; reflexivity.
Qed.

(** A valid row of real logits and values is softmax attention: the clauses about invalid and
    absent keys change nothing there. proves: SM-1, SM-4 *)
Theorem SM4_real_row (s : option R) (ks : list (R * R)) :
  row_out (match s with Some s => Sink s | None => NoSink end)
          (map (fun k => (Logit (fst k), Some (snd k))) ks)
  = Some (out s (map fst ks) (map snd ks)).
Proof.
  assert (P : present (map (fun k => (Logit (fst k), Some (snd k))) ks)
              = map (fun k => (fst k, Some (snd k))) ks)
    by (clear; induction ks as [|[x v] ks IH]; simpl; [reflexivity | now rewrite IH]).
  assert (V : values (map (fun k => (fst k, Some (snd k))) ks) = Some (map snd ks))
    by (clear; induction ks as [|[x v] ks IH]; simpl; [reflexivity | now rewrite IH]).
  assert (I : existsb invalid_key (map (fun k : R * R => (Logit (fst k), Some (snd k))) ks) = false)
    by (clear; induction ks as [|[x v] ks IH]; simpl; [reflexivity | now rewrite IH]).
  unfold row_out; destruct s as [s|]; cbn [invalid_row]; rewrite I, P, V, map_map; reflexivity.
Qed.

(** One invalid logit (NaN or +inf) makes everything of the row NaN, absent keys included.
    proves: SM-5 *)
Theorem SM5_invalid_logit_poisons s a v b x :
  row_out s (a ++ (Invalid, v) :: b) = None /\ row_weight s (a ++ (Invalid, v) :: b) x = None.
Proof.
  assert (I : invalid_row s (a ++ (Invalid, v) :: b) = true).
  { destruct s; cbn [invalid_row]; auto; rewrite existsb_app; cbn; apply orb_true_r. }
  unfold row_out, row_weight; now rewrite I.
Qed.

(** proves: AL-4 *)
Theorem AL4_nan_sink_poisons r x : row_out SinkNaN r = None /\ row_weight SinkNaN r x = None.
Proof. split; reflexivity. Qed.

(** A NaN in a present value makes that component NaN; the weights do not see it. proves: SM-6 *)
Theorem SM6_nan_value_poisons_its_component s x a b :
  row_out s (a ++ (Logit x, None) :: b) = None.
Proof.
  unfold row_out; destruct (invalid_row _ _); [reflexivity|].
  rewrite present_app; cbn [present].
  assert (V : forall p q, values (p ++ (x, None) :: q) = None).
  { induction p as [|[y [w|]] p IH]; intro q; simpl; rewrite ?IH; reflexivity. }
  now rewrite V.
Qed.

Theorem SM6_weights_ignore_values s x v v' a b y :
  row_weight s (a ++ (Logit x, v) :: b) y = row_weight s (a ++ (Logit x, v') :: b) y.
Proof.
  unfold row_weight; rewrite !present_app; cbn [present]; rewrite !map_app; cbn [map fst].
  replace (invalid_row s (a ++ (Logit x, v) :: b)) with (invalid_row s (a ++ (Logit x, v') :: b)); auto.
  destruct s; cbn [invalid_row]; auto; rewrite !existsb_app; reflexivity.
Qed.

(** proves: AT-7 *)
Theorem AT7_kv_head_groups n_heads n_kv_heads h :
  (0 < n_kv_heads)%nat -> (0 < n_heads)%nat -> Nat.divide n_kv_heads n_heads ->
  kv_head n_heads n_kv_heads h = (h / (n_heads / n_kv_heads))%nat.
Proof.
  intros Hk Hh [g ->]; unfold kv_head; rewrite Nat.div_mul by lia.
  assert (g <> 0)%nat by (intros ->; lia).
  rewrite Nat.div_mul_cancel_r by lia; reflexivity.
Qed.
