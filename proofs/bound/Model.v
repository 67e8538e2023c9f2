(* SPDX-License-Identifier: Apache-2.0 *)
(** The error model behind every accuracy class: what an honest kernel may do to a sum of
    exponentials, and what that costs.

    A computation is a derivation of [computed]. A term is an exponential of a shifted logit, rounded
    to the format of P, times a value; two partial sums with the same reference may be added; a
    partial sum may be rescaled to a larger reference. Any order, any tree, lanes, tiles, splits and
    merges are such derivations. Every rounding is a factor e^d with |d| <= u'; every exponential is
    wrong by a factor e^r with |r| <= eps beyond the error of its argument; every result may lose
    eta (eta_p in the format of P, eta_s in the accumulator) to underflow. The names are those at the
    head of certify/judge/bound.c. proves: NU-5, NU-7, AT-8 *)
From Coq Require Import Reals Lra Lia List Bool.
From Sinkproof Require Import Spec Sums Near.
Import ListNotations.
Open Scope R_scope.

(** A term: its exact logit; the logit that the kernel computed; the part of its argument's error
    that does not depend on the reference (the distance of the two, for example); and its value (1
    in a denominator). *)
Record term := Term { logit_of : R; seen : R; slack : R; value_of : R }.

(** The parameters of a class that the model needs. *)
Record costs := Costs { u' : R; eps : R; c_d : R; u_p : R; eta : R; eta_p : R; eta_s : R }.

Definition sane (c : costs) : Prop :=
  0 <= u' c /\ 0 <= eps c <= 1/4 /\ 0 <= c_d c /\ 0 <= u_p c /\
  0 <= eta c /\ 0 <= eta_p c /\ 0 <= eta_s c /\ 2 * eta c + eta_p c <= 1/16.

Section Model.
Variable c : costs.
Hypothesis Hc : sane c.

(** Error of the argument x - m of an exponential: roundings of what was seen, and the slack. *)
Definition argument (m : R) (k : term) : R := c_d c * u' c * Rabs (m - seen k) + slack k.

(** [computed m ks h r g open anchored v]: [v] is computed for the terms [ks] against the reference
    [m], with at most [h] roundings and [r] rescales between any term and the result, and [g]
    underflows of products. [open]: every argument was at most 0, so that the sum may still be
    rescaled; [anchored]: the argument of some term was 0 and it was not rescaled since. *)
Inductive computed : R -> list term -> nat -> nat -> nat -> bool -> bool -> R -> Prop :=
| Zero m : computed m [] 0 0 0 true false 0
| Exp m k g open anchored r f p fp e :
    Rabs r <= eps c + argument m k -> Rabs f <= eta c -> Rabs p <= u_p c -> Rabs fp <= eta_p c ->
    0 <= (exp (logit_of k - m) * exp r + f) * exp p + fp -> Rabs e <= INR g * eta_s c ->
    (open = true -> logit_of k - m + r <= eps c) ->
    (anchored = true -> - eps c <= logit_of k - m + r) ->
    computed m [k] 0 0 g open anchored
      (((exp (logit_of k - m) * exp r + f) * exp p + fp) * value_of k + e)
| Add m ka kb ha hb ra rb ga gb oa ob aa ab va vb d :
    Rabs d <= u' c ->
    computed m ka ha ra ga oa aa va -> computed m kb hb rb gb ob ab vb ->
    computed m (ka ++ kb) (S (Nat.max ha hb)) (Nat.max ra rb) (ga + gb) (andb oa ob) (orb aa ab)
      ((va + vb) * exp d)
| Rescale m m' ks h r g anchored v rho f d e :
    m <= m' -> (forall k, In k ks -> seen k <= m) ->
    Rabs rho <= eps c + c_d c * u' c * (m' - m) -> m - m' + rho <= eps c ->
    f = 0 \/ Rabs f <= eta c /\ exp (m - m') * exp rho <= 1/16 ->
    0 <= exp (m - m') * exp rho + f -> Rabs d <= u' c -> Rabs e <= eta_s c ->
    computed m ks h r g true anchored v ->
    computed m' ks (S h) (S r) (S g) true false (v * (exp (m - m') * exp rho + f) * exp d + e).

