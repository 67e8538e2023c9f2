(* SPDX-License-Identifier: Apache-2.0 *)
(** The error of a computed logit of rotated queries and keys, all steps of AT-2 composed: bound/LogitTurn.v
    before the cap, bound/LogitRow.v after it, with inputs that are read as 0 told apart.
    proves: NU-7, NU-10, AT-2, EV-11, EV-12, EV-13 *)
From Coq Require Import Reals Lra Lia ZArith List Permutation.
From Sinkproof Require Import Spec Sums Rope Rounded Summed LogitDot LogitCap LogitBias LogitStore LogitRow LogitInput
  Plane Turn LogitTurn.
Import ListNotations.
Open Scope R_scope.

(** The arithmetic of rotations: u_t', u_a', of keys that are stored rotated, and the largest position. *)
Record turning := Turning { t_ut : R; t_ua : R; t_urk : R; t_etark : R; t_reach : R }.

Definition turning_proper (s : setting) (t : turning) : Prop :=
  0 <= t_ut t /\ 0 <= t_ua t <= / 12 /\ 0 <= t_urk t /\ 0 <= t_etark t <= / 8 /\ 0 <= t_reach t /\
  s_eta s <= / 32 /\ s_etaqk s <= / 2.

(** ** Inputs that are read as 0 *)

(** A piece of a head, and whether any of its elements may be read as 0. *)
Definition read_plane (gone : bool) (v v0 : plane) : Prop := read gone (fst v) (fst v0) /\ read gone (snd v) (snd v0).
Definition read_piece (a : piece * bool) (a0 : piece) : Prop := match fst a with
  | Pair x p q k => exists q0 k0, read_plane (snd a) q q0 /\ read_plane (snd a) k k0 /\ a0 = Pair x p q0 k0
  | Alone q k => exists q0 k0, read (snd a) q q0 /\ read (snd a) k k0 /\ a0 = Alone q0 k0 end.
Definition gone_in (a : piece * bool) : R :=
  flushed (snd a) (match fst a with Pair _ _ _ _ => 2 * size_in (fst a) | Alone _ _ => size_in (fst a) end).
Definition posed (a : piece * bool) : Prop := match fst a with Pair x _ _ _ => 0 <= x | Alone _ _ => True end.

Lemma read_plane_below g v v0 : read_plane g v v0 -> len v0 <= len v /\ sizes_of v0 <= sizes_of v.
Proof.
  intros [A B]; apply read_error in A as [_ A]; apply read_error in B as [_ B]; split; [|unfold sizes_of; lra].
  apply len_below; [apply len_nonneg|]; rewrite len_square, <- !(square_abs (fst _)), <- !(square_abs (snd _)).
  apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos.
Qed.

Section Rotated.
Variable s : setting.
Hypothesis Hs : proper s.
Variable r : turning.
Hypothesis Hr : turning_proper s r.
Variables (scale : R) (scale_gone : bool) (h : list (piece * bool)).
Hypothesis Hh : Forall posed h.
Let u := s_u s.
Let eta := s_eta s.
Let wide := s_wide s.
Let head := map fst h.

Let met_head := head_met u eta (t_ut r) (t_ua r) (t_urk r) (t_etark r) (t_reach r).
Let error_of := turned_error u eta wide (s_uqk s) (s_etaqk s) (s_rq s) (s_rk s) (t_ut r) (t_ua r) (t_urk r) (t_etark r) (t_reach r).
Let turned_of := turned_in (t_ua r) (t_reach r).

(** The product with its scale, and the same with the product stored before it is scaled. What is rounded
    of q and k on their way in is rounded before the rotations (b_q, b_k) or after them. *)
Definition split (b_q b_k : R) : Prop := 0 <= b_q <= s_rq s /\ 0 <= b_k <= s_rk s.
Definition rotated_first (y : R) : Prop := exists s1 h0 l b_q b_k, scale_used s scale scale_gone s1 /\
  Forall2 read_piece h h0 /\ split b_q b_k /\ met_head b_q b_k h0 l /\
  product_and_scale u eta (s_uqk s) (s_etaqk s) (s_rq s - b_q) (s_rk s - b_k) s1 l y.
