(* SPDX-License-Identifier: Apache-2.0 *)
(** The named classes: what each allows for the height of a sum, that a kernel's loops stay inside,
    and the bound for each class. proves: NU-5, NU-6, NU-7 *)
From Coq Require Import Reals Lra Lia List PeanoNat Bool Permutation.
From Interval Require Import Tactic.
From Sinkproof Require Import Spec Sums Near Constants Model Row Output Drift Merge IntervalZ.
Import IT.
Import ListNotations.
Open Scope R_scope.

Inductive name := w_deep | w_lane16 | w_seq | w_loose.

(** Roundings of a sum of [n] terms, without rescales: sp_class_height with no tile. *)
Definition base_height (w : name) (n : nat) : nat :=
  match w with
  | w_deep => DEEP_BASE + Nat.log2_up (n + 1)
  | w_lane16 => (n + (LANES - 1)) / LANES + LANES_BASE
  | w_seq | w_loose => n + SEQ_BASE
  end.

(** With T online rescales each costs three more: its multiplication and two for its exponential. *)
Definition height (w : name) (n T : nat) : nat := base_height w n + RESCALE * T.

(** The judge's H: h u_s' + T max(0, eps - 2u). *)
Definition allowance (w : name) (c : costs) (u : R) (n T : nat) : R :=
  INR (height w n T) * u' c + INR T * Rmax 0 (eps c - 2 * u).

(** What [h] roundings of one unit and [r] rescales add up to. *)
Definition inflation (c : costs) (h r : nat) : R := INR h * u' c + INR r * eps c.

(** The hypotheses of a class, in the words of a kernel author: no chain of additions from a term to
    the result is longer than the base height, and there are at most T rescales, each of which is
    one multiplication more on the chain. *)
Theorem NU7_class_allowance w c u n T h r : sane c -> 0 <= u <= u' c ->
  (h <= base_height w n + r)%nat -> (r <= T)%nat -> inflation c h r <= allowance w c u n T.
Proof.
  intros (Hu & He & _) Hw Hh Hr; unfold inflation, allowance, height.
  apply le_INR in Hh; rewrite plus_INR in Hh; apply le_INR in Hr.
  rewrite plus_INR, mult_INR; replace (INR RESCALE) with 3 by (simpl; ring).
  pose proof (Rmax_r 0 (eps c - 2 * u)) as M; pose proof (Rmax_l 0 (eps c - 2 * u)).
  pose proof (pos_INR T); pose proof (pos_INR r).
  apply Rle_trans with ((INR (base_height w n) + INR r) * u' c + INR T * eps c).
  - apply Rplus_le_compat; apply Rmult_le_compat_r; lra.
  - apply Rle_trans with ((INR (base_height w n) + INR T) * u' c + INR T * (2 * u' c + Rmax 0 (eps c - 2 * u))).
    + apply Rplus_le_compat; [apply Rmult_le_compat_r; lra | apply Rmult_le_compat_l; lra].
    + right; ring.
Qed.

(** ** The judge's delta

    The reference [m] is the computed value of the exact maximum [top], over the keys or over the keys
    and the sink logit ([M]); [a_max] bounds its error. [a] bounds the error of this key's own computed
    logit, [rest] is what the class adds for |x| and |L|. *)
Theorem NU7_judge_delta c m top M a a_max rest k : sane c -> Rabs (m - top) <= a_max ->
  logit_of k <= top <= M -> Rabs (seen k - logit_of k) <= a -> slack k <= rest + a ->
  argument c m k <= u' c * (c_d c * ((M - logit_of k) + a + a_max)) + rest + a.
