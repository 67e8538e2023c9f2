(* SPDX-License-Identifier: Apache-2.0 *)
(** The arithmetic of the fast path in Flocq's binary32 and binary64, and the theorem that each of
    its programs is a computation of the error model: exponentials by [E], sums and fused
    multiply-adds of a tile in binary32, tiles joined and rescaled in binary64, the sink logit in
    binary64. Exponents are not bounded above here: NU7_no_overflow says why they need not be.
    proves: NU-7, AT-8 *)
From Coq Require Import Reals Lra Lia ZArith List Bool Permutation.
From Flocq Require Import Core Relative Plus_error.
From Sinkproof Require Import Spec Sums Near Model Row Classes ExpRound Exp Drift Merge.
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

Lemma u64_small : 0 <= u_ro radix2 53 / (1 + u_ro radix2 53) <= / 16777216.
Proof. unfold u_ro; cbn; lra. Qed.

(** Sums never underflow. *)
Lemma sum32 x y : F32 x -> F32 y -> exists t, Rabs t <= uu /\ rnd (x + y) = (x + y) * exp t.
Proof.
  intros Fx Fy; destruct (FLT_plus_error_N_ex radix2 (-149) 24 (fun z => negb (Z.even z)) x y Fx Fy) as (d & Hd & E).
  destruct (near_one d _ u32_small Hd) as (t & Ht & Et); exists t; rewrite <- Et; auto.
Qed.

Lemma sum64 x y : F64 x -> F64 y -> exists t, Rabs t <= uu /\ rnd64 (x + y) = (x + y) * exp t.
Proof.
  intros Fx Fy; destruct (FLT_plus_error_N_ex radix2 (-1074) 53 (fun z => negb (Z.even z)) x y Fx Fy) as (d & Hd & E).
  destruct (near_one d _ u64_small Hd) as (t & Ht & Et); exists t; rewrite <- Et; auto.
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

Lemma any64 z : exists t e, Rabs t <= uu /\ Rabs e <= least /\ rnd64 z = z * exp t + e.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-1074) 53 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  destruct (near_one d _ u64_small Hd) as (t & Ht & Et); exists t, e; repeat split; auto.
  - apply Rle_trans with (1 := He); rewrite <- least_is_least.
    pose proof (bpow_ge_0 radix2 (-1074)).
    apply Rle_trans with (bpow radix2 (-1074)); [lra | apply bpow_le; lia].
  - now rewrite E, Et.
Qed.

(** The underflow of a binary64 operation, before its rounding. *)
Lemma inner64 z : exists t e, Rabs t <= uu /\ Rabs e <= least /\ rnd64 z = (z + e) * exp t.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 (-1074) 53 eq_refl (fun z => negb (Z.even z)) z) as (d & e & Hd & He & _ & E).
  destruct (near_one d _ u64_small Hd) as (t & Ht & Et); exists t, (e * exp (- t)); repeat split; auto.
  - rewrite Rabs_mult, (Rabs_pos_eq (exp (- t))) by (left; apply exp_pos).
    assert (exp (- t) <= 2).
    { apply Rle_trans with (exp (/ 4)); [apply exp_mono; apply Rabs_le_inv in Ht; lra|].
      pose proof (exp_quarter (/ 4) ltac:(lra)); lra. }
    assert (L : bpow radix2 (-1074) <= least) by (rewrite <- least_is_least; apply bpow_le; lia).
    pose proof (exp_pos (- t)); pose proof (Rabs_pos e).
    apply Rle_trans with (/ 2 * least * 2); [apply Rmult_le_compat; lra | lra].
  - rewrite E, Et, exp_Ropp; pose proof (exp_pos t); field; lra.
Qed.

