(* SPDX-License-Identifier: Apache-2.0 *)
(** A fixed array with a ring of W slots behind the S pinned ones refines the list of
    Eviction.v: every retained token is in its slot, and sink slots are written once.
    Nothing here needs an axiom. proves: EV-1, EV-4 *)
From Coq Require Import List Arith Lia PeanoNat.
From Sinkproof Require Import Spec Eviction.
Import ListNotations.

Section Ring.
Context {A : Type} (S W : nat) (HW : 0 < W).
Notation slot := (slot S W).

Definition memory := nat -> option (nat * A).      (* slot -> (token index, what it holds) *)
Definition store (m : memory) (k : nat) (v : nat * A) : memory :=
  fun j => if j =? k then Some v else m j.
Fixpoint write_all (t : nat) (xs : list A) (m : memory) : memory :=
  match xs with [] => m | x :: r => write_all (Datatypes.S t) r (store m (slot t) (t, x)) end.
Definition ring (xs : list A) : memory := write_all 0 xs (fun _ => None).

(** Token [t] of a stream of [n] is retained. *)
Definition live (n t : nat) : Prop := t < S \/ n - W <= t.

Theorem EV1_slot_in_bounds t : slot t < S + W.
Proof.
  unfold Spec.slot; destruct (Nat.ltb_spec t S); [lia|].
  pose proof (Nat.mod_upper_bound (t - S) W); lia.
Qed.

Theorem EV1_sink_slots_written_once t k : k < S -> slot t = k -> t = k.
Proof. unfold Spec.slot; destruct (Nat.ltb_spec t S); lia. Qed.

Lemma mod_window a b : a mod W = b mod W -> a < b -> W <= b - a.
Proof.
  intros H Hab.
  pose proof (Nat.div_mod a W ltac:(lia)) as Ea; pose proof (Nat.div_mod b W ltac:(lia)) as Eb.
  rewrite H in Ea; set (qa := a / W) in *; set (qb := b / W) in *.
  assert (qa < qb) by nia; nia.
Qed.

(** Two live tokens never share a slot. *)
Theorem EV1_slot_injective_on_live n s t :
  s < n -> t < n -> live n s -> live n t -> slot s = slot t -> s = t.
