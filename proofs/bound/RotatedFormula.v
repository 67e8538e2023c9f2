(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a logit of rotated q and k before the cap, as a program over any arithmetic: over the reals
    it is that of bound/LogitRotated.v, over intervals it encloses it. What follows the cap is no other than
    in bound/LogitFormula.v. proves: NU-7, EV-11 *)
From Coq Require Import Reals Lra ZArith List.
From Sinkproof Require Import Spec Sums Rounded LogitDot LogitRow LogitBias LogitInput Plane Turn LogitTurn LogitRotated
  Formula Enclose LogitFormula.
Import ListNotations.
Open Scope R_scope.

(** Unit roundoffs of the coarser of arithmetic and angles, of angles and of stored rotated keys, the unit of
    underflow of those, the largest position, base and rope_dims. *)
Record turn_class := TurnClass {
  tc_ut : dyadic; tc_ua : dyadic; tc_urk : dyadic; tc_etark : dyadic; tc_reach : dyadic; tc_base : dyadic; tc_dims : Z }.

(** Pair i, two elements of q and two of k, or an element of each; and whether one of them may be read as 0. *)
Inductive part := Plane (i : Z) (qa qb ka kb : dyadic) | Plain (q k : dyadic).

Section Formula.
Context {A : Type} (o : arith A).
Variables (c : logit_class) (t : turn_class).
Let plus := add o.
Let times := mul o.
Let minus := sub o.
Let u := cost o (lc_u c).
Let eta := num o (lc_eta c).
Let wide := integer o (lc_wide c).

Definition square_of (a b : dyadic) : A := plus (times (num o a) (num o a)) (times (num o b) (num o b)).
Definition lengths (a : part) : A := match a with
  | Plane _ qa qb ka kb => expo o (div o (loga o (times (square_of qa qb) (square_of ka kb))) (integer o 2))
  | Plain q k => times (size o (num o q)) (size o (num o k)) end.
Definition size_2 (a b : dyadic) : A := plus (size o (num o a)) (size o (num o b)).
Definition of_query (a : part) : A := match a with Plane _ qa qb _ _ => size_2 qa qb | Plain q _ => size o (num o q) end.
Definition of_key (a : part) : A := match a with Plane _ _ _ ka kb => size_2 ka kb | Plain _ k => size o (num o k) end.
Definition how_many (a : part) : A := match a with Plane _ _ _ _ _ => integer o 2 | Plain _ _ => integer o 1 end.

(** e_i, Delta_i and the turn. *)
Definition exponent (i : Z) : A := times (div o (integer o (2 * i)) (integer o (tc_dims t))) (loga o (num o (tc_base t))).
Definition angle (i : Z) : A :=
  let x := exponent i in
  times (times (num o (tc_reach t)) (expo o (minus (integer o 0) x)))
    (minus (expo o (times (plus (integer o 8) (times (integer o 4) x)) (cost o (tc_ua t)))) (integer o 1)).
Definition turned (a : part) : A := match a with
  | Plane i _ _ _ _ => times (lengths a) (least_of o (times (integer o 3) (angle i)) (integer o 2))
  | Plain _ _ => integer o 0 end.
Definition missing (a : part * bool) : A := when o (snd a) (match fst a with
  | Plane _ _ _ _ _ => times (integer o 2) (lengths (fst a)) | Plain _ _ => lengths (fst a) end).

(** F *)
Definition growing : A :=
  let r := minus (times (plus (integer o 1) (times (integer o 3) (cost o (tc_ut t)))) (expo o (times (integer o 2) u))) (integer o 1) in
  let g := plus (integer o 1) (times (integer o 2) r) in
  times (times g (times g (times g (integer o 1)))) (expo o (times (integer o 2) (cost o (tc_urk t)))).

Variables (scale : dyadic) (scale_gone : bool) (l : list (part * bool)).
Definition over (f : part -> A) : A := total o (map f (map fst l)).

Definition rotated_bound : A :=
  let d := over how_many in
  let P := over lengths in
  let g := plus (times (plus (plus (plus d (integer o 2)) (integer o (lc_rq c))) (integer o (lc_rk c))) u) (cost o (lc_uqk c)) in
  let reach := plus (size o (num o scale)) (times wide eta) in
  let etas := plus (times (integer o 2) eta) (num o (lc_etaqk c)) in
  let events := plus (plus (times (times (integer o 2) d) eta)
    (times (times (integer o 2) etas) (plus (over of_key) (times d eta)))) (times (times (integer o 2) eta) (over of_query)) in
  let turns := times (plus (times (integer o 24) eta) (times (integer o 8) (num o (tc_etark t))))
    (plus (plus (over of_key) (over of_query)) d) in
  let gone := total o (map missing l) in
  plus (plus (plus (times reach (plus (times P (minus (times growing (expo o g)) (integer o 1))) (over turned)))
                   (times (times wide eta) P))
             (times (times growing (expo o g)) (plus (times (largest o (integer o 1) reach) (plus events turns)) eta)))
    (times (size o (num o scale)) (if scale_gone then largest o P gone else gone)).
