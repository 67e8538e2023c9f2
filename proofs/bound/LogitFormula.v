(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a logit as a program over any arithmetic, as bound/Formula.v is of the row: over the reals
    it is the error of bound/LogitInput.v, over intervals it encloses it. proves: NU-7, AT-2 *)
From Coq Require Import Reals Lra ZArith List FunctionalExtensionality.
From Sinkproof Require Import Spec Sums Tanh Rounded Summed LogitDot LogitCap LogitBias LogitStore LogitRow LogitInput Formula Enclose.
Import ListNotations.
Open Scope R_scope.

(** The class: unit roundoffs of the arithmetic, of q before the product and of stored logits, their
    units of underflow, and how often inputs of a type are rounded on their way in. *)
Record logit_class := LogitClass {
  lc_u : dyadic; lc_uqk : dyadic; lc_ul : dyadic; lc_eta : dyadic; lc_etaqk : dyadic; lc_etal : dyadic;
  lc_wide : Z; lc_rq : Z; lc_rk : Z }.

(** The inputs of one logit: scale, softcap, bias, slope, distance; which of them is there, or read as 0;
    then q and k, or the logit that was given. *)
Record logit_entry := LogitEntry {
  le_scale : dyadic; le_cap : dyadic; le_bias : dyadic; le_slope : dyadic; le_distance : dyadic;
  le_capped : bool; le_biased : bool; le_alibi : bool; le_scale_gone : bool; le_bias_gone : bool; le_slope_gone : bool }.
Definition number : Type := (dyadic * bool)%type. (* read as 0? *)
Inductive score := Score (l : list (number * number)) | Given (x : number) (scale_is_1 : bool).

Section Formula.
Context {A : Type} (o : arith A).

Let plus := add o.
Let times := mul o.
Let minus := sub o.
Definition largest (a b : A) : A := div o (plus (plus a b) (size o (minus a b))) (integer o 2).
Definition least_of (a b : A) : A := div o (minus (plus a b) (size o (minus a b))) (integer o 2).
Definition hyperbolic (z : A) : A :=
  minus (integer o 1) (div o (integer o 2) (plus (expo o (times (integer o 2) z)) (integer o 1))).
Definition when (b : bool) (x : A) : A := if b then x else integer o 0.

Definition cost (u : dyadic) : A := div o (num o u) (minus (integer o 1) (num o u)).
Definition grown (w : A) : A := minus (expo o w) (integer o 1).

Section Key.
Variables (c : logit_class) (e : logit_entry) (x : score).
Let u := cost (lc_u c).
Let eta := num o (lc_eta c).
Let wide := integer o (lc_wide c).
Let rq := integer o (lc_rq c).

Definition q_of (a : number * number) : A := num o (fst (fst a)).
Definition k_of (a : number * number) : A := num o (fst (snd a)).
Definition absolute_scale : A := size o (num o (le_scale e)).
Definition reach : A := plus absolute_scale (times wide eta).
Definition larger_reach : A := largest (integer o 1) reach.

Definition sizes : A := match x with
  | Score l => total o (map (fun a => size o (times (q_of a) (k_of a))) l)
  | Given x _ => size o (num o (fst x)) end.
Definition exactly : A := match x with
  | Score l => total o (map (fun a => times (q_of a) (k_of a)) l)
  | Given x _ => num o (fst x) end.
Definition gone_sizes : A := match x with
  | Score l => total o (map (fun a => when (snd (fst a) || snd (snd a)) (size o (times (q_of a) (k_of a)))) l)
  | Given x _ => when (snd x) (size o (num o (fst x))) end.

Definition lost_of (l : list (number * number)) : A :=
  let d := integer o (Z.of_nat (length l)) in
  plus (plus (times (times (integer o 2) d) eta)
    (times (plus (times (integer o 2) eta) (num o (lc_etaqk c)))
           (plus (total o (map (fun a => size o (k_of a)) l)) (times d eta))))
    (times eta (total o (map (fun a => size o (q_of a)) l))).

Definition product_part : A := match x with
  | Score l =>
      let g := plus (times (plus (plus (plus (integer o (Z.of_nat (length l))) (integer o 2)) rq) (integer o (lc_rk c))) u)
                    (cost (lc_uqk c)) in
      plus (plus (times (times reach sizes) (grown g)) (times (times wide eta) sizes))
        (times (expo o g) (plus (times larger_reach (lost_of l)) eta))
  | Given _ true => plus (times sizes (grown (times rq u))) (times rq eta)
  | Given _ false =>
      let g := times (plus (plus (integer o 1) wide) rq) u in
      plus (plus (times (times reach sizes) (grown g)) (times (times wide eta) sizes))
        (times (expo o g) (plus (times reach (times rq eta)) eta))
  end.