Definition rotated_first_stored (y : R) : Prop := exists s1 h0 l b_q b_k n g v v1, scale_used s scale scale_gone s1 /\
  Forall2 read_piece h h0 /\ split b_q b_k /\ met_head b_q b_k h0 l /\ (n <= length l)%nat /\ (g <= 2 * length l)%nat /\
  summed u eta (pair_product u eta (s_uqk s) (s_etaqk s) (s_rq s - b_q) (s_rk s - b_k) None) l n g v /\
  store (s_ul s) (s_etal s) v v1 /\ rounded (2 * u) eta (s1 * v1) y.

Definition total_gone : R := sum (map gone_in h).
Definition rotated_gone : R :=
  Rabs scale * (if scale_gone then Rmax (total size_in head) total_gone else total_gone).
Definition rotated_error : R := error_of scale head + rotated_gone.

Lemma piece_read a a0 : posed a -> read_piece a a0 ->
  elements a0 = elements (fst a) /\ size_in a0 <= size_in (fst a) /\ query_in a0 <= query_in (fst a) /\
  key_in a0 <= key_in (fst a) /\ 0 <= turned_of a0 <= turned_of (fst a) /\
  Rabs (exact_of a0 - exact_of (fst a)) <= gone_in a /\ Rabs (exact_of (fst a)) <= size_in (fst a).
Proof.
  destruct Hr as (_ & Ua & _ & _ & Re & _), a as [[x p q k | q k] g]; unfold posed, read_piece, gone_in; cbn [fst snd]; intros P R.
  - destruct R as (q0 & k0 & Rq & Rk & ->); apply read_plane_below in Rq as B; apply read_plane_below in Rk as C.
    pose proof (len_nonneg q0); pose proof (len_nonneg k0); pose proof (len_nonneg q); pose proof (len_nonneg k).
    assert (T : 0 <= turn_error (t_ua r) (t_reach r) x).
    { unfold turn_error, angle_error; apply Rmin_glb; [|lra]; apply Rmult_le_pos; [lra|].
      apply Rmult_le_pos; [apply Rmult_le_pos; [lra | left; apply exp_pos]|].
      pose proof (at_least_1 ((8 + 4 * x) * t_ua r) ltac:(apply Rmult_le_pos; lra)); lra. }
    assert (N : len q0 * len k0 <= len q * len k) by (apply Rmult_le_compat; lra).
    assert (E0 : Rabs (exact_of (Pair x p q k)) <= len q * len k).
    { unfold exact_of; apply Rle_trans with (1 := on_both_below _ _); rewrite len_rotate; lra. }
    assert (E1 : Rabs (exact_of (Pair x p q0 k0)) <= len q0 * len k0).
    { unfold exact_of; apply Rle_trans with (1 := on_both_below _ _); rewrite len_rotate; lra. }
    unfold turned_of, turned_in; cbn [elements size_in query_in key_in]; repeat split; try lra; try tauto.
    + apply Rmult_le_pos; auto; now apply Rmult_le_pos.
    + now apply Rmult_le_compat_r.
    + unfold flushed; destruct g.
      * unfold Rminus; apply Rle_trans with (1 := Rabs_triang _ _); rewrite Rabs_Ropp; lra.
      * destruct Rq as [[A1 | [C1 _]] [A2 | [C2 _]]], Rk as [[B1 | [D1 _]] [B2 | [D2 _]]]; try discriminate.
        destruct q, k, q0, k0; cbn [fst snd] in *; subst; rewrite Rminus_eq_0, Rabs_R0; lra.
  - destruct R as (q0 & k0 & Rq & Rk & ->).
    apply read_error in Rq as Lq; destruct Lq as [_ Lq]; apply read_error in Rk as Lk; destruct Lk as [_ Lk].
    pose proof (Rabs_pos q0); pose proof (Rabs_pos k0).
    unfold turned_of, turned_in; cbn [elements size_in query_in key_in exact_of]; repeat split; try lra.
    + now apply Rmult_le_compat.
    + pose proof (Rmult_le_pos _ _ (Rabs_pos q) (Rabs_pos k)); unfold flushed.
      destruct Rq as [-> | (-> & ->)], Rk as [-> | (E & ->)]; try rewrite E;
        rewrite ?Rminus_eq_0, ?Rmult_0_l, ?Rmult_0_r, ?Rminus_0_l, ?Rabs_Ropp, ?Rabs_mult, ?Rabs_R0; try lra; destruct g; lra.
    + rewrite Rabs_mult; lra.
