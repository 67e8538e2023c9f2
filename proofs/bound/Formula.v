(* SPDX-License-Identifier: Apache-2.0 *)
(** The bound of bound/Row.v as a program over any arithmetic: over the reals it is the bound (this
    file), over intervals it encloses it (bound/Enclose.v) and can be run. bound/compare.ml compares the
    judge with it. proves: NU-7 *)
From Coq Require Import Reals Lra ZArith List FunctionalExtensionality.
From Sinkproof Require Import Spec Sums Near Constants Model Row Output Lse Classes Merge Drift.
Import ListNotations.
Open Scope R_scope.

(** m * 2^e *)
Definition dyadic : Type := (Z * Z)%type.

Record arith (A : Type) := Arith {
  num : dyadic -> A; add : A -> A -> A; mul : A -> A -> A; div : A -> A -> A;
  expo : A -> A; loga : A -> A; size : A -> A }.
Arguments num {A}. Arguments add {A}. Arguments mul {A}. Arguments div {A}.
Arguments expo {A}. Arguments loga {A}. Arguments size {A}.

(** A class, for rows of one length: unit roundoffs of arithmetic, sums and P, log-error of the
    exponential and what of it a rescale does not cover, roundings of a shift (of its depth, of |x|, of
    |L|), of a value on its way in, of the normalisation and of a log-sum-exp, units of underflow, keys
    of the row with its sink logit, height of a sum and number of rescales. *)
Record class := Class {
  cl_u : dyadic; cl_us : dyadic; cl_up : dyadic; cl_eps : dyadic; cl_excess : dyadic;
  cl_cd : dyadic; cl_cz : dyadic; cl_cl : dyadic; cl_rv : dyadic; cl_norm : dyadic; cl_clog : dyadic;
  cl_eta : dyadic; cl_etas : dyadic; cl_etap : dyadic; cl_keys : Z; cl_height : Z; cl_rescales : Z }.

(** A term: exact logit; the logit that sets its depth below [top]; error of the computed logit; value;
    what of the value is flushed. *)
Record entry := Entry { e_logit : dyadic; e_seen : dyadic; e_slack : dyadic; e_value : dyadic; e_flushed : dyadic }.

Record result (A : Type) := Result {
  r_kappa : A; r_floor : A; r_widths : list A; r_output : A; r_lse : A }.
Arguments r_kappa {A}. Arguments r_floor {A}. Arguments r_widths {A}. Arguments r_output {A}. Arguments r_lse {A}.

Section Formula.
Context {A : Type} (o : arith A).

Definition integer (z : Z) : A := num o (z, 0%Z).
Definition sub (a b : A) : A := add o a (mul o (integer (-1)) b).
Definition total (l : list A) : A := fold_right (add o) (integer 0) l.

(** [top] is at least every logit; [a_max] bounds all errors of logits; [mu] and [mu_size] are the
    exact maximum that a log-sum-exp is shifted by, and the largest number it may be. *)
