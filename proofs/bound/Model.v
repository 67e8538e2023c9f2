(* SPDX-License-Identifier: Apache-2.0 *)
(** The error model behind every accuracy class: what an honest kernel may do to a sum of
    exponentials, and what that costs.

    A computation is a derivation of [computed]. A term is an exponential of a shifted logit, rounded
    to the format of P, times a value; two partial sums with the same reference may be added; a
    partial sum may be rescaled to a larger reference. Any order, any tree, lanes, tiles, splits and
    merges are such derivations. Every rounding is a factor e^d; every exponential is
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

(** [computed m ks i g open anchored v]: [v] is computed for the terms [ks] against the reference
    [m]; the logarithms of the roundings and rescales between any term and the result add up to at
    most [i], and the underflows of all products to at most [g]. [open]: every argument was at most 0,
    so that the sum may still be rescaled; [anchored]: the argument of some term was 0 and it was not
    rescaled since. *)
Inductive computed : R -> list term -> R -> R -> bool -> bool -> R -> Prop :=
| Zero m : computed m [] 0 0 true false 0
| Exp m k g open anchored r f p fp e :
    Rabs r <= eps c + argument m k -> Rabs f <= eta c -> Rabs p <= u_p c -> Rabs fp <= eta_p c ->
    0 <= (exp (logit_of k - m) * exp r + f) * exp p + fp -> Rabs e <= g ->
    (open = true -> logit_of k - m + r <= eps c) ->
    (anchored = true -> - eps c <= logit_of k - m + r) ->
    computed m [k] 0 g open anchored
      (((exp (logit_of k - m) * exp r + f) * exp p + fp) * value_of k + e)
| Add m ka kb ia ib ga gb oa ob aa ab va vb x d : (* a rounding that costs x *)
    Rabs d <= x ->
    computed m ka ia ga oa aa va -> computed m kb ib gb ob ab vb ->
    computed m (ka ++ kb) (Rmax ia ib + x) (ga + gb) (andb oa ob) (orb aa ab) ((va + vb) * exp d)
| Rescale m m' ks i g anchored v rho f d e w x y : (* an exponential that costs w, a rounding x *)
    m <= m' -> (forall k, In k ks -> seen k <= m) -> 0 <= w <= eps c ->
    Rabs rho <= w + c_d c * u' c * (m' - m) -> m - m' + rho <= w ->
    f = 0 \/ Rabs f <= eta c /\ exp (m - m') * exp rho <= 1/16 ->
    0 <= exp (m - m') * exp rho + f -> Rabs d <= x -> Rabs e <= y ->
    computed m ks i g true anchored v ->
    computed m' ks (i + (w + x)) (g + y) true false (v * (exp (m - m') * exp rho + f) * exp d + e).

Definition cost (m : R) (i : R) (k : term) : R := eps c + u_p c + argument m k + i.
Definition lost (i : R) : R := (2 * eta c + eta_p c) * exp (u_p c + i).
Definition share (m : R) (k : term) (t : R) : R := exp (logit_of k - m) * exp t.

(** What has become of a term: its coefficient is its share, with an exponent off by at most its
    cost, up to underflow. *)
Definition kept (m : R) (i : R) (open : bool) (k : term) (tw : R * R) : Prop :=
  Rabs (fst tw) <= cost m i k /\ 0 <= snd tw /\
  Rabs (snd tw - share m k (fst tw)) <= lost i /\
  (open = true -> share m k (fst tw) <= exp (eps c + u_p c + i)).

Lemma computed_nonneg m ks i g o a v : computed m ks i g o a v -> 0 <= i /\ 0 <= g.
Proof.
  induction 1 as [|m k g o a r f p fp e _ _ _ _ _ He
    |m ka kb ia ib ga gb oa ob aa ab va vb x d Hd Ca (Ia & Ga) Cb (Ib & Gb)
    |m m' ks i g a v rho f d e w x y _ _ Hw _ _ _ _ Hd He _ (I & G)]; try lra.
  - pose proof (Rabs_pos e); lra.
  - pose proof (Rabs_pos d); pose proof (Rmax_l ia ib); lra.
  - pose proof (Rabs_pos d); pose proof (Rabs_pos e); lra.
Qed.

Lemma lost_mono i i' : i <= i' -> lost i <= lost i'.
Proof.
  intros Hi; destruct Hc as (? & ? & ? & ? & ? & ? & ? & ?); apply Rmult_le_compat_l; [lra|].
  apply exp_mono; lra.
Qed.

Lemma kept_weaken m i i' o o' ks ts : i <= i' -> (o' = true -> o = true) ->
  Forall2 (kept m i o) ks ts -> Forall2 (kept m i' o') ks ts.
