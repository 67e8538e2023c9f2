(* SPDX-License-Identifier: Apache-2.0 *)
(** The formula of bound/Formula.v over intervals of 128 bits: whatever it returns encloses the bound.
    Extracted, it is what the judge's C is compared with. proves: NU-7 *)
From Coq Require Import Reals Lra Lia ZArith List Bool.
From Interval Require Import Specific_ops Float_full Interval Xreal Basic.
From Sinkproof Require Import Model Row IntervalZ Formula.
Import ListNotations.
Open Scope R_scope.

Module I := FloatIntervalFull SZ.

Definition bits : SZ.precision := 128%Z.
Definition interval_num (d : dyadic) : I.type :=
  I.mul bits (I.fromZ bits (fst d)) (I.power_int bits (I.fromZ bits 2) (snd d)).
Definition intervals : arith I.type :=
  Arith I.type interval_num (I.add bits) (I.mul bits) (I.div bits) (I.exp bits) (I.ln bits) I.abs.

(** An interval that could not be computed encloses everything, so no operation needs a premise. *)
Definition encloses (i : I.type) (x : R) : Prop := contains (I.convert i) (Xreal x).

Lemma nothing_known i x : contains (I.convert i) Xnan -> encloses i x.
Proof. unfold encloses; now destruct (I.convert i). Qed.

Lemma power_of_two n : Xpower_int (Xreal 2) n = Xreal (powerRZ 2 n).
Proof.
  destruct n as [|p|p]; cbn; auto.
  unfold is_zero; rewrite Raux.Req_bool_false by lra; reflexivity.
Qed.

Lemma num_encloses d : encloses (num intervals d) (num reals d).
Proof.
  unfold encloses; cbn [num intervals reals]; unfold interval_num, real.
  change (Xreal (IZR (fst d) * powerRZ 2 (snd d))) with (Xmul (Xreal (IZR (fst d))) (Xreal (powerRZ 2 (snd d)))).
  apply I.mul_correct; [apply I.fromZ_correct|].
  rewrite <- power_of_two; apply I.power_int_correct, I.fromZ_correct.
Qed.

Lemma add_encloses a b x y : encloses a x -> encloses b y -> encloses (add intervals a b) (add reals x y).
Proof. exact (I.add_correct bits a b (Xreal x) (Xreal y)). Qed.
Lemma mul_encloses a b x y : encloses a x -> encloses b y -> encloses (mul intervals a b) (mul reals x y).
Proof. exact (I.mul_correct bits a b (Xreal x) (Xreal y)). Qed.
Lemma exp_encloses a x : encloses a x -> encloses (expo intervals a) (expo reals x).
Proof. exact (I.exp_correct bits a (Xreal x)). Qed.
Lemma abs_encloses a x : encloses a x -> encloses (size intervals a) (size reals x).
Proof. exact (I.abs_correct a (Xreal x)). Qed.

Lemma div_encloses a b x y : encloses a x -> encloses b y -> encloses (div intervals a b) (div reals x y).
Proof.
  intros Ha Hb; pose proof (I.div_correct bits a b (Xreal x) (Xreal y) Ha Hb) as H.
  cbn [Xdiv Xbind2 Xdiv'] in H; unfold Xdiv' in H.
  destruct (is_zero y); [now apply nothing_known | exact H].
Qed.

Lemma ln_encloses a x : encloses a x -> encloses (loga intervals a) (loga reals x).
Proof.
  intro Ha; pose proof (I.ln_correct bits a (Xreal x) Ha) as H.
  cbn [Xbind Xln'] in H; unfold Xln' in H.
  destruct (is_positive x); [exact H | now apply nothing_known].
Qed.

Section Steps.
Notation "i ~ x" := (encloses i x) (at level 70).

Lemma integer_encloses z : integer intervals z ~ integer reals z.
Proof. apply num_encloses. Qed.

Lemma sub_encloses a b x y : a ~ x -> b ~ y -> sub intervals a b ~ sub reals x y.
Proof. intros; apply add_encloses; auto; apply mul_encloses; auto; apply num_encloses. Qed.

Lemma total_encloses l m : Forall2 encloses l m -> total intervals l ~ total reals m.
Proof. induction 1; [apply num_encloses | now apply add_encloses]. Qed.

Lemma map_encloses (f : entry -> I.type) g (l : list entry) : (forall e, f e ~ g e) ->
  Forall2 encloses (map f l) (map g l).
Proof. intro H; induction l; constructor; auto. Qed.
End Steps.

Ltac enclose := repeat match goal with
  | |- encloses (num _ _) _ => apply num_encloses
  | |- encloses (add _ _ _) _ => apply add_encloses
  | |- encloses (mul _ _ _) _ => apply mul_encloses
  | |- encloses (div _ _ _) _ => apply div_encloses
  | |- encloses (expo _ _) _ => apply exp_encloses
  | |- encloses (loga _ _) _ => apply ln_encloses
  | |- encloses (size _ _) _ => apply abs_encloses
  | |- encloses (integer _ _) _ => apply integer_encloses
  | |- encloses (sub _ _ _) _ => apply sub_encloses
  | |- encloses (total _ _) _ => apply total_encloses, map_encloses; intro
  end.

Theorem NU7_formula_encloses c top a_max mu mu_size kd kn
  (i := bound intervals c top a_max mu mu_size kd kn) (x := bound reals c top a_max mu mu_size kd kn) :
  encloses (r_kappa i) (r_kappa x) /\ encloses (r_floor i) (r_floor x) /\
  Forall2 encloses (r_widths i) (r_widths x) /\ encloses (r_output i) (r_output x) /\
  encloses (r_lse i) (r_lse x).
Proof.
  unfold i, x, bound; cbv zeta; cbn [r_kappa r_floor r_widths r_output r_lse].
  split; [enclose|]; split; [enclose|]; split; [apply map_encloses; intro; enclose|]; split; enclose.
Qed.

(** What the comparison needs: the upper end, which no enclosed number exceeds, and an order. *)
Definition upper_end (i : I.type) : option dyadic :=
  match i with
  | Interval.Float.Ibnd _ (Specific_ops.Float m e) => Some (m, e)
  | _ => None
  end.

Lemma dyadic_value (m e : Z) : SZ.toX (Specific_ops.Float m e) = Xreal (real (m, e)).
Proof.
  assert (P : forall n, (0 <= n)%Z -> powerRZ 2 n = IZR (2 ^ n)).
  { intros n Hn; rewrite <- (Z2Nat.id n) by exact Hn; rewrite <- pow_powerRZ, <- pow_IZR; reflexivity. }
  unfold SZ.toX, SZ.toF, real; cbn [fst snd].
  destruct m as [|p|p]; cbn; [f_equal; ring | |]; f_equal; unfold FtoR; destruct e as [|q|q].
  - change (IZR (Z.pos p) = IZR (Z.pos p) * 1); ring.
  - change (IZR (Z.pos p * 2 ^ Z.pos q) = IZR (Z.pos p) * powerRZ 2 (Z.pos q)); rewrite mult_IZR, P by lia; reflexivity.
  - change (IZR (Z.pos p) / IZR (2 ^ Z.pos q) = IZR (Z.pos p) * / powerRZ 2 (Z.pos q)); rewrite P by lia; reflexivity.
  - change (IZR (Z.neg p) = IZR (Z.neg p) * 1); ring.
  - change (IZR (Z.neg p * 2 ^ Z.pos q) = IZR (Z.neg p) * powerRZ 2 (Z.pos q)); rewrite mult_IZR, P by lia; reflexivity.
  - change (IZR (Z.neg p) / IZR (2 ^ Z.pos q) = IZR (Z.neg p) * / powerRZ 2 (Z.pos q)); rewrite P by lia; reflexivity.
Qed.

Theorem NU7_upper_end i x d : encloses i x -> upper_end i = Some d -> x <= real d.
Proof.
  unfold encloses, upper_end; destruct i as [|l u]; [discriminate|].
  destruct u as [|m e]; [discriminate|]; intros H E; injection E as <-.
  cbn [I.convert] in H; rewrite dyadic_value in H.
  destruct (_ && _)%bool in H; [destruct H as [_ H]; exact H | destruct H as [H1 H2]; cbn in H1, H2; lra].
Qed.

Definition at_most (a b : dyadic) : bool :=
  let e := Z.min (snd a) (snd b) in
  (fst a * 2 ^ (snd a - e) <=? fst b * 2 ^ (snd b - e))%Z.

Lemma at_most_is_le a b : at_most a b = true <-> real a <= real b.
Proof.
  destruct a as [m1 e1], b as [m2 e2]; unfold at_most, real; cbn [fst snd].
  set (e := Z.min e1 e2); rewrite Z.leb_le.
  assert (Q : forall m f, (e <= f)%Z -> IZR m * powerRZ 2 f = IZR (m * 2 ^ (f - e)) * powerRZ 2 e).
  { intros m f L; rewrite mult_IZR.
    replace f with ((f - e) + e)%Z at 1 by lia; rewrite powerRZ_add by lra.
    replace (IZR (2 ^ (f - e))) with (powerRZ 2 (f - e)); [ring|].
    rewrite <- (Z2Nat.id (f - e)) by lia; rewrite <- pow_powerRZ, <- pow_IZR; reflexivity. }
  rewrite (Q m1 e1), (Q m2 e2) by (unfold e; lia).
  assert (0 < powerRZ 2 e) by (apply powerRZ_lt; lra).
  split; intro H0.
  - apply Rmult_le_compat_r; [lra | now apply IZR_le].
  - apply le_IZR, Rmult_le_reg_r with (powerRZ 2 e); auto.
Qed.