Qed.

Lemma head_read h0 : Forall2 read_piece h h0 ->
  dims h0 = dims head /\ total size_in h0 <= total size_in head /\ total query_in h0 <= total query_in head /\
  total key_in h0 <= total key_in head /\ 0 <= total turned_of h0 <= total turned_of head /\
  Rabs (total exact_of h0 - total exact_of head) <= total_gone /\ Rabs (total exact_of head) <= total size_in head.
Proof.
  unfold head, total_gone; intro F; revert Hh; induction F as [|a a0 l l0 A F IH]; intro Q.
  - unfold dims, total; cbn; rewrite Rminus_eq_0, Rabs_R0; repeat split; lra.
  - apply Forall_cons_iff in Q; destruct Q as [Q Q']; specialize (IH Q'); destruct IH as (D & S & Qs & Ks & T & E & Z).
    destruct (piece_read a a0 Q A) as (d & si & qs & ks & t & e & z).
    unfold dims, total in *; cbn [map]; rewrite !sum_cons, d; repeat split; try lra.
    + replace (_ + _ - _) with ((exact_of a0 - exact_of (fst a)) + (sum (map exact_of l0) - sum (map exact_of (map fst l)))) by ring.
      apply Rle_trans with (1 := Rabs_triang _ _); lra.
    + apply Rle_trans with (1 := Rabs_triang _ _); lra.
Qed.

Lemma error_grows s0 h0 : Rabs s0 <= Rabs scale -> Forall2 read_piece h h0 -> error_of s0 h0 <= error_of scale head.
Proof.
  destruct Hs as (Hu & Hn & Hw & Hrq & Hrk & Hqk & Heqk & _), Hr as (Ut & Ua & Urk & Ek & Re & _); intros H0 F.
  destruct (head_read h0 F) as (D & S & Q & K & [T0 T] & _).
  assert (N : 0 <= eta) by exact Hn; unfold error_of, turned_error; cbv zeta; rewrite D.
  fold turned_of; set (d := dims head); set (g := dot_cost _ _ _ _ d).
  assert (Hd : 0 <= d) by (apply total_nonneg; intro; apply pos_INR).
  assert (G : 0 <= g) by (unfold g, dot_cost; apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; [lra | exact Hu]).
  pose proof (at_least_1 g G) as E1; set (t := turns u (t_ut r) (t_urk r)).
  assert (T1 : 1 <= t) by (apply turn_growth_1; auto; exact Hu).
  assert (W : 0 <= wide * eta) by (apply Rmult_le_pos; unfold wide; lra).
  assert (R : scale_reach eta wide s0 <= scale_reach eta wide scale) by (unfold scale_reach; lra).
  assert (R0 : 0 <= scale_reach eta wide s0) by (unfold scale_reach; pose proof (Rabs_pos s0); lra).
  assert (La : larger (scale_reach eta wide s0) <= larger (scale_reach eta wide scale)).
  { unfold larger; apply Rle_max_compat_l; rewrite !Rabs_pos_eq; lra. }
  pose proof (larger_1 (scale_reach eta wide s0)).
  assert (P0 : 0 <= total size_in h0).
  { apply total_nonneg; intros []; cbn; apply Rmult_le_pos; auto using len_nonneg, Rabs_pos. }
  assert (Q0 : 0 <= total query_in h0) by (apply total_nonneg; intros []; cbn; auto using sizes_nonneg, Rabs_pos).
  assert (K0 : 0 <= total key_in h0) by (apply total_nonneg; intros []; cbn; auto using sizes_nonneg, Rabs_pos).
  assert (TE : 1 <= t * exp g) by (rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; lra).
  assert (DE : 0 <= d * eta) by (now apply Rmult_le_pos).
  assert (C0 : 0 <= (2 * eta + s_etaqk s)) by lra.
  assert (L : turned_lost eta (s_etaqk s) d (total query_in h0) (total key_in h0)
      <= turned_lost eta (s_etaqk s) d (total query_in head) (total key_in head)).
  { unfold turned_lost; apply Rplus_le_compat; [apply Rplus_le_compat_l|]; apply Rmult_le_compat_l; lra. }
  assert (L0 : 0 <= turned_lost eta (s_etaqk s) d (total query_in h0) (total key_in h0)).
  { unfold turned_lost; apply Rplus_le_le_0_compat; [apply Rplus_le_le_0_compat|]; try apply Rmult_le_pos; try lra.  }
  set (c := 24 * eta + 8 * t_etark r); assert (0 <= c) by (unfold c; lra).
  assert (M : c * (total key_in h0 + total query_in h0 + d) <= c * (total key_in head + total query_in head + d)) by (apply Rmult_le_compat_l; lra).
  assert (M0 : 0 <= c * (total key_in h0 + total query_in h0 + d)) by (apply Rmult_le_pos; lra).
  apply Rplus_le_compat; [apply Rplus_le_compat|].
  - assert (0 <= total size_in h0 * (t * exp g - 1)) by (apply Rmult_le_pos; lra).
    apply Rmult_le_compat; [lra | lra | exact R|]; apply Rplus_le_compat; auto; apply Rmult_le_compat_r; lra.
  - now apply Rmult_le_compat_l.
  - apply Rmult_le_compat_l; [lra|]; apply Rplus_le_compat_r, Rmult_le_compat; lra.