Proof.
  intros (Hu & _ & Hd & _) Hm Ht Ha Hs; unfold argument.
  assert (A : Rabs (m - seen k) <= (M - logit_of k) + a + a_max).
  { apply Rabs_between in Hm; apply Rabs_between in Ha; apply Rabs_le; lra. }
  apply Rmult_le_compat_l with (r := c_d c * u' c) in A; [lra | now apply Rmult_le_pos].
Qed.

(** The sink logit may lie above a maximum that it did not join: its depth is D_s. *)
Theorem NU7_judge_delta_sink c m top a a_max rest k D : sane c -> Rabs (m - top) <= a_max ->
  Rabs (top - logit_of k) <= D -> Rabs (seen k - logit_of k) <= a -> slack k <= rest + a ->
  argument c m k <= u' c * (c_d c * (D + a + a_max)) + rest + a.
Proof.
  intros (Hu & _ & Hd & _) Hm Ht Ha Hs; unfold argument.
  assert (A : Rabs (m - seen k) <= D + a + a_max).
  { apply Rabs_between in Hm; apply Rabs_between in Ht; apply Rabs_between in Ha; apply Rabs_le; lra. }
  apply Rmult_le_compat_l with (r := c_d c * u' c) in A; [lra | now apply Rmult_le_pos].
Qed.

(** ** The shapes of sums *)

Section Shapes.
Variable c : costs.
Variable m : R.

(** A partial result, whatever it is. *)
Definition partial_sum (ks : list term) (h : nat) (v : R) : Prop :=
  exists i g o a, i <= INR h * u' c /\ computed c m ks i g o a v.

(** One running sum: start from nothing, add term after term, each addition rounded by its own
    factor. The chain is as long as the list. *)
Inductive running : list term -> R -> Prop :=
| R_start : running [] 0
| R_next ks k v x d : running ks v -> partial_sum [k] 0 x -> Rabs d <= u' c ->
    running (ks ++ [k]) ((v + x) * exp d).

Theorem NU6_running_sum ks v : running ks v -> partial_sum ks (length ks) v.
Proof.
  induction 1 as [|ks k v x d R (i & g & o & a & Hi & C) (i2 & g2 & o2 & a2 & Hi2 & C2) Hd].
  - exists 0, 0, true, false; split; [simpl; lra | constructor].
  - do 4 eexists; split; [|exact (Add c m _ _ _ _ _ _ _ _ _ _ _ _ _ d Hd C C2)].
    rewrite app_length, plus_INR; cbn [length]; simpl INR in *.
    pose proof (Rabs_pos d); pose proof (pos_INR (length ks)); apply Rmax_case; nra.
Qed.

(** Two halves joined: one more. A tree over 2^j lanes is j more than its longest lane. *)
Inductive joined : nat -> list term -> nat -> R -> Prop :=
| J_lane ks h v : partial_sum ks h v -> joined 0 ks h v
| J_pair j ka kb h va vb d : joined j ka h va -> joined j kb h vb -> Rabs d <= u' c ->
    joined (S j) (ka ++ kb) h ((va + vb) * exp d).

Theorem NU6_lanes j ks h v : joined j ks h v -> partial_sum ks (h + j) v.
Proof.
  induction 1 as [ks h v P | j ka kb h va vb d _ (ia & ga & oa & aa & La & Ca) _ (ib & gb & ob & ab & Lb & Cb) Hd].
  - now rewrite Nat.add_0_r.
  - do 4 eexists; split; [|exact (Add c m _ _ _ _ _ _ _ _ _ _ _ _ _ d Hd Ca Cb)].
    rewrite Nat.add_succ_r, S_INR; apply Rmax_case; lra.
Qed.
End Shapes.

(** A running sum is inside w-seq; 16 running lanes of n/16 each, joined, and then the sink logit
    added, are inside w-lane16. *)
Theorem NU6_seq_height n : (n <= base_height w_seq n)%nat.
Proof. cbn; lia. Qed.
Theorem NU6_lane16_height n : ((n + 15) / 16 + 4 + 1 <= base_height w_lane16 n)%nat.
Proof. change (base_height w_lane16 n) with ((n + 15) / 16 + 8)%nat; lia. Qed.
(** A pairwise sum is inside w-deep. *)
Theorem NU6_pairwise_height n j : (n <= 2 ^ j)%nat -> (2 ^ (j - 1) < n + 1)%nat -> (j <= base_height w_deep n)%nat.
Proof.
  intros _ H; cbn [base_height]; unfold DEEP_BASE; pose proof (Nat.log2_up_le_mono _ _ (Nat.lt_le_incl _ _ H)) as Q.
  rewrite Nat.log2_up_pow2 in Q by lia; lia.
Qed.

(** ** One theorem for each class and output *)

Section Class.
Variables (w : name) (c : costs) (u norm : R) (s : option R) (keys : list (R * R)).
Variables (m : R) (kd kn : list term) (id gd jn gn : R) (N T : nat) (od on an : bool) (l n : R).
Variables (delta delta' : term -> R). (* of the denominator and of the numerator *)

(** The class is sane; its constants are those of NU-7. *)
Hypothesis class_sane : sane c.
Hypothesis u_below : 0 <= u <= u' c.
Hypothesis eta_order : eta c <= eta_s c.
Hypothesis norm_nonneg : 0 <= norm.
(** The denominator: every key and the sink logit once, in any order; no chain too long
    (NU7_class_allowance says how to count). [N] is the length of the row, absent keys counted or not. *)
Hypothesis den : computed c m kd id gd od true l.
Hypothesis den_terms : Permutation (map logit_of kd) (sink_list s ++ map fst keys).
Hypothesis den_ones : forall k, In k kd -> value_of k = 1.
Hypothesis den_length : (length kd <= N)%nat.
Hypothesis den_depth : id <= allowance w c u N T.
Hypothesis den_products : gd <= INR (N + T) * eta_s c.
(** The errors of the exponents. *)
Hypothesis den_deltas : forall k, In k kd -> argument c m k <= delta k.
(** Underflow does not swamp the row. *)
Hypothesis underflow_is_small : kappa c (allowance w c u N T) norm (INR N) (INR T) < 1.

Let H := allowance w c u N T.
Let products : gd <= (INR N + INR T) * eta_s c.
Proof. rewrite <- plus_INR; exact den_products. Qed.
Let longer : INR (length kd) <= INR N.
Proof. now apply le_INR. Qed.

(** proves: NU-7 *)
Theorem NU7_class_weight x d t f gamma e :
  Rabs t <= d + eps c + u_p c -> Rabs f <= (eta c + eta_p c) * exp (u_p c) ->
  Rabs gamma <= norm -> Rabs e <= eta c ->
  let y := (exp (x - m) * exp t + f) / l * exp gamma + e in
  let width := theta c kd H norm (INR N) (INR T) delta d + u_p c in
  let fl := floor c H norm (INR N) (INR T) in
  weight s (map fst keys) x * exp (- width) - fl <= y <= weight s (map fst keys) x * exp width + fl.
Proof.
  intros Ht Hf Hg He; rewrite <- (NU7_p_is_weight s kd _ x den_terms).
  exact (NU7_weight c class_sane eta_order m kd id gd od l H norm (INR N) (INR T) delta den den_ones longer
    den_depth den_deltas products norm_nonneg (pos_INR T) underflow_is_small x d t f gamma e Ht Hf Hg He).
Qed.

(** proves: NU-7 *)
Theorem NU7_class_lse :
  Rabs (m + ln l - ln (Z_total s (map fst keys))) <= sum_error c kd H norm (INR N) (INR T) delta.
Proof.
  rewrite <- (NU7_mass_is_Z s kd _ den_terms).
  exact (NU7_lse_core c class_sane eta_order m kd id gd od l H norm (INR N) (INR T) delta den den_ones longer
    den_depth den_deltas products norm_nonneg (pos_INR T) underflow_is_small).
Qed.

(** The numerator: every key with its value once, in any order, its own chains as short. *)
Hypothesis num : computed c m kn jn gn on an n.
Hypothesis num_terms : Permutation (map (fun k => (logit_of k, value_of k)) kn) keys.
Hypothesis num_depth : jn <= allowance w c u N T.
Hypothesis num_products : gn <= INR (3 * N + T) * eta_s c.
Hypothesis num_deltas : forall k, In k kn -> 0 <= delta' k /\ argument c m k <= delta' k.

(** proves: NU-7 *)
Theorem NU7_class_output gamma e : Rabs gamma <= norm -> Rabs e <= 2 * eta c ->
  Rabs (n / l * exp gamma + e - out_of s keys) <= output_error c kd H norm (INR N) (INR T) delta delta' kn.
Proof.
  intros Hg He; rewrite <- (NU7_exact_out_is_out s kd kn keys den_terms num_terms).
  apply (NU7_output_in_interval c class_sane eta_order m kd id gd od l H norm (INR N) (INR T) delta den den_ones
    longer den_depth den_deltas products norm_nonneg (pos_INR T) underflow_is_small delta' kn jn gn on an n num num_depth);
    auto.
  - intros k ik; now apply num_deltas.
  - apply Rle_trans with (1 := num_products); unfold events; rewrite plus_INR, mult_INR.
    replace (INR 3) with 3 by (simpl; ring); apply Rle_refl.
  - intros k ik; now apply num_deltas.
Qed.
End Class.

Definition NU7_w_deep_weight := NU7_class_weight w_deep.
Definition NU7_w_deep_output := NU7_class_output w_deep.
Definition NU7_w_deep_lse := NU7_class_lse w_deep.
Definition NU7_w_lane16_weight := NU7_class_weight w_lane16.
Definition NU7_w_lane16_output := NU7_class_output w_lane16.
Definition NU7_w_lane16_lse := NU7_class_lse w_lane16.
Definition NU7_w_seq_weight := NU7_class_weight w_seq.
Definition NU7_w_seq_output := NU7_class_output w_seq.
Definition NU7_w_seq_lse := NU7_class_lse w_seq.
Definition NU7_w_loose_weight := NU7_class_weight w_loose.
Definition NU7_w_loose_output := NU7_class_output w_loose.
Definition NU7_w_loose_lse := NU7_class_lse w_loose.

(** ** Not vacuous: a row of two keys and a sink logit, computed exactly, satisfies everything. *)

Definition f32_costs : costs :=
  Costs (/ 16777215) (2 * / 16777216) 1 0 (/ 2 ^ 149) 0 (/ 2 ^ 149).

Lemma f32_costs_sane : sane f32_costs.
Proof.
  unfold sane, f32_costs; cbn [u' eps c_d u_p eta eta_p eta_s]; repeat split; lra.
Qed.

Definition exact_term (x v : R) : term := Term x x 0 v.

Lemma exact_leaf x v : x <= 0 -> computed f32_costs 0 [exact_term x v] 0 0 true (if Req_EM_T x 0 then true else false)
  (((exp (x - 0) * exp 0 + 0) * exp 0 + 0) * v + 0).
Proof.
  intro Hx; pose proof f32_costs_sane as (A & (B & _) & C & D & F & G & I & _).
  apply (Exp f32_costs 0 (exact_term x v)); rewrite ?Rabs_R0; simpl INR; try lra.
  - unfold argument; cbn [slack exact_term]; pose proof (Rabs_pos (0 - seen (exact_term x v))) as P.
    assert (0 <= c_d f32_costs * u' f32_costs * Rabs (0 - seen (exact_term x v))); [|lra].
    apply Rmult_le_pos; auto; apply Rmult_le_pos; auto.
  - rewrite exp_0; pose proof (exp_pos (logit_of (exact_term x v) - 0)); lra.
  - intros _; cbn [logit_of exact_term]; lra.
  - destruct (Req_EM_T x 0) as [->|]; [intros _; cbn [logit_of exact_term]; lra | discriminate].
Qed.

Example NU7_is_not_vacuous : exists l,
  computed f32_costs 0 [exact_term 0 1; exact_term (-1) 1; exact_term (-2) 1] (2 * / 16777215) 0 true true l /\
  kappa f32_costs (allowance w_seq f32_costs (/ 16777216) 3 0) (3 * / 16777215) (INR 3) (INR 0) < 1.
Proof.
  pose proof (exact_leaf 0 1 ltac:(lra)) as A; pose proof (exact_leaf (-1) 1 ltac:(lra)) as B.
  pose proof (exact_leaf (-2) 1 ltac:(lra)) as C.
  destruct (Req_EM_T 0 0) as [_|N]; [|now elim N].
  assert (Z : Rabs 0 <= u' f32_costs) by (rewrite Rabs_R0; apply f32_costs_sane).
  pose proof (Add f32_costs 0 _ _ _ _ _ _ _ _ _ _ _ _ _ 0 Z B C) as BC.
  pose proof (Add f32_costs 0 _ _ _ _ _ _ _ _ _ _ _ _ _ 0 Z A BC) as ABC.
  rewrite (Rmax_left 0 0), (Rmax_right 0), !Rplus_0_l in ABC by (cbn; lra).
  replace (u' f32_costs + u' f32_costs) with (2 * / 16777215) in ABC by (cbn; lra).
  cbn [app andb orb] in ABC; eexists; split; [exact ABC|].
  unfold kappa, events, lambda, allowance, f32_costs; cbn [u' eps c_d u_p eta eta_p eta_s length].
  unfold height, base_height; cbn [Nat.add Nat.mul]; simpl INR.
  interval with (i_prec 60).
Qed.