Proof.
  intros Hi Ho; pose proof (lost_mono _ _ Hi).
  induction 1 as [|k t ks ts (A & B & C & D) F IH]; constructor; auto; unfold kept, cost in *.
  repeat split; try lra; intro Q; apply Rle_trans with (1 := D (Ho Q)); apply exp_mono; lra.
Qed.

(** A rounding of the whole sum. *)
Definition scaled (d : R) (tw : R * R) : R * R := (fst tw + d, snd tw * exp d).

Lemma kept_rounding m i o ks ts x d : Rabs d <= x ->
  Forall2 (kept m i o) ks ts -> Forall2 (kept m (i + x) o) ks (map (scaled d) ts).
Proof.
  intros Hd; pose proof (Rabs_between _ _ Hd) as Hd'; pose proof (exp_pos d).
  induction 1 as [|k [t w] ks ts (A & B & C & D) F IH]; cbn [map]; constructor; auto.
  unfold kept, cost, lost, share, scaled in *; cbn [fst snd] in *; repeat split.
  - apply Rle_trans with (1 := Rabs_triang _ _); lra.
  - apply Rmult_le_pos; lra.
  - rewrite exp_plus, <- Rmult_assoc, <- Rmult_minus_distr_r, Rabs_mult, (Rabs_pos_eq (exp d)) by lra.
    replace (u_p c + (i + x)) with (u_p c + i + x) by ring.
    rewrite exp_plus, <- Rmult_assoc; apply Rmult_le_compat; auto using Rabs_pos; [lra|].
    apply exp_mono; lra.
  - intro Q; specialize (D Q); rewrite exp_plus, <- Rmult_assoc.
    replace (eps c + u_p c + (i + x)) with (eps c + u_p c + i + x) by ring.
    rewrite (exp_plus _ x); apply Rmult_le_compat; auto; try lra.
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

Lemma kept_rescale m m' i ks ts rho f w : 0 <= i ->
  m <= m' -> (forall k, In k ks -> seen k <= m) -> 0 <= w <= eps c ->
  Rabs rho <= w + c_d c * u' c * (m' - m) -> m - m' + rho <= w ->
  f = 0 \/ Rabs f <= eta c /\ exp (m - m') * exp rho <= 1/16 ->
  0 <= exp (m - m') * exp rho + f ->
  Forall2 (kept m i true) ks ts ->
  Forall2 (kept m' (i + w) true) ks (map (shrunk rho (exp (m - m') * exp rho + f)) ts).