Qed.

Lemma rotated_read s0 h0 : read scale_gone scale s0 -> Forall2 read_piece h h0 ->
  Rabs (s0 * total exact_of h0 - scale * total exact_of head) <= rotated_gone.
Proof.
  intros R0 F; destruct (head_read h0 F) as (_ & _ & _ & _ & _ & E & Z); pose proof (Rabs_pos scale).
  unfold rotated_gone; destruct R0 as [-> | (-> & ->)].
  - rewrite <- Rmult_minus_distr_l, Rabs_mult; apply Rmult_le_compat_l; auto.
    destruct scale_gone; auto; apply Rle_trans with (1 := E), Rmax_r.
  - rewrite Rmult_0_l, Rminus_0_l, Rabs_Ropp, Rabs_mult; apply Rmult_le_compat_l; auto.
    apply Rle_trans with (1 := Z), Rmax_l.
Qed.

Lemma rotated_first_off y : rotated_first y -> Rabs (y - scale * total exact_of head) <= rotated_error.
Proof.
  pose proof Hs as (Hu & Hn & Hw & Hrq & Hrk & Hqk & Heqk & _); pose proof Hr as (Ut & Ua & Urk & Ek & Re & Es & Eq).
  intros (s1 & h0 & l & b_q & b_k & (s0 & R0 & R1) & F & [Bq Bk] & M & P).
  pose proof (NU7_logit_turned u eta wide (s_uqk s) (s_etaqk s) (s_rq s) (s_rk s) (t_ut r) (t_ua r) (t_urk r) (t_etark r) (t_reach r)
    b_q b_k Hu (conj Hn Es) Hw Hqk (conj Heqk Eq) Hrq Hrk Ut Ua Urk Ek Re Bq Bk s0 s1 h0 l y M R1 P) as Q.
  apply read_error in R0 as L0; destruct L0 as [_ L0].
  pose proof (error_grows s0 h0 L0 F) as G; unfold error_of in G; pose proof (rotated_read s0 h0 R0 F).
  replace (y - scale * total exact_of head) with ((y - s0 * total exact_of h0) + (s0 * total exact_of h0 - scale * total exact_of head)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _); unfold rotated_error, error_of; lra.
Qed.

Lemma head_itself : Forall2 read_piece h head.
Proof.
  unfold head; clear; induction h as [|[[x p q k | q k] g] l IH]; constructor; auto; unfold read_piece; cbn [fst snd];
    exists q, k; repeat split; now left.
Qed.

