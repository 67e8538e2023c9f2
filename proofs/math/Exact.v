(* SPDX-License-Identifier: Apache-2.0 *)
(** T-20: which outputs are exact numbers. Keys are grouped by equal logit (the sink logit is a
    key of value 0); class [c] has logit lambda_c, sum of values V_c and n_c members.

    If all class means V_c / n_c coincide, the output is that mean: proved outright. Conversely, a
    rational output forces the means to coincide: proved from one mathematical hypothesis, the
    Lindemann-Weierstrass theorem for rational numbers, which is a premise of the theorem and not
    an axiom of the development. Logits made of floating-point inputs without a softcap are
    rational, and so are values. proves: NU-3 *)
From Coq Require Import Reals List Lra Lia QArith Qreals.
From Sinkproof Require Import Spec Sums.
Import ListNotations.
Open Scope R_scope.

(** A class of keys: logit, sum of values, count. *)
Record class := Class { lambda : Q; total : Q; count : positive }.
Definition mean (c : class) : R := Q2R (total c) / IZR (Zpos (count c)).

Definition classes_out (cs : list class) : R :=
  sum (map (fun c => exp (Q2R (lambda c)) * Q2R (total c)) cs)
  / sum (map (fun c => exp (Q2R (lambda c)) * IZR (Zpos (count c))) cs).

(** Grouping is the row: [n] keys of logit [x] and values [v] weigh like one class. *)
Lemma grouping x (v : list R) :
  dot (map exp (repeat x (length v))) v = exp x * sum v /\
  Z_keys (repeat x (length v)) = exp x * INR (length v).
Proof.
  induction v as [|w v [I1 I2]].
  - split; unfold Z_keys, sum; simpl; ring.
  - cbn [length repeat map]; rewrite dot_cons, sum_cons, Z_keys_cons, I1, I2, S_INR; split; ring.
Qed.

Lemma mass_pos cs : cs <> [] ->
  0 < sum (map (fun c => exp (Q2R (lambda c)) * IZR (Zpos (count c))) cs).
Proof.
  destruct cs as [|c cs]; [easy|]; intros _; cbn [map]; rewrite sum_cons.
  assert (P : forall c, 0 < exp (Q2R (lambda c)) * IZR (Zpos (count c)))
    by (intro d; apply Rmult_lt_0_compat; [apply exp_pos | apply IZR_lt; lia]).
  pose proof (P c).
  assert (0 <= sum (map (fun c => exp (Q2R (lambda c)) * IZR (Zpos (count c))) cs)); [|lra].
  apply sum_map_nonneg; intros d _; pose proof (P d); lra.
Qed.

(** Equal class means are the output, whatever the logits. proves: NU-3 *)
Theorem T20_equal_means_are_the_output cs mu : cs <> [] ->
  (forall c, In c cs -> mean c = mu) -> classes_out cs = mu.
Proof.
  intros Hne H; pose proof (mass_pos cs Hne) as P; unfold classes_out.
  rewrite (sum_map_ext _ (fun c => mu * (exp (Q2R (lambda c)) * IZR (Zpos (count c))))).
  - rewrite sum_map_mult; field; lra.
  - intros c i; rewrite <- (H c i); unfold mean; field; apply not_0_IZR; lia.
Qed.

(** Lindemann-Weierstrass, in the form used: exponentials of distinct rationals are linearly
    independent over the rationals. (For rational exponents this is the transcendence of e.) *)
Definition Lindemann_Weierstrass_for_rationals : Prop :=
  forall terms : list (Q * Q),
    NoDup (map (fun t => Qred (fst t)) terms) ->
    sum (map (fun t => Q2R (snd t) * exp (Q2R (fst t))) terms) = 0 ->
    forall t, In t terms -> (snd t == 0)%Q.

(** A rational output is the mean of every class; any representable number is rational.
    proves: NU-3 *)
Theorem T20_rational_output_forces_equal_means :
  Lindemann_Weierstrass_for_rationals ->
  forall cs (o : Q), cs <> [] -> NoDup (map (fun c => Qred (lambda c)) cs) ->
  classes_out cs = Q2R o -> forall c, In c cs -> mean c = Q2R o.
Proof.
  intros LW cs o Hne Hd Ho c Hc; pose proof (mass_pos cs Hne) as P.
  set (beta := fun c => (total c - o * inject_Z (Zpos (count c)))%Q).
  assert (Rb : forall c, Q2R (beta c) = Q2R (total c) - Q2R o * IZR (Zpos (count c))).
  { intro d; unfold beta; rewrite Q2R_minus, Q2R_mult; f_equal; f_equal.
    unfold Q2R, inject_Z; cbn; field. }
  assert (B : (beta c == 0)%Q).
  { apply (LW (map (fun c => (lambda c, beta c)) cs)) with (t := (lambda c, beta c)).
    - rewrite map_map; exact Hd.
    - rewrite map_map; cbn [fst snd].
      rewrite (sum_map_ext _ (fun c => exp (Q2R (lambda c)) * Q2R (total c)
         + - Q2R o * (exp (Q2R (lambda c)) * IZR (Zpos (count c))))) by (intros; rewrite Rb; ring).
      rewrite sum_map_plus, sum_map_mult, <- Ho; unfold classes_out; field; lra.
    - apply in_map_iff; eauto. }
  apply Qeq_eqR in B; rewrite Rb in B; unfold Q2R at 3 in B; cbn in B; rewrite Rmult_0_l in B.
  unfold mean; apply Rmult_eq_reg_r with (IZR (Zpos (count c))); [|apply not_0_IZR; lia].
  unfold Rdiv; rewrite Rmult_assoc, Rinv_l by (apply not_0_IZR; lia); lra.
Qed.

(** So an output is rational exactly when the class means coincide. proves: NU-3 *)
Corollary T20_exact_iff_means_coincide :
  Lindemann_Weierstrass_for_rationals ->
  forall cs, cs <> [] -> NoDup (map (fun c => Qred (lambda c)) cs) ->
  ((exists o : Q, classes_out cs = Q2R o) <-> (exists mu, forall c, In c cs -> mean c = mu)).
Proof.
  intros LW cs Hne Hd; split.
  - intros [o Ho]; exists (Q2R o); intros c Hc.
    exact (T20_rational_output_forces_equal_means LW cs o Hne Hd Ho c Hc).
  - intros [mu H]; destruct cs as [|c cs]; [easy|].
    exists (total c / inject_Z (Zpos (count c)))%Q.
    rewrite (T20_equal_means_are_the_output (c :: cs) mu Hne H), <- (H c (or_introl eq_refl)).
    unfold mean; rewrite Q2R_div by (intro Q; discriminate Q); f_equal.
    unfold Q2R, inject_Z; cbn; field.
Qed.
