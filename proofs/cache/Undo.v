(* SPDX-License-Identifier: Apache-2.0 *)
(** Truncation (EV-15): slots hold what was written into them last; a floor says from which token on
    that is still what it was. Whatever is appended and taken back, every token that the newest one sees
    is in its slot, as long as no truncation is made that the clause calls lost.
    Nothing here needs an axiom. proves: EV-1, EV-15 *)
From Coq Require Import List Arith Lia PeanoNat.
From Sinkproof Require Import Spec Ring.
Import ListNotations.

Section Undo.
Variables (S W U : nat).
Hypothesis some_window : 1 <= W.
Let R := W + U.

(** Length, floor, and for each slot the token that was written last. *)
Record state := State { count : nat; floor : nat; held : nat -> nat }.

Definition start : state := State 0 0 (fun _ => 0).
Definition append_one (s : state) : state :=
  State (count s + 1) (Nat.max (floor s) (count s + 1 - R))
        (fun i => if i =? slot S R (count s) then count s else held s i).

(** Every token that token [t] sees is pinned or not below the floor. *)
Definition legal (f t : nat) : Prop := forall j, visible S W t j -> j < S \/ f <= j.
Definition take_back (s : state) (n : nat) : state := State (count s - n) (Nat.min (floor s) (count s - n)) (held s).

(** A truncation to nothing sees nothing; any other must be legal. *)
Inductive reached : state -> Prop :=
| Start : reached start
| Appended s : reached s -> reached (append_one s)
| Taken_back s n : reached s -> 1 <= n <= count s -> (n < count s -> legal (floor s) (count s - n - 1)) ->
    reached (take_back s n).

Lemma slots_differ n t : t < n -> n < t + R -> slot S R t <> slot S R n.
Proof.
  intros L H E; assert (HR : 0 < R) by (unfold R; lia).
  assert (t = n); [|lia].
  apply (EV1_slot_injective_on_live S R HR (n + 1)); auto; try lia; right; lia.
Qed.

Lemma pinned_slots_differ n t : t < n -> t < S -> slot S R t <> slot S R n.
Proof.
  intros L H E; assert (n = t); [|lia].
  apply (EV1_sink_slots_written_once S R ltac:(unfold R; lia) n t); [exact H|]; rewrite <- E.
  unfold slot; destruct (Nat.ltb_spec t S); lia.
Qed.

Lemma reached_invariant s : reached s ->
  floor s <= count s /\
  (forall j, j < count s -> j < S \/ floor s <= j -> held s (slot S R j) = j) /\
  (1 <= count s -> legal (floor s) (count s - 1)).
Proof.
  induction 1 as [|s _ (F & H & V)|s n _ (F & H & V) Hn Hl].
  - cbn; repeat split; intros; lia.
  - unfold append_one; cbn [count floor held]; split; [unfold R; lia|]; split.
    + intros j Hj Hh; destruct (Nat.eqb_spec (slot S R j) (slot S R (count s))) as [E | N].
      * destruct (Nat.eq_dec j (count s)) as [-> | D]; [reflexivity|]; exfalso.
        destruct (le_lt_dec S j) as [L | G].
        -- apply (slots_differ (count s) j); auto; lia.
        -- apply (pinned_slots_differ (count s) j); auto; lia.
      * assert (j <> count s) by congruence; apply H; lia.
    + intros _ j; replace (count s + 1 - 1) with (count s) by lia; intros (Le & Vis).
      destruct (le_lt_dec S j) as [L | G]; [right | now left].
      destruct Vis as [Vis | Vis]; [lia|]; unfold R.
      destruct (Nat.eq_dec j (count s)) as [-> | D]; [lia|].
      assert (Q : j < S \/ floor s <= j) by (apply V; [lia|]; split; lia); lia.
  - unfold take_back; cbn [count floor held]; split; [lia|]; split.
    + intros j Hj Hh; apply H; lia.
    + intros Pos j Vis; destruct (Hl ltac:(lia) j) as [Q | Q]; [|now left | right].
      * replace (count s - n - 1) with (count s - n - 1) in Vis by lia; exact Vis.
      * lia.
Qed.

(** proves: EV-15, EV-1 *)
Theorem EV15_what_is_seen_is_held s j : reached s -> 1 <= count s ->
  visible S W (count s - 1) j -> held s (slot S R j) = j.
Proof.
  intros Hr Pos Vis; destruct (reached_invariant s Hr) as (F & H & V).
  apply H; [destruct Vis; lia | now apply V].
Qed.

(** Pinned tokens survive everything but being taken back themselves. proves: EV-1, EV-15 *)
Theorem EV15_pinned_tokens_stay s j : reached s -> j < count s -> j < S -> held s j = j.
Proof.
  intros Hr Hj Hs; destruct (reached_invariant s Hr) as (_ & H & _).
  rewrite <- (H j Hj (or_introl Hs)) at 2; f_equal; unfold slot; destruct (Nat.ltb_spec j S); lia.
Qed.

Fixpoint appended (n : nat) (s : state) : state :=
  match n with 0 => s | Datatypes.S n' => append_one (appended n' s) end.

Lemma appended_count n s : count (appended n s) = count s + n.
Proof. induction n as [|n IH]; cbn [appended append_one count]; [|rewrite IH]; lia. Qed.

Lemma appended_floor n s : floor (appended n s) <= Nat.max (floor s) (count s + n - R).
Proof.
  induction n as [|n IH]; cbn [appended append_one floor]; [lia|]; rewrite appended_count; lia.
Qed.

(** As many as n_undo tokens may be taken back again, all at once. proves: EV-15 *)
Theorem EV15_undo_is_legal s n : reached s -> n <= U -> 1 <= count s ->
  legal (floor (appended n s)) (count s - 1).
Proof.
  intros Hr Hn Pos; destruct (reached_invariant s Hr) as (_ & _ & V).
  pose proof (appended_floor n s) as Fl; intros j Vis; destruct (V Pos j Vis) as [Q | Q]; [now left|].
  destruct Vis as (L & [Vis | Vis]); [now left | right]; unfold R in *; lia.
Qed.
End Undo.

(** Not vacuous: what has come round is lost. *)
Example EV15_lost : ~ legal 0 2 (floor (appended 0 2 1 4 start)) 1.
Proof. intro H; specialize (H 0); cbn in H; unfold visible in H; lia. Qed.
