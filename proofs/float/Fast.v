(* SPDX-License-Identifier: Apache-2.0 *)
(** The arithmetic of the fast path in Flocq's binary32 and binary64, and the theorem that each of
    its programs is a computation of the error model: exponentials by [E], sums and fused
    multiply-adds of a tile in binary32, tiles joined and rescaled in binary64, the sink logit in
    binary64. What is done in binary64 costs next to nothing, so that rows may be of any length.
    Exponents are not bounded above here: NU7_no_overflow says why they need not be.
    proves: NU-7, AT-8 *)
From Coq Require Import Reals Lra Lia ZArith List Bool Permutation.
From Flocq Require Import Core Relative Plus_error.
From Sinkproof Require Import Spec Sums Near Model Row Classes ExpConstants ExpRound ExpReduce Exp Drift Merge.
Import ListNotations.
Open Scope R_scope.

Notation rnd64 := (round radix2 (FLT_exp (-1074) 53) ZnearestE).
Notation F64 := (generic_format radix2 (FLT_exp (-1074) 53)).
#[global] Instance prec53 : Prec_gt_0 53 := eq_refl.

(** The costs of this arithmetic: u' = 2^-24 / (1 - 2^-24), one ulp for the exponential. *)
Definition fast_costs : costs := f32_costs.
Notation uu := (/ 16777215).
Notation least := (/ 2 ^ 149).

Lemma F64_of_F32 x : F32 x -> F64 x.
Proof.
  apply generic_inclusion_mag; intros _; unfold FLT_exp; lia.
Qed.

Lemma F64_rnd z : F64 (rnd64 z).
Proof. apply generic_format_round; typeclasses eauto. Qed.

Lemma near_one d u : 0 <= u <= / 16777216 -> Rabs d <= u -> exists t, Rabs t <= uu /\ 1 + d = exp t.
Proof.
  intros Hu Hd; destruct (rounding_is_near (/ 16777216) d) as (t & Ht & E); [lra | lra |].
  exists t; split; auto; replace (/ 16777215) with (/ 16777216 / (1 - / 16777216)) by field; auto.
Qed.

Lemma u32_small : 0 <= u_ro radix2 24 / (1 + u_ro radix2 24) <= / 16777216.
Proof. unfold u_ro; cbn; lra. Qed.

(** What one operation in binary64 may cost, an exponential with it: 2^-49. *)
Notation fine := (/ 562949953421312).

Lemma u64_small : 0 <= u_ro radix2 53 / (1 + u_ro radix2 53) <= / 9007199254740992.
Proof. unfold u_ro; cbn; lra. Qed.

Lemma fine_one d u : 0 <= u <= / 9007199254740992 -> Rabs d <= u -> exists t, Rabs t <= / 2 * fine /\ 1 + d = exp t.
Proof.
  intros Hu Hd; destruct (rounding_is_near (/ 9007199254740992) d) as (t & Ht & E); [lra | lra |].
  exists t; split; auto; lra.
Qed.

(** Sums never underflow. *)
Lemma sum32 x y : F32 x -> F32 y -> exists t, Rabs t <= uu /\ rnd (x + y) = (x + y) * exp t.
Proof.
  intros Fx Fy; destruct (FLT_plus_error_N_ex radix2 (-149) 24 (fun z => negb (Z.even z)) x y Fx Fy) as (d & Hd & E).
  destruct (near_one d _ u32_small Hd) as (t & Ht & Et); exists t; rewrite <- Et; auto.
Qed.

Lemma sum64 x y : F64 x -> F64 y -> exists t, Rabs t <= / 2 * fine /\ rnd64 (x + y) = (x + y) * exp t.
Proof.
  intros Fx Fy; destruct (FLT_plus_error_N_ex radix2 (-1074) 53 (fun z => negb (Z.even z)) x y Fx Fy) as (d & Hd & E).
  destruct (fine_one d _ u64_small Hd) as (t & Ht & Et); exists t; rewrite <- Et; auto.
Qed.

Lemma least_is_least : bpow radix2 (-149) = least.
Proof.
  change (bpow radix2 (-149)) with (/ IZR (Z.pow_pos 2 149)); f_equal.
  rewrite pow_IZR; f_equal.
Qed.

(** Everything else may, by half the least subnormal. *)
Lemma any32 z : exists t e, Rabs t <= uu /\ Rabs e <= least /\ rnd z = (z + e) * exp t.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-149) 24 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  destruct (near_one d _ u32_small Hd) as (t & Ht & Et); exists t, (e * exp (- t)); repeat split; auto.
  - rewrite Rabs_mult, (Rabs_pos_eq (exp (- t))) by (left; apply exp_pos).
    assert (exp (- t) <= 2).
    { apply Rle_trans with (exp (/ 4)); [apply exp_mono; apply Rabs_le_inv in Ht; lra|].
      pose proof (exp_quarter (/ 4) ltac:(lra)); lra. }
    rewrite least_is_least in He; pose proof (exp_pos (- t)); pose proof (Rabs_pos e).
    apply Rle_trans with (/ 2 * least * 2); [apply Rmult_le_compat; lra | lra].
  - rewrite E, Et, exp_Ropp; pose proof (exp_pos t); field; lra.