Proof.
  intros Hi Hm Hx Hw Hrho Hle Hf Hpos F; destruct Hc as (Hu & He & Hd & Hp & Hn & Hnp & Hns & Hs).
  set (fac := exp (m - m') * exp rho) in *.
  assert (Fp : 0 < fac) by (apply Rmult_lt_0_compat; apply exp_pos).
  assert (Fe : fac <= exp w) by (unfold fac; rewrite <- exp_plus; now apply exp_mono).
  induction F as [|k [t wt] ks ts (A & B & C & D) F IH]; cbn [map]; constructor;
    [|apply IH; intros k' ik; apply Hx; now right].
  pose proof (Hx k (or_introl eq_refl)) as Hk; specialize (D eq_refl).
  unfold kept, cost, lost, argument, scaled, shrunk in *; cbn [fst snd] in *.
  assert (Sh : share m' k (t + rho) = share m k t * fac).
  { unfold share, fac; rewrite exp_plus.
    replace (logit_of k - m') with (logit_of k - m + (m - m')) by ring; rewrite exp_plus; ring. }
  assert (Gp : 0 < share m k t) by (apply Rmult_lt_0_compat; apply exp_pos).
  rewrite Sh; set (E := exp (u_p c + i)) in *.
  assert (EE : exp (u_p c + (i + w)) = E * exp w)
    by (unfold E; rewrite <- exp_plus; f_equal; ring).
  assert (E1 : 1 <= E) by (unfold E; rewrite <- exp_0; apply exp_mono; lra).
  assert (Ee : 1 <= exp w) by (rewrite <- exp_0; apply exp_mono; lra).
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
    + replace (wt * (fac + f) - share m k t * fac) with ((wt - share m k t) * fac + wt * f) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _); rewrite !Rabs_mult, (Rabs_pos_eq fac), (Rabs_pos_eq wt) by lra.
      assert (W : wt <= exp (eps c) * E + (2 * eta c + eta_p c) * E) by (apply Rabs_between in C; lra).
      apply Rle_trans with ((2 * eta c + eta_p c) * E * (1/16) + (exp (eps c) * E + 1/16 * E) * eta c).
      * apply Rplus_le_compat; [apply Rmult_le_compat; auto using Rabs_pos; lra|].
        apply Rmult_le_compat; auto using Rabs_pos; apply Rle_trans with (1 := W).
        apply Rplus_le_compat_l, Rmult_le_compat_r; lra.
      * apply Rle_trans with ((2 * eta c + eta_p c) * E); [|apply Rle_trans with ((2 * eta c + eta_p c) * (E * 1)); [lra|]; apply Rmult_le_compat_l; [lra|]; apply Rmult_le_compat_l; lra].
        replace ((2 * eta c + eta_p c) * E * (1/16) + (exp (eps c) * E + 1/16 * E) * eta c)
          with (((2 * eta c + eta_p c) * (1/16) + (exp (eps c) + 1/16) * eta c) * E) by ring.
        apply Rmult_le_compat_r; [lra|]; nra.
  - intros _; replace (eps c + u_p c + (i + w)) with (eps c + u_p c + i + w) by ring.
    rewrite (exp_plus (eps c + u_p c + i)); apply Rmult_le_compat; lra.
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

Definition anchor (m i : R) (kt : term * (R * R)) : Prop :=
  - (eps c + u_p c + i) <= logit_of (fst kt) - m + fst (snd kt).

Lemma combine_app {A B} (a a' : list A) (b b' : list B) : length a = length b ->
  combine (a ++ a') (b ++ b') = combine a b ++ combine a' b'.
Proof. revert b; induction a as [|x a IH]; intros [|y b] H; try discriminate; cbn; auto; now rewrite IH by (injection H; auto). Qed.

Lemma combine_map_r {A B C} (f : B -> C) (a : list A) b : combine a (map f b) = map (fun kt => (fst kt, f (snd kt))) (combine a b).
Proof. revert b; induction a as [|x a IH]; intros [|y b]; cbn; auto; now rewrite IH. Qed.

(** Backward error: the result is the exact sum of the terms with exponents off by their costs,
    but for what underflow took. proves: NU-7 *)
Theorem NU7_backward m ks i g open anchored v : computed m ks i g open anchored v ->
  exists ts, Forall2 (kept m i open) ks ts /\
    Rabs (v - total ks ts) <= g * exp i /\
    (anchored = true -> exists kt, In kt (combine ks ts) /\ anchor m i kt).
Proof.
  destruct Hc as (Hu & He & Hd & Hp & Hn & Hnp & Hns & Hs).
  induction 1 as [m | m k g o a r f p fp e Hr Hf Hpp Hfp H0 Hee Ho Ha
    | m ka kb ia ib ga gb oa ob aa ab va vb x d Hdd Ca (ta & Ka & Ea & Aa) Cb (tb & Kb & Eb & Ab)
    | m m' ks i g a v rho f d e w x y Hm Hx Hw Hrho Hle Hf Hpos Hdd Hee C (ts & K & E & A)].
  - exists []; split; [constructor|]; split; [|discriminate].
    unfold total, sum; simpl; rewrite Rminus_0_r, Rabs_R0, !Rmult_0_l; lra.
  - exists [(r + p, (exp (logit_of k - m) * exp r + f) * exp p + fp)]; split; [|split].
    + apply Rabs_between in Hpp as Hp'; constructor; [|constructor].
      unfold kept, cost, lost, share; cbn [fst snd]; rewrite !Rplus_0_r; repeat split; auto.
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
      replace (_ - _) with e by ring.
      rewrite exp_0, Rmult_1_r; exact Hee.
    + intro Q; specialize (Ha Q); eexists; split; [left; reflexivity|].
      unfold anchor; cbn [fst snd]; apply Rabs_between in Hpp; lra.
  - exists (map (scaled d) (ta ++ tb)).
    assert (La := Forall2_len _ _ _ Ka); assert (Lb := Forall2_len _ _ _ Kb).
    split; [|split].
    + apply kept_rounding; auto; apply Forall2_app.
      * eapply kept_weaken; [| |exact Ka]; [apply Rmax_l | now destruct oa].
      * eapply kept_weaken; [| |exact Kb]; [apply Rmax_r | destruct oa; [auto | discriminate]].
    + rewrite (total_factor (scaled d) (exp d)) by reflexivity.
      rewrite total_app by auto.
      replace (_ - _) with ((va - total ka ta + (vb - total kb tb)) * exp d) by ring.
      rewrite Rabs_mult, (Rabs_pos_eq (exp d)) by (left; apply exp_pos).
      rewrite exp_plus, <- Rmult_assoc.
      destruct (computed_nonneg _ _ _ _ _ _ _ Ca) as (_ & Ga), (computed_nonneg _ _ _ _ _ _ _ Cb) as (_ & Gb).
      assert (Ia : exp ia <= exp (Rmax ia ib)) by (apply exp_mono, Rmax_l).
      assert (Ib : exp ib <= exp (Rmax ia ib)) by (apply exp_mono, Rmax_r).
      apply Rabs_between in Hdd.
      apply Rmult_le_compat; [apply Rabs_pos | left; apply exp_pos | | apply exp_mono; lra].
      apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rmult_plus_distr_r.
      apply Rplus_le_compat; [apply Rle_trans with (1 := Ea) | apply Rle_trans with (1 := Eb)];
        now apply Rmult_le_compat_l.
    + intro Q; apply orb_prop in Q; rewrite combine_map_r, combine_app by auto.
      pose proof (Rmax_l ia ib); pose proof (Rmax_r ia ib); assert (Hdd' := Rabs_between _ _ Hdd).
      destruct Q as [Q | Q]; [destruct (Aa Q) as ([k [t w]] & i & B) | destruct (Ab Q) as ([k [t w]] & i & B)];
        (eexists; split; [apply in_map_iff; eexists; split; [reflexivity|]; apply in_or_app; eauto|]);
        unfold anchor, scaled in *; cbn [fst snd] in *; lra.
  - set (fac := exp (m - m') * exp rho + f) in *.
    destruct (computed_nonneg _ _ _ _ _ _ _ C) as (Ip & Gp).
    exists (map (scaled d) (map (shrunk rho fac) ts)); split; [|split; [|discriminate]].
    + replace (i + (w + x)) with (i + w + x) by ring.
      apply kept_rounding; auto; now apply kept_rescale with (m := m).
    + rewrite (total_factor (scaled d) (exp d)) by reflexivity.
      rewrite (total_factor (shrunk rho fac) fac) by reflexivity.
      replace (_ - _) with ((v - total ks ts) * fac * exp d + e) by ring.
      assert (D3 : 1 <= exp w) by (rewrite <- exp_0; apply exp_mono; lra).
      assert (Ff : fac <= exp w).
      { unfold fac; destruct Hf as [-> | [Hf Hq]].
        - rewrite Rplus_0_r, <- exp_plus; now apply exp_mono.
        - apply Rabs_between in Hf; lra. }
      rewrite exp_plus, (exp_plus w).
      apply Rabs_between in Hdd as Hd'.
      assert (D1 : exp d <= exp x) by (apply exp_mono; lra).
      assert (D2 : 1 <= exp x) by (rewrite <- exp_0; apply exp_mono; lra).
      assert (D4 : 1 <= exp i) by (rewrite <- exp_0; apply exp_mono; lra).
      apply Rle_trans with (1 := Rabs_triang _ _).
      rewrite !Rabs_mult, (Rabs_pos_eq fac), (Rabs_pos_eq (exp d)) by (auto; left; apply exp_pos).
      pose proof (Rabs_pos e) as Pe; set (I := exp i) in *.
      apply Rle_trans with (g * I * exp w * exp x + y * (I * (exp w * exp x))); [|right; ring].
      apply Rplus_le_compat.
      * apply Rmult_le_compat; try (left; apply exp_pos); auto.
        -- apply Rmult_le_pos; auto using Rabs_pos.
        -- apply Rmult_le_compat; auto using Rabs_pos.
      * apply Rle_trans with (1 := Hee); rewrite <- (Rmult_1_r y) at 1; apply Rmult_le_compat_l; [lra|].
        rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; try lra.
        rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; lra.
Qed.
End Model.