Definition inflation (h r : nat) : R := INR h * u' c + INR r * eps c.
Definition cost (m : R) (h r : nat) (k : term) : R := eps c + u_p c + argument m k + inflation h r.
Definition lost (h r : nat) : R := (2 * eta c + eta_p c) * exp (u_p c + inflation h r).
Definition share (m : R) (k : term) (t : R) : R := exp (logit_of k - m) * exp t.

(** What has become of a term: its coefficient is its share, with an exponent off by at most its
    cost, up to underflow. *)
Definition kept (m : R) (h r : nat) (open : bool) (k : term) (tw : R * R) : Prop :=
  Rabs (fst tw) <= cost m h r k /\ 0 <= snd tw /\
  Rabs (snd tw - share m k (fst tw)) <= lost h r /\
  (open = true -> share m k (fst tw) <= exp (eps c + u_p c + inflation h r)).

Lemma inflation_mono h h' r r' : (h <= h')%nat -> (r <= r')%nat -> inflation h r <= inflation h' r'.
Proof.
  intros Hh Hr; apply le_INR in Hh; apply le_INR in Hr; destruct Hc as (? & ? & ?); unfold inflation.
  apply Rplus_le_compat; apply Rmult_le_compat_r; lra.
Qed.

Lemma inflation_S h r : inflation (S h) r = inflation h r + u' c.
Proof. unfold inflation; rewrite S_INR; ring. Qed.

Lemma inflation_SS h r : inflation (S h) (S r) = inflation h r + u' c + eps c.
Proof. unfold inflation; rewrite !S_INR; ring. Qed.

Lemma inflation_nonneg h r : 0 <= inflation h r.
Proof. pose proof (inflation_mono 0 h 0 r ltac:(lia) ltac:(lia)); unfold inflation in *; simpl INR in *; lra. Qed.

Lemma lost_mono h h' r r' : (h <= h')%nat -> (r <= r')%nat -> lost h r <= lost h' r'.
Proof.
  intros Hh Hr; destruct Hc as (? & ? & ? & ? & ? & ? & ? & ?); apply Rmult_le_compat_l; [lra|].
  apply exp_mono; pose proof (inflation_mono _ _ _ _ Hh Hr); lra.
Qed.