Qed.

Lemma any64 z : exists t e, Rabs t <= / 2 * fine /\ Rabs e <= least /\ rnd64 z = z * exp t + e.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-1074) 53 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  destruct (fine_one d _ u64_small Hd) as (t & Ht & Et); exists t, e; repeat split; auto.
  - apply Rle_trans with (1 := He); rewrite <- least_is_least.
    pose proof (bpow_ge_0 radix2 (-1074)).
    apply Rle_trans with (bpow radix2 (-1074)); [lra | apply bpow_le; lia].
  - now rewrite E, Et.
Qed.

(** The underflow of a binary64 operation, before its rounding. *)
Lemma inner64 z : exists t e, Rabs t <= / 2 * fine /\ Rabs e <= least /\ rnd64 z = (z + e) * exp t.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-1074) 53 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  destruct (fine_one d _ u64_small Hd) as (t & Ht & Et); exists t, (e * exp (- t)); repeat split; auto.
  - rewrite Rabs_mult, (Rabs_pos_eq (exp (- t))) by (left; apply exp_pos).
    assert (exp (- t) <= 2).
    { apply Rle_trans with (exp (/ 4)); [apply exp_mono; apply Rabs_le_inv in Ht; lra|].
      pose proof (exp_quarter (/ 4) ltac:(lra)); lra. }
    assert (L : bpow radix2 (-1074) <= least) by (rewrite <- least_is_least; apply bpow_le; lia).
    pose proof (exp_pos (- t)); pose proof (Rabs_pos e).
    apply Rle_trans with (/ 2 * least * 2); [apply Rmult_le_compat; lra | lra].
  - rewrite E, Et, exp_Ropp; pose proof (exp_pos t); field; lra.
Qed.

(** What is assumed of libm's exp in binary64, where a maximum grows and for the sink logit: e^0 is 1,
    and else it is within 2^-50 of e^(m - m') and 2^-50 for each unit of the exponent (the difference is
    rounded), or underflown. *)
Definition libm_exp (arg f : R) : Prop :=
  exists rho f0, f = exp arg * exp rho + f0 /\ Rabs rho <= / 2 * fine + / 2 * fine * Rabs arg /\
    0 <= f /\ F64 f /\ (f0 = 0 \/ Rabs f0 <= least /\ exp arg * exp rho <= 1/16) /\ (arg = 0 -> f = 1).