(** What is assumed of libm's exp in binary64, where a maximum grows and for the sink logit: within
    2^-22 of e^(m - m') beyond the rounding of the difference, or underflown. *)
Definition libm_exp (arg f : R) : Prop :=
  exists rho f0, f = exp arg * exp rho + f0 /\ Rabs rho <= 2 * / 16777216 + uu * Rabs arg /\
    (arg <= 0 -> arg + rho <= 2 * / 16777216) /\ 0 <= f /\ F64 f /\
    (f0 = 0 \/ Rabs f0 <= least /\ exp arg * exp rho <= 1/16).

(** [fast m ks h r g open anchored single v]: [v] is what the fast path has summed over [ks] against
    the maximum [m]; [single] when it is still a binary32 number. The logit of a key is [x'] where
    it should be logit_of k. *)
Inductive fast : R -> list term -> nat -> nat -> nat -> bool -> bool -> bool -> R -> Prop :=
| F_zero m : fast m [] 0 0 0 true false true 0
| F_key m k x' anchored : F32 m -> F32 x' -> x' <= m -> value_of k = 1 ->
    seen k = x' -> Rabs (x' - logit_of k) <= slack k -> (anchored = true -> x' = m) ->
    fast m [k] 0 0 0 true anchored true (E (rnd (x' - m)))
| F_add m ka kb ha hb ra rb ga gb oa ob aa ab va vb :
    fast m ka ha ra ga oa aa true va -> fast m kb hb rb gb ob ab true vb ->
    fast m (ka ++ kb) (S (Nat.max ha hb)) (Nat.max ra rb) (ga + gb) (andb oa ob) (orb aa ab) true (rnd (va + vb))
| F_value m k x' ks h r g o a v : F32 m -> F32 x' -> x' <= m -> F32 (value_of k) ->
    seen k = x' -> Rabs (x' - logit_of k) <= slack k ->
    fast m ks h r g o a true v ->
    fast m (k :: ks) (S h) r (S g) o a true (rnd (E (rnd (x' - m)) * value_of k + v))
| F_join m ka kb ha hb ra rb ga gb oa ob aa ab sa sb va vb :
    fast m ka ha ra ga oa aa sa va -> fast m kb hb rb gb ob ab sb vb ->
    fast m (ka ++ kb) (S (Nat.max ha hb)) (Nat.max ra rb) (ga + gb) (andb oa ob) (orb aa ab) false (rnd64 (va + vb))
| F_raise m m' ks h r g a single v f : m <= m' -> (forall k, In k ks -> seen k <= m) ->
    libm_exp (m - m') f -> fast m ks h r g true a single v ->
    fast m' ks (S h) (S r) (S g) true false false (rnd64 (v * f))
| F_sink m s f : libm_exp (s - m) f -> fast m [Term s s 0 1] 0 0 0 false false false f
| F_raise_join m m' ka kb ha hb ra rb ga gb a ob ab sa sb va vb f : (* one fused operation *)
    m <= m' -> (forall k, In k ka -> seen k <= m) -> libm_exp (m - m') f ->
    fast m ka ha ra ga true a sa va -> fast m' kb hb rb gb ob ab sb vb ->
    fast m' (ka ++ kb) (S (Nat.max (S ha) hb)) (Nat.max (S ra) rb) (S ga + gb) ob ab false
      (rnd64 (va * f + vb)).

Lemma fast_format m ks h r g o a single v : fast m ks h r g o a single v -> F64 v /\ (single = true -> F32 v).
Proof.
  induction 1; split; try discriminate; try (intros _); try apply F64_rnd; try (apply F32_rnd);
    try (apply F64_of_F32, F32_rnd); try apply generic_format_0.
  destruct H as (rho & f0 & _ & _ & _ & _ & Ff & _); exact Ff.
Qed.

(** ** The correspondence *)

Lemma cost_names : u' fast_costs = uu /\ eps fast_costs = 2 * / 16777216 /\ c_d fast_costs = 1 /\
  u_p fast_costs = 0 /\ eta fast_costs = least /\ eta_p fast_costs = 0 /\ eta_s fast_costs = least.
Proof. repeat split. Qed.

Lemma least_pos : 0 < least. Proof. apply Rinv_0_lt_compat, pow_lt; lra. Qed.

(** The exponential of a rounded difference, as the model sees it. *)
Lemma key_exponential m k x' : F32 m -> F32 x' -> x' <= m ->
  seen k = x' -> Rabs (x' - logit_of k) <= slack k ->
  exists r f, Rabs r <= eps fast_costs + argument fast_costs m k /\ Rabs f <= least /\
    E (rnd (x' - m)) = exp (logit_of k - m) * exp r + f /\ 0 <= E (rnd (x' - m)) /\
    logit_of k - m + r <= eps fast_costs /\ (x' = m -> - eps fast_costs <= logit_of k - m + r).
Proof.
  intros Fm Fx Hle Hk Hs.
  destruct (FLT_plus_error_N_ex radix2 (-149) 24 (fun z => negb (Z.even z)) x' (- m) Fx
              (generic_format_opp _ _ _ Fm)) as (d & Hd & Ed); fold (x' - m) in Ed.
  assert (Hd' : Rabs d <= uu) by (pose proof u32_small; lra).
  set (t := rnd (x' - m)) in *.
  assert (Ft : F32 t) by apply F32_rnd.
  assert (Ht : t <= 0).
  { unfold t; rewrite <- (round_0 radix2 (FLT_exp (-149) 24) ZnearestE); apply round_le; try typeclasses eauto; lra. }
  destruct (NU7_exp t Ft Ht) as (r & f & Hr & Hf & Ee).
  pose proof NU7_eps_log_below_two_units as Heps.
  exists (t - (logit_of k - m) + r), f.
  assert (Hr' : Rabs r <= 2 * / 16777216) by lra.
  assert (X : logit_of k - m + (t - (logit_of k - m) + r) = t + r) by ring.
  unfold argument, fast_costs, f32_costs; cbn [eps c_d u']; rewrite X.
  apply Rabs_le_inv in Hr'; repeat split; try lra.
  - set (x := logit_of k) in *.
    replace (t - (x - m) + r) with ((x' - x) + (x' - m) * d + r) by (rewrite Ed; ring).
    apply Rle_trans with (1 := Rabs_triang _ _).
    assert (A1 : Rabs ((x' - x) + (x' - m) * d) <= Rabs (x' - x) + Rabs (x' - m) * uu).
    { apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult; apply Rplus_le_compat_l.
      apply Rmult_le_compat_l; auto using Rabs_pos. }
    rewrite Hk, (Rabs_minus_sym m x').
    assert (A3 : Rabs r <= 2 * / 16777216) by lra.
    lra.
  - apply Rle_trans with (1 := Hf); rewrite <- least_is_least; apply bpow_le; lia.
  - rewrite Ee, <- !exp_plus; do 2 f_equal; ring.
  - now apply E_nonneg.
  - intros ->; assert (T0 : t = 0).
    { unfold t; rewrite Rminus_eq_0; apply round_0; typeclasses eauto. }
    rewrite T0; lra.
Qed.

(** Every program of the fast path is a computation of the error model. proves: NU-7, AT-8 *)
Theorem NU7_fast_is_computed m ks h r g o a single v :
  fast m ks h r g o a single v -> computed fast_costs m ks h r g o a v.
Proof.
  pose proof least_pos as LP.
  induction 1 as [m | m k x' anchored Fm Fx Hle Hv Hk Hs Ha
    | m ka kb ha hb ra rb ga gb oa ob aa ab va vb Ca IHa Cb IHb
    | m k x' ks h r g o a v Fm Fx Hle Fv Hk Hs C IH
    | m ka kb ha hb ra rb ga gb oa ob aa ab sa sb va vb Ca IHa Cb IHb
    | m m' ks h r g a single v f Hm Hx Hf C IH
    | m s f Hf
    | m m' ka kb ha hb ra rb ga gb a ob ab sa sb va vb f Hm Hx Hf Ca IHa Cb IHb].
  - constructor.
  - destruct (key_exponential m k x' Fm Fx Hle Hk Hs) as (r & f & Hr & Hf & Ee & Hn & Ho & Han).
    replace (E (rnd (x' - m))) with (((exp (logit_of k - m) * exp r + f) * exp 0 + 0) * value_of k + 0)
      by (rewrite Hv, exp_0, Ee; ring).
    apply (Exp fast_costs m k 0 true anchored r f 0 0 0); try exact Hr; try exact Hf; auto;
      try (rewrite Rabs_R0; cbn; lra).
    rewrite exp_0, Rmult_1_r, Rplus_0_r, <- Ee; exact Hn.
  - destruct (sum32 va vb) as (t & Ht & ->).
    + apply (fast_format _ _ _ _ _ _ _ _ _ Ca); auto.
    + apply (fast_format _ _ _ _ _ _ _ _ _ Cb); auto.
    + now apply Add.
  - destruct (key_exponential m k x' Fm Fx Hle Hk Hs) as (r' & f & Hr & Hf & Ee & Hn & Ho & Han).
    destruct (any32 (E (rnd (x' - m)) * value_of k + v)) as (t & e & Ht & He & ->).
    replace ((E (rnd (x' - m)) * value_of k + v + e) * exp t)
      with (((((exp (logit_of k - m) * exp r' + f) * exp 0 + 0) * value_of k + e) + v) * exp t)
      by (rewrite exp_0, Ee; ring).
    pose proof (Exp fast_costs m k 1 true false r' f 0 0 e) as L.
    assert (L' := L Hr Hf ltac:(rewrite Rabs_R0; cbn; lra) ltac:(rewrite Rabs_R0; cbn; lra)
      ltac:(rewrite exp_0, Rmult_1_r, Rplus_0_r, <- Ee; exact Hn)
      ltac:(simpl INR; rewrite Rmult_1_l; exact He) (fun _ => Ho) ltac:(discriminate)).
    pose proof (Add fast_costs m _ _ _ _ _ _ _ _ _ _ _ _ _ _ t Ht L' IH) as Q.
    cbn [app Nat.max Nat.add andb orb] in Q; exact Q.
  - destruct (sum64 va vb) as (t & Ht & ->).
    + apply (fast_format _ _ _ _ _ _ _ _ _ Ca).
    + apply (fast_format _ _ _ _ _ _ _ _ _ Cb).
    + now apply Add.
  - destruct Hf as (rho & f0 & -> & Hrho & Hle & Hn & _ & Hu).
    destruct (any64 (v * (exp (m - m') * exp rho + f0))) as (t & e & Ht & He & ->).
    apply (Rescale fast_costs m m' ks h r g a v rho f0 t e); auto.
    + unfold fast_costs, f32_costs; cbn [eps c_d u']; rewrite (Rabs_left1 (m - m')) in Hrho by lra; lra.
    + unfold fast_costs, f32_costs; cbn [eps]; apply Hle; lra.
  - destruct Hf as (rho & f0 & -> & Hrho & Hle & Hn & _ & Hu).
    replace (exp (s - m) * exp rho + f0)
      with (((exp (logit_of (Term s s 0 1) - m) * exp rho + f0) * exp 0 + 0) * value_of (Term s s 0 1) + 0)
      by (cbn [logit_of value_of]; rewrite exp_0; ring).
    apply (Exp fast_costs m (Term s s 0 1) 0 false false rho f0 0 0 0); try discriminate;
      try (rewrite Rabs_R0; cbn; lra).
    + unfold argument, fast_costs, f32_costs; cbn [eps c_d u' slack seen logit_of].
      rewrite (Rabs_minus_sym m s); lra.
    + cbn; destruct Hu as [-> | [Hu _]]; [rewrite Rabs_R0|]; lra.
    + cbn [logit_of]; rewrite exp_0; lra.
  - destruct Hf as (rho & f0 & -> & Hrho & Hle & Hn & _ & Hu).
    destruct (inner64 (va * (exp (m - m') * exp rho + f0) + vb)) as (t & e & Ht & He & ->).
    assert (D0 : Rabs 0 <= u' fast_costs) by (rewrite Rabs_R0; cbn; lra).
    pose proof (Rescale fast_costs m m' ka ha ra ga a va rho f0 0 e Hm Hx) as Q.
    assert (Q' : computed fast_costs m' ka (S ha) (S ra) (S ga) true false
      (va * (exp (m - m') * exp rho + f0) * exp 0 + e)).
    { apply Q; auto.
      - unfold fast_costs, f32_costs; cbn [eps c_d u']; rewrite (Rabs_left1 (m - m')) in Hrho by lra; lra.
      - unfold fast_costs, f32_costs; cbn [eps]; apply Hle; lra. }
    replace ((va * (exp (m - m') * exp rho + f0) + vb + e) * exp t)
      with ((va * (exp (m - m') * exp rho + f0) * exp 0 + e + vb) * exp t) by (rewrite exp_0; ring).
    exact (Add fast_costs m' _ _ _ _ _ _ _ _ _ _ _ _ _ _ t Ht Q' IHb).
Qed.
