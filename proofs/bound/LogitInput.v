(* SPDX-License-Identifier: Apache-2.0 *)
(** A computed logit from a row's inputs, in the words of Spec.v: from q and k, and from a given logit. What
    a kernel reads as 0 because it flushes subnormal inputs is told apart here. proves: NU-7, NU-10, AT-2 *)
From Coq Require Import Reals Lra Lia ZArith List.
From Sinkproof Require Import Spec Sums Near Tanh Rounded Summed LogitDot LogitCap LogitBias LogitStore LogitRow.
Import ListNotations.
Open Scope R_scope.

(** One element of q and of k, and which of the two is read as 0. *)
Record element := Element { el_q : R; el_k : R; q_gone : bool; k_gone : bool }.
Definition pair_of (a : element) : R * R := (el_q a, el_k a).
Definition read_pair (a : element) (b : R * R) : Prop :=
  read (q_gone a) (el_q a) (fst b) /\ read (k_gone a) (el_k a) (snd b).
Definition gone_of (a : element) : R := flushed (q_gone a || k_gone a) (Rabs (el_q a * el_k a)).

Section Product.
Variable s : setting.
Hypothesis Hs : proper s.
Variables (scale : R) (scale_gone : bool) (l : list element).
Let u := s_u s.
Let eta := s_eta s.
Let wide := s_wide s.
Let pairs := map pair_of l.

Definition scale_used (s1 : R) : Prop := exists s0, read scale_gone scale s0 /\ scale_read eta wide s0 s1.

(** The product of AT-2 with its scale, and the same with the product stored before it is scaled. *)
Definition product_first (t : R) : Prop := exists s1 l', scale_used s1 /\ Forall2 read_pair l l' /\
  product_and_scale u eta (s_uqk s) (s_etaqk s) (s_rq s) (s_rk s) s1 l' t.