(** A difference [t] that is a rounded [x' - m], in binary32 or in binary64 and then to binary32. *)
Definition shifted (m x' t : R) : Prop :=
  F32 t /\ t <= 0 /\ Rabs (t - (x' - m)) <= uu * Rabs (x' - m) + / 2 ^ 100.

(** [fast m ks h j g open anchored single v]: [v] is what the fast path has summed over [ks] against the
    maximum [m], with at most [h] roundings to binary32 and [j] operations of binary64 between any term
    and the result, and [g] products in all; [single] when it is still a binary32 number. The logit of
    a key is [x'] where it should be logit_of k. *)
Inductive fast : R -> list term -> nat -> nat -> nat -> bool -> bool -> bool -> R -> Prop :=
| F_zero m : fast m [] 0 0 0 true false true 0
| F_key m k x' t anchored : shifted m x' t -> value_of k = 1 ->
    seen k = x' -> Rabs (x' - logit_of k) <= slack k -> (anchored = true -> x' = m) ->
    fast m [k] 0 0 0 true anchored true (E t)
| F_add m ka kb ha hb ja jb ga gb oa ob aa ab va vb :
    fast m ka ha ja ga oa aa true va -> fast m kb hb jb gb ob ab true vb ->
    fast m (ka ++ kb) (S (Nat.max ha hb)) (Nat.max ja jb) (ga + gb) (andb oa ob) (orb aa ab) true (rnd (va + vb))
| F_value m k x' t ks h j g o a v : shifted m x' t -> F32 (value_of k) ->
    seen k = x' -> Rabs (x' - logit_of k) <= slack k ->
    fast m ks h j g o a true v ->
    fast m (k :: ks) (S h) j (S g) o a true (rnd (E t * value_of k + v))
| F_value64 m k x' t ks h j g o a single v : shifted m x' t -> F32 (value_of k) -> (* the product is exact *)
    seen k = x' -> Rabs (x' - logit_of k) <= slack k ->
    fast m ks h j g o a single v ->
    fast m (k :: ks) h (S j) (S g) o a false (rnd64 (E t * value_of k + v))
| F_join m ka kb ha hb ja jb ga gb oa ob aa ab sa sb va vb :
    fast m ka ha ja ga oa aa sa va -> fast m kb hb jb gb ob ab sb vb ->
    fast m (ka ++ kb) (Nat.max ha hb) (S (Nat.max ja jb)) (ga + gb) (andb oa ob) (orb aa ab) false (rnd64 (va + vb))
| F_raise m m' ks h j g a single v f : m <= m' -> (forall k, In k ks -> seen k <= m) ->
    libm_exp (m - m') f -> fast m ks h j g true a single v ->
    fast m' ks h (S j) (S g) true false false (rnd64 (v * f))
| F_sink m s f anchored : libm_exp (s - m) f -> (anchored = true -> s = m) ->
    fast m [Term s s 0 1] 0 0 0 false anchored false f
| F_raise_join m m' ka kb ha hb ja jb ga gb a ob ab sa sb va vb f : (* one fused operation *)
    m <= m' -> (forall k, In k ka -> seen k <= m) -> libm_exp (m - m') f ->
    fast m ka ha ja ga true a sa va -> fast m' kb hb jb gb ob ab sb vb ->
    fast m' (ka ++ kb) (Nat.max ha hb) (S (Nat.max ja jb)) (S ga + gb) ob ab false
      (rnd64 (va * f + vb)).

Lemma shifted32 m x' : F32 m -> F32 x' -> x' <= m -> shifted m x' (rnd (x' - m)).
Proof.
  intros Fm Fx Hle; split; [apply F32_rnd|]; split.
  - rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; lra.
  - destruct (FLT_plus_error_N_ex radix2 (-149) 24 (fun z => negb (Z.even z)) x' (- m) Fx
              (generic_format_opp _ _ _ Fm)) as (d & Hd & Ed); fold (x' - m) in Ed; rewrite Ed.
    replace ((x' - m) * (1 + d) - (x' - m)) with (d * (x' - m)) by ring; rewrite Rabs_mult.
    assert (Hd' : Rabs d <= uu) by (pose proof u32_small; lra).
    assert (0 < / 2 ^ 100) by (apply Rinv_0_lt_compat, pow_lt; lra).
    pose proof (Rmult_le_compat_r (Rabs (x' - m)) _ _ (Rabs_pos _) Hd'); lra.
Qed.

Lemma fast_format m ks h j g o a single v : fast m ks h j g o a single v -> F64 v /\ (single = true -> F32 v).
Proof.
  induction 1; split; try discriminate; try (intros _); try apply F64_rnd; try (apply F32_rnd);
    try (apply F64_of_F32, F32_rnd); try apply generic_format_0.
  destruct H as (rho & f0 & _ & _ & _ & Ff & _); exact Ff.
Qed.

(** ** The correspondence *)

Lemma cost_names : u' fast_costs = uu /\ eps fast_costs = 2 * / 16777216 /\ c_d fast_costs = 1 /\
  u_p fast_costs = 0 /\ eta fast_costs = least /\ eta_p fast_costs = 0 /\ eta_s fast_costs = least.
Proof. repeat split. Qed.

Lemma least_pos : 0 < least. Proof. apply Rinv_0_lt_compat, pow_lt; lra. Qed.

(** The exponential of a rounded difference, as the model sees it. *)
Lemma key_exponential m k x' t : shifted m x' t -> seen k = x' -> Rabs (x' - logit_of k) <= slack k ->
  exists r f, Rabs r <= eps fast_costs + argument fast_costs m k /\ Rabs f <= least /\
    E t = exp (logit_of k - m) * exp r + f /\ 0 <= E t /\
    logit_of k - m + r <= eps fast_costs /\ (x' = m -> - eps fast_costs <= logit_of k - m + r).
Proof.
  intros (Ft & Ht & Hd) Hk Hs.
  destruct (NU7_exp t Ft Ht) as (r & f & Hr & Hf & Ee).
  assert (Tiny : / 2 ^ 100 <= / 1000000000).
  { apply Rinv_le_contravar; [lra|]; apply Rle_trans with (2 ^ 30); [lra | apply Rle_pow; [lra | lia]]. }
  assert (Hr' : Rabs r <= 2 * / 16777216 - / 1000000000) by (unfold eps_log, eps_exp, EPS_DEN in Hr; lra).
  exists (t - (logit_of k - m) + r), f.
  assert (X : logit_of k - m + (t - (logit_of k - m) + r) = t + r) by ring.
  unfold argument, fast_costs, f32_costs; cbn [eps c_d u']; rewrite X.
  apply Rabs_le_inv in Hr'; repeat split; try lra.
  - set (x := logit_of k) in *.
    replace (t - (x - m) + r) with ((x' - x) + (t - (x' - m)) + r) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _).
    pose proof (Rabs_triang (x' - x) (t - (x' - m))) as A1.
    rewrite Hk, (Rabs_minus_sym m x').
    assert (A3 : Rabs r <= 2 * / 16777216 - / 1000000000) by (apply Rabs_le; lra).
    lra.
  - apply Rle_trans with (1 := Hf); rewrite <- least_is_least; apply bpow_le; lia.
  - rewrite Ee, <- !exp_plus; do 2 f_equal; ring.
  - now apply E_nonneg.
  - intros ->; rewrite Rminus_eq_0, Rabs_R0, Rmult_0_r, Rplus_0_l, Rminus_0_r in Hd.
    apply Rabs_le_inv in Hd; lra.
Qed.

(** What a program costs in the model. *)
Definition fast_cost (h j : nat) : R := INR h * uu + INR j * fine.

Lemma fast_cost_mono h h' j j' : (h <= h')%nat -> (j <= j')%nat -> fast_cost h j <= fast_cost h' j'.
Proof.
  intros Hh Hj; apply le_INR in Hh; apply le_INR in Hj; unfold fast_cost.
  apply Rplus_le_compat; apply Rmult_le_compat_r; lra.
Qed.

Lemma fast_cost_max ia ib ha hb ja jb : ia <= fast_cost ha ja -> ib <= fast_cost hb jb ->
  Rmax ia ib <= fast_cost (Nat.max ha hb) (Nat.max ja jb).
Proof.
  intros Ha Hb; pose proof (fast_cost_mono ha (Nat.max ha hb) ja (Nat.max ja jb) ltac:(lia) ltac:(lia)).
  pose proof (fast_cost_mono hb (Nat.max ha hb) jb (Nat.max ja jb) ltac:(lia) ltac:(lia)); apply Rmax_case; lra.
Qed.

Lemma fast_cost_S h j : fast_cost (S h) j = fast_cost h j + uu.
Proof. unfold fast_cost; rewrite S_INR; ring. Qed.
Lemma fast_cost_S64 h j : fast_cost h (S j) = fast_cost h j + fine.
Proof. unfold fast_cost; rewrite S_INR; ring. Qed.

(** What the model asks of a factor e^(m - m'). *)
Lemma rescale_factor m m' f : m <= m' -> libm_exp (m - m') f -> exists rho f0,
  f = exp (m - m') * exp rho + f0 /\
  Rabs rho <= / 2 * fine + c_d fast_costs * u' fast_costs * (m' - m) /\ m - m' + rho <= / 2 * fine /\
  (f0 = 0 \/ Rabs f0 <= eta fast_costs /\ exp (m - m') * exp rho <= 1/16) /\ 0 <= exp (m - m') * exp rho + f0.
Proof.
  intros Hm (rho & f0 & -> & Hr & Hn & _ & Hu & _); exists rho, f0.
  rewrite (Rabs_left1 (m - m')) in Hr by lra; apply Rabs_le_inv in Hr.
  unfold fast_costs, f32_costs; cbn [eta c_d u']; repeat split; auto; [apply Rabs_le|]; lra.
Qed.

(** Every program of the fast path is a computation of the error model. proves: NU-7, AT-8 *)
Theorem NU7_fast_is_computed m ks h j g o a single v :
  fast m ks h j g o a single v ->
  exists i e, i <= fast_cost h j /\ e <= INR g * least /\ computed fast_costs m ks i e o a v.
Proof.
  pose proof least_pos as LP.
  assert (Z0 : fast_cost 0 0 = 0) by (unfold fast_cost; simpl INR; ring).
  induction 1 as [m | m k x' t anchored Sh Hv Hk Hs Ha
    | m ka kb ha hb ja jb ga gb oa ob aa ab va vb Ca IHa Cb IHb
    | m k x' t ks h j g o a v Sh Fv Hk Hs C IH
    | m k x' t ks h j g o a single v Sh Fv Hk Hs C IH
    | m ka kb ha hb ja jb ga gb oa ob aa ab sa sb va vb Ca IHa Cb IHb
    | m m' ks h j g a single v f Hm Hx Hf C IH
    | m s f anchored Hf Ha
    | m m' ka kb ha hb ja jb ga gb a ob ab sa sb va vb f Hm Hx Hf Ca IHa Cb IHb].
  - exists 0, 0; repeat split; [lra | simpl; lra | constructor].
  - destruct (key_exponential m k x' t Sh Hk Hs) as (r & f & Hr & Hf & Ee & Hn & Ho & Han).
    replace (E t) with (((exp (logit_of k - m) * exp r + f) * exp 0 + 0) * value_of k + 0)
      by (rewrite Hv, exp_0, Ee; ring).
    exists 0, 0; repeat split; [lra | simpl; lra |].
    apply (Exp fast_costs m k 0 true anchored r f 0 0 0); try exact Hr; try exact Hf; auto;
      try (rewrite Rabs_R0; cbn; lra).
    rewrite exp_0, Rmult_1_r, Rplus_0_r, <- Ee; exact Hn.
  - destruct IHa as (ia & ea & Ia & Ea & Da), IHb as (ib & eb & Ib & Eb & Db).
    destruct (sum32 va vb) as (t & Ht & ->).
    + apply (fast_format _ _ _ _ _ _ _ _ _ Ca); auto.
    + apply (fast_format _ _ _ _ _ _ _ _ _ Cb); auto.
    + do 2 eexists; split; [|split; [|exact (Add fast_costs m _ _ _ _ _ _ _ _ _ _ _ _ _ t Ht Da Db)]].
      * rewrite fast_cost_S; pose proof (fast_cost_max _ _ _ _ _ _ Ia Ib); lra.
      * rewrite plus_INR; lra.
  - destruct IH as (i & e0 & Hi & He0 & D).
    destruct (key_exponential m k x' t Sh Hk Hs) as (r' & f & Hr & Hf & Ee & Hn & Ho & Han).
    destruct (any32 (E t * value_of k + v)) as (d & e & Hd & He & ->).
    replace ((E t * value_of k + v + e) * exp d)
      with (((((exp (logit_of k - m) * exp r' + f) * exp 0 + 0) * value_of k + e) + v) * exp d)
      by (rewrite exp_0, Ee; ring).
    pose proof (Exp fast_costs m k least true false r' f 0 0 e) as L.
    assert (L' := L Hr Hf ltac:(rewrite Rabs_R0; cbn; lra) ltac:(rewrite Rabs_R0; cbn; lra)
      ltac:(rewrite exp_0, Rmult_1_r, Rplus_0_r, <- Ee; exact Hn) He (fun _ => Ho) ltac:(discriminate)).
    pose proof (Add fast_costs m _ _ _ _ _ _ _ _ _ _ _ _ _ d Hd L' D) as Q.
    cbn [app andb orb] in Q; do 2 eexists; split; [|split; [|exact Q]].
    + destruct (computed_nonneg _ _ _ _ _ _ _ _ D) as (I0 & _).
      rewrite fast_cost_S, Rmax_right by exact I0; lra.
    + rewrite S_INR; lra.
  - destruct IH as (i & e0 & Hi & He0 & D).
    destruct (key_exponential m k x' t Sh Hk Hs) as (r' & f & Hr & Hf & Ee & Hn & Ho & Han).
    destruct (inner64 (E t * value_of k + v)) as (d & e & Hd & He & ->).
    replace ((E t * value_of k + v + e) * exp d)
      with (((((exp (logit_of k - m) * exp r' + f) * exp 0 + 0) * value_of k + e) + v) * exp d)
      by (rewrite exp_0, Ee; ring).
    pose proof (Exp fast_costs m k least true false r' f 0 0 e) as L.
    assert (L' := L Hr Hf ltac:(rewrite Rabs_R0; cbn; lra) ltac:(rewrite Rabs_R0; cbn; lra)
      ltac:(rewrite exp_0, Rmult_1_r, Rplus_0_r, <- Ee; exact Hn) He (fun _ => Ho) ltac:(discriminate)).
    pose proof (Add fast_costs m _ _ _ _ _ _ _ _ _ _ _ _ _ d Hd L' D) as Q.
    cbn [app andb orb] in Q; do 2 eexists; split; [|split; [|exact Q]].
    + destruct (computed_nonneg _ _ _ _ _ _ _ _ D) as (I0 & _).
      rewrite fast_cost_S64, Rmax_right by exact I0; lra.
    + rewrite S_INR; lra.
  - destruct IHa as (ia & ea & Ia & Ea & Da), IHb as (ib & eb & Ib & Eb & Db).
    destruct (sum64 va vb) as (t & Ht & ->).
    + apply (fast_format _ _ _ _ _ _ _ _ _ Ca).
    + apply (fast_format _ _ _ _ _ _ _ _ _ Cb).
    + do 2 eexists; split; [|split; [|exact (Add fast_costs m _ _ _ _ _ _ _ _ _ _ _ _ _ t Ht Da Db)]].
      * rewrite fast_cost_S64; pose proof (fast_cost_max _ _ _ _ _ _ Ia Ib); lra.
      * rewrite plus_INR; lra.
  - destruct IH as (i & e0 & Hi & He0 & D).
    destruct (rescale_factor m m' f Hm Hf) as (rho & f0 & -> & Hrho & Hle & Hu & Hn).
    destruct (any64 (v * (exp (m - m') * exp rho + f0))) as (t & e & Ht & He & ->).
    pose proof (Rescale fast_costs m m' ks i e0 a v rho f0 t e (/ 2 * fine) (/ 2 * fine) least Hm Hx
      ltac:(cbn; lra) Hrho Hle Hu Hn Ht He D) as Q.
    do 2 eexists; split; [|split; [|exact Q]].
    + rewrite fast_cost_S64; lra.
    + rewrite S_INR; lra.
  - destruct Hf as (rho & f0 & -> & Hrho & Hn & _ & Hu & _).
    replace (exp (s - m) * exp rho + f0)
      with (((exp (logit_of (Term s s 0 1) - m) * exp rho + f0) * exp 0 + 0) * value_of (Term s s 0 1) + 0)
      by (cbn [logit_of value_of]; rewrite exp_0; ring).
    exists 0, 0; repeat split; [lra | simpl; lra |].
    apply (Exp fast_costs m (Term s s 0 1) 0 false anchored rho f0 0 0 0); try discriminate;
      try (rewrite Rabs_R0; cbn; lra).
    + unfold argument, fast_costs, f32_costs; cbn [eps c_d u' slack seen logit_of].
      rewrite (Rabs_minus_sym m s); pose proof (Rabs_pos (s - m)); lra.
    + cbn; destruct Hu as [-> | [Hu _]]; [rewrite Rabs_R0|]; lra.
    + cbn [logit_of]; rewrite exp_0; lra.
    + intro A; cbn [logit_of]; rewrite (Ha A) in *; rewrite Rminus_eq_0, Rabs_R0 in Hrho.
      apply Rabs_le_inv in Hrho; cbn; lra.
  - destruct IHa as (ia & ea & Ia & Ea & Da), IHb as (ib & eb & Ib & Eb & Db).
    destruct (rescale_factor m m' f Hm Hf) as (rho & f0 & -> & Hrho & Hle & Hu & Hn).
    destruct (inner64 (va * (exp (m - m') * exp rho + f0) + vb)) as (t & e & Ht & He & ->).
    pose proof (Rescale fast_costs m m' ka ia ea a va rho f0 0 e (/ 2 * fine) 0 least Hm Hx
      ltac:(cbn; lra) Hrho Hle Hu Hn ltac:(rewrite Rabs_R0; lra) He Da) as Q.
    replace ((va * (exp (m - m') * exp rho + f0) + vb + e) * exp t)
      with ((va * (exp (m - m') * exp rho + f0) * exp 0 + e + vb) * exp t) by (rewrite exp_0; ring).
    do 2 eexists; split; [|split; [|exact (Add fast_costs m' _ _ _ _ _ _ _ _ _ _ _ _ _ t Ht Q Db)]].
    + rewrite fast_cost_S64; pose proof (fast_cost_max _ _ _ _ _ _ Ia Ib) as M.
      pose proof (Rmax_l ia ib); pose proof (Rmax_r ia ib).
      assert (Rmax (ia + (/ 2 * fine + 0)) ib <= Rmax ia ib + / 2 * fine) by (apply Rmax_case; lra); lra.
    + cbn [Nat.add]; rewrite S_INR, plus_INR; lra.
Qed.
