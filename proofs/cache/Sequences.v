(* SPDX-License-Identifier: Apache-2.0 *)
(** Sequences of one cache: whatever the calls are, and however they are interleaved, each sequence is in the
    state that its own calls alone would have left it in. proves: EV-16 *)
From Coq Require Import List PeanoNat.
From Sinkproof Require Import Spec.
Import ListNotations.

Section Sequences.
(** A stream of any kind: its states, its calls, and what a call makes of a state. *)
Context {state call : Type} (one : state -> call -> state).

(** A call names its sequence. *)
Definition on (s : nat -> state) (c : nat * call) : nat -> state :=
  fun i => if Nat.eqb i (fst c) then one (s i) (snd c) else s i.

Definition own (i : nat) (cs : list (nat * call)) : list call :=
  map snd (filter (fun c => Nat.eqb i (fst c)) cs).

Theorem EV16_others_stay s c i : i <> fst c -> on s c i = s i.
Proof. intro H; unfold on; apply Nat.eqb_neq in H; now rewrite H. Qed.

Theorem EV16_independent (s : nat -> state) cs i : fold_left on cs s i = fold_left one (own i cs) (s i).
Proof.
  revert s; induction cs as [|c cs IH]; intro s; cbn [fold_left]; [reflexivity|].
  rewrite IH; unfold own, on; cbn [filter]; destruct (Nat.eqb i (fst c)); reflexivity.
Qed.
End Sequences.

(** The caches of Spec.v. *)
Theorem EV16_caches {A} (S W : nat) (cs : list (nat * operation A)) i :
  fold_left (on (step S W)) cs (fun _ => cache_empty) i = run S W (own i cs).
Proof. exact (EV16_independent (step S W) (fun _ => cache_empty) cs i). Qed.
