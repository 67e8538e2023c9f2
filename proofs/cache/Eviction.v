(* SPDX-License-Identifier: Apache-2.0 *)
(** The streaming cache (T-14, T-16): whatever the interleaving of block appends and of late or
    batched evictions, a cache that pins S and keeps W shows exactly the first S and the last W
    tokens. Nothing here needs an axiom.
    proves: EV-1, EV-4, EV-5, EV-7 *)
From Coq Require Import List Arith Lia PeanoNat Sorted ZArith.
From Sinkproof Require Import Spec.
Import ListNotations.

Lemma skipn_skipn {A} a b (l : list A) : skipn a (skipn b l) = skipn (a + b) l.
Proof.
  revert a l; induction b as [|b IH]; intros a l; [now rewrite Nat.add_0_r|].
  destruct l as [|x l]; [now rewrite !skipn_nil|].
  rewrite <- plus_n_Sm; cbn [skipn]; apply IH.
Qed.

Lemma lastn_length {A} n (l : list A) : length (lastn n l) = Nat.min n (length l).
Proof. unfold lastn; rewrite skipn_length; lia. Qed.

Lemma lastn_all {A} n (l : list A) : length l <= n -> lastn n l = l.
Proof. intro H; unfold lastn; replace (length l - n) with 0 by lia; reflexivity. Qed.

(** Only the last [n] of what is kept matter, so late eviction is invisible. *)
Lemma lastn_app_lastn {A} n (a b : list A) : lastn n (lastn n a ++ b) = lastn n (a ++ b).
Proof.
  unfold lastn; rewrite !app_length, skipn_length, !skipn_app, skipn_skipn, skipn_length.
  f_equal; f_equal; lia.
Qed.

Lemma lastn_skipn {A} n k (l : list A) : k + n <= length l -> lastn n (skipn k l) = lastn n l.
Proof. intro H; unfold lastn; rewrite skipn_length, skipn_skipn; f_equal; lia. Qed.

Section Policy.
Context {A : Type} (S W : nat).
Notation append := (append S W).
Notation retained := (retained S W).

Definition stream_of (xs : list A) : cache A := append_block S W cache_empty xs.

Lemma stream_snoc xs x : stream_of (xs ++ [x]) = append (stream_of xs) x.
Proof. unfold stream_of, append_block; now rewrite fold_left_app. Qed.

(** ** One token at a time *)

Theorem EV1_pinned_are_the_first_S xs : pinned (stream_of xs) = firstn S xs.
Proof.
  induction xs as [|x xs IH] using rev_ind; [now rewrite firstn_nil|].
  rewrite stream_snoc; unfold Spec.append; rewrite IH, firstn_length.
  destruct (Nat.ltb_spec (Nat.min S (length xs)) S); cbn [pinned].
  - rewrite firstn_all2 by lia; now rewrite firstn_all2 by (rewrite app_length; cbn; lia).
  - rewrite firstn_app; replace (S - length xs) with 0 by lia; now rewrite firstn_O, app_nil_r.
Qed.

Theorem EV1_recent_are_the_last_W xs : recent (stream_of xs) = lastn W (skipn S xs).
Proof.
  induction xs as [|x xs IH] using rev_ind; [now rewrite skipn_nil|].
  rewrite stream_snoc; unfold Spec.append; rewrite EV1_pinned_are_the_first_S, firstn_length.
  destruct (Nat.ltb_spec (Nat.min S (length xs)) S); cbn [recent].
  - rewrite IH, !skipn_all2; auto; [rewrite app_length; cbn |]; lia.
  - rewrite IH, skipn_app; replace (S - length xs) with 0 by lia; apply lastn_app_lastn.
Qed.

(** proves: EV-1 *)
Theorem T14_retained_is_pinned_and_recent xs : contents (stream_of xs) = retained xs.
Proof. unfold contents; now rewrite EV1_pinned_are_the_first_S, EV1_recent_are_the_last_W. Qed.

(** proves: EV-1 *)
Theorem T14_capacity_never_exceeded xs : length (contents (stream_of xs)) <= S + W.
Proof.
  rewrite T14_retained_is_pinned_and_recent; unfold Spec.retained.
  rewrite app_length, firstn_length, lastn_length; lia.
Qed.

(** proves: EV-7 *)
Theorem T14_size xs : length (contents (stream_of xs)) = Nat.min (length xs) (S + W).
Proof.
  rewrite T14_retained_is_pinned_and_recent; unfold Spec.retained.
  rewrite app_length, firstn_length, lastn_length, skipn_length; lia.