Definition first_part : A :=
  plus product_part (times absolute_scale (if le_scale_gone e then sizes else gone_sizes)).

Definition cap_part : A :=
  let w := times (plus (integer o 7) wide) u in
  let cap := num o (le_cap e) in
  if le_capped e
  then plus (plus first_part (times (plus (least_of cap (times absolute_scale sizes)) first_part) (grown w)))
         (times (times (plus (times (integer o 2) cap) (integer o 1)) eta) (expo o w))
  else first_part.

Definition bias_size : A := size o (num o (le_bias e)).
Definition slope_size : A := times (size o (num o (le_slope e))) (num o (le_distance e)).
Definition exact_size : A :=
  let t := times (num o (le_scale e)) exactly in
  let cap := num o (le_cap e) in
  let t := if le_capped e then times cap (hyperbolic (div o t cap)) else t in
  size o (minus (plus t (num o (le_bias e))) (times (num o (le_slope e)) (num o (le_distance e)))).

Definition bias_part : A :=
  plus (plus (times bias_size (grown (times wide u))) (times wide eta)) (when (le_bias_gone e) bias_size).
Definition alibi_part : A :=
  let w := times (plus (integer o 2) wide) u in
  plus (plus (plus (times slope_size (grown w)) (times (times (times wide eta) (num o (le_distance e))) (expo o w))) eta)
    (when (le_slope_gone e) slope_size).
Definition last_part (a : A) : A := plus (plus a (times u (plus exact_size a))) eta.
Definition inner_part (a : A) : A :=
  plus (plus a eta) (times u (plus (plus (plus exact_size bias_size) slope_size) a)).
Definition sums_part : A :=
  let terms := plus (plus cap_part (when (le_biased e) bias_part)) (when (le_alibi e) alibi_part) in
  match le_biased e, le_alibi e with
  | true, true => last_part (inner_part terms)
  | false, false => terms
  | _, _ => last_part terms
  end.

Definition logit_bound : A :=
  plus sums_part (times (expo o (times (plus (integer o 11) wide) u))
    (plus (times (cost (lc_ul c))
             (plus (largest exact_size (least_of (times absolute_scale sizes) (plus (plus exact_size bias_size) slope_size)))
                   (times (integer o 2) sums_part)))
          (times larger_reach (num o (lc_etal c))))).
End Key.
End Formula.

(** ** Over the reals *)

Definition setting_of (c : logit_class) : setting :=
  Setting (cost_of (lc_u c)) (real (lc_eta c)) (IZR (lc_wide c)) (IZR (lc_rq c)) (IZR (lc_rk c))
    (cost_of (lc_uqk c)) (real (lc_etaqk c)) (cost_of (lc_ul c)) (real (lc_etal c)).
Definition extras_of (e : logit_entry) : extras :=
  Extras (if le_capped e then real (le_cap e) else 0) (real (le_bias e)) (real (le_slope e)) (real (le_distance e))
    (le_biased e) (le_alibi e) (le_bias_gone e) (le_slope_gone e).
Definition element_of (a : number * number) : element :=
  Element (real (fst (fst a))) (real (fst (snd a))) (snd (fst a)) (snd (snd a)).

Definition judged_error (c : logit_class) (e : logit_entry) (x : score) : R :=
  match x with
  | Score l => product_logit_error (setting_of c) (real (le_scale e)) (le_scale_gone e) (map element_of l) (extras_of e)
  | Given x _ => given_logit_error (setting_of c) (real (le_scale e)) (real (fst x)) (le_scale_gone e) (snd x) (extras_of e)
  end.

Lemma largest_is_max a b : largest reals a b = Rmax a b.
Proof.
  unfold largest, integer; cbn [add mul div num size reals]; rewrite sub_is_minus, real_integer.
  unfold Rmax, Rabs; destruct (Rle_dec a b), (Rcase_abs (a - b)); lra.
Qed.

Lemma least_is_min a b : least_of reals a b = Rmin a b.
Proof.
  unfold least_of, integer; cbn [add mul div num size reals]; rewrite !sub_is_minus, real_integer.
  unfold Rmin, Rabs; destruct (Rle_dec a b), (Rcase_abs (a - b)); lra.
Qed.

