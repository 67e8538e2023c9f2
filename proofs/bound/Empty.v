(* SPDX-License-Identifier: Apache-2.0 *)
(** The log-sum-exp of a row without keys: its sink logit, as the class reads it. A kernel in base e
    copies that number, one in base 2 converts it there and back. The error, then the error as a program
    over any arithmetic, as bound/Formula.v is of a row with keys. proves: NU-7, NU-10, AT-9 *)
From Coq Require Import Reals Lra ZArith.
From Sinkproof Require Import Spec Sums Near Lse Rounded LogitBias LogitStore Formula Enclose.
Open Scope R_scope.

(** [a] is the error of the sink logit as it was read, [size] the size of the exact one. *)
Definition empty_error (base2 : bool) (u eta a size : R) : R :=
  if base2 then a + lse_rounding u 3 eta a a 0 size size else a.

(** [y] is [s] after a product with a rounded log2 e and one with a rounded ln 2. *)
Definition there_and_back (u eta s y : R) : Prop := exists c1 p1 f1 c2 p2 f2,
  Rabs c1 <= u /\ Rabs p1 <= u /\ Rabs f1 <= eta /\ Rabs c2 <= u /\ Rabs p2 <= u /\ Rabs f2 <= eta /\
  let log2e := / ln 2 * (1 + c1) in let ln2 := ln 2 * (1 + c2) in
  y = (s * log2e * (1 + p1) + f1) * ln2 * (1 + p2) + f2.

Lemma ln2_below : 0 < ln 2 <= 3/4.
Proof.
  split; [pose proof ln_lt_2; lra|]; apply exp_le_inv'; rewrite exp_ln by lra.
  replace (3/4) with (3/32 + 3/32 + (3/32 + 3/32) + (3/32 + 3/32 + (3/32 + 3/32))) by lra; rewrite !exp_plus.
  pose proof (exp_ineq1_le (3/32)) as E; set (q := exp (3/32)) in *.
  assert (Q2 : 19/16 <= q * q) by nra; assert (Q4 : 361/256 <= q * q * (q * q)) by nra; nra.
Qed.

Theorem NU7_lse_empty_base2 u eta a s x y : 0 <= u <= / 8 -> Rabs (x - s) <= a -> there_and_back u eta x y ->
  Rabs (y - s) <= empty_error true u eta a (Rabs s).
Proof.
  intros Hu Hx (c1 & p1 & f1 & c2 & p2 & f2 & H1 & P1 & F1 & H2 & P2 & F2 & ->); unfold empty_error.
  pose proof ln2_below as L2; pose proof (Rabs_pos (x - s)); pose proof (Rabs_pos f1).
  assert (D : forall d, Rabs d <= u -> 0 <= 1 + d <= 9/8) by (intros d Hd; apply Rabs_between in Hd; lra).
  pose proof (D _ H2) as D2; pose proof (D _ P2) as E2.
  assert (F : Rabs (f1 * (ln 2 * (1 + c2)) * (1 + p2) + f2) <= 2 * eta).
  { apply Rle_trans with (1 := Rabs_triang _ _).
    assert (Rabs (f1 * (ln 2 * (1 + c2)) * (1 + p2)) <= eta); [|lra].
    rewrite Rmult_assoc, Rabs_mult; rewrite <- (Rmult_1_r eta); apply Rmult_le_compat; auto using Rabs_pos.
    assert (P : 0 <= (1 + c2) * (1 + p2) <= 81/64) by nra.
    rewrite Rmult_assoc, Rabs_pos_eq by nra; nra. }
  assert (Z : Rabs 0 <= u) by (rewrite Rabs_R0; lra).
  pose proof (NU7_lse_base2 u eta a a s s x 1 c1 p1 0 0 c2 p2 (f1 * (ln 2 * (1 + c2)) * (1 + p2) + f2)
    ltac:(lra) ltac:(lra) ltac:(rewrite ln_1, Rplus_0_r; exact Hx) Hx ltac:(lra) H1 P1
    ltac:(lra) Z H2 P2 F) as Q; cbv zeta in Q; rewrite ln_1, Rminus_eq_0 in Q.
  match type of Q with Rabs (?z - s) <= _ => match goal with |- Rabs (?w - s) <= _ =>
    replace w with z by (unfold Rdiv; ring) end end; exact Q.
