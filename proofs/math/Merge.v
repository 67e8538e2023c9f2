(* SPDX-License-Identifier: Apache-2.0 *)
(** Partial results form a commutative monoid (T-06), any reference is admissible (T-07), and so
    any split, any tree and any order of merges gives the batch result, with the sink logit in
    exactly one of the partials. proves: AT-8, AT-9, AL-6 *)
From Coq Require Import Reals List Lra Lia Permutation.
From Sinkproof Require Import Spec Sums.
Import ListNotations.
Open Scope R_scope.

Lemma factor_0 m m' : factor m m' * exp m' = factor m 0.
Proof.
  destruct m as [m|]; cbn [factor]; [|ring].
  rewrite <- exp_plus; f_equal; ring.
Qed.

(** Two partials are the same result when they stand for the same sums. *)
Definition same (a b : partial) : Prop := Z_of a = Z_of b /\ N_of a = N_of b.

(** The reference is a choice: changing it changes nothing. *)
Theorem T06_reference_is_free m l a m' :
  same (Partial (Some m) l a) (Partial (Some m') (l * exp (m - m')) (a * exp (m - m'))).
Proof.
  unfold same, Z_of, N_of; cbn [ref mass acc].
  rewrite <- (factor_0 (Some m) m'); cbn [factor]; rewrite Rminus_0_r; split; ring.
Qed.

(** T-07: a merge against any reference, be it stale, adds what the two partials stand for. *)
Theorem T07_any_reference m a b :
  Z_of (merge_at m a b) = Z_of a + Z_of b /\ N_of (merge_at m a b) = N_of a + N_of b.
Proof.
  unfold Z_of, N_of, merge_at; cbn [ref mass acc factor]; rewrite Rminus_0_r.
  rewrite <- (factor_0 (ref a) m), <- (factor_0 (ref b) m); split; ring.
Qed.

Theorem T06_merge_adds a b :
  Z_of (merge a b) = Z_of a + Z_of b /\ N_of (merge a b) = N_of a + N_of b.
Proof.
  unfold merge; destruct (ref a) eqn:Ea, (ref b) eqn:Eb; try apply T07_any_reference.
  unfold Z_of, N_of; rewrite Ea, Eb; cbn; split; ring.
Qed.

(** The monoid laws. proves: AT-9 *)
Theorem T06_commutative a b : same (merge a b) (merge b a).
Proof.
  destruct (T06_merge_adds a b), (T06_merge_adds b a); split; lra.
Qed.

Theorem T06_associative a b c : same (merge a (merge b c)) (merge (merge a b) c).
Proof.
  destruct (T06_merge_adds a (merge b c)), (T06_merge_adds b c),
    (T06_merge_adds (merge a b) c), (T06_merge_adds a b); split; lra.
Qed.

Theorem T06_identity a : same (merge a p_empty) a /\ same (merge p_empty a) a.
Proof.
  assert (E : Z_of p_empty = 0 /\ N_of p_empty = 0) by (unfold Z_of, N_of; cbn; split; ring).
  destruct (T06_merge_adds a p_empty), (T06_merge_adds p_empty a); split; split; lra.
Qed.

Theorem T06_merge_respects_same a a' b b' : same a a' -> same b b' -> same (merge a b) (merge a' b').
Proof.
  intros [] []; destruct (T06_merge_adds a b), (T06_merge_adds a' b'); split; lra.
Qed.

(** ** Any computation by merging *)

(** Leaves are keys, the sink logit, or nothing; nodes merge, against the maximum or against any
    reference (lazy rescaling, a sink logit that does not join the maximum). *)
Inductive tree :=
| Nothing | Key (x v : R) | SinkLogit (s : R)
| Node (a b : tree) | NodeAt (m : R) (a b : tree).

Fixpoint eval (t : tree) : partial :=
  match t with
  | Nothing => p_empty
  | Key x v => p_key x v
  | SinkLogit s => p_sink_leaf s
  | Node a b => merge (eval a) (eval b)
  | NodeAt m a b => merge_at m (eval a) (eval b)
  end.

Fixpoint tree_keys (t : tree) : list (R * R) :=
  match t with
  | Key x v => [(x, v)]
  | Node a b | NodeAt _ a b => tree_keys a ++ tree_keys b
  | _ => []
  end.

Fixpoint tree_sinks (t : tree) : list R :=
  match t with
  | SinkLogit s => [s]
  | Node a b | NodeAt _ a b => tree_sinks a ++ tree_sinks b
  | _ => []
  end.

Lemma eval_sums t :
  Z_of (eval t) = Z_keys (tree_sinks t) + Z_keys (map fst (tree_keys t)) /\
  N_of (eval t) = dot (map exp (map fst (tree_keys t))) (map snd (tree_keys t)).
Proof.
  assert (D : forall a b : list (R * R),
    dot (map exp (map fst (a ++ b))) (map snd (a ++ b))
    = dot (map exp (map fst a)) (map snd a) + dot (map exp (map fst b)) (map snd b)).
  { intros a b; rewrite !map_app; apply dot_app; now rewrite !map_length. }
  induction t as [|x v|s|a [Za Na] b [Zb Nb]|m a [Za Na] b [Zb Nb]];
    cbn [eval tree_keys tree_sinks].
  1-3: unfold Z_of, N_of, Z_keys, sum; simpl; rewrite ?Rminus_0_r; split; ring.
  - destruct (T06_merge_adds (eval a) (eval b)) as [-> ->].
    rewrite D, !map_app, !Z_keys_app, Za, Zb, Na, Nb; split; ring.
  - destruct (T07_any_reference m (eval a) (eval b)) as [-> ->].
    rewrite D, !map_app, !Z_keys_app, Za, Zb, Na, Nb; split; ring.
Qed.

Definition sink_list (s : option R) : list R := match s with Some s => [s] | None => [] end.

(** Online equals batch: any order, any tree, any split; the sink logit, if there is one, exactly
    once. proves: AT-8, AL-6 *)
Theorem T06_any_merge_tree_is_batch t s (ks : list (R * R)) :
  Permutation (tree_keys t) ks -> tree_sinks t = sink_list s -> inhabited s (map fst ks) ->
  finish (eval t) = out s (map fst ks) (map snd ks) /\
  Z_of (eval t) = Z_total s (map fst ks).
Proof.
  intros P S I; destruct (eval_sums t) as [Z N]; rewrite S in Z.
  assert (Zs : Z_keys (sink_list s) = exp_sink s).
  { destruct s; cbn [sink_list exp_sink]; [rewrite Z_keys_cons|]; rewrite Z_keys_nil; ring. }
  assert (Zk : Z_keys (map fst (tree_keys t)) = Z_keys (map fst ks))
    by now apply Z_keys_perm, Permutation_map.
  assert (Nk : dot (map exp (map fst (tree_keys t))) (map snd (tree_keys t))
               = dot (map exp (map fst ks)) (map snd ks)).
  { rewrite !map_map, !dot_map; now apply sum_perm, Permutation_map. }
  assert (ZT : Z_of (eval t) = Z_total s (map fst ks)) by (unfold Z_total; rewrite Z, Zs, Zk; ring).
  split; [|exact ZT]; rewrite Nk in N; rewrite out_quotient, <- ZT, <- N.
  pose proof (Z_total_pos s _ I) as Pz; rewrite <- ZT in Pz; unfold finish, Z_of, N_of in *.
  destruct (ref (eval t)) as [m|]; cbn [factor] in *; [|lra].
  rewrite Rminus_0_r in *; pose proof (exp_pos m).
  assert (mass (eval t) <> 0) by (intro Q; rewrite Q in Pz; lra).
  field; split; lra.
Qed.

(** proves: AT-9 *)
Theorem AT9_tree_of_nothing t : tree_keys t = [] -> tree_sinks t = [] ->
  Z_of (eval t) = 0 /\ N_of (eval t) = 0.
Proof.
  intros K S; destruct (eval_sums t) as [-> ->]; rewrite K, S.
  unfold Z_keys, sum; simpl; split; ring.
Qed.

(** A sink logit in two partials counts twice: the mistake AL-6 forbids is visible. *)
Theorem AL6_sink_twice_is_wrong s x :
  finish (eval (Node (Node (SinkLogit s) (Key x 1)) (SinkLogit s))) <> out (Some s) [x] [1].
Proof.
  set (t := Node _ _); destruct (eval_sums t) as [Z N].
  assert (Z' : Z_of (eval t) = 2 * exp s + exp x) by (rewrite Z; unfold Z_keys, sum; simpl; ring).
  assert (N' : N_of (eval t) = exp x) by (rewrite N; simpl; ring).
  destruct (ref (eval t)) as [m|] eqn:Em; [|discriminate Em].
  assert (F : finish (eval t) = exp x / (2 * exp s + exp x)).
  { rewrite <- Z', <- N'; unfold finish, Z_of, N_of in *; rewrite Em in *; cbn [factor] in *.
    rewrite Rminus_0_r in *; pose proof (exp_pos m); pose proof (exp_pos s); pose proof (exp_pos x).
    field; split; [intro Q; rewrite Q in Z'|]; lra. }
  rewrite F, out_quotient; unfold Z_total, Z_keys, sum; simpl; rewrite !Rplus_0_r, Rmult_1_r.
  pose proof (exp_pos s); pose proof (exp_pos x); intro Q.
  apply (f_equal (fun r => r * ((2 * exp s + exp x) * (exp s + exp x)))) in Q.
  replace (exp x / (2 * exp s + exp x) * _) with (exp x * (exp s + exp x)) in Q by (field; lra).
  replace (exp x / (exp s + exp x) * _) with (exp x * (2 * exp s + exp x)) in Q by (field; lra).
  nra.
Qed.