Proof.
  unfold live, Spec.slot; intros Hs Ht Ls Lt.
  destruct (Nat.ltb_spec s S), (Nat.ltb_spec t S); try lia.
  intro E; assert (E' : (s - S) mod W = (t - S) mod W) by lia; clear E.
  destruct (lt_eq_lt_dec (s - S) (t - S)) as [[L|L]|L]; [|lia|].
  - pose proof (mod_window _ _ E' L); lia.
  - symmetry in E'; pose proof (mod_window _ _ E' L); lia.
Qed.

Lemma write_all_snoc t xs x m :
  write_all t (xs ++ [x]) m = store (write_all t xs m) (slot (t + length xs)) (t + length xs, x).
Proof.
  revert t m; induction xs as [|y xs IH]; intros t m; cbn.
  - now rewrite Nat.add_0_r.
  - rewrite IH; now rewrite <- plus_n_Sm.
Qed.

(** proves: EV-1, EV-4 *)
Theorem EV4_ring_holds_the_live_tokens xs t x :
  nth_error xs t = Some x -> live (length xs) t -> ring xs (slot t) = Some (t, x).
Proof.
  unfold ring; induction xs as [|y xs IH] using rev_ind; intros Hn Hl.
  - destruct t; discriminate.
  - rewrite write_all_snoc; cbn [Nat.add]; unfold store.
    rewrite app_length in Hl; cbn [length] in Hl.
    assert (Ht : t < length xs + 1)
      by (pose proof (proj1 (nth_error_Some (xs ++ [y]) t)) as Q;
          rewrite app_length in Q; cbn in Q; apply Q; congruence).
    destruct (Nat.eqb_spec (slot t) (slot (length xs))) as [E|E].
    + assert (t = length xs).
      { apply (EV1_slot_injective_on_live (length xs + 1)); auto; try lia; unfold live; lia. }
      subst t; rewrite nth_error_app2, Nat.sub_diag in Hn by lia; now injection Hn as ->.
    + assert (t < length xs) by (destruct (Nat.eq_dec t (length xs)); [congruence | lia]).
      rewrite nth_error_app1 in Hn by lia; apply IH; auto; unfold live in *; lia.
Qed.

Lemma nth_error_skipn k (xs : list A) i : nth_error (skipn k xs) i = nth_error xs (k + i).
Proof.
  revert xs; induction k as [|k IH]; intro xs; [reflexivity|].
  destruct xs as [|x xs]; [now destruct i|]; cbn [skipn Nat.add nth_error]; apply IH.
Qed.

(** Reading the slots of the live tokens in order gives back exactly what the list model retains:
    the ring refines the list. proves: EV-1, EV-4 *)
Definition live_tokens (n : nat) : list nat :=
  seq 0 (Nat.min n S) ++ seq (Nat.max S (n - W)) (n - Nat.max S (n - W)).

Lemma map_nth_error_seq {B} (f : nat -> option B) (g : nat -> option B) l :
  (forall t, In t l -> f t = g t) -> map f l = map g l.
Proof. apply map_ext_in. Qed.

Lemma read_run (xs : list A) a n : a + n <= length xs ->
  map (nth_error xs) (seq a n) = map Some (firstn n (skipn a xs)).
Proof.
  revert a; induction n as [|n IH]; intros a H; [reflexivity|]; cbn [seq map].
  destruct (nth_error xs a) as [x|] eqn:E.
  - rewrite IH by lia.
    assert (Q : skipn a xs = x :: skipn (Datatypes.S a) xs).
    { clear - E; revert a E; induction xs as [|y xs IHx]; intros a E; [destruct a; discriminate|].
      destruct a as [|a]; [injection E as ->; reflexivity|]; cbn [skipn nth_error] in *.
      rewrite (IHx a E); destruct a; reflexivity. }
    rewrite Q; cbn [firstn map]; reflexivity.
  - apply nth_error_None in E; lia.
Qed.

Theorem EV4_ring_refines_list xs :
  map (fun t => option_map snd (ring xs (slot t))) (live_tokens (length xs))
  = map Some (contents (stream_of S W xs)).
Proof.
  assert (R : forall t, t < length xs -> live (length xs) t ->
              option_map snd (ring xs (slot t)) = nth_error xs t).
  { intros t Ht Hl; destruct (nth_error xs t) as [x|] eqn:E.
    - now rewrite (EV4_ring_holds_the_live_tokens xs t x E Hl).
    - apply nth_error_None in E; lia. }
  rewrite T14_retained_is_pinned_and_recent; unfold retained, live_tokens; rewrite !map_app; f_equal.
  - rewrite (map_ext_in _ (nth_error xs)).
    + rewrite read_run by lia; cbn [skipn]; f_equal.
      destruct (le_lt_dec S (length xs)); [now rewrite Nat.min_r by lia|].
      rewrite Nat.min_l by lia; now rewrite !firstn_all2 by lia.
    + intros t Ht; apply in_seq in Ht; apply R; unfold live; lia.
  - rewrite (map_ext_in _ (nth_error xs)).
    + unfold lastn; rewrite skipn_length, skipn_skipn.
      destruct (le_lt_dec (length xs) S) as [H | H].
      * replace (length xs - Nat.max S (length xs - W)) with 0 by lia.
        rewrite skipn_all2 by lia; reflexivity.
      * rewrite read_run by lia; f_equal.
        replace (length xs - S - W + S) with (Nat.max S (length xs - W)) by lia.
        apply firstn_all2; rewrite skipn_length; lia.
    + intros t Ht; apply in_seq in Ht; apply R; unfold live; lia.
Qed.
End Ring.

(** The bytes of a slot, rows[heads][n][b] of them (fast/slots.h): no two slots share one. *)
Theorem EV1_slots_apart n b h slot h' slot' : (slot < n -> slot' < n -> (h, slot) <> (h', slot') ->
  (h * n + slot) * b + b <= (h' * n + slot') * b \/ (h' * n + slot') * b + b <= (h * n + slot) * b)%nat.
Proof.
  intros Hs Hs' D.
  assert (P : forall x y, x < y -> x * b + b <= y * b).
  { intros x y H; replace (x * b + b) with (S x * b) by (cbn; lia); now apply Nat.mul_le_mono_r. }
  assert (Q : forall g g' s s', s < n -> g < g' -> g * n + s < g' * n + s').
  { intros g g' s s' H G; assert (S g * n <= g' * n) by (now apply Nat.mul_le_mono_r); cbn in *; lia. }
  destruct (Nat.lt_trichotomy h h') as [H | [-> | H]].
  - left; apply P, Q; auto.
  - destruct (Nat.lt_trichotomy slot slot') as [E | [-> | E]]; [left | now elim D | right]; apply P; lia.
  - right; apply P, Q; auto.
Qed.