Qed.

(** [answers base2 u eta wide vanishes s y]: what a kernel of a class answers in a row that holds nothing
    but the sink logit [s]. It reads [s], as 0 where that [vanishes]; rounds it where its arithmetic is
    coarser ([wide] is 1); and copies or converts. *)
Definition answers (base2 : bool) (u eta wide : R) (vanishes : bool) (s y : R) : Prop := exists s0 x,
  read vanishes s s0 /\ once (wide * u) (wide * eta) s0 x /\ if base2 then there_and_back u eta x y else y = x.

Theorem NU7_lse_empty base2 u eta wide vanishes s y : 0 <= u <= / 8 -> 0 <= wide ->
  answers base2 u eta wide vanishes s y ->
  Rabs (y - s) <= empty_error base2 u eta (wide * (Rabs s * u + eta) + flushed vanishes (Rabs s)) (Rabs s).
Proof.
  intros Hu Hw (s0 & x & R & O & A); pose proof (NU7_logit_sink u eta wide ltac:(lra) Hw vanishes s s0 x R O) as D.
  destruct base2; [exact (NU7_lse_empty_base2 _ _ _ _ _ _ Hu D A) | rewrite A; exact D].
Qed.

(** In binary32 without flushing only base 2 errs. *)
Theorem NU7_lse_empty_exact u eta s y : answers false u eta 0 false s y -> y = s.
Proof.
  intros (s0 & x & [-> | [N _]] & (d & f & Hd & Hf & ->) & ->); [|discriminate].
  rewrite Rmult_0_l in Hd, Hf; apply Rabs_between in Hd; apply Rabs_between in Hf.
  replace d with 0 by lra; replace f with 0 by lra; ring.
Qed.

(** ** The error as a program *)

Section Formula.
Context {A : Type} (o : arith A).

(** [wide] is 1 where a binary32 number is rounded on its way in, else 0. *)
Definition empty_bound (c : class) (base2 : bool) (wide : Z) (s : dyadic) (vanishes : bool) : A :=
  let u := div o (num o (cl_u c)) (sub o (integer o 1) (num o (cl_u c))) in
  let eta := num o (cl_eta c) in
  let s := size o (num o s) in
  let a := add o (mul o (integer o wide) (add o (mul o s u) eta)) (if vanishes then s else integer o 0) in
  if base2 then
    add o a (add o (mul o (mul o (mul o (integer o 3) u) (expo o (mul o (integer o 6) u)))
      (add o (add o (mul o (integer o 2) (add o a a)) (add o s a)) (add o s a))) (mul o (integer o 2) eta))
  else a.
End Formula.

Theorem NU7_empty_formula c base2 wide s vanishes :
  empty_bound reals c base2 wide s vanishes = empty_error base2 (cost_of (cl_u c)) (real (cl_eta c))
    (IZR wide * (Rabs (real s) * cost_of (cl_u c) + real (cl_eta c)) + flushed vanishes (Rabs (real s))) (Rabs (real s)).
Proof.
  unfold empty_bound, empty_error, lse_rounding, cost_of, flushed; cbv zeta.
  rewrite !sub_is_minus; unfold integer; cbn [num add mul div expo size reals]; rewrite !real_integer.
  destruct base2, vanishes; try reflexivity; ring.
Qed.

Theorem NU7_empty_formula_encloses c base2 wide s vanishes :
  encloses (empty_bound intervals c base2 wide s vanishes) (empty_bound reals c base2 wide s vanishes).
Proof. unfold empty_bound; destruct base2, vanishes; enclose. Qed.
