(* SPDX-License-Identifier: Apache-2.0 *)
(** Cache profiles and positions: T-15 caches that evict before or after the query are windows of
    W or W + 1; T-16 fails for both when blocks are processed densely; T-17 ranks in the cache are
    0 .. n-1, keep the distances among recent tokens and freeze the distance to a sink.
    proves: EV-2, EV-5, EV-6 *)
From Coq Require Import List Arith Lia PeanoNat.
From Sinkproof Require Import Spec Eviction.
Import ListNotations.

(** A cache of [S] sinks and [R] recent tokens that processes the next block [block] densely: a
    query at offset [i] of the block attends to what the cache holds and to the block up to itself.
    "after" evicts when the block is done; "before" first makes room for the block. *)
Definition cache_after (S R : nat) (before block : list nat) (i : nat) : list nat :=
  retained S R before ++ firstn (i + 1) block.
Definition cache_before (S R : nat) (before block : list nat) (i : nat) : list nat :=
  firstn S before ++ lastn (R - length block) (skipn S before) ++ firstn (i + 1) block.

Definition tokens (t : nat) : list nat := seq 0 t.

(** One token at a time, evicting after the query is a window of R + 1. proves: EV-2 *)
Theorem T15_after_is_window_plus_one S R t : S <= t ->
  cache_after S R (tokens t) [t] 0 = visible_tokens S (R + 1) t.
Proof.
  intro H; rewrite <- EV2_cache_holds_what_is_visible by lia.
  rewrite T14_retained_is_pinned_and_recent; unfold cache_after, tokens; cbn [Nat.add firstn].
  unfold retained, lastn; rewrite !skipn_length, !seq_length, !firstn_seq, !skipn_seq.
  rewrite !Nat.min_l by lia; rewrite <- app_assoc; f_equal.
  rewrite <- (Nat.add_0_l t) at 4; cbn [Nat.add].
  replace (t + 1 - S - (t + 1 - S - (R + 1))) with ((t - S - (t - S - R)) + 1) by lia.
  rewrite seq_app; cbn [seq]; f_equal; [f_equal; lia | f_equal; lia].
Qed.

(** … and before the query a window of R. proves: EV-2 *)
Theorem T15_before_is_window S R t : S <= t -> 0 < R ->
  cache_before S R (tokens t) [t] 0 = visible_tokens S R t.
Proof.
  intros H HR; rewrite <- EV2_cache_holds_what_is_visible by lia.
  rewrite T14_retained_is_pinned_and_recent; unfold cache_before, tokens; cbn [Nat.add firstn length].
  unfold retained, lastn; rewrite !skipn_length, !seq_length, !firstn_seq, !skipn_seq.
  rewrite !Nat.min_l by lia; f_equal.
  replace (t + 1 - S - (t + 1 - S - R)) with ((t - S - (t - S - (R - 1))) + 1) by lia.
  rewrite seq_app; cbn [seq]; f_equal; [f_equal; lia | f_equal; lia].
Qed.

(** A dense block breaks chunk invariance in both: the last token of a block of three sees what it
    would not see one by one. proves: EV-5 *)
Theorem T16_dense_block_after_differs :
  cache_after 0 1 [] [0; 1; 2] 2 = [0; 1; 2] /\ visible_tokens 0 2 2 = [1; 2].
Proof. split; reflexivity. Qed.

Theorem T16_dense_block_before_differs :
  cache_before 0 2 [] [0; 1; 2] 2 = [0; 1; 2] /\ visible_tokens 0 2 2 = [1; 2].
Proof. split; reflexivity. Qed.

(** ** T-17: positions by rank *)

Definition rank (S W t j : nat) : nat := if j <? S then j else j - (t + 1 - Nat.min (t + 1) (S + W)).

(** Ranks are 0, 1, 2, … without gap or repetition. proves: EV-10 *)
Theorem T17_ranks_are_contiguous S W t : 0 < W ->
  map (rank S W t) (visible_tokens S W t) = seq 0 (Nat.min (t + 1) (S + W)).
Proof.
  intro HW; rewrite <- EV2_cache_holds_what_is_visible, T14_retained_is_pinned_and_recent by auto.
  unfold retained, lastn; rewrite skipn_length, seq_length, firstn_seq, !skipn_seq, map_app.
  rewrite (map_ext_in _ (fun j => j)), map_id.
  2:{ intros j Hj; apply in_seq in Hj; unfold rank; destruct (Nat.ltb_spec j S); lia. }
  rewrite (map_ext_in _ (fun j => j - (t + 1 - Nat.min (t + 1) (S + W)))).
  2:{ intros j Hj; apply in_seq in Hj; unfold rank; destruct (Nat.ltb_spec j S); lia. }
  assert (M : forall d a n, d <= a -> map (fun j => j - d) (seq a n) = seq (a - d) n).
  { intros d a n; revert a; induction n as [|n IH]; intros a Hd; [reflexivity|]; cbn [seq map].
    rewrite IH by lia; f_equal; f_equal; lia. }
  destruct (le_lt_dec (t + 1) S) as [H | H].
  - replace (t + 1 - S) with 0 by lia; cbn [Nat.sub seq map]; rewrite app_nil_r; f_equal; lia.
  - rewrite M by lia; rewrite Nat.min_l by lia.
    replace (Nat.min (t + 1) (S + W)) with (S + (t + 1 - S - (t + 1 - S - W))) at 2 by lia.
    rewrite seq_app; f_equal; f_equal; lia.
Qed.

(** Distances among recent tokens are the absolute ones. proves: EV-14 *)
Theorem T17_recent_distances S W t i j : S <= i -> S <= j ->
  visible S W t i -> visible S W t j -> i <= j -> rank S W t j - rank S W t i = j - i.
Proof.
  unfold visible, rank; intros Hi Hj (Ai & Vi) (Aj & Vj) Hij.
  destruct (Nat.ltb_spec i S), (Nat.ltb_spec j S); lia.
Qed.

(** The distance from the newest token to sink [j] is frozen once the cache is full; by absolute
    position it grows without bound. proves: EV-14 *)
Theorem T17_sink_distance_is_frozen S W t j : j < S -> 0 < W -> S + W <= t + 1 ->
  rank S W t t - rank S W t j = S + W - 1 - j.
Proof. unfold rank; intros; destruct (Nat.ltb_spec t S), (Nat.ltb_spec j S); lia. Qed.

Theorem T17_absolute_sink_distance_is_unbounded S j b : j < S -> exists t, b <= t - j /\ visible S 1 t j.
Proof. intro H; exists (b + j); unfold visible; lia. Qed.
