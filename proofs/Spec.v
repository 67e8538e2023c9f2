(* SPDX-License-Identifier: Apache-2.0 *)
(** SPEC.md in Coq: definitions only, nothing is proved here.

    Read it beside SPEC.md; every definition names its clause. All arithmetic is over the reals:
    there is no rounding in this file. Values are stated one component at a time: a value vector
    enters every clause componentwise, so a "value" below is one component of it. *)
From Coq Require Import Reals ZArith List.
Import ListNotations.
Open Scope R_scope.

(** * Sums *)

Definition sum (l : list R) : R := fold_right Rplus 0 l.

Fixpoint dot (a b : list R) : R :=
  match a, b with
  | x :: a', y :: b' => x * y + dot a' b'
  | _, _ => 0
  end.

(** * Softmax of a row: SM-1 to SM-4, AL-2

    [l] lists the logits of the present keys; [s] is the sink logit, [None] when there is none
    (which is the same as a sink logit of -inf, AL-4). *)

Definition Z_keys (l : list R) : R := sum (map exp l).

Definition exp_sink (s : option R) : R :=
  match s with Some s => exp s | None => 0 end.

Definition Z_total (s : option R) (l : list R) : R := exp_sink s + Z_keys l.   (* AL-2 *)

Definition weight (s : option R) (l : list R) (x : R) : R := exp x / Z_total s l.   (* SM-2 *)
Definition weights (s : option R) (l : list R) : list R := map (weight s l) l.
Definition p_sink (s : option R) (l : list R) : R := exp_sink s / Z_total s l.

Definition out (s : option R) (l v : list R) : R := dot (weights s l) v.            (* SM-4 *)

(** The two log-sum-exps of AL-5; [None] is -inf (SM-3, AT-9). *)
Definition lse_keys (l : list R) : option R :=
  match l with [] => None | _ => Some (ln (Z_keys l)) end.
Definition lse_total (s : option R) (l : list R) : option R :=
  match s, l with None, [] => None | _, _ => Some (ln (Z_total s l)) end.

(** * Rows with absent and invalid keys: SM-1, SM-5, SM-6, AT-3, AL-4 *)

(** A logit is -inf (the key is absent), a real number, or invalid (NaN or +inf). *)
Inductive logit := Absent | Logit (x : R) | Invalid.

(** A sink logit is -inf (there is no sink), a real number, +inf, or NaN. *)
Inductive sink := NoSink | Sink (s : R) | SinkTop | SinkNaN.

(** A key is its logit and one component of its value; the value may be NaN ([None]). *)
Definition key : Type := logit * option R.

Fixpoint present (r : list key) : list (R * option R) :=
  match r with
  | [] => []
  | (Logit x, v) :: r' => (x, v) :: present r'
  | (_, _) :: r' => present r'
  end.

Definition invalid_key (k : key) : bool := match fst k with Invalid => true | _ => false end.
Definition invalid_row (s : sink) (r : list key) : bool :=
  match s with SinkNaN => true | _ => existsb invalid_key r end.

Fixpoint values (ks : list (R * option R)) : option (list R) :=
  match ks with
  | [] => Some []
  | (_, None) :: _ => None
  | (_, Some v) :: ks' => option_map (cons v) (values ks')
  end.

(** What a row delivers; [None] is NaN. A sink logit of +inf takes all the mass (AL-4). *)
Definition row_out (s : sink) (r : list key) : option R :=
  if invalid_row s r then None
  else match values (present r) with
       | None => None                                                              (* SM-6 *)
       | Some v =>
           match s with
           | SinkTop => Some 0
           | Sink s => Some (out (Some s) (map fst (present r)) v)
           | _ => Some (out None (map fst (present r)) v)
           end
       end.

Definition row_weight (s : sink) (r : list key) (x : logit) : option R :=
  if invalid_row s r then None
  else match s, x with
       | SinkTop, _ => Some 0
       | Sink s, Logit x => Some (weight (Some s) (map fst (present r)) x)
       | _, Logit x => Some (weight None (map fst (present r)) x)
       | _, _ => Some 0                                                            (* AT-3 *)
       end.

(** * The logit of an attention row: AT-2, AT-6, AT-7 *)

Definition cap (c t : R) : R := if Req_EM_T c 0 then t else c * tanh (t / c).

Definition attention_logit (scale softcap bias slope : R) (pos_q pos_k : Z) (q k : list R) : R :=
  cap softcap (scale * dot q k) + bias - slope * IZR (Z.abs (pos_q - pos_k)).

Definition kv_head (n_heads n_kv_heads h : nat) : nat := (h * n_kv_heads / n_heads)%nat.

(** * Partial results and how they merge: AT-8, AL-6

    A partial result over some of the keys: a reference [ref] (-inf is [None]), the mass and the
    accumulated value, both relative to exp(ref). *)