End Formula.

(** ** Over the reals *)

Definition turning_of (t : turn_class) : turning :=
  Turning (cost_of (tc_ut t)) (cost_of (tc_ua t)) (cost_of (tc_urk t)) (real (tc_etark t)) (real (tc_reach t)).
Definition exponent_of (t : turn_class) (i : Z) : R := IZR (2 * i) / IZR (tc_dims t) * ln (real (tc_base t)).
Definition piece_of (t : turn_class) (a : part) : piece := match a with
  | Plane i qa qb ka kb => Pair (exponent_of t i) 0 (real qa, real qb) (real ka, real kb)
  | Plain q k => Alone (real q) (real k) end.
Definition tagged_of (t : turn_class) (a : part * bool) : piece * bool := (piece_of t (fst a), snd a).

(** Neither q nor k of a pair is 0: its length goes through a logarithm. *)
Definition measurable (a : part * bool) : Prop := match fst a with
  | Plane _ qa qb ka kb => (real qa <> 0 \/ real qb <> 0) /\ (real ka <> 0 \/ real kb <> 0) | Plain _ _ => True end.

Section Real.
Variables (c : logit_class) (t : turn_class) (scale : dyadic) (scale_gone : bool) (l : list (part * bool)).
Hypothesis Hl : Forall measurable l.
Hypothesis Hc : proper (setting_of c).
Let s := setting_of c.
Let r := turning_of t.
Let h := map (tagged_of t) l.

Lemma lengths_real a : measurable a -> lengths reals (fst a) = size_in (piece_of t (fst a)).
Proof.
  destruct a as [[i qa qb ka kb | q k] g]; unfold measurable; cbn [fst snd]; [|reflexivity].
  intros [Q K]; unfold lengths, square_of; cbn [piece_of size_in]; unfold len; cbn [fst snd]; to_reals.
  assert (P : forall a b : R, a <> 0 \/ b <> 0 -> 0 < a * a + b * b).
  { intros a b [N | N]; pose proof (Rlt_0_sqr _ N); pose proof (Rle_0_sqr a); pose proof (Rle_0_sqr b); unfold Rsqr in *; lra. }
  apply P in Q; apply P in K; rewrite <- sqrt_mult_alt by lra.
  set (z := _ * _ : R); assert (Z : 0 < z) by (now apply Rmult_lt_0_compat).
  rewrite <- (Rpower_sqrt z Z); unfold Rpower; f_equal; change (ln z / 2 = / 2 * ln z); field.
Qed.

Lemma over_real f g : (forall a, measurable a -> f (fst a) = g (piece_of t (fst a))) ->
  over reals l f = LogitTurn.total g (map fst h).
Proof.
  intro E; unfold over, LogitTurn.total, h; rewrite total_is_sum; clear h; induction Hl as [|a m A F IH]; [reflexivity|].
  cbn [map tagged_of fst snd]; rewrite !sum_cons, IH, (E a A); auto.
Qed.

Lemma exponent_real i : exponent reals t i = exponent_of t i.
Proof. unfold exponent, exponent_of; to_reals; reflexivity. Qed.

Lemma turned_real a : measurable a -> turned reals t (fst a) = turned_in (t_ua r) (t_reach r) (piece_of t (fst a)).
Proof.
  intro A; pose proof (lengths_real a A) as L; destruct a as [[i qa qb ka kb | q k] g]; cbn [fst snd] in *.
  - unfold turned; rewrite L, least_is_min; unfold angle; cbv zeta; rewrite exponent_real.
    unfold piece_of, turned_in, turn_error, angle_error; cbn [size_in]; rewrite cost_real; to_reals.
    rewrite Rminus_0_l; reflexivity.
  - unfold turned; cbn [piece_of turned_in]; unfold integer; cbn [num reals]; now rewrite real_integer.
Qed.