Lemma hyperbolic_is_tanh z : hyperbolic reals z = tanh z.
Proof.
  unfold hyperbolic, integer; cbn [add mul div num expo reals]; rewrite sub_is_minus, !real_integer, tanh_exp.
  replace (2 * z) with (z + z) by ring; rewrite exp_plus, exp_Ropp; pose proof (exp_pos z); field.
  assert (0 < exp z * exp z) by (now apply Rmult_lt_0_compat); lra.
Qed.

Lemma when_is b x : when reals b x = flushed b x.
Proof. unfold when, flushed, integer; cbn [num reals]; destruct b; auto using real_integer. Qed.

Lemma pairs_of_elements l : map pair_of (map element_of l) = map (fun a : number * number => (real (fst (fst a)), real (fst (snd a)))) l.
Proof. rewrite map_map; reflexivity. Qed.

(** The tags say what they mean. *)
Definition coherent (e : logit_entry) (x : score) : Prop :=
  (le_capped e = true -> real (le_cap e) <> 0) /\
  match x with Given _ one => one = true <-> real (le_scale e) = 1 | Score _ => True end.

Ltac to_reals := cbn [num add mul div expo size reals]; rewrite ?sub_is_minus; unfold integer; cbn [num reals];
  rewrite ?real_integer, ?largest_is_max, ?least_is_min, ?when_is.

Section Real.
Variables (c : logit_class) (e : logit_entry) (x : score).
Hypothesis Hc : coherent e x.
Let s := setting_of c.
Let ex := extras_of e.
Hypothesis Hs : proper s.

Lemma cost_real d : cost reals d = cost_of d.
Proof. unfold cost; to_reals; reflexivity. Qed.

Lemma grown_real w : grown reals w = exp w - 1.
Proof. unfold grown; to_reals; reflexivity. Qed.

Lemma scale_real : absolute_scale reals e = Rabs (real (le_scale e)).
Proof. reflexivity. Qed.

Lemma reach_real : reach reals c e = scale_reach (s_eta s) (s_wide s) (real (le_scale e)).
Proof. unfold reach; rewrite scale_real; to_reals; reflexivity. Qed.

Lemma larger_real : larger_reach reals c e = scale_reaches s (real (le_scale e)).
Proof.
  destruct Hs as (_ & Hn & (Hw & _) & _).
  unfold larger_reach; rewrite largest_is_max, reach_real; to_reals.
  unfold scale_reaches, larger; f_equal; symmetry; apply Rabs_pos_eq; unfold scale_reach.
  pose proof (Rabs_pos (real (le_scale e))); pose proof (Rmult_le_pos _ _ Hw Hn); lra.
Qed.

Definition size_x : R := match x with Score l => size_of (map pair_of (map element_of l)) | Given x _ => Rabs (real (fst x)) end.
Definition dot_x : R := match x with Score l => dot_of (map pair_of (map element_of l)) | Given x _ => real (fst x) end.

Lemma sizes_real : sizes reals x = size_x.
Proof.
  unfold sizes, size_x; destruct x as [l | y one]; [|reflexivity]; rewrite total_is_sum; unfold size_of.
  rewrite pairs_of_elements, map_map; reflexivity.
Qed.

Lemma exactly_real : exactly reals x = dot_x.
Proof.
  unfold exactly, dot_x; destruct x as [l | y one]; [|reflexivity]; rewrite total_is_sum; unfold dot_of.
  rewrite pairs_of_elements, map_map; reflexivity.
Qed.

Lemma gone_real : gone_sizes reals x = match x with
  | Score l => sum (map gone_of (map element_of l)) | Given x _ => flushed (snd x) (Rabs (real (fst x))) end.
Proof.
  unfold gone_sizes; destruct x as [l | y one]; [|now rewrite when_is]; rewrite total_is_sum, map_map.
  apply sum_map_ext; intros a _; rewrite when_is; reflexivity.
Qed.

Lemma lost_real l : lost_of reals c l = dot_lost (s_eta s) (s_etaqk s) (INR (length (map pair_of (map element_of l))))
  (sum_q (map pair_of (map element_of l))) (sum_k (map pair_of (map element_of l))).
Proof.
  unfold lost_of; cbv zeta; rewrite !total_is_sum; to_reals; unfold dot_lost, sum_q, sum_k.
  rewrite pairs_of_elements, !map_map, !map_length, INR_IZR_INZ; reflexivity.
Qed.