Record partial := Partial { ref : option R; mass : R; acc : R }.

Definition p_empty : partial := Partial None 0 0.
Definition p_key (x v : R) : partial := Partial (Some x) 1 v.
Definition p_sink_leaf (s : R) : partial := Partial (Some s) 1 0.

(** e^(m - m'), with e^(-inf) = 0; -inf - (-inf) never occurs. *)
Definition factor (m : option R) (m' : R) : R :=
  match m with Some m => exp (m - m') | None => 0 end.

(** Merge against a chosen reference: the larger of the two, or any other (a stale maximum). *)
Definition merge_at (m : R) (a b : partial) : partial :=
  Partial (Some m) (factor (ref a) m * mass a + factor (ref b) m * mass b)
                   (factor (ref a) m * acc a + factor (ref b) m * acc b).

Definition merge (a b : partial) : partial :=
  match ref a, ref b with
  | None, None => p_empty
  | None, Some m | Some m, None => merge_at m a b
  | Some m, Some m' => merge_at (Rmax m m') a b
  end.

(** What a partial stands for: its share of the denominator and of the numerator. *)
Definition Z_of (p : partial) : R := factor (ref p) 0 * mass p.
Definition N_of (p : partial) : R := factor (ref p) 0 * acc p.

(** The end of a row; an empty one is 0 (AT-9). *)
Definition finish (p : partial) : R := match ref p with None => 0 | Some _ => acc p / mass p end.

(** * Visibility and the streaming cache: EV-1 to EV-8, AT-4, AT-5 *)

(** Token [t] sees token [j]: [S] pinned sink tokens, [W] recent ones, the query's own counted. *)
Definition visible (S W t j : nat) : Prop := (j <= t /\ (j < S \/ t - j < W))%nat.
Definition visibleb (S W t j : nat) : bool :=
  ((j <=? t) && ((j <? S) || (t - j <? W)))%nat%bool.

(** The tokens that [t] sees, ascending: EV-6. *)
Definition visible_tokens (S W t : nat) : list nat := filter (visibleb S W t) (seq 0 (t + 1)).

(** By position, for arbitrary positions: AT-4, AT-5. *)
Definition visible_at (causal : bool) (S W pos_q pos_k : Z) : Prop :=
  ((causal = true -> pos_k <= pos_q) /\ (pos_q - pos_k < W \/ pos_k < S))%Z.

Section Cache.
Context {A : Type} (S W : nat).

Definition lastn (n : nat) (l : list A) : list A := skipn (length l - n) l.

(** What a cache holds after the stream [xs]: the first [S] tokens and the last [W] of the rest. *)
Definition retained (xs : list A) : list A := firstn S xs ++ lastn W (skipn S xs).

(** The state machine: pinned tokens and recent ones. One token is appended, the oldest recent
    one makes room when there are more than [W]. *)
Record cache := Cache { pinned : list A; recent : list A }.
Definition cache_empty : cache := Cache [] [].
Definition append (c : cache) (x : A) : cache :=
  if (length (pinned c) <? S)%nat then Cache (pinned c ++ [x]) (recent c)
  else Cache (pinned c) (lastn W (recent c ++ [x])).
Definition append_block (c : cache) (xs : list A) : cache := fold_left append xs c.
Definition contents (c : cache) : list A := pinned c ++ recent c.

(** A cache that is free to evict late and in batches (EV-4): appending does not evict; evicting
    drops at most [n] of the oldest recent tokens, never one of the last [W]. *)
Inductive operation := Append (xs : list A) | Evict (n : nat).

Definition lazy_append (c : cache) (xs : list A) : cache :=
  let room := (S - length (pinned c))%nat in
  Cache (pinned c ++ firstn room xs) (recent c ++ skipn room xs).
Definition lazy_evict (c : cache) (n : nat) : cache :=
  Cache (pinned c) (skipn (Nat.min n (length (recent c) - W)) (recent c)).
Definition step (c : cache) (o : operation) : cache :=
  match o with Append xs => lazy_append c xs | Evict n => lazy_evict c n end.
Definition run (os : list operation) : cache := fold_left step os cache_empty.

(** What has been appended, and what a query at the newest token sees of such a cache. *)
Definition stream (os : list operation) : list A :=
  concat (map (fun o => match o with Append xs => xs | Evict _ => [] end) os).
Definition seen (c : cache) : list A := pinned c ++ lastn W (recent c).

End Cache.
Arguments Cache {A}.
Arguments cache : clear implicits.
Arguments Append {A}.
Arguments Evict {A}.
Arguments operation : clear implicits.

(** A ring of [S + W] slots: the slot of token [t]. *)
Definition slot (S W t : nat) : nat := if (t <? S)%nat then t else (S + (t - S) mod W)%nat.
