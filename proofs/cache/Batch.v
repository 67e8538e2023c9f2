(* SPDX-License-Identifier: Apache-2.0 *)
(** Batch eviction (EV-9): a machine that drops the k oldest unpinned tokens when there is no room holds
    the pinned tokens and a suffix of the rest, whose length depends on the number of tokens alone.
    Nothing here needs an axiom. proves: EV-5, EV-9 *)
From Coq Require Import List Arith Lia PeanoNat.
From Sinkproof Require Import Spec Eviction.
Import ListNotations.

Section Batch.
Context {A : Type} (S W k : nat).
Hypothesis some_window : 1 <= k <= W.

(** No room: the k oldest that are not pinned leave, then the token joins. *)
Definition batch_append (c : cache A) (x : A) : cache A :=
  if length (pinned c) <? S then Cache (pinned c ++ [x]) (recent c)
  else if length (recent c) =? W then Cache (pinned c) (skipn k (recent c) ++ [x])
  else Cache (pinned c) (recent c ++ [x]).
Definition batch_stream (xs : list A) : cache A := fold_left batch_append xs cache_empty.

(** What the newest of [r] unpinned tokens sees of them: EV-9. *)
Definition batch_recent (r : nat) : nat := if r <=? W then r else W - k + 1 + (r - W - 1) mod k.

Lemma batch_recent_bounds r : batch_recent r <= Nat.min r W /\ (1 <= r -> 1 <= batch_recent r).
Proof.
  unfold batch_recent; destruct (Nat.leb_spec r W); [lia|].
  pose proof (Nat.mod_upper_bound (r - W - 1) k); lia.
Qed.

(** The closed form fills up, and then k leave at once. *)
Lemma batch_recent_next r :
  batch_recent (r + 1) = if batch_recent r =? W then W - k + 1 else batch_recent r + 1.
Proof.
  unfold batch_recent.
  destruct (Nat.leb_spec r W) as [L | G]; destruct (Nat.leb_spec (r + 1) W) as [L' | G']; try lia.
  - destruct (Nat.eqb_spec r W); lia.
  - destruct (Nat.eqb_spec r W); [|lia]; subst.
    replace (W + 1 - W - 1) with 0 by lia; rewrite Nat.mod_0_l by lia; lia.
  - replace (r + 1 - W - 1) with (r - W - 1 + 1) by lia; set (q := r - W - 1).
    pose proof (Nat.mod_upper_bound q k ltac:(lia)) as B.
    destruct (Nat.eqb_spec (W - k + 1 + q mod k) W) as [E | N].
    + assert (Q : (q + 1) mod k = 0).
      { replace (q + 1) with (0 + (q / k + 1) * k); [now rewrite Nat.mod_add, Nat.mod_0_l by lia|].
        pose proof (Nat.div_mod q k ltac:(lia)); nia. }
      rewrite Q; lia.
    + assert (Q : (q + 1) mod k = q mod k + 1).
      { symmetry; apply (Nat.mod_unique _ _ (q / k)); [lia|]; pose proof (Nat.div_mod q k ltac:(lia)); lia. }
      rewrite Q; lia.
Qed.

Lemma batch_snoc xs x : batch_stream (xs ++ [x]) = batch_append (batch_stream xs) x.
Proof. unfold batch_stream; now rewrite fold_left_app. Qed.

Lemma lastn_snoc n (l : list A) x : n <= length l -> lastn (n + 1) (l ++ [x]) = lastn n l ++ [x].
Proof.
  intro H; unfold lastn; rewrite app_length; cbn [length].
  replace (length l + 1 - (n + 1)) with (length l - n) by lia.
  rewrite skipn_app; replace (length l - n - length l) with 0 by lia; reflexivity.
Qed.

(** proves: EV-9 *)
Theorem EV9_holds_pinned_and_a_suffix xs :
  pinned (batch_stream xs) = firstn S xs /\
  recent (batch_stream xs) = lastn (batch_recent (length xs - S)) (skipn S xs).