Qed.

(** proves: EV-1 *)
Theorem T14_sinks_never_evicted xs ys :
  S <= length xs -> firstn S (contents (stream_of (xs ++ ys))) = firstn S xs.
Proof.
  intro H; rewrite T14_retained_is_pinned_and_recent; unfold Spec.retained.
  assert (Hl : length (firstn S (xs ++ ys)) = S) by (rewrite firstn_length, app_length; lia).
  rewrite firstn_app, Hl, Nat.sub_diag, firstn_O, app_nil_r, firstn_all2 by lia.
  rewrite firstn_app; replace (S - length xs) with 0 by lia; now rewrite firstn_O, app_nil_r.
Qed.

(** proves: EV-7 *)
Theorem EV7_nothing_evicted_while_it_fits xs : length xs <= S + W -> contents (stream_of xs) = xs.
Proof.
  intro H; rewrite T14_retained_is_pinned_and_recent; unfold Spec.retained.
  rewrite lastn_all by (rewrite skipn_length; lia); apply firstn_skipn.
Qed.

(** ** Blocks: any partition of the stream ends in the same cache. proves: EV-5 *)
Theorem T16_chunk_invariance (blocks : list (list A)) c :
  fold_left (append_block S W) blocks c = append_block S W c (concat blocks).
Proof.
  revert c; induction blocks as [|b bs IH]; intro c; [reflexivity|].
  cbn [fold_left concat]; rewrite IH; unfold append_block; now rewrite fold_left_app.
Qed.

(** Also for the queries of a block: the cache after each of its tokens is the one-by-one cache.
    proves: EV-5 *)
Theorem T16_queries_inside_a_block xs block k : k <= length block ->
  append_block S W (stream_of xs) (firstn k block) = stream_of (xs ++ firstn k block).
Proof. intros _; unfold stream_of, append_block; now rewrite fold_left_app. Qed.

(** ** Late and batched eviction *)

(** What a late cache holds, of the stream [xs]: all pinned tokens, and a tail of the rest that is
    no shorter than it must be. *)
Definition holds (c : cache A) (xs : list A) : Prop :=
  pinned c = firstn S xs /\
  exists k, recent c = skipn k (skipn S xs) /\ (k = 0 \/ k + W <= length (skipn S xs)).

Lemma holds_append c xs block : holds c xs -> holds (lazy_append S c block) (xs ++ block).
Proof.
  intros [Hp (k & Hr & Hk)]; unfold holds, lazy_append; cbn [pinned recent].
  rewrite Hp, firstn_length, firstn_app, (skipn_app S xs).
  replace (S - Nat.min S (length xs)) with (S - length xs) by lia.
  split; [reflexivity|]; exists k; rewrite Hr, app_length; split; [|lia].
  rewrite (skipn_app k); f_equal.
  destruct Hk as [-> | Hk]; [reflexivity|].
  replace (k - length (skipn S xs)) with 0 by lia; reflexivity.
Qed.

Lemma holds_evict c xs n : holds c xs -> holds (lazy_evict W c n) xs.
Proof.
  intros [Hp (k & Hr & Hk)]; unfold holds, lazy_evict; cbn [pinned recent].
  split; [exact Hp|]; rewrite Hr, skipn_length.
  set (d := Nat.min n (length (skipn S xs) - k - W)).
  exists (d + k); rewrite skipn_skipn; split; [reflexivity | lia].
Qed.

Lemma stream_app a b : stream (a ++ b : list (operation A)) = stream a ++ stream b.
Proof. unfold stream; now rewrite map_app, concat_app. Qed.

Lemma run_holds os : holds (run S W os) (stream os).
Proof.
  induction os as [|o os IH] using rev_ind.
  - split; [now rewrite firstn_nil|]; exists 0; cbn; rewrite !skipn_nil; auto.
  - unfold run in *; rewrite fold_left_app; cbn [fold_left]; rewrite stream_app.
    destruct o as [block | n]; cbn [step].
    + replace (stream [Append block]) with block by (unfold stream; cbn; now rewrite app_nil_r).
      now apply holds_append.
    + replace (stream [Evict n]) with (@nil A) by reflexivity; rewrite app_nil_r; now apply holds_evict.
Qed.

(** Storage is not observable: any interleaving of block appends and evictions shows a query what
    the one-by-one cache retains. proves: EV-4, EV-5 *)