Lemma missing_real : Formula.total reals (map (missing reals) l) = total_gone h.
Proof.
  rewrite total_is_sum; unfold total_gone, h; clear h; induction Hl as [|a m A F IH]; [reflexivity|].
  cbn [map]; rewrite !sum_cons, (IH F); f_equal; unfold missing; rewrite when_is.
  pose proof (lengths_real a A) as L; destruct a as [[i qa qb ka kb | q k] g]; cbn [fst snd] in *; unfold gone_in, tagged_of; cbn [fst snd piece_of].
  - rewrite L; to_reals; reflexivity.
  - rewrite L; reflexivity.
Qed.

Lemma growing_real : growing reals c t = turns (s_u s) (t_ut r) (t_urk r).
Proof.
  unfold growing, turns, turn_growth, growth, rho; cbv zeta; rewrite !cost_real; to_reals; simpl (INR 2).
  cbn [pow]; reflexivity.
Qed.

(** proves: NU-7, EV-11 *)
Theorem NU7_rotated_formula : rotated_bound reals c t scale scale_gone l = rotated_error s r (real scale) scale_gone h.
Proof.
  unfold rotated_bound; cbv zeta; rewrite growing_real, missing_real, !largest_is_max, !cost_real.
  rewrite (over_real _ size_in lengths_real), (over_real _ _ turned_real).
  rewrite (over_real (how_many reals) (fun a => INR (elements a))).
  2: { intros [[i qa qb ka kb | q k] g] _; unfold how_many; to_reals; simpl; lra. }
  rewrite (over_real (of_query reals) query_in) by (intros [[i qa qb ka kb | q k] g] _; reflexivity).
  rewrite (over_real (of_key reals) key_in) by (intros [[i qa qb ka kb | q k] g] _; reflexivity).
  to_reals; unfold rotated_error, turned_error, rotated_gone, turned_lost, dot_cost, dims, scale_reach; cbv zeta.
  destruct Hc as (_ & Hn & (Hw & _) & _).
  unfold larger; rewrite (Rabs_pos_eq (Rabs (real scale) + _)); [reflexivity|].
  pose proof (Rabs_pos (real scale)); pose proof (Rmult_le_pos _ _ Hw Hn); unfold s; lra.
Qed.
End Real.

(** ** Over intervals *)

Theorem NU7_rotated_formula_encloses c t scale scale_gone l :
  encloses (rotated_bound intervals c t scale scale_gone l) (rotated_bound reals c t scale scale_gone l).
Proof.
  assert (Max : forall a b y z, encloses a y -> encloses b z -> encloses (largest intervals a b) (largest reals y z))
    by (intros; unfold largest; enclose; auto).
  assert (Min : forall a b y z, encloses a y -> encloses b z -> encloses (least_of intervals a b) (least_of reals y z))
    by (intros; unfold least_of; enclose; auto).
  assert (Co : forall d, encloses (cost intervals d) (cost reals d)) by (intro; unfold cost; enclose).
  assert (Le : forall a, encloses (lengths intervals a) (lengths reals a)).
  { intros []; unfold lengths, square_of; enclose. }
  assert (Ex : forall i, encloses (exponent intervals t i) (exponent reals t i)) by (intro; unfold exponent; enclose).
  assert (An : forall i, encloses (angle intervals t i) (angle reals t i)) by (intro; unfold angle; cbv zeta; enclose; auto).
  assert (Tu : forall a, encloses (turned intervals t a) (turned reals t a)).
  { intros []; unfold turned; enclose; auto; apply Min; enclose; auto. }
  assert (Mi : forall a, encloses (missing intervals a) (missing reals a)).
  { intros [a g]; unfold missing; apply when_encloses; destruct a; cbn [fst]; enclose; apply Le. }
  assert (Gr : encloses (growing intervals c t) (growing reals c t)) by (unfold growing; cbv zeta; enclose; auto).
  assert (Ov : forall f g, (forall a, encloses (f a) (g a)) -> encloses (over intervals l f) (over reals l g)).
  { intros f g H; unfold over; apply total_encloses; induction (map fst l); constructor; auto. }
  assert (Go : encloses (Formula.total intervals (map (missing intervals) l)) (Formula.total reals (map (missing reals) l))).
  { apply total_encloses; clear Ov; induction l; constructor; auto. }
  assert (Ol := Ov _ _ Le); assert (Ot := Ov _ _ Tu).
  assert (Oh := Ov (how_many intervals) (how_many reals) ltac:(intros []; unfold how_many; enclose)).
  assert (Oq := Ov (of_query intervals) (of_query reals) ltac:(intros []; unfold of_query, size_2; enclose)).
  assert (Ok := Ov (of_key intervals) (of_key reals) ltac:(intros []; unfold of_key, size_2; enclose)).
  unfold rotated_bound; cbv zeta; destruct scale_gone; enclose; auto; apply Max; enclose; auto.
Qed.