Lemma kept_weaken m h h' r r' o o' ks ts : (h <= h')%nat -> (r <= r')%nat -> (o' = true -> o = true) ->
  Forall2 (kept m h r o) ks ts -> Forall2 (kept m h' r' o') ks ts.
Proof.
  intros Hh Hr Ho; pose proof (inflation_mono _ _ _ _ Hh Hr); pose proof (lost_mono _ _ _ _ Hh Hr).
  induction 1 as [|k t ks ts (A & B & C & D) F IH]; constructor; auto; unfold kept, cost in *.
  repeat split; try lra; intro Q; apply Rle_trans with (1 := D (Ho Q)); apply exp_mono; lra.
Qed.

(** A rounding of the whole sum. *)
Definition scaled (d : R) (tw : R * R) : R * R := (fst tw + d, snd tw * exp d).

Lemma kept_rounding m h r o ks ts d : Rabs d <= u' c ->
  Forall2 (kept m h r o) ks ts -> Forall2 (kept m (S h) r o) ks (map (scaled d) ts).
Proof.
  intros Hd; pose proof (Rabs_between _ _ Hd) as Hd'; pose proof (exp_pos d).
  induction 1 as [|k [t w] ks ts (A & B & C & D) F IH]; cbn [map]; constructor; auto.
  unfold kept, cost, lost, share, scaled in *; cbn [fst snd] in *; rewrite inflation_S; repeat split.
  - apply Rle_trans with (1 := Rabs_triang _ _); lra.
  - apply Rmult_le_pos; lra.
  - rewrite exp_plus, <- Rmult_assoc, <- Rmult_minus_distr_r, Rabs_mult, (Rabs_pos_eq (exp d)) by lra.
    replace (u_p c + (inflation h r + u' c)) with (u_p c + inflation h r + u' c) by ring.
    rewrite exp_plus, <- Rmult_assoc; apply Rmult_le_compat; auto using Rabs_pos; [lra|].
    apply exp_mono; lra.
  - intro Q; specialize (D Q); rewrite exp_plus, <- Rmult_assoc.
    replace (eps c + u_p c + (inflation h r + u' c)) with (eps c + u_p c + inflation h r + u' c) by ring.
    rewrite (exp_plus _ (u' c)); apply Rmult_le_compat; auto; try lra.
    + apply Rmult_le_pos; left; apply exp_pos.
    + apply exp_mono; lra.
Qed.

(** A rescale, first without underflow of the factor, then with. *)
Definition shrunk (rho fac : R) (tw : R * R) : R * R := (fst tw + rho, snd tw * fac).

Lemma exp_quarter x : x <= 1/4 -> exp x <= 3/2.
Proof.
  intro H; apply Rle_trans with (exp (1/4)); [now apply exp_mono|].
  replace (1/4) with (/ 2 * / 2) by lra.
  pose proof (exp_ineq1_le (- (1/4))) as E; rewrite exp_Ropp in E.
  pose proof (exp_pos (1/4)); replace (/ 2 * / 2) with (1/4) by lra.
  apply Rmult_le_reg_r with (/ exp (1/4) * (2/3)).
  - apply Rmult_lt_0_compat; [now apply Rinv_0_lt_compat | lra].
  - replace (exp (1/4) * (/ exp (1/4) * (2/3))) with (2/3) by (field; lra); lra.
Qed.

Lemma kept_rescale m m' h r ks ts rho f :
  m <= m' -> (forall k, In k ks -> seen k <= m) ->
  Rabs rho <= eps c + c_d c * u' c * (m' - m) -> m - m' + rho <= eps c ->
  f = 0 \/ Rabs f <= eta c /\ exp (m - m') * exp rho <= 1/16 ->
  0 <= exp (m - m') * exp rho + f ->
  Forall2 (kept m h r true) ks ts ->
  Forall2 (kept m' h (S r) true) ks (map (shrunk rho (exp (m - m') * exp rho + f)) ts).
Proof.
  intros Hm Hx Hrho Hle Hf Hpos F; destruct Hc as (Hu & He & Hd & Hp & Hn & Hnp & Hns & Hs).
  set (fac := exp (m - m') * exp rho) in *.
  assert (Fp : 0 < fac) by (apply Rmult_lt_0_compat; apply exp_pos).
  assert (Fe : fac <= exp (eps c)) by (unfold fac; rewrite <- exp_plus; now apply exp_mono).
  assert (Sr : inflation h (S r) = inflation h r + eps c) by (unfold inflation; rewrite S_INR; ring).
  induction F as [|k [t w] ks ts (A & B & C & D) F IH]; cbn [map]; constructor;
    [|apply IH; intros k' i; apply Hx; now right].
  pose proof (Hx k (or_introl eq_refl)) as Hk; specialize (D eq_refl).
  unfold kept, cost, lost, argument, scaled, shrunk in *; cbn [fst snd] in *; rewrite Sr.
  assert (Sh : share m' k (t + rho) = share m k t * fac).
  { unfold share, fac; rewrite exp_plus.
    replace (logit_of k - m') with (logit_of k - m + (m - m')) by ring; rewrite exp_plus; ring. }
  assert (Gp : 0 < share m k t) by (apply Rmult_lt_0_compat; apply exp_pos).
  rewrite Sh; set (E := exp (u_p c + inflation h r)) in *.
  assert (EE : exp (u_p c + (inflation h r + eps c)) = E * exp (eps c))
    by (unfold E; rewrite <- exp_plus; f_equal; ring).
  assert (E1 : 1 <= E) by (unfold E; rewrite <- exp_0; apply exp_mono; pose proof (inflation_nonneg h r); lra).
  assert (Ee : 1 <= exp (eps c)) by (rewrite <- exp_0; apply exp_mono; lra).
  assert (E32 := exp_quarter (eps c) ltac:(lra)).
  assert (D' : share m k t <= exp (eps c) * E).
  { apply Rle_trans with (1 := D); right; unfold E; rewrite <- exp_plus; f_equal; ring. }
  repeat split.
  - rewrite (Rabs_pos_eq (m - seen k)) in A by lra; rewrite (Rabs_pos_eq (m' - seen k)) by lra.
    apply Rle_trans with (1 := Rabs_triang _ _).
    replace (c_d c * u' c * (m' - seen k))
      with (c_d c * u' c * (m - seen k) + c_d c * u' c * (m' - m)) by ring; lra.
  - now apply Rmult_le_pos.
  - rewrite EE; destruct Hf as [-> | [Hf Hs']].
    + rewrite Rplus_0_r, <- Rmult_minus_distr_r, Rabs_mult, (Rabs_pos_eq fac) by lra.
      rewrite <- Rmult_assoc; apply Rmult_le_compat; auto using Rabs_pos; lra.
    + replace (w * (fac + f) - share m k t * fac) with ((w - share m k t) * fac + w * f) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult, (Rabs_pos_eq fac), (Rabs_pos_eq w) by lra.
      assert (W : w <= exp (eps c) * E + (2 * eta c + eta_p c) * E) by (apply Rabs_between in C; lra).
      apply Rle_trans with ((2 * eta c + eta_p c) * E * (1/16) + (exp (eps c) * E + 1/16 * E) * eta c).
      * apply Rplus_le_compat; [apply Rmult_le_compat; auto using Rabs_pos; lra|].
        apply Rmult_le_compat; auto using Rabs_pos; apply Rle_trans with (1 := W).
        apply Rplus_le_compat_l, Rmult_le_compat_r; lra.
      * apply Rle_trans with ((2 * eta c + eta_p c) * E); [|apply Rle_trans with ((2 * eta c + eta_p c) * (E * 1)); [lra|]; apply Rmult_le_compat_l; [lra|]; apply Rmult_le_compat_l; lra].
        replace ((2 * eta c + eta_p c) * E * (1/16) + (exp (eps c) * E + 1/16 * E) * eta c)
          with (((2 * eta c + eta_p c) * (1/16) + (exp (eps c) + 1/16) * eta c) * E) by ring.
        apply Rmult_le_compat_r; [lra|]; nra.
  - intros _; replace (eps c + u_p c + (inflation h r + eps c)) with (eps c + u_p c + inflation h r + eps c) by ring.
    rewrite (exp_plus (eps c + u_p c + inflation h r)); apply Rmult_le_compat; lra.
Qed.

(** ** Sums of what was kept *)

Definition total (ks : list term) (ts : list (R * R)) : R :=
  sum (map (fun kt => snd (snd kt) * value_of (fst kt)) (combine ks ts)).

Lemma total_cons k t ks ts : total (k :: ks) (t :: ts) = snd t * value_of k + total ks ts.
Proof. reflexivity. Qed.

Lemma total_app ka kb ta tb : length ta = length ka ->
  total (ka ++ kb) (ta ++ tb) = total ka ta + total kb tb.
Proof.
  revert ta; induction ka as [|k ka IH]; intros [|t ta] H; try discriminate.
  - unfold total at 2; cbn [app combine map]; rewrite sum_nil; ring.
  - cbn [app]; rewrite !total_cons, IH by (injection H; auto); ring.
Qed.

Lemma total_factor (f : R * R -> R * R) q ks ts : (forall t, snd (f t) = snd t * q) ->
  total ks (map f ts) = total ks ts * q.
Proof.
  intro H; revert ts; induction ks as [|k ks IH]; intros [|t ts]; try (unfold total, sum; simpl; ring).
  cbn [map]; rewrite !total_cons, IH, H; ring.
Qed.

Definition anchor (m : R) (h r : nat) (kt : term * (R * R)) : Prop :=
  - (eps c + u_p c + inflation h r) <= logit_of (fst kt) - m + fst (snd kt).

Lemma anchor_weaken m h h' r r' kt : (h <= h')%nat -> (r <= r')%nat -> anchor m h r kt -> anchor m h' r' kt.
Proof. intros Hh Hr; unfold anchor; pose proof (inflation_mono _ _ _ _ Hh Hr); lra. Qed.

Lemma combine_app {A B} (a a' : list A) (b b' : list B) : length a = length b ->
  combine (a ++ a') (b ++ b') = combine a b ++ combine a' b'.
Proof. revert b; induction a as [|x a IH]; intros [|y b] H; try discriminate; cbn; auto; now rewrite IH by (injection H; auto). Qed.

Lemma combine_map_r {A B C} (f : B -> C) (a : list A) b : combine a (map f b) = map (fun kt => (fst kt, f (snd kt))) (combine a b).
Proof. revert b; induction a as [|x a IH]; intros [|y b]; cbn; auto; now rewrite IH. Qed.

(** Backward error: the result is the exact sum of the terms with exponents off by their costs,
    but for what underflow took. proves: NU-7 *)
Theorem NU7_backward m ks h r g open anchored v : computed m ks h r g open anchored v ->
  exists ts, Forall2 (kept m h r open) ks ts /\
    Rabs (v - total ks ts) <= INR g * eta_s c * exp (inflation h r) /\
    (anchored = true -> exists kt, In kt (combine ks ts) /\ anchor m h r kt).
Proof.
  destruct Hc as (Hu & He & Hd & Hp & Hn & Hnp & Hns & Hs).
  induction 1 as [m | m k g o a r f p fp e Hr Hf Hpp Hfp H0 Hee Ho Ha
    | m ka kb ha hb ra rb ga gb oa ob aa ab va vb d Hdd Ca (ta & Ka & Ea & Aa) Cb (tb & Kb & Eb & Ab)
    | m m' ks h r g a v rho f d e Hm Hx Hrho Hle Hf Hpos Hdd Hee C (ts & K & E & A)].
  - exists []; split; [constructor|]; split; [|discriminate].
    unfold total, sum; simpl; rewrite Rminus_0_r, Rabs_R0, !Rmult_0_l; lra.
  - exists [(r + p, (exp (logit_of k - m) * exp r + f) * exp p + fp)]; split; [|split].
    + assert (I0 : inflation 0 0 = 0) by (unfold inflation; simpl INR; ring).
      apply Rabs_between in Hpp as Hp'; constructor; [|constructor].
      unfold kept, cost, lost, share; cbn [fst snd]; rewrite I0, !Rplus_0_r; repeat split; auto.
      * apply Rle_trans with (1 := Rabs_triang _ _); lra.
      * rewrite exp_plus; replace (_ - _) with (f * exp p + fp) by ring.
        apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_mult, (Rabs_pos_eq (exp p)) by (left; apply exp_pos).
        assert (P1 : exp p <= exp (u_p c)) by (apply exp_mono; lra).
        assert (P2 : 1 <= exp (u_p c)) by (rewrite <- exp_0; apply exp_mono; lra).
        apply Rle_trans with (eta c * exp (u_p c) + eta_p c * exp (u_p c)).
        -- apply Rplus_le_compat.
           ++ apply Rmult_le_compat; auto using Rabs_pos; left; apply exp_pos.
           ++ apply Rle_trans with (1 := Hfp); rewrite <- (Rmult_1_r (eta_p c)) at 1; apply Rmult_le_compat_l; lra.
        -- rewrite <- Rmult_plus_distr_r; apply Rmult_le_compat_r; lra.
      * intro Q; specialize (Ho Q); rewrite <- exp_plus; apply exp_mono; lra.
    + unfold total; cbn [combine map fst snd]; rewrite sum_cons, sum_nil.
      replace (_ - _) with e by ring; unfold inflation; simpl (INR 0).
      rewrite !Rmult_0_l, Rplus_0_l, exp_0, Rmult_1_r; exact Hee.
    + intro Q; specialize (Ha Q); eexists; split; [left; reflexivity|].
      unfold anchor; cbn [fst snd]; pose proof (inflation_nonneg 0 0); apply Rabs_between in Hpp; lra.
  - exists (map (scaled d) (ta ++ tb)).
    assert (La := Forall2_len _ _ _ Ka); assert (Lb := Forall2_len _ _ _ Kb).
    split; [|split].
    + apply kept_rounding; auto; apply Forall2_app.
      * eapply kept_weaken; [| | |exact Ka]; [lia | lia | now destruct oa].
      * eapply kept_weaken; [| | |exact Kb]; [lia | lia | destruct oa; [auto | discriminate]].
    + rewrite (total_factor (scaled d) (exp d)) by reflexivity.
      rewrite total_app by auto.
      replace (_ - _) with ((va - total ka ta + (vb - total kb tb)) * exp d) by ring.
      rewrite Rabs_mult, (Rabs_pos_eq (exp d)) by (left; apply exp_pos).
      rewrite inflation_S, exp_plus, <- Rmult_assoc, plus_INR.
      set (I := inflation (Nat.max ha hb) (Nat.max ra rb)).
      assert (Ia : exp (inflation ha ra) <= exp I) by (apply exp_mono, inflation_mono; lia).
      assert (Ib : exp (inflation hb rb) <= exp I) by (apply exp_mono, inflation_mono; lia).
      apply Rabs_between in Hdd.
      apply Rmult_le_compat; [apply Rabs_pos | left; apply exp_pos | | apply exp_mono; lra].
      apply Rle_trans with (1 := Rabs_triang _ _).
      apply Rle_trans with (INR ga * eta_s c * exp I + INR gb * eta_s c * exp I); [|right; ring].
      apply Rplus_le_compat; [apply Rle_trans with (1 := Ea) | apply Rle_trans with (1 := Eb)];
        (apply Rmult_le_compat_l; [apply Rmult_le_pos; auto using pos_INR | assumption]).
    + intro Q; apply orb_prop in Q; rewrite combine_map_r, combine_app by auto.
      assert (Hdd' := Rabs_between _ _ Hdd).
      destruct Q as [Q | Q]; [destruct (Aa Q) as ([k [t w]] & i & B) | destruct (Ab Q) as ([k [t w]] & i & B)];
        (eexists; split; [apply in_map_iff; eexists; split; [reflexivity|]; apply in_or_app; eauto|]);
        unfold anchor, scaled in *; cbn [fst snd] in *; rewrite inflation_S;
        [pose proof (inflation_mono ha (Nat.max ha hb) ra (Nat.max ra rb) ltac:(lia) ltac:(lia))
        |pose proof (inflation_mono hb (Nat.max ha hb) rb (Nat.max ra rb) ltac:(lia) ltac:(lia))]; lra.
  - set (fac := exp (m - m') * exp rho + f) in *.
    exists (map (scaled d) (map (shrunk rho fac) ts)); split; [|split; [|discriminate]].
    + apply kept_rounding; auto; now apply kept_rescale with (m := m).
    + rewrite (total_factor (scaled d) (exp d)) by reflexivity.
      rewrite (total_factor (shrunk rho fac) fac) by reflexivity.
      replace (_ - _) with ((v - total ks ts) * fac * exp d + e) by ring.
      assert (Ff : fac <= exp (eps c)).
      { assert (Ee : 1 <= exp (eps c)) by (rewrite <- exp_0; apply exp_mono; lra).
        unfold fac; destruct Hf as [-> | [Hf Hq]].
        - rewrite Rplus_0_r, <- exp_plus; now apply exp_mono.
        - apply Rabs_between in Hf; lra. }
      rewrite inflation_SS, Rplus_assoc, exp_plus, (exp_plus (u' c)), S_INR.
      apply Rabs_between in Hdd as Hd'.
      assert (D1 : exp d <= exp (u' c)) by (apply exp_mono; lra).
      assert (D2 : 1 <= exp (u' c)) by (rewrite <- exp_0; apply exp_mono; lra).
      assert (D3 : 1 <= exp (eps c)) by (rewrite <- exp_0; apply exp_mono; lra).
      assert (D4 : 1 <= exp (inflation h r)) by (rewrite <- exp_0; apply exp_mono, inflation_nonneg).
      apply Rle_trans with (1 := Rabs_triang _ _).
      rewrite !Rabs_mult, (Rabs_pos_eq fac), (Rabs_pos_eq (exp d)) by (auto; left; apply exp_pos).
      set (I := exp (inflation h r)) in *.
      apply Rle_trans with (INR g * eta_s c * I * exp (eps c) * exp (u' c) + eta_s c * (I * (exp (u' c) * exp (eps c)))); [|right; ring].
      apply Rplus_le_compat.
      * apply Rmult_le_compat; try (left; apply exp_pos); auto.
        -- apply Rmult_le_pos; auto using Rabs_pos.
        -- apply Rmult_le_compat; auto using Rabs_pos.
      * apply Rle_trans with (1 := Hee); rewrite <- (Rmult_1_r (eta_s c)) at 1; apply Rmult_le_compat_l; auto.
        rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; try lra.
        rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; lra.
Qed.
End Model.