Theorem T14_any_interleaving_is_observably_the_same (os : list (operation A)) :
  seen W (run S W os) = contents (stream_of (stream os)).
Proof.
  destruct (run_holds os) as [Hp (k & Hr & Hk)].
  rewrite T14_retained_is_pinned_and_recent; unfold seen, Spec.retained; rewrite Hp, Hr; f_equal.
  destruct Hk as [-> | Hk]; [reflexivity | now apply lastn_skipn].
Qed.

(** … and never loses a pinned token. proves: EV-1 *)
Theorem T14_interleaving_keeps_the_pinned (os : list (operation A)) : pinned (run S W os) = firstn S (stream os).
Proof. apply run_holds. Qed.
End Policy.

(** ** The definition by index: Vis of the newest token is what the cache of indices holds. *)

Lemma filter_seq_ge lo a n : filter (fun j => lo <=? j) (seq a n) = seq (Nat.max a lo) (n - (lo - a)).
Proof.
  revert a; induction n as [|n IH]; intro a; [reflexivity|]; cbn [seq filter].
  destruct (Nat.leb_spec lo a); rewrite IH.
  - replace (lo - a) with 0 by lia; replace (lo - Datatypes.S a) with 0 by lia.
    replace (Nat.max a lo) with a by lia; replace (Nat.max (Datatypes.S a) lo) with (Datatypes.S a) by lia.
    now rewrite !Nat.sub_0_r.
  - replace (Nat.max (Datatypes.S a) lo) with (Nat.max a lo) by lia.
    f_equal; lia.
Qed.

Lemma filter_all {A} (f : A -> bool) l : (forall a, In a l -> f a = true) -> filter f l = l.
Proof.
  induction l as [|x l IH]; intro H; [reflexivity|]; cbn [filter].
  rewrite (H x (or_introl eq_refl)), IH; auto; intros a i; apply H; now right.
Qed.

Lemma skipn_seq k a n : skipn k (seq a n) = seq (a + k) (n - k).
Proof.
  revert a n; induction k as [|k IH]; intros a n; [now rewrite Nat.add_0_r, Nat.sub_0_r|].
  destruct n as [|n]; [reflexivity|]; cbn [seq skipn]; rewrite IH; f_equal; lia.
Qed.

Lemma firstn_seq k a n : firstn k (seq a n) = seq a (Nat.min k n).
Proof.
  revert a n; induction k as [|k IH]; intros a n; [reflexivity|].
  destruct n as [|n]; [reflexivity|]; cbn [seq firstn Nat.min]; now rewrite IH.
Qed.

(** proves: EV-2, EV-6 *)
Theorem EV2_cache_holds_what_is_visible S W t : 0 < W ->
  contents (stream_of S W (seq 0 (t + 1))) = visible_tokens S W t.
Proof.
  intro HW; rewrite T14_retained_is_pinned_and_recent; unfold retained, visible_tokens, lastn.
  rewrite skipn_length, seq_length, firstn_seq, !skipn_seq.
  destruct (le_lt_dec (t + 1) S) as [H | H].
  - rewrite Nat.min_r by lia; replace (t + 1 - S) with 0 by lia.
    cbn [Nat.sub seq]; rewrite app_nil_r.
    symmetry; apply filter_all; intros j Hj; apply in_seq in Hj; unfold visibleb.
    apply andb_true_intro; split; [apply Nat.leb_le; lia|].
    apply Bool.orb_true_iff; left; apply Nat.ltb_lt; lia.
  - rewrite Nat.min_l by lia; replace (t + 1) with (S + (t + 1 - S)) at 4 by lia.
    rewrite seq_app, filter_app; f_equal.
    + symmetry; apply filter_all; intros j Hj; apply in_seq in Hj; unfold visibleb.
      apply andb_true_intro; split; [apply Nat.leb_le; lia|].
      apply Bool.orb_true_iff; left; apply Nat.ltb_lt; lia.
    + rewrite (filter_ext_in (visibleb S W t) (fun j => (t + 1 - W) <=? j)).
      * rewrite filter_seq_ge; f_equal; lia.
      * intros j Hj; apply in_seq in Hj; unfold visibleb.
        destruct (Nat.leb_spec j t), (Nat.ltb_spec j S), (Nat.ltb_spec (t - j) W),
          (Nat.leb_spec (t + 1 - W) j); cbn; lia.
Qed.