Definition bound (c : class) (top a_max mu mu_size : dyadic) (kd kn : list entry) : result A :=
  let cost u := div o (num o u) (sub (integer 1) (num o u)) in
  let u := cost (cl_u c) in
  let up := cost (cl_up c) in
  let eps := num o (cl_eps c) in
  let eta := num o (cl_eta c) in
  let etas := num o (cl_etas c) in
  let etap := num o (cl_etap c) in
  let n := integer (cl_keys c) in
  let t := integer (cl_rescales c) in
  let H := add o (mul o (integer (cl_height c)) (cost (cl_us c))) (mul o t (num o (cl_excess c))) in
  let norm := mul o (num o (cl_norm c)) u in
  let lambda := add o (add o (add o eps (mul o (integer 2) H)) (mul o (integer 2) up)) norm in
  let events := add o (mul o (integer EVENTS) n) t in
  let kappa := mul o (add o (mul o events etas) (mul o n etap)) (expo o lambda) in
  let K := div o kappa (sub (integer 1) kappa) in
  let top := num o top in
  let a_max := num o a_max in
  let share e := expo o (sub (num o (e_logit e)) top) in
  let mass := total (map share kd) in
  let log_mass := add o top (loga o mass) in
  let size_L := size o log_mass in
  let far := mul o (num o (cl_cl c)) (add o size_L (sub log_mass top)) in
  let delta e := let a := num o (e_slack e) in
    add o (mul o u (add o (add o
      (mul o (num o (cl_cd c)) (add o (add o (sub top (num o (e_seen e))) a) a_max))
      (mul o (num o (cl_cz c)) (add o (size o (num o (e_logit e))) a))) far)) a in
  let dbar := loga o (total (map (fun e => mul o (div o (share e) mass) (expo o (delta e))) kd)) in
  let theta e := add o (add o (add o (add o (add o (add o (delta e) dbar) (mul o (integer 2) eps)) H) norm) up) K in
  let enlarge := expo o (add o lambda K) in
  let sum_error := add o (add o (add o (add o dbar eps) H) up) K in
  let values := mul o (num o (cl_rv c)) u in
  let mu := num o mu in
  {| r_kappa := kappa;
     r_floor := add o eta (mul o (add o eta etap) enlarge);
     r_widths := map (fun e => add o (theta e) up) kd;
     r_output :=
       add o (add o (add o
         (total (map (fun e => mul o (mul o (div o (share e) mass) (size o (num o (e_value e))))
                     (sub (expo o (add o (add o (add o (theta e) values) up) H)) (integer 1))) kn))
         (mul o enlarge (add o (mul o (add o (mul o (integer 2) eta) etap)
                                      (total (map (fun e => size o (num o (e_value e))) kn)))
                               (mul o events etas))))
         (mul o (integer 2) eta))
         (total (map (fun e => mul o (div o (share e) mass) (size o (num o (e_flushed e)))) kn));
     r_lse :=
       add o sum_error (add o
         (mul o (mul o (mul o (num o (cl_clog c)) u) (expo o (mul o (integer 6) u)))
           (add o (add o (mul o (integer 2) (add o (add o (sub log_mass mu) sum_error) a_max))
                         (add o size_L sum_error))
                  (add o (num o mu_size) a_max)))
         (mul o (integer 2) eta)) |}.
End Formula.

(** The class of that name in binary32 arithmetic, offline and in base e, for rows of [n] keys. *)
Definition class_f32 (w : name) (n : nat) : class :=
  let u := (1, f_u f32)%Z in
  let least := (1, f_subnormal f32)%Z in
  let loose (z : Z) := ((match w with w_loose => z | _ => 0 end)%Z, 0%Z) in
  {| cl_u := u; cl_us := u; cl_up := (0, 0)%Z; cl_eps := (EPS, f_u f32); cl_excess := (0, 0)%Z;
     cl_cd := (C_D, 0%Z); cl_cz := loose C_Z_LOOSE; cl_cl := loose C_L_LOOSE; cl_rv := (0, 0)%Z;
     cl_norm := (C_NORM, 0%Z); cl_clog := (C_LOG, 0%Z); cl_eta := least; cl_etas := least; cl_etap := (0, 0)%Z;
     cl_keys := Z.of_nat n; cl_height := Z.of_nat (height w n 0); cl_rescales := 0 |}.

(** ** Over the reals *)

Definition real (d : dyadic) : R := IZR (fst d) * powerRZ 2 (snd d).
Definition reals : arith R := Arith R real Rplus Rmult Rdiv exp ln Rabs.

Definition term_of (e : entry) : term := Term (real (e_logit e)) (real (e_seen e)) (real (e_slack e)) (real (e_value e)).
Definition one_term (e : entry) : term := Term (real (e_logit e)) (real (e_seen e)) (real (e_slack e)) 1.
Definition cost_of (u : dyadic) : R := real u / (1 - real u).
Definition costs_of (c : class) : costs :=
  Costs (cost_of (cl_u c)) (real (cl_eps c)) (real (cl_cd c)) (cost_of (cl_up c)) (real (cl_eta c))
    (real (cl_etap c)) (real (cl_etas c)).
Definition H_of (c : class) : R :=
  IZR (cl_height c) * cost_of (cl_us c) + IZR (cl_rescales c) * real (cl_excess c).
Definition norm_of (c : class) : R := real (cl_norm c) * cost_of (cl_u c).

