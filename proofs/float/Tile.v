(* SPDX-License-Identifier: Apache-2.0 *)
(** How tall the sums of the fast path's tiles are, and that they fit the class w-deep for rows of any
    length. The numbers are printed into fast/tile_constants.h, and fast/ is compiled against them.
    proves: NU-6, NU-7 *)
From Coq Require Import Reals Lra Lia List PeanoNat Bool.
From Sinkproof Require Import Constants Classes Certified.
Import ListNotations.
Open Scope nat_scope.

(** Keys of a tile; keys of a group, which is a chain of fused multiply-adds; softmax: elements that one
    step of the widest leaf adds to 16 lanes, and elements of a block. *)
Definition TILE : nat := 256.
Definition GROUP : nat := 16.
Definition STEP : nat := 128.
Definition BLOCK : nat := 1024.

(** Groups that [n] consecutive keys of one tile touch at most, and the height of their values' sum: a
    chain inside a group, then the groups after the first one. *)
Definition groups (n : nat) : nat := Nat.min (TILE / GROUP) ((n + 2 * GROUP - 2) / GROUP).
Definition values_height (n : nat) : nat := Nat.min GROUP n + (groups n - 1).

(** Weights: four groups a step, each a tree of two levels, and a tree over 16 lanes; no taller where
    eight groups make a step of three levels (3 + 1, two steps of four after it, 4). In softmax three
    levels a step, two steps of 64 where a row ends, and lanes are widened before they are summed. *)
Definition weights_height : nat := 2 + TILE / GROUP / 4 + 4.
Definition softmax_height : nat := 3 + BLOCK / STEP + 2.

Definition all_fit (n : nat) : bool :=
  (S (values_height n) <=? base_height w_deep n) && (S weights_height <=? base_height w_deep n) &&
  (S softmax_height <=? base_height w_deep n).

Lemma short_rows_fit : forallb all_fit (seq 1 300) = true.
Proof. vm_compute; reflexivity. Qed.

Lemma values_height_bound n : values_height n <= 31.
Proof. unfold values_height, groups; change (TILE / GROUP) with 16; change GROUP with 16; lia. Qed.

Lemma base_height_mono n N : n <= N -> base_height w_deep n <= base_height w_deep N.
Proof. intro H; cbn [base_height]; apply Nat.add_le_mono_l, Nat.log2_up_le_mono; lia. Qed.

(** [n] keys of one tile in a row of [N]. *)
Theorem NU6_tiles_fit n N j : 1 <= n <= N -> (INR j <= 16777216)%R ->
  fits N (values_height n) j /\ fits N weights_height j /\ fits N softmax_height j.
Proof.
  intros Hn Hj; pose proof (base_height_mono n N (proj2 Hn)) as M; assert (A : all_fit n = true).
  { destruct (Nat.le_gt_cases n 300) as [L | G].
    - pose proof short_rows_fit as Q; rewrite forallb_forall in Q; apply Q, in_seq; lia.
    - assert (B : 32 <= base_height w_deep n).
      { cbn [base_height]; unfold DEEP_BASE.
        pose proof (Nat.log2_up_le_mono 256 (n + 1) ltac:(lia)) as Q.
        change (Nat.log2_up 256) with 8 in Q; lia. }
      pose proof (values_height_bound n); unfold all_fit; rewrite !andb_true_iff, !Nat.leb_le.
      change weights_height with 10; change softmax_height with 13; repeat split; lia. }
  unfold all_fit in A; rewrite !andb_true_iff, !Nat.leb_le in A; unfold fits; repeat split; auto; lia.
Qed.