Proof.
  induction xs as [|x xs [IHp IHr]] using rev_ind; [rewrite firstn_nil, skipn_nil; now split|].
  rewrite batch_snoc; unfold batch_append; rewrite IHp, firstn_length, app_length; cbn [length].
  destruct (Nat.ltb_spec (Nat.min S (length xs)) S) as [L | G].
  - cbn [pinned recent]; rewrite IHr, !skipn_all2; [|rewrite app_length; cbn; lia|lia].
    rewrite firstn_all2 by lia; rewrite firstn_all2 by (rewrite app_length; cbn; lia); now split.
  - assert (Hp : firstn S (xs ++ [x]) = firstn S xs).
    { rewrite firstn_app; replace (S - length xs) with 0 by lia; now rewrite firstn_O, app_nil_r. }
    assert (Hs : skipn S (xs ++ [x]) = skipn S xs ++ [x]).
    { rewrite skipn_app; replace (S - length xs) with 0 by lia; reflexivity. }
    set (r := length xs - S); replace (length xs + 1 - S) with (r + 1) by lia.
    assert (Lr : length (skipn S xs) = r) by apply skipn_length.
    destruct (batch_recent_bounds r) as [B _]; rewrite batch_recent_next.
    rewrite IHr, lastn_length, Lr; fold r; rewrite Nat.min_l by lia; rewrite Hp, Hs.
    destruct (Nat.eqb_spec (batch_recent r) W) as [E | N]; cbn [pinned recent]; (split; [reflexivity|]).
    + rewrite lastn_snoc by (rewrite Lr; lia); f_equal; rewrite E.
      unfold lastn; rewrite Lr, skipn_skipn; f_equal; lia.
    + now rewrite lastn_snoc by (rewrite Lr; lia).
Qed.

(** proves: EV-9 *)
Theorem EV9_capacity_never_exceeded xs : length (contents (batch_stream xs)) <= S + W.
Proof.
  destruct (EV9_holds_pinned_and_a_suffix xs) as [P R]; unfold contents; rewrite P, R.
  rewrite app_length, firstn_length, lastn_length; destruct (batch_recent_bounds (length xs - S)); lia.
Qed.

(** Nobody is evicted before there is no room. proves: EV-9 *)
Theorem EV9_nothing_evicted_while_it_fits xs : length xs <= S + W -> contents (batch_stream xs) = xs.
Proof.
  intro H; destruct (EV9_holds_pinned_and_a_suffix xs) as [P R]; unfold contents; rewrite P, R.
  unfold batch_recent; destruct (Nat.leb_spec (length xs - S) W); [|lia].
  rewrite lastn_all by (rewrite skipn_length; lia); apply firstn_skipn.
Qed.

(** The newest token is always seen. proves: EV-9 *)
Theorem EV9_sees_itself xs x : In x (contents (batch_stream (xs ++ [x]))).
Proof.
  destruct (EV9_holds_pinned_and_a_suffix (xs ++ [x])) as [P R]; unfold contents; rewrite P, R; apply in_or_app.
  destruct (le_lt_dec S (length xs)) as [L | G].
  - right; rewrite app_length; cbn [length]; replace (length xs + 1 - S) with (length xs - S + 1) by lia.
    rewrite skipn_app; replace (S - length xs) with 0 by lia; cbn [skipn].
    set (r := length xs - S); assert (Lr : length (skipn S xs) = r) by apply skipn_length.
    destruct (batch_recent_bounds (r + 1)) as [B B1]; unfold lastn; rewrite app_length, Lr; cbn [length].
    rewrite skipn_app, Lr; replace (r + 1 - batch_recent (r + 1) - r) with 0 by lia.
    apply in_or_app; right; now left.
  - left; rewrite firstn_all2 by (rewrite app_length; cbn; lia); apply in_or_app; right; now left.
Qed.

(** Blocks are not observable. proves: EV-5, EV-9 *)
Theorem EV9_chunk_invariance (blocks : list (list A)) c :
  fold_left (fun c b => fold_left batch_append b c) blocks c = fold_left batch_append (concat blocks) c.
Proof.
  revert c; induction blocks as [|b bs IH]; intro c; [reflexivity|].
  cbn [fold_left concat]; now rewrite IH, fold_left_app.
Qed.
End Batch.

(** With k = 1 it is the cache of EV-2. proves: EV-2, EV-9 *)
Theorem EV9_one_by_one {A} S W (xs : list A) : 1 <= W ->
  contents (batch_stream S W 1 xs) = contents (stream_of S W xs).
Proof.
  intro HW; destruct (EV9_holds_pinned_and_a_suffix S W 1 ltac:(lia) xs) as [P R].
  rewrite T14_retained_is_pinned_and_recent; unfold contents, retained; rewrite P, R; f_equal.
  unfold batch_recent; destruct (Nat.leb_spec (length xs - S) W).
  - rewrite !lastn_all by (rewrite skipn_length; lia); reflexivity.
  - rewrite Nat.mod_1_r; f_equal; lia.
Qed.

(** A block of half the window: 5 tokens through S = 1, W = 2, k = 2 leave the first and the last. *)
Example EV9_evicts_at_once : contents (batch_stream 1 2 2 [0; 1; 2; 3]) = [0; 3] /\
  contents (batch_stream 1 2 2 [0; 1; 2; 3; 4]) = [0; 3; 4].
Proof. split; reflexivity. Qed.