(** proves: EV-2 *)
Theorem EV2_visible_tokens_spec S W t j : In j (visible_tokens S W t) <-> visible S W t j.
Proof.
  unfold visible_tokens, visible, visibleb; rewrite filter_In, in_seq.
  rewrite Bool.andb_true_iff, Bool.orb_true_iff, Nat.leb_le, !Nat.ltb_lt; lia.
Qed.

(** The list is ascending and without repetition. proves: EV-6 *)
Theorem EV6_ascending S W t : StronglySorted lt (visible_tokens S W t).
Proof.
  unfold visible_tokens; generalize (visibleb S W t); intro f.
  assert (G : forall n a, StronglySorted lt (filter f (seq a n)) /\
                          Forall (le a) (filter f (seq a n))).
  { induction n as [|n IH]; intro a; [split; constructor|]; cbn [seq filter].
    destruct (IH (Datatypes.S a)) as [I1 I2].
    assert (I3 : Forall (le a) (filter f (seq (Datatypes.S a) n)))
      by (eapply Forall_impl; [|exact I2]; cbn; intros; lia).
    destruct (f a); [|split; assumption]; split; [|constructor; auto].
    constructor; [exact I1|]; eapply Forall_impl; [|exact I2]; cbn; intros; lia. }
  apply G.
Qed.

(** proves: EV-7 *)
Theorem T14_visible_size S W t : 0 < W -> length (visible_tokens S W t) = Nat.min (t + 1) (S + W).
Proof.
  intro HW; rewrite <- EV2_cache_holds_what_is_visible, T14_size, seq_length by auto; reflexivity.
Qed.

(** The window counts the query's own key: with W = 1 and nothing pinned a token sees itself.
    proves: EV-2 *)
Theorem EV2_window_one_is_self_only t : visible_tokens 0 1 t = [t].
Proof.
  rewrite <- EV2_cache_holds_what_is_visible by lia.
  rewrite T14_retained_is_pinned_and_recent; unfold retained, lastn.
  rewrite skipn_length, seq_length, !skipn_seq; cbn [firstn app].
  replace (t + 1 - 0 - (t + 1 - 0 - 1)) with 1 by lia; cbn [seq]; f_equal; lia.
Qed.

(** Sinks are never evicted, by index. proves: EV-1 *)
Theorem T14_sinks_always_visible S W t j : j < S -> j <= t -> visible S W t j.
Proof. unfold visible; lia. Qed.

(** Once out of sight, a token stays out: eviction never has to be undone. proves: EV-4 *)
Theorem EV4_never_visible_again S W t t' j : j <= t -> t <= t' ->
  ~ visible S W t j -> ~ visible S W t' j.
Proof. unfold visible; lia. Qed.

(** Counting from another first token shifts the list. proves: EV-8 *)
Theorem EV8_first_token S W t j first : j <= t ->
  visible S W t j <-> (first + j <= first + t /\ (first + j < first + S \/ (first + t) - (first + j) < W)).
Proof. unfold visible; lia. Qed.

(** ** By position *)

(** Positions that are token indices give the same visibility. proves: AT-5, EV-2 *)
Theorem AT5_window_by_position S W t j :
  visible_at true (Z.of_nat S) (Z.of_nat W) (Z.of_nat t) (Z.of_nat j) <-> visible S W t j.
Proof. unfold visible_at, visible; split; [intros [H1 H2]; specialize (H1 eq_refl) | intros [H1 H2]]; lia. Qed.

(** A pinned token obeys the causal bound too. proves: AT-5 *)
Theorem AT5_pinned_tokens_obey_causality S W pos_q pos_k :
  visible_at true S W pos_q pos_k -> (pos_k <= pos_q)%Z.
Proof. intros [H _]; now apply H. Qed.

(** Default positions are bottom-right: the last query sees the last key, and rows before the first
    key see nothing. proves: AT-4 *)
Theorem AT4_last_query_sees_last_key S W n_q n_kv : (1 <= W)%Z ->
  visible_at true S W (n_kv - n_q + (n_q - 1)) (n_kv - 1).
Proof. intro H; split; [intros _|left]; lia. Qed.

Theorem AT4_leading_rows_are_empty S W n_q n_kv i pos_k : (i < n_q - n_kv)%Z -> (0 <= pos_k)%Z ->
  ~ visible_at true S W (n_kv - n_q + i) pos_k.
Proof. intros H Hk [C _]; specialize (C eq_refl); lia. Qed.