Definition product_first_stored (t : R) : Prop := exists s1 l' h g v v1,
  scale_used s1 /\ Forall2 read_pair l l' /\ (h <= length l')%nat /\ (g <= 2 * length l')%nat /\
  summed u eta (pair_product u eta (s_uqk s) (s_etaqk s) (s_rq s) (s_rk s) None) l' h g v /\
  store (s_ul s) (s_etal s) v v1 /\ rounded (2 * u) eta (s1 * v1) t.

Definition gone : R :=
  Rabs scale * (if scale_gone then size_of pairs else sum (map gone_of l)).
Definition first_error : R :=
  product_error u eta wide (s_uqk s) (s_etaqk s) (s_rq s) (s_rk s) scale pairs + gone.
Definition scale_reaches : R := larger (scale_reach eta wide scale).

Lemma read_below b x y : read b x y -> Rabs y <= Rabs x.
Proof. intro H; now apply read_error in H. Qed.

Lemma read_sizes l' : Forall2 read_pair l l' ->
  length l' = length l /\ size_of l' <= size_of pairs /\ sum_q l' <= sum_q pairs /\ sum_k l' <= sum_k pairs.
Proof.
  unfold pairs; induction 1 as [|a [q k] l0 l1 [A B] F (L & S & Q & K)]; [unfold size_of, sum_q, sum_k, sum; cbn; repeat split; lra|].
  apply read_below in A, B; unfold size_of, sum_q, sum_k in *; cbn [map length pair_of fst snd] in *; rewrite !sum_cons.
  repeat split; [congruence | | lra | lra].
  rewrite !Rabs_mult; apply Rplus_le_compat; auto; apply Rmult_le_compat; auto using Rabs_pos.
Qed.

Lemma read_dot l' : Forall2 read_pair l l' -> Rabs (dot_of l' - dot_of pairs) <= sum (map gone_of l).
Proof.
  unfold pairs, dot_of; induction 1 as [|a [q k] l0 l1 [A B] F IH]; cbn [map pair_of fst snd] in *; rewrite ?sum_nil, ?sum_cons.
  - rewrite Rminus_0_r, Rabs_R0; lra.
  - replace (_ - _) with ((q * k - el_q a * el_k a) + (sum (map (fun a => fst a * snd a) l1) - sum (map (fun a => fst a * snd a) (map pair_of l0)))) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; auto.
    unfold gone_of, flushed; pose proof (Rabs_pos (el_q a * el_k a)).
    destruct A as [-> | (-> & ->)], B as [-> | (-> & ->)]; cbn [orb]; rewrite ?Bool.orb_true_r;
      rewrite ?Rminus_eq_0, ?Rmult_0_l, ?Rmult_0_r, ?Rminus_0_l, ?Rabs_Ropp, ?Rabs_R0; try lra; destruct (_ || _)%bool; lra.
Qed.

Lemma product_error_grows s0 l' : Rabs s0 <= Rabs scale -> Forall2 read_pair l l' ->
  product_error u eta wide (s_uqk s) (s_etaqk s) (s_rq s) (s_rk s) s0 l'
  <= product_error u eta wide (s_uqk s) (s_etaqk s) (s_rq s) (s_rk s) scale pairs.
Proof.
  destruct Hs as (Hu & Hn & Hw & Hrq & Hrk & Hqk & Heqk & _); intros H0 F.
  assert (N : 0 <= eta) by exact Hn.
  destruct (read_sizes l' F) as (L & S & Q & K); unfold product_error; cbv zeta.
  rewrite L; replace (length l) with (length pairs) by (unfold pairs; now rewrite map_length).
  set (d := INR (length pairs)); assert (Hd : 0 <= d) by apply pos_INR.
  set (g := dot_cost _ _ _ _ d).
  assert (G : 0 <= g).
  { unfold g, dot_cost; apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; [lra | exact Hu]. }
  pose proof (at_least_1 g G); pose proof (size_nonneg l').
  assert (W : 0 <= wide * eta) by (apply Rmult_le_pos; unfold wide; lra).
  assert (R : scale_reach eta wide s0 <= scale_reach eta wide scale) by (unfold scale_reach; lra).
  assert (R0 : 0 <= scale_reach eta wide s0) by (unfold scale_reach; pose proof (Rabs_pos s0); lra).
  assert (La : larger (scale_reach eta wide s0) <= larger (scale_reach eta wide scale)).
  { unfold larger; apply Rle_max_compat_l; rewrite !Rabs_pos_eq; lra. }
  assert (Sq : 0 <= sum_q l') by (apply sum_map_nonneg; intros; apply Rabs_pos).
  assert (Sk : 0 <= sum_k l') by (apply sum_map_nonneg; intros; apply Rabs_pos).
  assert (De : 0 <= d * eta) by (now apply Rmult_le_pos).
  assert (D : dot_lost eta (s_etaqk s) d (sum_q l') (sum_k l') <= dot_lost eta (s_etaqk s) d (sum_q pairs) (sum_k pairs)).
  { unfold dot_lost; apply Rplus_le_compat; [apply Rplus_le_compat_l|]; apply Rmult_le_compat_l; lra. }
  assert (D0 : 0 <= dot_lost eta (s_etaqk s) d (sum_q l') (sum_k l')).
  { unfold dot_lost; apply Rplus_le_le_0_compat; [apply Rplus_le_le_0_compat|]; apply Rmult_le_pos; lra. }
  pose proof (larger_1 (scale_reach eta wide s0)).
  apply Rplus_le_compat; [apply Rplus_le_compat|].
  - apply Rmult_le_compat_r; [lra|]; apply Rmult_le_compat; lra.
  - now apply Rmult_le_compat_l.
  - apply Rmult_le_compat_l; [left; apply exp_pos|]; apply Rplus_le_compat_r, Rmult_le_compat; lra.
Qed.

Lemma product_read s0 l' : read scale_gone scale s0 -> Forall2 read_pair l l' ->
  Rabs (s0 * dot_of l' - scale * dot_of pairs) <= gone.
Proof.
  intros R0 F; pose proof (read_dot l' F) as D; pose proof (Rabs_pos scale).
  assert (Sum : sum (map gone_of l) <= size_of pairs).
  { unfold size_of, pairs; rewrite map_map; apply sum_map_le; intros a _; cbn [pair_of fst snd].
    unfold gone_of, flushed; pose proof (Rabs_pos (el_q a * el_k a)); destruct (_ || _)%bool; lra. }
  unfold gone; destruct R0 as [-> | (-> & ->)].
  - rewrite <- Rmult_minus_distr_l, Rabs_mult; apply Rmult_le_compat_l; auto; destruct scale_gone; lra.
  - rewrite Rmult_0_l, Rminus_0_l, Rabs_Ropp, Rabs_mult; apply Rmult_le_compat_l; auto using dot_below_size.
Qed.

Lemma product_first_off t : product_first t -> Rabs (t - scale * dot_of pairs) <= first_error.
Proof.
  destruct Hs as (Hu & Hn & (Hw & _) & Hrq & Hrk & Hqk & Heqk & _).
  intros (s1 & l' & (s0 & R0 & R1) & F & P).
  pose proof (NU7_logit_scaled u eta wide Hu Hn Hw _ _ _ _ Hqk Heqk Hrq Hrk s0 s1 l' t R1 P) as Q.
  pose proof (product_error_grows s0 l' (read_below _ _ _ R0) F); pose proof (product_read s0 l' R0 F).
  replace (t - scale * dot_of pairs) with ((t - s0 * dot_of l') + (s0 * dot_of l' - scale * dot_of pairs)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); unfold first_error; lra.
Qed.

Lemma gone_nonneg : 0 <= gone.
Proof.
  unfold gone; apply Rmult_le_pos; [apply Rabs_pos|]; destruct scale_gone; [apply size_nonneg|].
  apply sum_map_nonneg; intros a _; apply flushed_nonneg, Rabs_pos.
Qed.

Lemma eta_below_first : eta <= first_error.
Proof.
  destruct Hs as (Hu & Hn & Hw & Hrq & Hrk & Hqk & Heqk & _); pose proof gone_nonneg as G0.
  assert (N : 0 <= eta) by exact Hn.
  unfold first_error, product_error; cbv zeta; set (d := INR (length pairs)); set (g := dot_cost _ _ _ _ d).
  assert (Hd : 0 <= d) by apply pos_INR.
  assert (G : 0 <= g).
  { unfold g, dot_cost; apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; [lra | exact Hu]. }
  pose proof (at_least_1 g G) as E1; pose proof (size_nonneg pairs) as S.
  assert (W : 0 <= wide * eta) by (apply Rmult_le_pos; unfold wide; lra).
  assert (R0 : 0 <= scale_reach eta wide scale) by (unfold scale_reach; pose proof (Rabs_pos scale); lra).
  pose proof (dot_lost_nonneg eta Hn (s_etaqk s) Heqk pairs) as D; fold d in D; pose proof (larger_1 (scale_reach eta wide scale)).
  assert (0 <= scale_reach eta wide scale * size_of pairs * (exp g - 1)) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra).
  assert (0 <= wide * eta * size_of pairs) by (now apply Rmult_le_pos).
  set (X := larger _ * _); assert (0 <= X) by (apply Rmult_le_pos; [lra | exact D]).
  assert (eta + X <= exp g * (X + eta)); [|lra].
  rewrite <- (Rmult_1_l (eta + X)); rewrite (Rplus_comm X); apply Rmult_le_compat_r; lra.
Qed.

Lemma product_stored t : product_first_stored t -> eta <= first_error /\
  exists t0, product_first t0 /\ once (s_ul s) (scale_reaches * s_etal s * exp (2 * u) + eta * s_ul s) t0 t.
Proof.
  destruct Hs as (Hu & Hn & (Hw & _) & Hrq & Hrk & Hqk & Heqk & Hul & Hetal).
  intros (s1 & l' & h & g & v & v1 & (s0 & R0 & R1) & F & Hh & Hg & Su & St & R); split; [apply eta_below_first|].
  destruct (store_before_scale u eta (s_ul s) (s_etal s) (2 * u) s1 v v1 t (Rle_refl _) St R) as (t0 & T0 & (d & f & Hd & Hf & E)).
  exists t0; split.
  - exists s1, l'; split; [exists s0; auto|]; split; auto; exists h, g, v; repeat split; auto.
  - exists d, f; repeat split; auto; apply Rle_trans with (1 := Hf).
    apply Rplus_le_compat_r, Rmult_le_compat_r; [left; apply exp_pos|]; apply Rmult_le_compat_r; auto.
    pose proof (read_below _ _ _ R0); apply (scale_reach_abs eta wide Hn Hw) in R1; destruct R1 as [R1 _].
    pose proof (Rabs_pos s1); unfold scale_reaches, larger; apply Rle_max_compat_l.
    unfold scale_reach in *; assert (0 <= wide * eta) by (apply Rmult_le_pos; auto).
    rewrite (Rabs_pos_eq (Rabs scale + _)) by (pose proof (Rabs_pos scale); lra); lra.
Qed.

Variable e : extras.
Hypothesis He : fitting e.

(** What the judge charges for a logit of q and k. *)
Definition product_logit_error : R :=
  logit_error s e (scale * dot_of pairs) (Rabs scale * size_of pairs) first_error scale_reaches.

(** proves: NU-7, AT-2 *)
Theorem NU7_logit_product_row p y :
  computed_logit s e product_first product_first_stored p y ->
  Rabs (y - exact_logit e (scale * dot_of pairs)) <= product_logit_error.
Proof.
  pose proof Hs as (Hu & Hn & _); pose proof eta_below_first; assert (0 <= eta) by exact Hn.
  apply (NU7_logit_steps s Hs e He product_first product_first_stored).
  - apply product_first_off.
  - rewrite Rabs_mult; apply Rmult_le_compat_l; auto using Rabs_pos, dot_below_size.
  - lra.
  - apply larger_1.
  - apply product_stored.
Qed.
End Product.

Lemma dot_of_elements l : dot_of (map pair_of l) = dot (map el_q l) (map el_k l).
Proof. unfold dot_of; rewrite map_map, dot_map; apply sum_map_ext; reflexivity. Qed.

(** An attention logit: AT-2 and AT-6 as Spec.v has them. proves: NU-7, AT-2, AT-6 *)
Theorem NU7_logit_attention s scale scale_gone l e pos_q pos_k p y : proper s -> fitting e ->
  x_distance e = IZR (Z.abs (pos_q - pos_k)) ->
  computed_logit s e (product_first s scale scale_gone l) (product_first_stored s scale scale_gone l) p y ->
  Rabs (y - attention_logit scale (x_cap e) (x_bias e) (x_slope e) pos_q pos_k (map el_q l) (map el_k l))
    <= product_logit_error s scale scale_gone l e.
Proof.
  intros Hs He Hd H; unfold attention_logit; rewrite <- dot_of_elements, <- Hd.
  exact (NU7_logit_product_row s Hs scale scale_gone l e He p y H).
Qed.

(** ** A given logit *)

Section Given.
Variable s : setting.
Hypothesis Hs : proper s.
Variables (scale x : R) (scale_gone x_gone : bool).
Let u := s_u s.
Let eta := s_eta s.
Let wide := s_wide s.

(** A scale of 1 is no step. *)
Definition given_first (t : R) : Prop := exists x0 x1,
  read x_gone x x0 /\ rounded (s_rq s * u) (s_rq s * eta) x0 x1 /\
  if Req_EM_T scale 1 then t = x1
  else exists s1, scale_used s scale scale_gone s1 /\ rounded ((1 + wide) * u) eta (s1 * x1) t.

Definition given_gone : R :=
  if scale_gone then Rabs scale * Rabs x else flushed x_gone (Rabs scale * Rabs x).
Definition given_first_error : R :=
  (if Req_EM_T scale 1 then Rabs x * (exp (s_rq s * u) - 1) + s_rq s * eta
   else given_error u eta wide (s_rq s) scale x) + given_gone.

Lemma given_first_off t : given_first t -> Rabs (t - scale * x) <= given_first_error.
Proof.
  pose proof Hs as (Hu & Hn & (Hw & _) & Hrq & _); intros (x0 & x1 & R0 & R1 & H).
  assert (N : 0 <= eta) by exact Hn; assert (U : 0 <= u) by exact Hu; assert (W : 0 <= wide) by exact Hw.
  apply read_error in R0 as X0; destruct X0 as [D0 L0]; pose proof (Rabs_pos scale); pose proof (Rabs_pos x).
  unfold given_first_error, given_gone; destruct (Req_EM_T scale 1) as [E | E].
  - subst t; rewrite E, Rabs_R1, !Rmult_1_l.
    assert (Z : Rabs (x0 - x0) <= (1 - 1) * Rabs x + 0) by (rewrite Rminus_eq_0, Rabs_R0; lra).
    pose proof (rounded_off _ _ _ _ _ _ _ _ (Rle_refl 1) (Rle_refl 0) L0 Z R1) as Q.
    replace (x1 - x) with ((x1 - x0) + (x0 - x)) by ring; apply Rle_trans with (1 := Rabs_triang _ _).
    assert (flushed x_gone (Rabs x) <= if scale_gone then Rabs x else flushed x_gone (Rabs x)).
    { unfold flushed; destruct scale_gone, x_gone; lra. }
    lra.
  - destruct H as (s1 & (s0 & S0 & S1) & R2); apply read_error in S0 as Y0; destruct Y0 as [DS LS].
    pose proof (NU7_logit_given u eta wide Hu Hn Hw (s_rq s) Hrq s0 s1 x0 x1 t S1 R1 R2) as Q.
    assert (G : given_error u eta wide (s_rq s) s0 x0 <= given_error u eta wide (s_rq s) scale x).
    { unfold given_error; cbv zeta; set (g := (1 + wide + s_rq s) * u).
      assert (0 <= g) by (apply Rmult_le_pos; lra); pose proof (at_least_1 g ltac:(lra)).
      assert (WE : 0 <= wide * eta) by (now apply Rmult_le_pos).
      assert (R : scale_reach eta wide s0 <= scale_reach eta wide scale) by (unfold scale_reach; lra).
      assert (R0' : 0 <= scale_reach eta wide s0) by (unfold scale_reach; pose proof (Rabs_pos s0); lra).
      pose proof (Rabs_pos x0); assert (RE : 0 <= s_rq s * eta) by (apply Rmult_le_pos; lra).
      apply Rplus_le_compat; [apply Rplus_le_compat|].
      - apply Rmult_le_compat_r; [lra|]; now apply Rmult_le_compat.
      - now apply Rmult_le_compat_l.
      - apply Rmult_le_compat_l; [lra|]; apply Rplus_le_compat_r; now apply Rmult_le_compat_r. }
    replace (t - scale * x) with ((t - s0 * x0) + (s0 * x0 - scale * x)) by ring.
    apply Rle_trans with (1 := Rabs_triang _ _); apply Rplus_le_compat; [lra|].
    unfold flushed; pose proof (Rmult_le_pos _ _ (Rabs_pos scale) (Rabs_pos x)).
    destruct S0 as [-> | (-> & ->)], R0 as [-> | (-> & ->)];
      rewrite ?Rminus_eq_0, ?Rmult_0_l, ?Rmult_0_r, ?Rminus_0_l, ?Rabs_Ropp, ?Rabs_mult, ?Rabs_R0;
      try destruct scale_gone; try destruct x_gone; lra.
Qed.

Lemma given_error_nonneg : 0 <= given_first_error.
Proof.
  pose proof Hs as (Hu & Hn & (Hw & _) & Hrq & _).
  assert (N : 0 <= eta) by exact Hn; assert (U : 0 <= u) by exact Hu; assert (W : 0 <= wide) by exact Hw.
  pose proof (Rmult_le_pos _ _ (Rabs_pos scale) (Rabs_pos x)); pose proof (Rabs_pos x); pose proof (Rabs_pos scale).
  assert (0 <= given_gone) by (unfold given_gone, flushed; destruct scale_gone, x_gone; lra).
  assert (RE : 0 <= s_rq s * eta) by (apply Rmult_le_pos; lra).
  unfold given_first_error; apply Rplus_le_le_0_compat; auto; destruct (Req_EM_T scale 1).
  - pose proof (at_least_1 (s_rq s * u) ltac:(apply Rmult_le_pos; lra)).
    apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; lra.
  - unfold given_error, scale_reach; cbv zeta.
    pose proof (at_least_1 ((1 + wide + s_rq s) * u) ltac:(apply Rmult_le_pos; lra)) as E1.
    assert (WE : 0 <= wide * eta) by (now apply Rmult_le_pos).
    set (E := exp _) in *; assert (R0 : 0 <= Rabs scale + wide * eta) by lra.
    pose proof (Rmult_le_pos _ _ (Rmult_le_pos _ _ R0 (Rabs_pos x)) (Rge_le _ _ (Rge_minus _ _ (Rle_ge _ _ E1)))).
    pose proof (Rmult_le_pos _ _ WE (Rabs_pos x)); pose proof (Rmult_le_pos _ _ R0 RE).
    assert (0 <= E * ((Rabs scale + wide * eta) * (s_rq s * eta) + eta)) by (apply Rmult_le_pos; lra); lra.
Qed.

Variable e : extras.
Hypothesis He : fitting e.

Definition given_logit_error : R :=
  logit_error s e (scale * x) (Rabs scale * Rabs x) given_first_error (scale_reaches s scale).

(** A softmax row's logit; where it is stored, it is stored once it is scaled. proves: NU-7, SM-1 *)
Theorem NU7_logit_softmax p y : computed_logit s e given_first (fun _ => False) p y ->
  Rabs (y - exact_logit e (scale * x)) <= given_logit_error.
Proof.
  apply (NU7_logit_steps s Hs e He given_first (fun _ => False)).
  - apply given_first_off.
  - rewrite Rabs_mult; lra.
  - apply given_error_nonneg.
  - apply larger_1.
  - easy.
Qed.
End Given.

(** ** Not vacuous: q·k = 3 · 2 in binary32, capped at 50, with a bias and ALiBi, computed exactly. *)

Definition f32_setting : setting := Setting (/ 16777215) (/ 2 ^ 149) 0 0 0 0 0 0 0.
Definition some_extras : extras := Extras 50 1 (/ 2) 3 true true false false.

Lemma f32_setting_proper : proper f32_setting.
Proof. unfold proper, f32_setting; cbn [s_u s_eta s_wide s_rq s_rk s_uqk s_etaqk s_ul s_etal]; repeat split; lra. Qed.

Lemma rounded_exactly w e x : 0 <= w -> 0 <= e -> rounded w e x x.
Proof. intros; exists 0, 0; rewrite Rabs_R0, exp_0; repeat split; auto; ring. Qed.
Lemma once_exactly w e x : 0 <= w -> 0 <= e -> once w e x x.
Proof. intros; exists 0, 0; rewrite Rabs_R0; repeat split; auto; ring. Qed.

Example NU7_logit_is_not_vacuous : fitting some_extras /\
  computed_logit f32_setting some_extras (product_first f32_setting 1 false [Element 3 2 false false])
    (product_first_stored f32_setting 1 false [Element 3 2 false false]) never
    (attention_logit 1 50 1 (/ 2) 7 4 [3] [2]).
Proof.
  assert (U : 0 <= / 16777215) by lra; assert (E : 0 <= / 2 ^ 149) by lra.
  assert (Ex : forall w e x, 0 <= w -> 0 <= e -> rounded w e x x) by apply rounded_exactly.
  split; [unfold fitting, some_extras; cbn; repeat split; try lra; discriminate|].
  exists 6, (cap 50 6), 1, (/ 2 * 3); split; [|split; [|split; [|split]]].
  - intros _; exists 1; split; [now left | apply Ex; cbn; lra].
  - intros _; exists (/ 2), (/ 2); split; [now left|]; split; [now left|]; apply Ex; cbn; lra.
  - exists 1, [(3, 2)]; split; [exists 1; split; now left|]; split.
    { constructor; [split; now left | constructor]. }
    exists 1%nat, 1%nat, 6; split; [cbn; lia|]; split; [cbn; lia|]; right; split.
    + apply (S_product _ _ _ (3, 2) 6); [|apply Ex; cbn; lra].
      exists 3, 2; split; [exists 3; split; apply Ex; cbn; lra|]; split; [apply Ex; cbn; lra | cbn [fst snd]; lra].
    + replace 6 with (1 * 6) at 2 by ring; apply Ex; cbn; lra.
  - right; split; [cbn; lra|]; exists 50, (6 / 50), (tanh (6 / 50)); cbn [s_u s_eta s_wide x_cap some_extras f32_setting].
    split; [exists 0; rewrite Rabs_R0, exp_0; lra|]; repeat split; try (apply Ex; lra).
    unfold cap; destruct (Req_EM_T 50 0); [lra|]; apply Ex; lra.
  - cbn [with_bias with_alibi some_extras biased]; exists (cap 50 6 + 1); left; split.
    + apply once_exactly; cbn; lra.
    + unfold attention_logit; replace (1 * dot [3] [2]) with 6 by (cbn; ring).
      replace (IZR (Z.abs (7 - 4))) with 3 by reflexivity; apply once_exactly; cbn; lra.
Qed.