(** The judge's delta (NU7_judge_delta), as a function of the term; [L] is the exact log-sum-exp. *)
Definition delta_of (c : class) (top a_max L : R) (k : term) : R :=
  cost_of (cl_u c) * (real (cl_cd c) * ((top - seen k) + slack k + a_max)
    + real (cl_cz c) * (Rabs (logit_of k) + slack k) + real (cl_cl c) * (Rabs L + (L - top))) + slack k.

Lemma real_integer z : real (z, 0%Z) = IZR z.
Proof. unfold real; cbn [fst snd powerRZ]; ring. Qed.

Lemma sub_is_minus a b : sub reals a b = a - b.
Proof. unfold sub, integer; cbn [num add mul reals]; rewrite real_integer; ring. Qed.

Lemma total_is_sum l : total reals l = sum l.
Proof.
  induction l as [|x l IH]; unfold total, integer; cbn [fold_right num add reals].
  - now rewrite real_integer, sum_nil.
  - rewrite sum_cons, <- IH; reflexivity.
Qed.

(** Weights may be taken relative to any reference. *)
Lemma shifted_weights top kd x : kd <> [] ->
  exp (x - top) / sum (map (fun k => exp (logit_of k - top)) kd) = p kd x.
Proof.
  intro Ne; unfold p, mass_total, Rminus; rewrite exp_plus.
  rewrite (sum_map_ext (fun k => exp (logit_of k + - top)) (fun k => exp (- top) * exp (logit_of k)))
    by (intros; rewrite exp_plus; ring).
  rewrite sum_map_mult.
  assert (P : 0 < sum (map (fun k => exp (logit_of k)) kd)).
  { rewrite <- (map_map logit_of exp); apply Z_keys_pos; destruct kd; easy. }
  pose proof (exp_pos (- top)); field; lra.
Qed.

Lemma log_of_mass top kd : kd <> [] ->
  top + ln (sum (map (fun k => exp (logit_of k - top)) kd)) = ln (mass_total kd).
Proof.
  intro Ne; unfold mass_total, Rminus.
  rewrite (sum_map_ext (fun k => exp (logit_of k + - top)) (fun k => exp (- top) * exp (logit_of k)))
    by (intros; rewrite exp_plus; ring).
  assert (P : 0 < sum (map (fun k => exp (logit_of k)) kd)).
  { rewrite <- (map_map logit_of exp); apply Z_keys_pos; destruct kd; easy. }
  rewrite sum_map_mult, ln_mult, ln_exp by (auto using exp_pos); ring.
Qed.

Section Correct.
Variables (c : class) (top a_max mu mu_size : dyadic) (kd kn : list entry).
Hypothesis some : kd <> [].
Let C := costs_of c.
Let D := map one_term kd.
Let L := ln (mass_total D).
Let delta := delta_of c (real top) (real a_max) L.
Let delta' k := delta k + real (cl_rv c) * cost_of (cl_u c).
Let N := IZR (cl_keys c).
Let T := IZR (cl_rescales c).
Let B := bound reals c top a_max mu mu_size kd kn.

Lemma D_some : D <> []. Proof. unfold D; destruct kd; easy. Qed.

Lemma kappa_correct : r_kappa B = kappa C (H_of c) (norm_of c) N T.
Proof.
  unfold B, bound; cbv zeta; cbn [r_kappa]; unfold kappa, events, lambda, integer.
  cbn [num add mul div expo reals]; rewrite !sub_is_minus; unfold integer; cbn [num reals]; rewrite !real_integer.
  reflexivity.
Qed.

Lemma mass_correct : sum (map (fun e => exp (real (e_logit e) - real top)) kd)
  = sum (map (fun k => exp (logit_of k - real top)) D).
Proof. unfold D; now rewrite map_map. Qed.

Lemma dbar_correct :
  ln (sum (map (fun e => exp (real (e_logit e) - real top) / sum (map (fun k => exp (logit_of k - real top)) D)
    * exp (delta (one_term e))) kd)) = dbar D delta.
Proof.
  unfold dbar; unfold D at 3; rewrite map_map; f_equal; apply sum_map_ext; intros e _.
  now rewrite (shifted_weights (real top) D (real (e_logit e)) D_some).
Qed.

Lemma sub_reals : sub reals = Rminus.
Proof. do 2 (apply functional_extensionality; intro); apply sub_is_minus. Qed.
Lemma total_reals : total reals = sum.
Proof. apply functional_extensionality; intro; apply total_is_sum. Qed.

Theorem NU7_formula_is_the_bound :
  r_kappa B = kappa C (H_of c) (norm_of c) N T /\
  r_floor B = floor C (H_of c) (norm_of c) N T /\
  r_widths B = map (fun k => theta C D (H_of c) (norm_of c) N T delta (delta k) + u_p C) D /\
  r_output B = output_error C D (H_of c) (norm_of c) N T delta delta' (map term_of kn)
    + sum (map (fun e => p D (real (e_logit e)) * Rabs (real (e_flushed e))) kn) /\
  r_lse B = let B := sum_error C D (H_of c) (norm_of c) N T delta in
    B + lse_rounding (u' C) (real (cl_clog c)) (eta C) B (real a_max) (L - real mu) (Rabs L) (real mu_size).
Proof.
  unfold B, bound; cbv zeta; cbn [r_kappa r_floor r_widths r_output r_lse].
  cbn [num add mul div expo loga size reals]; unfold integer; cbn [num reals].
  rewrite !sub_reals, !total_reals, !real_integer, !mass_correct.
  rewrite log_of_mass by apply D_some; fold L.
  pose proof dbar_correct as Db; unfold delta, delta_of, one_term, cost_of in Db; cbn [seen slack logit_of] in Db; rewrite !Db.
  repeat split.
  - etransitivity; [|symmetry; apply (map_map one_term)]; apply map_ext; intro e; reflexivity.
  - f_equal.
    + unfold output_error; rewrite !map_map; f_equal; f_equal.
      apply sum_map_ext; intros e _; cbn [term_of logit_of value_of].
      rewrite (shifted_weights (real top) D (real (e_logit e)) D_some); unfold delta', tau.
      f_equal; f_equal; f_equal; unfold theta; cbn [seen slack]; unfold delta, delta_of, cost_of; cbn [seen slack logit_of term_of].
      unfold K, kappa, events, lambda, H_of, norm_of, N, T, C, costs_of, cost_of; cbn [u_p eps eta_s eta_p].
      change (IZR EVENTS) with 3; ring.
    + apply sum_map_ext; intros e _; now rewrite (shifted_weights (real top) D (real (e_logit e)) D_some).
Qed.
End Correct.

(** ** The class in binary32, as the theorems of bound/ know it *)

Lemma real_0 : real (0, 0)%Z = 0.
Proof. unfold real; cbn; ring. Qed.

Lemma class_f32_costs w n : costs_of (class_f32 w n) = f32_costs.
Proof.
  unfold costs_of, f32_costs, cost_of; cbn [class_f32 cl_u cl_eps cl_cd cl_up cl_eta cl_etap cl_etas].
  assert (U : real (1, f_u f32)%Z = / 16777216) by (unfold real; simpl; lra).
  assert (Le : real (1, f_subnormal f32)%Z = / 2 ^ 149).
  { unfold real; cbn [fst snd f_subnormal f32]; rewrite Rmult_1_l; reflexivity. }
  assert (Ep : real (EPS, f_u f32)%Z = 2 * / 16777216) by (unfold real, EPS; simpl; lra).
  assert (D1 : real (C_D, 0%Z) = 1) by (unfold real, C_D; cbn; lra).
  rewrite U, Le, Ep, D1, real_0; f_equal; field.
Qed.

Lemma class_f32_H w n : H_of (class_f32 w n) = allowance w f32_costs (/ 16777216) n 0.
Proof.
  unfold H_of, allowance; rewrite <- (class_f32_costs w n); cbn [class_f32 cl_height cl_us cl_rescales cl_u u' costs_of].
  rewrite <- INR_IZR_INZ; simpl (INR 0); ring.
Qed.

Lemma class_f32_norm w n : norm_of (class_f32 w n) = 3 * / 16777215.
Proof.
  unfold norm_of; cbn [class_f32 cl_norm cl_u]; unfold real at 1; cbn [fst snd powerRZ].
  replace (cost_of (1, f_u f32)%Z) with (u' (costs_of (class_f32 w n))) by reflexivity.
  rewrite class_f32_costs; cbn [u' f32_costs]; unfold C_NORM; lra.
Qed.