Definition first_x : R := match x with
  | Score l => first_error s (real (le_scale e)) (le_scale_gone e) (map element_of l)
  | Given y _ => given_first_error s (real (le_scale e)) (real (fst y)) (le_scale_gone e) (snd y) end.

Lemma first_real : first_part reals c e x = first_x.
Proof.
  destruct Hc as [_ Hx]; unfold first_part, product_part; rewrite gone_real, scale_real, sizes_real.
  unfold first_x, size_x; destruct x as [l | y one].
  - cbv zeta; rewrite reach_real, larger_real, lost_real, grown_real, !cost_real; to_reals.
    unfold first_error, gone, product_error, dot_cost; cbv zeta; rewrite !map_length, INR_IZR_INZ.
    unfold scale_reaches; destruct (le_scale_gone e); reflexivity.
  - unfold given_first_error, given_gone; destruct one; destruct (Req_EM_T (real (le_scale e)) 1) as [E | E].
    + rewrite grown_real, cost_real; to_reals.
      f_equal; unfold flushed; destruct (le_scale_gone e), (snd y); try ring; reflexivity.
    + elim E; now apply Hx.
    + apply Hx in E; discriminate.
    + cbv zeta; rewrite reach_real, grown_real, !cost_real; to_reals.
      f_equal; unfold flushed; destruct (le_scale_gone e), (snd y); try ring; reflexivity.
Qed.

Lemma cap_real : cap_part reals c e x = after_the_cap s ex (Rabs (real (le_scale e)) * size_x) first_x.
Proof.
  destruct Hc as [Hcap _]; unfold cap_part; cbv zeta; rewrite scale_real, sizes_real, first_real, grown_real, cost_real; to_reals.
  unfold after_the_cap, ex, extras_of; cbn [x_cap]; destruct (le_capped e).
  - destruct (Req_EM_T (real (le_cap e)) 0); [now elim (Hcap eq_refl) | reflexivity].
  - destruct (Req_EM_T 0 0); [reflexivity | now elim n].
Qed.

Lemma exact_real : exact_size reals e x = Rabs (exact_logit ex (real (le_scale e) * dot_x)).
Proof.
  destruct Hc as [Hcap _]; unfold exact_size; cbv zeta; rewrite exactly_real; to_reals; rewrite hyperbolic_is_tanh.
  unfold exact_logit, ex, extras_of, cap; cbn [x_cap x_bias x_slope x_distance]; destruct (le_capped e).
  - destruct (Req_EM_T (real (le_cap e)) 0); [now elim (Hcap eq_refl) | reflexivity].
  - destruct (Req_EM_T 0 0); [reflexivity | now elim n].
Qed.

Lemma bias_real : bias_part reals c e = bias_error (s_u s) (s_eta s) (s_wide s) (bias_gone ex) (x_bias ex).
Proof. unfold bias_part, bias_size; rewrite grown_real, cost_real; to_reals; reflexivity. Qed.

Lemma alibi_real : alibi_part reals c e =
  alibi_error (s_u s) (s_eta s) (s_wide s) (slope_gone ex) (x_slope ex) (x_distance ex).
Proof. unfold alibi_part, slope_size; cbv zeta; rewrite grown_real, cost_real; to_reals; reflexivity. Qed.

Let magnitude := Rabs (exact_logit ex (real (le_scale e) * dot_x)).

Lemma sums_real : sums_part reals c e x =
  before_storing s ex (Rabs (real (le_scale e)) * size_x) first_x magnitude.
Proof.
  unfold sums_part; cbv zeta; rewrite cap_real, bias_real, alibi_real, !when_is.
  unfold before_storing, sums_error, last_part, inner_part; rewrite exact_real, cost_real; fold magnitude.
  destruct (le_biased e) eqn:B, (le_alibi e) eqn:L; unfold ex, extras_of; cbn [with_bias with_alibi x_bias]; rewrite B, L; reflexivity.
Qed.

(** proves: NU-7, AT-2 *)
Theorem NU7_logit_formula : logit_bound reals c e x = judged_error c e x.
Proof.
  unfold logit_bound; rewrite sums_real, exact_real, larger_real, scale_real, sizes_real, !cost_real.
  rewrite largest_is_max, least_is_min; to_reals; fold magnitude.
  unfold judged_error, magnitude, size_x, dot_x, first_x; destruct x as [l | y one]; reflexivity.
Qed.
End Real.

(** ** Over intervals *)

Lemma when_encloses b i x : encloses i x -> encloses (when intervals b i) (when reals b x).
Proof. intro; destruct b; cbn [when]; auto using integer_encloses. Qed.