Lemma eta_below_rotated : eta <= rotated_error.
Proof.
  pose proof Hs as (Hu & Hn & Hw & Hrq & Hrk & Hqk & Heqk & _); pose proof Hr as (Ut & Ua & Urk & Ek & Re & _).
  destruct (head_read head head_itself) as (_ & _ & _ & _ & [T0 _] & G & _).
  assert (N : 0 <= eta) by exact Hn; unfold rotated_error, error_of, turned_error; cbv zeta; fold turned_of.
  set (d := dims head); set (g := dot_cost _ _ _ _ d).
  assert (Hd : 0 <= d) by (apply total_nonneg; intro; apply pos_INR).
  assert (Hg : 0 <= g) by (unfold g, dot_cost; apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; [lra | exact Hu]).
  pose proof (at_least_1 g Hg) as E1; set (t := turns u (t_ut r) (t_urk r)).
  assert (T1 : 1 <= t) by (apply turn_growth_1; auto; exact Hu).
  assert (TE : 1 <= t * exp g) by (rewrite <- (Rmult_1_l 1); apply Rmult_le_compat; lra).
  assert (W : 0 <= wide * eta) by (apply Rmult_le_pos; unfold wide; lra); pose proof (Rabs_pos scale).
  assert (R0 : 0 <= scale_reach eta wide scale) by (unfold scale_reach; lra); pose proof (larger_1 (scale_reach eta wide scale)).
  assert (P0 : 0 <= total size_in head).
  { apply total_nonneg; intros []; cbn; apply Rmult_le_pos; auto using len_nonneg, Rabs_pos. }
  assert (Q0 : 0 <= total query_in head) by (apply total_nonneg; intros []; cbn; auto using sizes_nonneg, Rabs_pos).
  assert (K0 : 0 <= total key_in head) by (apply total_nonneg; intros []; cbn; auto using sizes_nonneg, Rabs_pos).
  assert (DE : 0 <= d * eta) by (now apply Rmult_le_pos).
  assert (L0 : 0 <= turned_lost eta (s_etaqk s) d (total query_in head) (total key_in head)).
  { unfold turned_lost; apply Rplus_le_le_0_compat; [apply Rplus_le_le_0_compat|]; try apply Rmult_le_pos; lra. }
  assert (M0 : 0 <= (24 * eta + 8 * t_etark r) * (total key_in head + total query_in head + d)) by (apply Rmult_le_pos; lra).
  set (X := larger _ * _); assert (X0 : 0 <= X) by (apply Rmult_le_pos; lra).
  assert (A1 : 0 <= scale_reach eta wide scale * (total size_in head * (t * exp g - 1) + total turned_of head)).
  { apply Rmult_le_pos; auto; apply Rplus_le_le_0_compat; auto; apply Rmult_le_pos; lra. }
  assert (A2 : 0 <= wide * eta * total size_in head) by (now apply Rmult_le_pos).
  assert (A3 : X + eta <= t * exp g * (X + eta)) by (rewrite <- (Rmult_1_l (X + eta)) at 1; apply Rmult_le_compat_r; lra).
  assert (A4 : 0 <= rotated_gone).
  { unfold rotated_gone; pose proof (Rabs_pos (total exact_of head - total exact_of head)).
    apply Rmult_le_pos; auto; destruct scale_gone; [apply Rle_trans with (2 := Rmax_l _ _); auto | lra]. }
  lra.
Qed.

Lemma rotated_stored y : rotated_first_stored y -> eta <= rotated_error /\
  exists y0, rotated_first y0 /\ once (s_ul s) (scale_reaches s scale * s_etal s * exp (2 * u) + eta * s_ul s) y0 y.