Lemma list_encloses (f : number * number -> I.type) g l : (forall a, encloses (f a) (g a)) ->
  encloses (total intervals (map f l)) (total reals (map g l)).
Proof. intro H; apply total_encloses; induction l; constructor; auto. Qed.

Theorem NU7_logit_formula_encloses c e x : encloses (logit_bound intervals c e x) (logit_bound reals c e x).
Proof.
  assert (Max : forall a b y z, encloses a y -> encloses b z -> encloses (largest intervals a b) (largest reals y z))
    by (intros; unfold largest; enclose; auto).
  assert (Min : forall a b y z, encloses a y -> encloses b z -> encloses (least_of intervals a b) (least_of reals y z))
    by (intros; unfold least_of; enclose; auto).
  assert (Ta : forall a y, encloses a y -> encloses (hyperbolic intervals a) (hyperbolic reals y))
    by (intros; unfold hyperbolic; enclose; auto).
  assert (Co : forall d, encloses (cost intervals d) (cost reals d)) by (intro; unfold cost; enclose).
  assert (Gr : forall a y, encloses a y -> encloses (grown intervals a) (grown reals y)) by (intros; unfold grown; enclose; auto).
  assert (Re : encloses (reach intervals c e) (reach reals c e)) by (unfold reach, absolute_scale; enclose).
  assert (La : encloses (larger_reach intervals c e) (larger_reach reals c e)) by (unfold larger_reach; apply Max; auto; enclose).
  assert (Si : encloses (sizes intervals x) (sizes reals x)).
  { unfold sizes; destruct x; [apply list_encloses; intro; unfold q_of, k_of|]; enclose. }
  assert (Ex : encloses (exactly intervals x) (exactly reals x)).
  { unfold exactly; destruct x; [apply list_encloses; intro; unfold q_of, k_of|]; enclose. }
  assert (Go : encloses (gone_sizes intervals x) (gone_sizes reals x)).
  { unfold gone_sizes; destruct x; [apply list_encloses; intro; unfold q_of, k_of|]; apply when_encloses; enclose. }
  assert (Lo : forall l, encloses (lost_of intervals c l) (lost_of reals c l)).
  { intro l; unfold lost_of; enclose; apply list_encloses; intro; unfold q_of, k_of; enclose. }
  assert (Pr : encloses (product_part intervals c e x) (product_part reals c e x)).
  { unfold product_part; destruct x as [l | y one]; [|destruct one]; cbv zeta; enclose; auto; apply Gr; enclose; auto. }
  assert (Fi : encloses (first_part intervals c e x) (first_part reals c e x)).
  { unfold first_part, absolute_scale; destruct (le_scale_gone e); enclose; auto. }
  assert (Ca : encloses (cap_part intervals c e x) (cap_part reals c e x)).
  { unfold cap_part, absolute_scale; cbv zeta; destruct (le_capped e); auto; enclose; auto;
      [apply Min; enclose; auto | apply Gr; enclose; auto]. }
  assert (Xs : encloses (exact_size intervals e x) (exact_size reals e x)).
  { unfold exact_size; cbv zeta; destruct (le_capped e); enclose; auto; apply Ta; enclose; auto. }
  assert (Bi : encloses (bias_part intervals c e) (bias_part reals c e)).
  { unfold bias_part, bias_size; enclose; auto; [apply Gr; enclose; auto | apply when_encloses; enclose]. }
  assert (Al : encloses (alibi_part intervals c e) (alibi_part reals c e)).
  { unfold alibi_part, slope_size; cbv zeta; enclose; auto; [apply Gr; enclose; auto | apply when_encloses; enclose]. }
  assert (Ls : forall a y, encloses a y -> encloses (last_part intervals c e x a) (last_part reals c e x y)).
  { intros; unfold last_part; enclose; auto. }
  assert (In : forall a y, encloses a y -> encloses (inner_part intervals c e x a) (inner_part reals c e x y)).
  { intros; unfold inner_part, bias_size, slope_size; enclose; auto. }
  assert (Su : encloses (sums_part intervals c e x) (sums_part reals c e x)).
  { unfold sums_part; cbv zeta; destruct (le_biased e), (le_alibi e); try apply Ls; try apply In; enclose; auto;
      apply when_encloses; auto. }
  unfold logit_bound, bias_size, slope_size, absolute_scale; enclose; auto.
  apply Max; auto; apply Min; enclose; auto.
Qed.