Proof.
  destruct Hs as (Hu & Hn & (Hw & _) & Hrq & Hrk & Hqk & Heqk & Hul & Hetal).
  intros (s1 & h0 & l & b_q & b_k & n & g & v & v1 & (s0 & R0 & R1) & F & B & M & Hn' & Hg & Su & St & R); split; [apply eta_below_rotated|].
  destruct (store_before_scale u eta (s_ul s) (s_etal s) (2 * u) s1 v v1 y (Rle_refl _) St R) as (y0 & T0 & (d & f & Hd & Hf & E)).
  exists y0; split.
  - exists s1, h0, l, b_q, b_k; split; [exists s0; auto|]; do 3 (split; auto); exists n, g, v; repeat split; auto.
  - exists d, f; repeat split; auto; apply Rle_trans with (1 := Hf).
    apply Rplus_le_compat_r, Rmult_le_compat_r; [left; apply exp_pos|]; apply Rmult_le_compat_r; auto.
    apply read_error in R0; destruct R0 as [_ R0]; apply (scale_reach_abs eta wide Hn Hw) in R1; destruct R1 as [R1 _].
    unfold scale_reaches, larger; apply Rle_max_compat_l.
    rewrite (Rabs_pos_eq (scale_reach _ _ scale)); unfold scale_reach in *;
      assert (0 <= wide * eta) by (now apply Rmult_le_pos); pose proof (Rabs_pos scale); unfold wide, eta in *; lra.
Qed.

Variable e : extras.
Hypothesis He : fitting e.

(** What the judge charges for a logit of rotated q and k. *)
Definition rotated_logit_error : R :=
  logit_error s e (scale * total exact_of head) (Rabs scale * total size_in head) rotated_error (scale_reaches s scale).

(** proves: NU-7, AT-2, EV-11, EV-12, EV-13 *)
Theorem NU7_logit_rotated p y : computed_logit s e rotated_first rotated_first_stored p y ->
  Rabs (y - exact_logit e (scale * total exact_of head)) <= rotated_logit_error.
Proof.
  pose proof Hs as (_ & Hn & _); pose proof eta_below_rotated; assert (0 <= eta) by exact Hn.
  apply (NU7_logit_steps s Hs e He rotated_first rotated_first_stored).
  - apply rotated_first_off.
  - destruct (head_read head head_itself) as (_ & _ & _ & _ & _ & _ & Z).
    rewrite Rabs_mult; apply Rmult_le_compat_l; auto using Rabs_pos.
  - lra.
  - apply larger_1.
  - apply rotated_stored.
Qed.
End Rotated.

(** ** In the words of Spec.v and math/Rope.v *)

(** q and k as AT-2 has them under EV-11: planes with their exponents e_i, turned by a position, the first
    halves, the second halves and then what is not rotated (the other pairing is a permutation of it). *)
Definition turned_vector (p : Z) (v : list (R * plane)) (rest : list R) : list R :=
  let w := rope p (map (fun e => (exp (- fst e), snd e)) v) in map fst w ++ map snd w ++ rest.
Definition head_of (p : Z) (ps : list (R * (plane * plane))) (rest : list (R * R)) : list piece :=
  map (fun e => Pair (fst e) p (fst (snd e)) (snd (snd e))) ps ++ map (fun a => Alone (fst a) (snd a)) rest.
Definition queries (ps : list (R * (plane * plane))) : list (R * plane) := map (fun e => (fst e, fst (snd e))) ps.
Definition keys (ps : list (R * (plane * plane))) : list (R * plane) := map (fun e => (fst e, snd (snd e))) ps.

Lemma exact_head p_q p_k ps rest : total exact_of (head_of (p_q - p_k) ps rest)
  = dot (turned_vector p_q (queries ps) (map fst rest)) (turned_vector p_k (keys ps) (map snd rest)).
Proof.
  unfold turned_vector, queries, keys; cbv zeta; rewrite !map_map; cbn [fst snd].
  set (qs := rope p_q _); set (ks := rope p_k _).
  assert (L : length qs = length ks) by (unfold qs, ks, rope; now rewrite !map_length).
  rewrite !dot_app by (now rewrite !map_length); rewrite <- Rplus_assoc; change (_ + dot (map snd qs) _) with (inner qs ks).
  set (f := fun e : R * (plane * plane) => (exp (- fst e), snd e)); pose proof (T18_relative p_q p_k (map f ps)) as T.
  rewrite !map_map in T; cbn [fst snd f] in T; unfold qs, ks; rewrite T.
  unfold total, head_of; rewrite map_app, sum_app, !map_map; f_equal.
  - clear; induction ps as [|[x [q k]] ps IH]; [unfold inner; cbn; lra|].
    unfold rope in *; cbn [map fst snd]; rewrite sum_cons, inner_cons, IH; reflexivity.
  - rewrite dot_map; reflexivity.
Qed.

(** An attention logit with rotary positions p_q and p_k, which may be other than those of ALiBi.
    proves: NU-7, AT-2, AT-6, EV-11, EV-12, EV-13 *)
Theorem NU7_logit_rotated_attention s r scale scale_gone h e ps rest p_q p_k pos_q pos_k p y :
  proper s -> turning_proper s r -> Forall posed h -> fitting e -> map fst h = head_of (p_q - p_k) ps rest ->
  x_distance e = IZR (Z.abs (pos_q - pos_k)) ->
  computed_logit s e (rotated_first s r scale scale_gone h) (rotated_first_stored s r scale scale_gone h) p y ->
  Rabs (y - attention_logit scale (x_cap e) (x_bias e) (x_slope e) pos_q pos_k
      (turned_vector p_q (queries ps) (map fst rest)) (turned_vector p_k (keys ps) (map snd rest)))
    <= rotated_logit_error s r scale scale_gone h e.
Proof.
  intros Hs Hr Hh He E Hd H; unfold attention_logit; rewrite <- exact_head, <- E, <- Hd.
  exact (NU7_logit_rotated s Hs r Hr scale scale_gone h Hh e He p y H).
Qed.

(** ** Not vacuous: q = k = (1, 0), one position apart at the first frequency, computed exactly. *)

Definition no_rounding : turning := Turning 0 0 0 0 1.

Example NU7_logit_rotated_is_not_vacuous : turning_proper f32_setting no_rounding /\
  Forall posed [(Pair 0 1 (1, 0) (1, 0), false)] /\
  rotated_first f32_setting no_rounding 1 false [(Pair 0 1 (1, 0) (1, 0), false)] (cos 1).
Proof.
  split; [unfold turning_proper, no_rounding, f32_setting; cbn; lra|].
  split; [constructor; [cbn; lra | constructor]|].
  assert (Ex : forall x, rounded (/ 16777215) (/ 2 ^ 149) x x) by (intro; apply rounded_exactly; lra).
  exists 1, [Pair 0 1 (1, 0) (1, 0)], [(cos 1, 1); (sin 1, 0)], 0, 0.
  split; [exists 1; split; now left|]; split.
  { constructor; [|constructor]; exists (1, 0), (1, 0); repeat split; now left. }
  split; [unfold split; cbn; lra|].
  split; [exists [[(cos 1, 1); (sin 1, 0)]]; split; [|apply Permutation_refl]; constructor; [|constructor]|].
  - split; [lra|]; exists (1, 0), (1, 0), 1%nat, 0%nat, 0%nat, 0%Z, (cos 1, sin 1), (1, 0); split; [lia|]; split; [lia|].
    split; [split; apply rounded_exactly; cbn; lra|]; split; [split; apply rounded_exactly; cbn; lra|].
    split; [|split; [apply T_start | reflexivity]].
    apply (T_turn _ _ _ _ _ _ _ 0 (1, 0) 0 0 0 1 (1, 0) (cos 1, sin 1)); [apply T_start | cbn; rewrite Rabs_R1; lra|].
    exists 1, (cos 1), (sin 1); split.
    { exists 0, 0, 0, 0%Z; rewrite Rabs_R0, exp_0, Rmult_0_l, Ropp_0, exp_0; repeat split; cbn; lra. }
    rewrite !Rminus_eq_0, Rabs_R0; cbn [fst snd]; split; [cbn; lra|]; split; [cbn; lra|]; split.
    + exists (1 * cos 1), (- (0 * sin 1)); split; [apply Ex|]; split; [apply Ex|].
      replace (1 * cos 1 + - (0 * sin 1)) with (cos 1) by ring; apply Ex.
    + exists (1 * sin 1), (0 * cos 1); split; [apply Ex|]; split; [apply Ex|].
      replace (1 * sin 1 + 0 * cos 1) with (sin 1) by ring; apply Ex.
  - assert (Pr : forall a b, pair_product (/ 16777215) (/ 2 ^ 149) 0 0 0 0 None (a, b) (a * b)).
    { intros; exists a, b; split; [exists a; split|split; [|reflexivity]]; apply rounded_exactly; lra. }
    cbn [s_rq s_rk f32_setting]; rewrite Rminus_0_r.
    exists 2%nat, 2%nat, (cos 1 * 1 + sin 1 * 0); split; [cbn; lia|]; split; [cbn; lia|]; right; split.
    + apply (S_fma _ _ _ (cos 1, 1) (cos 1 * 1) [(sin 1, 0)] 1 1 (sin 1 * 0)); [apply Pr | | apply Ex].
      apply (S_product _ _ _ (sin 1, 0) (sin 1 * 0)); [apply Pr | apply Ex].
    + replace (1 * (cos 1 * 1 + sin 1 * 0)) with (cos 1) by ring; apply rounded_exactly; cbn; lra.
Qed.
